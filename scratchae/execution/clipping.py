"""How a runner keeps the norm of a step's gradient below a bound."""

from typing import Any

from ..backend import Array, Backend
from ..checks import real32
from ..kernels.clip import CLIP, SQUARES

PIECES = 64  # of a part of the vector, where each has a block of a GPU


class Clipping:
    """The bound, and the sums q (parts, pieces) float64 that the norm is made of. Raises
    ValueError for a bound of 0 or less.

    parts: those of the flat vector that are trained. Source: kernels/clip.py."""

    def __init__(self, backend: Backend, parts: list[slice], bound: float):
        self.bound = real32("clip", bound, 0, strict=True)
        self.parts, pieces = parts, PIECES if backend.spelling == "cuda" else 1
        self.q = backend.zeros((len(parts) * pieces,), "float64")
        self.each = [self.q[i * pieces : (i + 1) * pieces] for i in range(len(parts))]
        self.squares, self.clip = backend.op(SQUARES), backend.op(CLIP)

    def measure(self, i: int, grads: Array) -> None:
        """The sums of part i of the gradients (S, n). Source: kernels/clip.py (1)."""
        self.squares(self.each[i], grads, self.parts[i].start, self.parts[i].stop)

    def scale(self, row: Any) -> None:
        """The optimiser's row (j,), whose first number scales the gradient. Source:
        kernels/clip.py (2) (3)."""
        self.clip(row, self.q, self.bound)
