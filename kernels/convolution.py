"""Convolution and its adjoint, with the gradients of both. The numbers are those of
layers/conv.py, whose (2) to (4), bias and activation, are those of activation.py.

With the patches of patches.py as a matrix, cols (N P Q, kh kw C), and the weights W (kh kw C, O):

    cols = im2col(x),   a = cols W                 convolution, x (N, H, W, C), a (N, P, Q, O)  (1)
    dW = cols^T da                                 since a_io = sum_j cols_ij W_jo              (5)
    dcols = da W^T,     dx = col2im(dcols)         the adjoint of (1)                           (6)

    cols = x W^T,       a = col2im(cols)           transposed, x (N, P, Q, O), a (N, H, W, C)   (7)
    dcols = im2col(da), dW = dcols^T x                                                          (8)
    dx = dcols W                                   the adjoint of (7)                           (9)

    out[i, j, b, a] = W[kh - 1 - i, kw - 1 - j, a, b]   a kernel rotated by half a turn        (10)

C is always the image's channels, O the grid's; da is the derivative of the loss by a. Since (1) is
linear, col2im of da W^T is its adjoint. (7) is (6) as a forward pass, and (9) is (1): each is the
other's gradient. The definitions say just that, with all patches at once, and so do the GPU's
launches. The loops are made of the sums of taps.py and paint.py, which make no patches; only those
are compiled, since Numba would compile them again with each function around them. They read memory
in order: what lies in another order, such as a view that a reader's layer returns, is copied. (10)
makes a convolution of stride 1 a transposed one, and back.

A gradient dx or dW of no rows is not computed. With add, dW or out is added to. Scratch comes
last: flat, as long as scratch_size says, for W and a few images or, on a GPU, for all patches.

Source: Chellapilla, Puri, Simard, "High performance convolutional neural networks for document
processing", 2006 (1, 5, 6); Dumoulin and Visin, "A guide to convolution arithmetic for deep
learning", 2016, chapter 4 (7-9).
"""

import math

import numpy as np
from numpy import ascontiguousarray as in_order

from . import paint as painting
from . import taps
from .kernel import Kernel
from .machine.compile import jit
from .paint import paint
from .patches import col2im, col2im_cuda, im2col, im2col_cuda
from .taps import correlate, weight_gradient


def scratch_size(spelling, itemsize, image, grid, kernel, s_h, s_w, top, left):
    """The length of flat for a spelling, images (N, H, W, C), grids (N, P, Q, O) and a
    kernel (kh, kw)."""
    if spelling == "cuda":
        return math.prod((*grid[:3], *kernel, image[3]))
    sizes = image, grid, kernel, s_h, s_w, top, left, itemsize
    kh, kw = kernel
    by = painting.way(image[3], grid[3], kh, kw, s_h, s_w)
    return max(taps.scratch_size(*sizes), painting.scratch_sizes(*sizes)[by])


def _all_patches(image, grid, W):
    """Zeros (N, P, Q, kh, kw, C), and the same memory as a matrix (N P Q, kh kw C)."""
    kh, kw, C, _ = W.shape
    cols = np.zeros((*grid.shape[:3], kh, kw, C), image.dtype)
    return cols, cols.reshape(-1, kh * kw * C)


def _matrix(a):
    """(..., O) -> (any, O)."""
    return a.reshape(-1, a.shape[-1])


def conv(a, x, W, s_h, s_w, top, left, flat):
    """a (N, P, Q, O) <- x (N, H, W, C), W (kh, kw, C, O)."""
    cols, patches = _all_patches(x, a, W)
    im2col(cols, x, s_h, s_w, top, left)  # (1)
    a[...] = (patches @ _matrix(W)).reshape(a.shape)  # (1)


def conv_gradient(dW, dx, da, x, W, s_h, s_w, top, left, add, flat):
    """dW (kh, kw, C, O), dx (N or 0, H, W, C) <- da (N, P, Q, O), x (N, H, W, C), W."""
    cols, patches = _all_patches(x, da, W)
    if len(dW):
        im2col(cols, x, s_h, s_w, top, left)  # (5)
        gradient = (patches.T @ _matrix(da)).reshape(W.shape)  # (5)
        dW[...] = dW + gradient if add else gradient
    if len(dx):
        dcols = (_matrix(da) @ _matrix(W).T).reshape(cols.shape)  # (6)
        col2im(dx, dcols, s_h, s_w, top, left)  # (6)


def conv_transpose(a, x, W, s_h, s_w, top, left, flat):
    """a (N, H, W, C) <- x (N, P, Q, O), W (kh, kw, C, O)."""
    cols, _ = _all_patches(a, x, W)
    cols[...] = (_matrix(x) @ _matrix(W).T).reshape(cols.shape)  # (7)
    col2im(a, cols, s_h, s_w, top, left)  # (7)


def conv_transpose_gradient(dW, dx, da, x, W, s_h, s_w, top, left, add, flat):
    """dW (kh, kw, C, O), dx (N or 0, P, Q, O) <- da (N, H, W, C), x (N, P, Q, O), W."""
    dcols, patches = _all_patches(da, x, W)
    im2col(dcols, da, s_h, s_w, top, left)  # (8)
    if len(dW):
        gradient = (patches.T @ _matrix(x)).reshape(W.shape)  # (8)
        dW[...] = dW + gradient if add else gradient
    if len(dx):
        dx[...] = (patches @ _matrix(W)).reshape(dx.shape)  # (9)


def rotate_kernel(out, W, add):
    """out (kh, kw, B, A) <- W (kh, kw, A, B)."""
    rotated = W[::-1, ::-1].transpose(0, 1, 3, 2)  # (10)
    out[...] = out + rotated if add else rotated


def _conv(a, x, W, s_h, s_w, top, left, flat):
    correlate(a, in_order(x), W, s_h, s_w, top, left, flat)  # (1)


def _conv_gradient(dW, dx, da, x, W, s_h, s_w, top, left, add, flat):
    x, da = in_order(x), in_order(da)
    if len(dW) > 0:
        weight_gradient(dW, x, da, s_h, s_w, top, left, add, flat)  # (5)
    if len(dx) > 0:
        paint(dx, da, W, s_h, s_w, top, left, flat)  # (6)


def _conv_transpose(a, x, W, s_h, s_w, top, left, flat):
    paint(a, in_order(x), W, s_h, s_w, top, left, flat)  # (7)


def _conv_transpose_gradient(dW, dx, da, x, W, s_h, s_w, top, left, add, flat):
    x, da = in_order(x), in_order(da)
    if len(dW) > 0:
        weight_gradient(dW, da, x, s_h, s_w, top, left, add, flat)  # (8)
    if len(dx) > 0:
        correlate(dx, da, W, s_h, s_w, top, left, flat)  # (9)


@jit
def _rotate_kernel(out, W, add):
    kh, kw, A, B = W.shape
    for i in range(kh):
        for j in range(kw):
            for b in range(B):
                for a in range(A):
                    rotated = W[kh - 1 - i, kw - 1 - j, a, b]  # (10)
                    out[i, j, b, a] = out[i, j, b, a] + rotated if add else rotated


def _patches_cuda(flat, grid, W):
    """The start of flat as patches (N, P, Q, kh, kw, C), and as a matrix (N P Q, kh kw C)."""
    (N, P, Q, _), (kh, kw, C, _) = grid.shape, W.shape
    matrix = flat[: N * P * Q * kh * kw * C].reshape(N * P * Q, kh * kw * C)
    return matrix.reshape(N, P, Q, kh, kw, C), matrix


def _conv_cuda(gpu, a, x, W, s_h, s_w, top, left, flat):
    cols, patches = _patches_cuda(flat, a, W)
    im2col_cuda(gpu, cols, x, s_h, s_w, top, left)  # (1)
    gpu.matmul(patches, _matrix(W), _matrix(a))  # (1)


def _conv_gradient_cuda(gpu, dW, dx, da, x, W, s_h, s_w, top, left, add, flat):
    cols, patches = _patches_cuda(flat, da, W)
    if dW.shape[0]:
        im2col_cuda(gpu, cols, x, s_h, s_w, top, left)  # (5)
        gpu.matmul(patches.T, _matrix(da), _matrix(dW), add=add)  # (5)
    if dx.shape[0]:
        gpu.matmul(_matrix(da), _matrix(W).T, patches)  # (6)
        col2im_cuda(gpu, dx, cols, s_h, s_w, top, left)  # (6)


def _conv_transpose_cuda(gpu, a, x, W, s_h, s_w, top, left, flat):
    cols, patches = _patches_cuda(flat, x, W)
    gpu.matmul(_matrix(x), _matrix(W).T, patches)  # (7)
    col2im_cuda(gpu, a, cols, s_h, s_w, top, left)  # (7)


def _conv_transpose_gradient_cuda(gpu, dW, dx, da, x, W, s_h, s_w, top, left, add, flat):
    dcols, patches = _patches_cuda(flat, x, W)
    im2col_cuda(gpu, dcols, da, s_h, s_w, top, left)  # (8)
    if dW.shape[0]:
        gpu.matmul(patches.T, _matrix(x), _matrix(dW), add=add)  # (8)
    if dx.shape[0]:
        gpu.matmul(patches, _matrix(W), _matrix(dx))  # (9)


def _rotate_kernel_cuda(gpu, out, W, add):
    kh, kw, A, B = W.shape
    gpu.each("rotate_kernel", out.size, out, W, add, kh * kw, A, B)  # (10)


CONV = Kernel(conv, _conv, _conv_cuda)
CONV_GRADIENT = Kernel(conv_gradient, _conv_gradient, _conv_gradient_cuda)
CONV_TRANSPOSE = Kernel(conv_transpose, _conv_transpose, _conv_transpose_cuda)
CONV_TRANSPOSE_GRADIENT = Kernel(
    conv_transpose_gradient, _conv_transpose_gradient, _conv_transpose_gradient_cuda
)
ROTATE_KERNEL = Kernel(rotate_kernel, _rotate_kernel, _rotate_kernel_cuda)
