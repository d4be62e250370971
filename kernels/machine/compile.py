"""How a loop is compiled by Numba, and under which name it is kept on disk."""

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

from .tile import WIDTH, R
from .wide import Wide

# A chosen set: "nnan" and "ninf", which fastmath=True would add, delete isnan.
FASTMATH = {"reassoc", "contract", "arcp"}

# no_cfunc_wrapper: no entry for C, through which nobody calls a loop and which costs a tenth of
# the time of compiling.
OPTIONS: Any = {
    "nogil": True,
    "fastmath": FASTMATH,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
    "pipeline_class": Wide,
}

# Numba's cache looks at the age of a loop's file only, but a loop is compiled with what it calls
# in other files. An edit of any of these, or another width of registers, therefore gives every
# loop another name in the cache.
KERNELS = Path(__file__).parents[1]
_CONTENT = b"".join(path.read_bytes() for path in sorted(KERNELS.rglob("*.py")))
EDITION = hashlib.sha256(_CONTENT + bytes((WIDTH, R))).hexdigest()[:8]


class _Spare(FunctionCache):
    """Numba's cache of one loop, which spares time and is never needed: where it cannot be read
    or written, the loop is compiled.

    Numba itself lets these errors through: OSError of a full disk, and whatever a damaged file
    makes of itself, such as EOFError, UnpicklingError, AttributeError.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The loop for these types, or None: then it is compiled. A damaged index is removed, so
        that the loop can be kept again; it leads to the other files, which are then replaced."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            with contextlib.suppress(OSError):
                Path(self._cache_file._index_path).unlink(missing_ok=True)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the loop for these types, if the disk takes it."""
        with contextlib.suppress(Exception):
            super().save_overload(sig, data)


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop with Numba: serial, without the GIL, cached on disk where that is possible.

    function: scalars and arrays in, results written into arrays. No parallel=True: parallelism is
    over the batch, on Python threads. Source: Numba's user guide, "nogil" and "Notes on Caching".
    """
    function.__qualname__ += f"_{EDITION}"
    loop: Any = numba.njit(**OPTIONS)(function)
    # RuntimeError: neither the package folder nor the user's cache can be written
    with contextlib.suppress(RuntimeError, OSError):
        loop._cache = _Spare(function)
    return loop
