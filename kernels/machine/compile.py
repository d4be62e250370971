"""How a loop is compiled by Numba, and under which name it is kept on disk."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from .tile import WIDTH, R

# A chosen set: "nnan" and "ninf", which fastmath=True would add, delete isnan.
FASTMATH = {"reassoc", "contract", "arcp"}

# Numba's cache looks at the age of a loop's file only, but a loop is compiled with what it calls
# in other files. An edit of any of these, or another width of registers, therefore gives every
# loop another name in the cache.
KERNELS = Path(__file__).parents[1]
_CONTENT = b"".join(path.read_bytes() for path in sorted(KERNELS.rglob("*.py")))
EDITION = hashlib.sha256(_CONTENT + bytes((WIDTH, R))).hexdigest()[:8]


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop with Numba: serial, without the GIL, cached on disk where that is possible.

    function: scalars and arrays in, results written into arrays. No parallel=True: parallelism is
    over the batch, on Python threads. Source: Numba's user guide, "nogil" and "Notes on Caching".
    """
    function.__qualname__ += f"_{EDITION}"
    options: dict[str, Any] = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package folder nor the user's cache can be written
        return numba.njit(**options)(function)
