"""Convolution and its adjoint, the transposed convolution, as matrix products over patches."""

from functools import partial
from typing import Any

import numpy as np

from ..backend import Array, Backend
from ..checks import positive
from ..initializers import Initializer, glorot_uniform, zeros
from ..kernels.activation import ACTIVATION_GRADIENT, BIAS_ACTIVATION
from ..kernels.patches import COL2IM, COL2IM_FEW, IM2COL, IM2COL_FEW
from ..parameters import Declared
from .base import Layer, Shape, known_activation
from .geometry import Axis, Pair, from_image, from_patches, known_padding, pair

BLOCK_BYTES = 600_000  # patches of a few images at a time, so that they are still in L2 when the product reads them
FEW = 4  # channels of an image up to which its patches lie across: their own runs would be too short to copy


class _Patches(Layer):
    """What both directions share: their arguments, the blocks of images, the buffer of patches."""

    W: Array
    b: Array
    dW: Array
    db: Array
    rows_axis: Axis
    columns_axis: Axis

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
        self.init = init
        self.init_b = init_b

    def _declare(self, shape: Shape, geometry: Any, weights: Shape) -> Declared:
        if len(shape) != 3 or shape[2] != self.inputs:
            raise ValueError(
                f"{type(self).__name__}({self.inputs}, {self.outputs}) is handed rows of shape {shape}, but it "
                f"takes (height, width, {self.inputs}): mend the channels, or put Reshape() before it"
            )
        axes = zip(shape[:2], self.kernel, self.stride, strict=True)
        self.rows_axis, self.columns_axis = (
            geometry(n, k, s, self.padding, axis) for axis, (n, k, s) in enumerate(axes)
        )
        self.shape = shape
        area = self.kernel[0] * self.kernel[1]
        fans = area * self.inputs, area * self.outputs
        return {
            "W": (weights, partial(self.init, weights, *fans)),
            "b": ((self.outputs,), partial(self.init_b, (self.outputs,), *fans)),
        }

    def _bind(self, backend: Backend, rows: int, need_dx: bool, channels: int, others: int) -> None:
        """Buffers y, dx (rows, ...); for one block of images da, and patches of ``channels`` channels.

        others: the columns that the product with W makes of a patch, or a patch of."""
        r, c = self.rows_axis, self.columns_axis
        self.patch = (r.patches, c.patches, *self.kernel, channels)
        bytes_of_image = (int(np.prod(self.patch)) + r.patches * c.patches * others) * backend.dtype.itemsize
        self.block = max(1, min(rows, BLOCK_BYTES // bytes_of_image))
        self.across = channels <= FEW
        self.geometry = (r.stride, c.stride, r.before, c.before)
        self.matmul = backend.matmul
        self.im2col = backend.op(IM2COL_FEW if self.across else IM2COL)
        self.col2im = backend.op(COL2IM_FEW if self.across else COL2IM)
        self.bias_activation = backend.op(BIAS_ACTIVATION[self.activation])
        self.activation_gradient = backend.op(ACTIVATION_GRADIENT[self.activation])
        self.flat = backend.empty((self.block * int(np.prod(self.patch)),))
        self.Wt = backend.empty((others, self.kernel[0] * self.kernel[1] * channels))
        self.y = backend.empty((rows, *self.output))
        self.da = None if self.activation == "identity" else backend.empty((self.block, *self.output))
        self.dx = backend.empty((rows, *self.shape)) if need_dx else None

    def _patches(self, images: slice) -> tuple[Array, Array]:
        """The patches (n, P, Q, kh, kw, C) of a block, and the same memory as a matrix (n P Q, kh kw C)."""
        n = images.stop - images.start
        P, Q, kh, kw, C = self.patch
        rows, columns = n * P * Q, kh * kw * C
        flat = self.flat[: rows * columns]
        if self.across:
            return flat.reshape(kh, kw, C, n, P, Q).transpose(3, 4, 5, 0, 1, 2), flat.reshape(columns, rows).T
        return flat.reshape(n, *self.patch), flat.reshape(rows, columns)

    def _blocks(self, N: int) -> list[slice]:
        return [slice(n, min(n + self.block, N)) for n in range(0, N, self.block)]

    def _bias_activation(self, y: Array) -> None:
        self.bias_activation(_matrix(y), self.b)

    def _activation_gradient(self, dy: Array, y: Array, add: bool) -> Array:
        """da (n, ..., O) of one block, and db."""
        da = dy if self.da is None else self.da[: dy.shape[0]]
        self.activation_gradient(_matrix(da), self.db, _matrix(dy), _matrix(y), add)
        return da


def _matrix(images: Array) -> Array:
    """(n, ..., C) -> (n ..., C), a view."""
    return images.reshape(-1, images.shape[-1])


class Conv2d(_Patches):
    """Every output pixel is an affine function of one patch of the image, the same everywhere.

    Shapes: x (N, H, W, C), W (kh, kw, C, O), b (O,), y (N, P, Q, O); as matrices, patches (N P Q, kh kw C).

        cols = im2col(x)                                                                (1)
        y = phi(cols W + b)                                                             (2)
        da = dy phi',   db = sum over n, p, q of da                                     (3)
        dW = cols^T da                                                                  (4)
        dcols = da W^T                                                                  (5)
        dx = col2im(dcols)                        the adjoint of (1)                    (6)

    It is a correlation, W not flipped, as everywhere in the field. padding: "valid", "same" (TensorFlow's
    rule), a whole number, or (top, bottom, left, right). Patches are made in blocks of images and made
    again for (4), since storing them costs kh kw times the memory of x. A copy of W^T is made once a pass: BLAS
    reads a transposed operand at half the rate where the other one is small. Raises ValueError for sizes that
    do not fit. Source: LeCun et al., "Backpropagation applied to handwritten zip code recognition", 1989;
    Chellapilla et al. 2006 (1).
    """

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(H, W, C) -> ((P, Q, O), {W, b}). Raises ValueError for another shape. Source: geometry.py."""
        declared = self._declare(shape, from_image, (*self.kernel, self.inputs, self.outputs))
        self.output = (self.rows_axis.patches, self.columns_axis.patches, self.outputs)
        return self.output, declared

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, dx (rows, ...) and the patches of one block. Source: the class docstring."""
        self._bind(backend, rows, need_dx, self.inputs, self.outputs)

    def forward(self, x: Array) -> Array:
        """x (N, H, W, C) -> y (N, P, Q, O). Source: the class docstring."""
        N = x.shape[0]
        self.x, y = x, self.y[:N]
        W = _matrix(self.W)  # (kh kw C, O)
        for block in self._blocks(N):
            cols, patches = self._patches(block)
            self.im2col(cols, x[block], *self.geometry)  # (1)
            self.matmul(patches, W, out=_matrix(y[block]))  # (2)
            self._bias_activation(y[block])  # (2)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, P, Q, O) -> dx (N, H, W, C). Source: the class docstring."""
        N = dy.shape[0]
        dW, add = _matrix(self.dW), self.add
        if self.dx is not None:
            self.Wt[...] = _matrix(self.W).T  # (O, kh kw C)
        for block in self._blocks(N):
            da = self._activation_gradient(dy[block], self.y[block], add)  # (3)
            cols, patches = self._patches(block)
            self.im2col(cols, self.x[block], *self.geometry)  # (1)
            self.matmul(patches.T, _matrix(da), out=dW, add=add)  # (4)
            add = True
            if self.dx is not None:
                self.matmul(_matrix(da), self.Wt, out=patches)  # (5)
                self.col2im(self.dx[block], cols, *self.geometry)  # (6)
        return None if self.dx is None else self.dx[:N]


class ConvTranspose2d(_Patches):
    """The exact adjoint of a Conv2d of the same geometry: every input pixel paints one patch.

    Shapes: x (N, P, Q, C), W (kh, kw, O, C), b (O,), y (N, H, W, O); as matrices, patches (N P Q, kh kw O).

        cols = x W^T                                                                    (1)
        y = phi(col2im(cols) + b)                                                       (2)
        da = dy phi',   db = sum over n, h, w of da                                     (3)
        dcols = im2col(da)                        the adjoint of col2im                 (4)
        dW = dcols^T x                                                                  (5)
        dx = dcols W                                                                    (6)

    Without bias and activation <conv(u), x> = <u, y> for every u, with the same W read as (kh, kw, C', O').
    padding is that of the convolution: "same" gives H = P s; (1, 0, 1, 0) with k = 3 and s = 2 is
    PyTorch's padding=1, output_padding=1. Raises ValueError for sizes that do not fit.
    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, chapter 4.
    """

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(P, Q, C) -> ((H, W, O), {W, b}). Raises ValueError for another shape. Source: geometry.py."""
        declared = self._declare(shape, from_patches, (*self.kernel, self.outputs, self.inputs))
        self.output = (self.rows_axis.pixels, self.columns_axis.pixels, self.outputs)
        return self.output, declared

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, dx (rows, ...) and the patches of one block. Source: the class docstring."""
        self._bind(backend, rows, need_dx, self.outputs, self.inputs)

    def forward(self, x: Array) -> Array:
        """x (N, P, Q, C) -> y (N, H, W, O). Source: the class docstring."""
        N = x.shape[0]
        self.x, y = x, self.y[:N]
        self.Wt[...] = _matrix(self.W).T  # (C, kh kw O)
        for block in self._blocks(N):
            cols, patches = self._patches(block)
            self.matmul(_matrix(x[block]), self.Wt, out=patches)  # (1)
            self.col2im(y[block], cols, *self.geometry)  # (2)
            self._bias_activation(y[block])  # (2)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, H, W, O) -> dx (N, P, Q, C). Source: the class docstring."""
        N = dy.shape[0]
        W, dW, add = _matrix(self.W), _matrix(self.dW), self.add
        for block in self._blocks(N):
            da = self._activation_gradient(dy[block], self.y[block], add)  # (3)
            dcols, patches = self._patches(block)
            self.im2col(dcols, da, *self.geometry)  # (4)
            self.matmul(patches.T, _matrix(self.x[block]), out=dW, add=add)  # (5)
            add = True
            if self.dx is not None:
                self.matmul(patches, W, out=_matrix(self.dx[block]))  # (6)
        return None if self.dx is None else self.dx[:N]
