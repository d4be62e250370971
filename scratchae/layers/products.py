"""The products that convolutional layers are made of, bound to a backend: kernels, geometry,
scratch."""

from ..backend import Array, Backend
from ..kernels.convolution import (
    CONV,
    CONV_GRADIENT,
    CONV_TRANSPOSE,
    CONV_TRANSPOSE_GRADIENT,
    ROTATE_KERNEL,
    scratch_size,
)
from ..kernels.patches import FEW
from .geometry import Axis

Axes = tuple[Axis, Axis]


class ConvProduct:
    """a = im2col(x) W and its gradients: every output is the product of one patch of x with W.

    Shapes: x, dx (N, H, W, C), W, dW (kh, kw, C, O), a, da (N, P, Q, O). channels: C, others: O,
    rows: the largest N. Source: kernels/convolution.py (1) (5) (6).
    """

    def __init__(self, backend: Backend, axes: Axes, channels: int, others: int, rows: int):
        vertical, horizontal = axes
        self.geometry = (
            vertical.bounded_stride,
            horizontal.bounded_stride,
            vertical.before,
            horizontal.before,
        )
        kernel = (vertical.kernel, horizontal.kernel)
        image = rows, vertical.pixels, horizontal.pixels, channels
        grid = rows, vertical.patches, horizontal.patches, others
        how = backend.spelling, backend.dtype.itemsize
        self.flat = backend.empty((scratch_size(*how, image, grid, kernel, *self.geometry),))
        self.conv, self.conv_gradient = backend.op(CONV), backend.op(CONV_GRADIENT)
        self.transpose, self.transpose_gradient = (
            backend.op(CONV_TRANSPOSE),
            backend.op(CONV_TRANSPOSE_GRADIENT),
        )

    def forward(self, a: Array, x: Array, W: Array) -> None:
        """a (N, P, Q, O) <- x (N, H, W, C), W."""
        self.conv(a, x, W, *self.geometry, self.flat)

    def backward(self, dW: Array, dx: Array, da: Array, x: Array, W: Array, add: bool) -> None:
        """dW, dx (N or 0, H, W, C) <- da (N, P, Q, O), x, W."""
        self.conv_gradient(dW, dx, da, x, W, *self.geometry, add, self.flat)


class TransposedConvProduct(ConvProduct):
    """a = col2im(x W^T) and its gradients: every input paints its multiple of W as one patch of a.

    Shapes: x, dx (N, P, Q, O), W, dW (kh, kw, C, O), a, da (N, H, W, C), where C is the layer's
    number of outputs, O that of its inputs. Source: kernels/convolution.py (7) to (9).
    """

    def forward(self, a: Array, x: Array, W: Array) -> None:
        """a (N, H, W, C) <- x (N, P, Q, O), W."""
        self.transpose(a, x, W, *self.geometry, self.flat)

    def backward(self, dW: Array, dx: Array, da: Array, x: Array, W: Array, add: bool) -> None:
        """dW, dx (N or 0, P, Q, O) <- da (N, H, W, C), x, W."""
        self.transpose_gradient(dW, dx, da, x, W, *self.geometry, add, self.flat)


class RotatedConvProduct(TransposedConvProduct):
    """A convolution of stride 1 to few channels, as the transposed one with the kernel rotated by
    half a turn.

    A patch of x has kh kw C numbers, one of the output kh kw O: with 32 channels in and 1 out, a
    32nd. Along one axis, with x padded by ``before`` zeros,

        a[p] = sum_i x[p + i - before] W[i]
             = sum_j x[p + before' - j] W'[j],    W'[j] = W[k - 1 - j],
             before' = k - 1 - before                                                          (10)

    Shapes: x, dx (N, H, W, C), W, dW (kh, kw, C, O), a, da (N, P, Q, O).
    Source: Dumoulin and Visin 2016, relation 8, "no zero padding, unit strides, transposed".
    """

    def __init__(self, backend: Backend, axes: Axes, channels: int, others: int, rows: int):
        vertical, horizontal = (
            Axis(axis.patches, axis.pixels, axis.kernel, 1, axis.kernel - 1 - axis.before)  # (10)
            for axis in axes
        )
        super().__init__(backend, (vertical, horizontal), others, channels, rows)
        shape = (vertical.kernel, horizontal.kernel, others, channels)
        self.rotate = backend.op(ROTATE_KERNEL)
        self.rotated, self.drotated = backend.empty(shape), backend.empty(shape)

    def forward(self, a: Array, x: Array, W: Array) -> None:
        """a (N, P, Q, O) <- x (N, H, W, C), W."""
        self.rotate(self.rotated, W, False)  # (10)
        super().forward(a, x, self.rotated)

    def backward(self, dW: Array, dx: Array, da: Array, x: Array, W: Array, add: bool) -> None:
        """dW, dx (N or 0, H, W, C) <- da (N, P, Q, O), x, W."""
        self.rotate(self.rotated, W, False)  # (10)
        super().backward(self.drotated[: len(dW)], dx, da, x, self.rotated, False)
        if len(dW):
            self.rotate(dW, self.drotated, add)  # (10)


class PointwiseProduct:
    """A convolution whose kernel is one pixel, of stride 1 and without padding: its patches are
    the pixels,

        im2col(x) = x,   col2im(dx) = dx                                                (11)

    so that (1), (5) and (6) of kernels/convolution.py are products of x, da and W as they are.

    Shapes: x, dx (N, H, W, C), W, dW (1, 1, C, O), a, da (N, H, W, O). Source: the
    kernel's.
    """

    def __init__(self, backend: Backend):
        self.matmul = backend.matmul

    def forward(self, a: Array, x: Array, W: Array) -> None:
        """a (N, H, W, O) <- x (N, H, W, C), W."""
        self.matmul(_matrix(x), _matrix(W), _matrix(a))  # (11)

    def backward(self, dW: Array, dx: Array, da: Array, x: Array, W: Array, add: bool) -> None:
        """dW, dx (N or 0, H, W, C) <- da (N, H, W, O), x, W."""
        if len(dW):
            self.matmul(_matrix(x).T, _matrix(da), _matrix(dW), add)  # (11)
        if len(dx):
            self.matmul(_matrix(da), _matrix(W).T, _matrix(dx))  # (11)


def _matrix(a: Array) -> Array:
    """(..., O) -> (any, O), a view."""
    return a.reshape(-1, a.shape[-1])


Product = ConvProduct | PointwiseProduct


def convolution(backend: Backend, axes: Axes, inputs: int, outputs: int, rows: int) -> Product:
    """The convolution of x (N, H, W, inputs) to (N, P, Q, outputs): a product of matrices, or by
    whichever patches are smaller.

    Source: the classes."""
    if all(axis.kernel == axis.stride == 1 and axis.pixels == axis.patches for axis in axes):
        return PointwiseProduct(backend)
    turns = outputs <= FEW < inputs and all(
        axis.stride == 1 and axis.before < axis.kernel for axis in axes
    )
    return (RotatedConvProduct if turns else ConvProduct)(backend, axes, inputs, outputs, rows)
