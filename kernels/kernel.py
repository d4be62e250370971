"""What a kernel is: one operation, defined once in NumPy and spelled again for speed."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba

from .tile import WIDTH, R

# A chosen set: "nnan" and "ninf", which fastmath=True would add, delete isnan.
FASTMATH = {"reassoc", "contract", "arcp"}

# Numba's cache looks at a loop's own file only: an edit to what loops share, or another width of registers, gives
# each of them another name there.
SHARED = ("elementary.py", "kernel.py", "patches.py", "product.py", "shards.py", "taps.py", "tile.py")
_CONTENT = b"".join(Path(__file__).with_name(name).read_bytes() for name in SHARED)
EDITION = hashlib.sha256(_CONTENT + bytes((WIDTH, R))).hexdigest()[:8]


@dataclass(frozen=True)
class Kernel:
    """One operation in all its spellings, each called as ``f(*outs, *ins, *constants)``.

    definition: plain NumPy, the meaning of the operation and the oracle of every test.
    numba: the same as a compiled loop for the CPU, or None.
    cuda: the same on a GPU, or None: called as ``f(gpu, *outs, *ins, *constants)``, it launches functions of
    the .cu file beside it.

    Outputs are written in place, whole, and nothing is returned. What changes between steps is an
    element of an array; only constants are scalars. Source: the pair of a definition and a compiled
    twin is the habit of numba-examples (one folder a kernel, each with its validator).
    """

    definition: Callable[..., None]
    numba: Callable[..., None] | None = None
    cuda: Callable[..., None] | None = None

    @property
    def name(self) -> str:
        """The definition's name, for messages and tables. Source: none, a plain accessor."""
        return self.definition.__name__


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop with Numba: serial, without the GIL, cached on disk where that is possible.

    function: scalars and arrays in, results written into arrays. No parallel=True: parallelism is over
    the batch, on Python threads. Source: Numba's user guide, "nogil" and "Notes on Caching".
    """
    function.__qualname__ += f"_{EDITION}"
    options: dict[str, Any] = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package folder nor the user's cache can be written
        return numba.njit(**options)(function)
