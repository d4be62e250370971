"""Layers that only look at the same memory in another shape."""

import math

from ..backend import Array, Backend
from ..checks import is_a, positive
from ..parameters import Declared
from ..settings import Fixed
from .base import Layer, Range, Shape


def _sizes(what: str, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """A shape. Raises ValueError for sizes that are not whole or below 1, TypeError for none."""
    is_a(what, sizes, tuple, "a tuple of sizes, such as (28, 28, 1), is expected")
    return tuple(positive(what, n) for n in sizes)


class Reshape(Layer):
    """Rows of any shape as rows of the given shape, in C order: y = x, dx = dy.

    Shapes: x (N, *any), y (N, *shape) with as many elements. Raises ValueError where the counts
    differ.
    Source: numpy.reshape; a permutation of coordinates has itself, inverted, as its Jacobian's
    transpose.
    """

    sizes = Fixed(_sizes)

    def __init__(self, *sizes: int):
        self.sizes = sizes

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """Any shape -> (sizes, no parameters). Raises ValueError where the counts differ."""
        n, due = math.prod(shape), math.prod(self.sizes)
        if n != due:
            raise ValueError(f"Reshape{self.sizes} takes {due} numbers, but a row {shape} has {n}")
        self.shape, self.output = shape, self.sizes
        return self.output, {}

    def range(self, before: Range) -> Range:
        """That of x."""
        return before

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Nothing to make: no buffer of any shape."""
        self.need_dx = need_dx

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> y (N, *sizes), a view."""
        return x.reshape(x.shape[0], *self.output)

    def backward(self, dy: Array) -> Array | None:
        """dy (N, *sizes) -> dx (N, *shape), a view."""
        return dy.reshape(dy.shape[0], *self.shape) if self.need_dx else None


class Flatten(Reshape):
    """Rows of any shape as rows of numbers: x (N, *any) -> y (N, count). Source: numpy.ravel."""

    def __init__(self) -> None:
        self.sizes = ()

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """Any shape -> ((count,), no parameters)."""
        self.shape, self.output = shape, (math.prod(shape),)
        return self.output, {}
