"""Layers without weights that change the size of an image: max pooling, and upsampling by
repetition."""

from typing import Any

import numpy as np

from ..backend import Array, Backend
from ..kernels.pooling import MAX_POOL, MAX_POOL_GRADIENT, UPSAMPLE, UPSAMPLE_GRADIENT
from ..parameters import Declared
from ..settings import Fixed
from . import arguments
from .base import Layer, Range, Shape
from .geometry import Pair, from_image, pair

WINNERS = 256  # pixels of a window that one byte can tell apart


def _image(layer: Layer, shape: Shape) -> Shape:
    """The shape itself, or ValueError where it is not that of an image."""
    arguments.rows(type(layer).__name__, shape, "height width channels")
    return shape


def _window(what: str, value: Any) -> Pair:
    """Two whole numbers of at least 1. Raises ValueError for more pixels than a byte counts."""
    size = pair(what, value)
    if size[0] * size[1] > WINNERS:
        raise ValueError(f"{what} is {value!r}, but {WINNERS} pixels are the most: pool twice")
    return size


def _stride(what: str, value: Any) -> Pair | None:
    """None, or a whole number or two of at least 1, as two."""
    return None if value is None else pair(what, value)


def _padding(what: str, value: Any) -> str:
    """The padding itself. Raises ValueError for another word."""
    if not isinstance(value, str) or value not in ("valid", "same"):
        raise ValueError(f"{what} is {value!r}, but it must be 'valid' or 'same'")
    return value


class MaxPool2d(Layer):
    """Every output pixel is the largest of a window, channel by channel: y = max over the window
    of x.

    Shapes: x (N, H, W, C), y (N, P, Q, C).

        y = the maximum of each window                                                  (1)
        winner = where in the window it stands                                          (2)
        dx = dy where a pixel won, summed over the windows it is in, 0 elsewhere        (3)

    size: of a window, one whole number or (height, width); stride: the same, the size itself by
    default.
    padding: "valid", or "same" (P = ceil(H / stride), as in Keras), whose border never wins. Of
    equal pixels the first in reading order wins; a NaN wins over all. Kept for (3): one byte for
    each output. Raises ValueError for sizes below 1, windows of more than 256 pixels, those that
    do not fit.
    Source: Ranzato et al. 2007; kernels/pooling.py.
    """

    size, stride, padding = Fixed(_window), Fixed(_stride), Fixed(_padding)

    def __init__(self, size: int | Pair, stride: int | Pair | None = None, padding: str = "valid"):
        self.size, self.stride, self.padding = size, stride, padding

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(H, W, C) -> ((P, Q, C), no parameters). Raises ValueError for another shape. Source:
        geometry.py."""
        self.shape = _image(self, shape)
        axes = zip(shape[:2], self.size, self.stride or self.size, strict=True)
        r, c = (from_image(n, k, s, self.padding, axis) for axis, (n, k, s) in enumerate(axes))
        self.geometry = (*self.size, r.bounded_stride, c.bounded_stride, r.before, c.before)
        self.output = (r.patches, c.patches, shape[2])
        return self.output, {}

    def range(self, before: Range) -> Range:
        """That of x. Source: (1)."""
        return before

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, winner (rows, P, Q, C) and dx (rows, H, W, C)."""
        self.max_pool, self.max_pool_gradient = backend.op(MAX_POOL), backend.op(MAX_POOL_GRADIENT)
        self.y = backend.empty((rows, *self.output))
        self.winner = backend.empty((rows, *self.output), np.uint8)
        self.dx = backend.empty((rows, *self.shape)) if need_dx else None

    def forward(self, x: Array) -> Array:
        """x (N, H, W, C) -> y (N, P, Q, C)."""
        y = self.y[: x.shape[0]]
        self.max_pool(y, self.winner[: x.shape[0]], x, *self.geometry)  # (1) (2)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, P, Q, C) -> dx (N, H, W, C)."""
        if self.dx is None:
            return None
        dx = self.dx[: dy.shape[0]]
        self.max_pool_gradient(dx, dy, self.winner[: dy.shape[0]], *self.geometry)  # (3)
        return dx


class Upsample2d(Layer):
    """Every pixel is repeated, factor_h times downwards and factor_w times to the right.

    Shapes: x (N, H, W, C), y (N, H factor_h, W factor_w, C).

        y = x, each pixel factor_h factor_w times                                       (4)
        dx = sum of dy over the copies of each pixel                                    (5)

    factor: one whole number or (factor_h, factor_w). Raises ValueError for a factor below 1, and
    for rows that are no images. Source: Odena, Dumoulin, Olah, "Deconvolution and checkerboard
    artifacts", 2016; kernels/pooling.py.
    """

    factor = Fixed(pair)

    def __init__(self, factor: int | Pair):
        self.factor = factor

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(H, W, C) -> ((H factor_h, W factor_w, C), no parameters). Raises ValueError."""
        H, W, C = self.shape = _image(self, shape)
        self.output = (H * self.factor[0], W * self.factor[1], C)
        return self.output, {}

    def range(self, before: Range) -> Range:
        """That of x. Source: (4)."""
        return before

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y (rows, *output) and dx (rows, H, W, C)."""
        self.upsample, self.upsample_gradient = backend.op(UPSAMPLE), backend.op(UPSAMPLE_GRADIENT)
        self.y = backend.empty((rows, *self.output))
        self.dx = backend.empty((rows, *self.shape)) if need_dx else None

    def forward(self, x: Array) -> Array:
        """x (N, H, W, C) -> y (N, H factor_h, W factor_w, C)."""
        y = self.y[: x.shape[0]]
        self.upsample(y, x)  # (4)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, H factor_h, W factor_w, C) -> dx (N, H, W, C)."""
        if self.dx is None:
            return None
        dx = self.dx[: dy.shape[0]]
        self.upsample_gradient(dx, dy)  # (5)
        return dx
