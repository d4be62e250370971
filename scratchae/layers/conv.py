"""Convolution and its adjoint, the transposed convolution, as layers."""

from functools import partial
from typing import Any

from ..backend import Array, Backend
from ..checks import positive
from ..initializers import Initializer, glorot_uniform, zeros
from ..kernels.activation import ACTIVATION_GRADIENT, BIAS_ACTIVATION
from ..parameters import Declared
from ..settings import Fixed
from . import arguments, geometry
from .base import Layer, Range, Shape
from .geometry import Axis, Pair
from .products import Product, TransposedConvProduct, convolution


class _Convolution(Layer):
    """The arguments, parameters and buffers that both directions share."""

    W: Array
    b: Array
    dW: Array
    db: Array
    inputs, outputs = Fixed(positive), Fixed(positive)
    kernel, stride = Fixed(geometry.pair), Fixed(geometry.pair)
    padding = Fixed(geometry.padding)
    activation = Fixed(arguments.activation)
    init, init_b = Fixed(arguments.initializer), Fixed(arguments.initializer)
    axes: tuple[Axis, Axis]
    product: Product

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | Pair,
        stride: int | Pair = 1,
        padding: Any = "valid",
        activation: str = "identity",
        init: Initializer = glorot_uniform,
        init_b: Initializer = zeros,
    ):
        self.inputs, self.outputs = inputs, outputs
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.activation = activation
        self.init, self.init_b = init, init_b

    def _declare(self, shape: Shape, axis: Any, weights: Shape) -> Declared:
        name = f"{type(self).__name__}({self.inputs}, {self.outputs})"
        arguments.rows(name, shape, f"height width {self.inputs}")
        vertical, horizontal = zip(shape[:2], self.kernel, self.stride, strict=True)
        self.axes = axis(*vertical, self.padding, 0), axis(*horizontal, self.padding, 1)
        self.shape = shape
        area = self.kernel[0] * self.kernel[1]
        fans = area * self.inputs, area * self.outputs
        return {
            "W": (weights, partial(self.init, weights, *fans)),
            "b": ((self.outputs,), partial(self.init_b, (self.outputs,), *fans)),
        }

    def _bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, da (rows, *output), dx (rows, *shape)."""
        self.bias_activation = backend.op(BIAS_ACTIVATION[self.activation])
        self.activation_gradient = backend.op(ACTIVATION_GRADIENT[self.activation])
        self.y = backend.empty((rows, *self.output))
        self.da = None if self.activation == "identity" else backend.empty((rows, *self.output))
        self.dx = backend.empty((rows, *self.shape)) if need_dx else None
        self.no_rows = backend.empty((0, *self.shape))
        self.no_weights = backend.empty((0, *self.W.shape[1:]))

    def range(self, before: Range) -> Range:
        """That of the activation. Source: kernels/activation.py."""
        return arguments.RANGES[self.activation]


def _matrix(images: Array) -> Array:
    """(N, ..., C) -> (N ..., C), a view."""
    return images.reshape(-1, images.shape[-1])


class Conv2d(_Convolution):
    """Every output pixel is an affine function of one patch of the image, the same everywhere.

    Shapes: x (N, H, W, C), W (kh, kw, C, O), b (O,), y (N, P, Q, O).

        a[n, p, q, o] = sum over i, j, c of W[i, j, c, o] x[n, h, w, c]                     (1)
        y = phi(a + b)                            bias and activation, one pass             (2)
        da = dy phi'                              phi' as a function of y                   (3)
        db_o = sum over n, p, q of da[n, p, q, o]                                           (4)
        dW[i, j, c, o] = sum over n, p, q of da[n, p, q, o] x[n, h, w, c]                   (5)
        dx[n, h, w, c] = sum over i, j, o of W[i, j, c, o] da[n, p, q, o]                   (6)

    with h = p s_h + i - top and w = q s_w + j - left in each of (1), (5) and (6), and x = 0
    outside the image: in (6), for given h, those i count for which p is a whole number below P.
    kernels/convolution.py has (1), (5) and (6) as matrix products, kernels/activation.py (2)
    to (4). It is a correlation, W not flipped, as everywhere in the field. padding: "valid",
    "same" (TensorFlow's rule), a whole number, or (top, bottom, left, right). Raises
    ValueError for sizes that do not fit. Source: LeCun et al., "Backpropagation applied to
    handwritten zip code recognition", 1989.
    """

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(H, W, C) -> ((P, Q, O), {W, b}). Raises ValueError for another shape. Source:
        geometry.py."""
        declared = self._declare(
            shape, geometry.from_image, (*self.kernel, self.inputs, self.outputs)
        )
        self.output = (self.axes[0].patches, self.axes[1].patches, self.outputs)
        return self.output, declared

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, da, dx (rows, ...) and the scratch of the product."""
        self.product = convolution(backend, self.axes, self.inputs, self.outputs, rows)
        self._bind(backend, rows, need_dx)

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> y (N, *output)."""
        self.x, y = x, self.y[: x.shape[0]]
        self.product.forward(y, x, self.W)  # (1)
        self.bias_activation(_matrix(y), self.b)  # (2)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, *output) -> dx (N, *shape)."""
        N = dy.shape[0]
        da = dy if self.da is None else self.da[:N]
        y, no_rows = self.y[:N], self.no_rows
        self.activation_gradient(
            _matrix(da), self.db, _matrix(dy), _matrix(y), self.add
        )  # (3) (4)
        dx = no_rows if self.dx is None else self.dx[:N]
        dW = self.dW if self.trainable else self.no_weights
        self.product.backward(dW, dx, da, self.x, self.W, self.add)  # (5) (6)
        return None if self.dx is None else dx


class ConvTranspose2d(_Convolution):
    """The exact adjoint of a Conv2d of the same geometry: every input pixel paints one patch.

    Shapes: x (N, P, Q, C), W (kh, kw, O, C), b (O,), y (N, H, W, O).

        a[n, h, w, o] = sum over i, j, c of W[i, j, o, c] x[n, p, q, c]                     (7)
        y = phi(a + b)                            bias and activation, one pass             (2)
        da = dy phi'                              phi' as a function of y                   (3)
        db_o = sum over n, h, w of da[n, h, w, o]                                           (4)
        dW[i, j, o, c] = sum over n, p, q of x[n, p, q, c] da[n, h, w, o]                   (8)
        dx[n, p, q, c] = sum over i, j, o of W[i, j, o, c] da[n, h, w, o]                   (9)

    with h = p s_h + i - top and w = q s_w + j - left in each of (7), (8) and (9), and da = 0
    outside the image: in (7), for given h, those i count for which p is a whole number below P.
    kernels/convolution.py has (7) to (9) as matrix products, kernels/activation.py (2) to (4);
    (1), (5) and (6) are the convolution's. Without bias and activation <conv(u), x> = <u, y>
    for every u, with the same W read as (kh, kw, C', O'). padding is that of the convolution:
    "same" gives H = P s; (1, 0, 1, 0) with k = 3 and s = 2 is PyTorch's padding=1,
    output_padding=1. Raises ValueError for sizes that do not fit. Source: Dumoulin and Visin,
    "A guide to convolution arithmetic for deep learning", 2016, chapter 4.
    """

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(P, Q, C) -> ((H, W, O), {W, b}). Raises ValueError for another shape. Source:
        geometry.py."""
        declared = self._declare(
            shape, geometry.from_patches, (*self.kernel, self.outputs, self.inputs)
        )
        self.output = (self.axes[0].pixels, self.axes[1].pixels, self.outputs)
        return self.output, declared

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, da, dx (rows, ...) and the scratch of the product."""
        self.product = TransposedConvProduct(backend, self.axes, self.outputs, self.inputs, rows)
        self._bind(backend, rows, need_dx)

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> y (N, *output)."""
        self.x, y = x, self.y[: x.shape[0]]
        self.product.forward(y, x, self.W)  # (7)
        self.bias_activation(_matrix(y), self.b)  # (2)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, *output) -> dx (N, *shape)."""
        N = dy.shape[0]
        da = dy if self.da is None else self.da[:N]
        y, no_rows = self.y[:N], self.no_rows
        self.activation_gradient(
            _matrix(da), self.db, _matrix(dy), _matrix(y), self.add
        )  # (3) (4)
        dx = no_rows if self.dx is None else self.dx[:N]
        dW = self.dW if self.trainable else self.no_weights
        self.product.backward(dW, dx, da, self.x, self.W, self.add)  # (8) (9)
        return None if self.dx is None else dx
