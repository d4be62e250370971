"""What a kernel is: one operation, defined once in NumPy and spelled again for speed."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kernel:
    """One operation in all its spellings, each called as ``f(*outs, *ins, *constants)``.

    definition: plain NumPy, the meaning of the operation and the oracle of every test.
    numba: the same as a compiled loop for the CPU, or None.
    cuda: the same on a GPU, or None: called as ``f(gpu, *outs, *ins, *constants)``, it launches
    functions of the .cu file beside it.

    Outputs are written in place, whole, and nothing is returned. What changes between steps is an
    element of an array; only constants are scalars. Source: the pair of a definition and a
    compiled twin is the habit of numba-examples (one folder a kernel, each with its validator).
    """

    definition: Callable[..., None]
    numba: Callable[..., None] | None = None
    cuda: Callable[..., None] | None = None

    @property
    def name(self) -> str:
        """The definition's name, for messages and tables."""
        return self.definition.__name__
