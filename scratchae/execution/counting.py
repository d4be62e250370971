"""How much memory something would take, by binding it to a backend that only counts."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend.base import Array, Backend, Table

GRAIN = 512  # bytes: what CuPy's memory pool hands out multiples of


class CountingBackend:
    """A backend whose arrays are one number seen in every place, and whose memory is a sum.

    like: the backend it stands for. Shapes: those asked for. Source: none, a count."""

    def __init__(self, like: Backend):
        self.name, self.dtype = like.name, like.dtype
        self.bytes = 0

    def empty(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """An array of that shape, which takes no memory; what it would take is added up. Source: the class."""
        dtype = np.dtype(dtype or self.dtype)
        self.bytes += -(-math.prod(shape) * dtype.itemsize // GRAIN) * GRAIN
        return np.lib.stride_tricks.as_strided(np.zeros((), dtype), shape, (0,) * len(shape))

    def zeros(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """As ``empty``, any shape. Source: the class."""
        return self.empty(shape, dtype)

    def asarray(self, a: Any, dtype: Any = None) -> Array:
        """As ``empty``, of the shape of a. Source: the class."""
        return self.empty(np.shape(a), dtype)

    def share(self, a: np.ndarray) -> Array:
        """As ``empty``, of the shape and dtype of a. Source: the class."""
        return self.empty(a.shape, a.dtype)

    def table(self, a: np.ndarray, rows: int) -> Table:
        """The rows (rows, D) of one step. Source: the class."""
        return Table(self.empty((rows, *a.shape[1:]), a.dtype))

    def write(self, out: Array, values: Any) -> None:
        """Nothing is kept, whatever the shape. Source: the class."""

    def to_host(self, a: Array) -> np.ndarray:
        """It holds no values to read, whatever the shape. Source: the class."""
        raise TypeError("a CountingBackend only counts memory: it holds no values")

    def op(self, kernel: Any) -> Callable[..., None]:
        """A kernel that cannot be run, whatever its shapes. Source: the class."""
        return self.matmul

    def matmul(self, *_: Any, **__: Any) -> None:
        """Nothing is computed, whatever the shapes. Source: the class."""
        raise TypeError("a CountingBackend only counts memory: it computes nothing")
