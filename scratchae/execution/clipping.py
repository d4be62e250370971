"""Sums of squares over a flat vector: a step's gradient is kept below a bound, and a vector is
looked at where it lies."""

import math
from typing import Any

import numpy as np

from ..backend import Array, Backend
from ..checks import real32
from ..kernels.clip import CLIP, SQUARES

PIECES = 64  # of a part of the vector, where each has a block of a GPU
ALONE = 1 << 13  # numbers that one block of a GPU takes by itself


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


def all_finite(backend: Backend, vector: Array) -> bool:
    """Whether no number of a vector (n,) is NaN or infinite, by the sums of its squares, made
    where it lies. Those of float64 may overflow: then its sum is asked on the host."""
    n = vector.size
    q = backend.empty((min(PIECES, max(1, -(-n // ALONE))),), "float64")
    with np.errstate(over="ignore", invalid="ignore"):  # a large number's square, inf - inf
        backend.op(SQUARES)(q, vector.reshape(1, n), 0, n)
        if np.isfinite(backend.to_host(q)).all():
            return True
        return math.isfinite(backend.to_host(vector).sum(dtype=np.float64))
