"""Convolution and its adjoint, the transposed convolution, as layers."""

from functools import partial
from typing import Any

from ..backend import Array, Backend
from ..checks import positive
from ..initializers import Initializer, glorot_uniform, zeros
from ..kernels.activation import ACTIVATION_GRADIENT, BIAS_ACTIVATION
from ..parameters import Declared
from .base import Layer, Shape, known_activation, known_initializer
from .geometry import Axis, Pair, from_image, from_patches, known_padding, pair
from .products import ConvProduct, TransposedConvProduct, convolution


class _Convolution(Layer):
    """What both directions share: their arguments, and the passes, given the product of their direction.

    a = product of x and W                    kernels/convolution.py                (1)
    y = phi(a + b)                                                                  (2)
    da = dy phi',   db = sum over rows and pixels of da                             (3)
    dW, dx = adjoints of the product at da                                          (4)
    """

    W: Array
    b: Array
    dW: Array
    db: Array
    axes: tuple[Axis, Axis]
    product: ConvProduct

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
        name = type(self).__name__
        self.inputs = positive(f"{name}(inputs)", inputs)
        self.outputs = positive(f"{name}(outputs)", outputs)
        self.kernel = pair(f"{name}(kernel)", kernel, 1)
        self.stride = pair(f"{name}(stride)", stride, 1)
        self.padding = known_padding(padding)
        self.activation = known_activation(activation)
        self.init = known_initializer(init)
        self.init_b = known_initializer(init_b)

    def _declare(self, shape: Shape, geometry: Any, weights: Shape) -> Declared:
        if len(shape) != 3 or shape[2] != self.inputs:
            raise ValueError(
                f"{type(self).__name__}({self.inputs}, {self.outputs}) is handed rows of shape {shape}, but it "
                f"takes (height, width, {self.inputs}): mend the channels, or put Reshape() before it"
            )
        vertical, horizontal = zip(shape[:2], self.kernel, self.stride, strict=True)
        self.axes = geometry(*vertical, self.padding, 0), geometry(*horizontal, self.padding, 1)
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

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> y (N, *output). Source: the class docstring."""
        self.x, y = x, self.y[: x.shape[0]]
        self.product.forward(y, x, self.W)  # (1)
        self.bias_activation(_matrix(y), self.b)  # (2)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, *output) -> dx (N, *shape). Source: the class docstring."""
        N = dy.shape[0]
        da = dy if self.da is None else self.da[:N]
        dx = self.no_rows if self.dx is None else self.dx[:N]
        self.activation_gradient(
            _matrix(da), self.db, _matrix(dy), _matrix(self.y[:N]), self.add
        )  # (3)
        self.product.backward(self.dW, dx, da, self.x, self.W, self.add)  # (4)
        return None if self.dx is None else dx


def _matrix(images: Array) -> Array:
    """(N, ..., C) -> (N ..., C), a view."""
    return images.reshape(-1, images.shape[-1])


class Conv2d(_Convolution):
    """Every output pixel is an affine function of one patch of the image, the same everywhere.

    Shapes: x (N, H, W, C), W (kh, kw, C, O), b (O,), y (N, P, Q, O).

        a[n, p, q, o] = sum over i, j, c of W[i, j, c, o] x[n, p s_h + i - top, q s_w + j - left, c]
        y = phi(a + b)
        da = dy phi',   db = sum over n, p, q of da
        dW[i, j, c, o] = sum over n, p, q of da[n, p, q, o] x[n, p s_h + i - top, q s_w + j - left, c]
        dx[n, h, w, c] = sum over i, j, o of W[i, j, c, o] da[n, p, q, o] at p s_h + i - top = h, likewise w

    where x is 0 outside the image; kernels/convolution.py has the sums as matrix products. It is a correlation,
    W not flipped, as everywhere in the field. padding: "valid", "same" (TensorFlow's rule), a whole number, or
    (top, bottom, left, right). Raises ValueError for sizes that do not fit. Source: LeCun et al., "Backpropagation
    applied to handwritten zip code recognition", 1989.
    """

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(H, W, C) -> ((P, Q, O), {W, b}). Raises ValueError for another shape. Source: geometry.py."""
        declared = self._declare(shape, from_image, (*self.kernel, self.inputs, self.outputs))
        self.output = (self.axes[0].patches, self.axes[1].patches, self.outputs)
        return self.output, declared

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, da, dx (rows, ...) and the scratch of the product. Source: the class docstring."""
        self.product = convolution(backend, self.axes, self.inputs, self.outputs, rows)
        self._bind(backend, rows, need_dx)


class ConvTranspose2d(_Convolution):
    """The exact adjoint of a Conv2d of the same geometry: every input pixel paints one patch.

    Shapes: x (N, P, Q, C), W (kh, kw, O, C), b (O,), y (N, H, W, O).

        a[n, h, w, o] = sum over i, j, c of W[i, j, o, c] x[n, p, q, c] at p s_h + i - top = h, likewise w
        y = phi(a + b)
        da = dy phi',   db = sum over n, h, w of da
        dW[i, j, o, c] = sum over n, p, q of x[n, p, q, c] da[n, p s_h + i - top, q s_w + j - left, o]
        dx[n, p, q, c] = sum over i, j, o of W[i, j, o, c] da[n, p s_h + i - top, q s_w + j - left, o]

    where da is 0 outside the image; kernels/convolution.py has the sums as matrix products. Without bias and
    activation <conv(u), x> = <u, y> for every u, with the same W read as (kh, kw, C', O'). padding is that of the
    convolution: "same" gives H = P s; (1, 0, 1, 0) with k = 3 and s = 2 is PyTorch's padding=1,
    output_padding=1. Raises ValueError for sizes that do not fit.
    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, chapter 4.
    """

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(P, Q, C) -> ((H, W, O), {W, b}). Raises ValueError for another shape. Source: geometry.py."""
        declared = self._declare(shape, from_patches, (*self.kernel, self.outputs, self.inputs))
        self.output = (self.axes[0].pixels, self.axes[1].pixels, self.outputs)
        return self.output, declared

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, da, dx (rows, ...) and the scratch of the product. Source: the class docstring."""
        self.product = TransposedConvProduct(backend, self.axes, self.outputs, self.inputs, rows)
        self._bind(backend, rows, need_dx)
