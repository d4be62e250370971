"""Convolution and its adjoint, with the gradients of both.

With the patches of patches.py as a matrix, cols (N P Q, kh kw C), and the weights W (kh kw C, O):

    cols = im2col(x),   a = cols W                      convolution, x (N, H, W, C), a (N, P, Q, O)      (1)
    dW = cols^T da                                      since da_i / dW_jo = cols_ij                     (2)
    dcols = da W^T,     dx = col2im(dcols)              the adjoint of (1)                               (3)

    cols = x W^T,       a = col2im(cols)                transposed, x (N, P, Q, O), a (N, H, W, C)       (4)
    dcols = im2col(da), dW = dcols^T x                                                                   (5)
    dx = dcols W                                        the adjoint of (4)                               (6)

(4) is (3) as a forward pass, and (6) is (1): each is the other's gradient. The definitions say just that, with all
patches at once. The loops are made of the three sums of taps.py, which make no patches.

A gradient dx of no rows is not computed. With add, dW is added to. Scratch comes last: flat for one image
(taps.scratch says how long), Wt for W^T.

Source: Chellapilla, Puri, Simard, "High performance convolutional neural networks for document
processing", 2006 (1-3); Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016,
chapter 4 (4-6).
"""

import numpy as np

from .kernel import Kernel, jit
from .patches import col2im, im2col
from .taps import correlate, paint, weights


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


def conv_gradient(dW, dx, da, x, W, s_h, s_w, top, left, add, flat, Wt):
    """dW (kh, kw, C, O), dx (N or 0, H, W, C) <- da (N, P, Q, O), x (N, H, W, C), W."""
    cols, patches = _all_patches(x, da, W)
    im2col(cols, x, s_h, s_w, top, left)  # (2)
    gradient = (patches.T @ _matrix(da)).reshape(W.shape)  # (2)
    dW[...] = dW + gradient if add else gradient
    if len(dx):
        dcols = (_matrix(da) @ _matrix(W).T).reshape(cols.shape)  # (3)
        col2im(dx, dcols, s_h, s_w, top, left)  # (3)


def conv_transpose(a, x, W, s_h, s_w, top, left, flat, Wt):
    """a (N, H, W, C) <- x (N, P, Q, O), W (kh, kw, C, O)."""
    cols, _ = _all_patches(a, x, W)
    cols[...] = (_matrix(x) @ _matrix(W).T).reshape(cols.shape)  # (4)
    col2im(a, cols, s_h, s_w, top, left)  # (4)


def conv_transpose_gradient(dW, dx, da, x, W, s_h, s_w, top, left, add, flat):
    """dW (kh, kw, C, O), dx (N or 0, P, Q, O) <- da (N, H, W, C), x (N, P, Q, O), W."""
    dcols, patches = _all_patches(da, x, W)
    im2col(dcols, da, s_h, s_w, top, left)  # (5)
    gradient = (patches.T @ _matrix(x)).reshape(W.shape)  # (5)
    dW[...] = dW + gradient if add else gradient
    if len(dx):
        dx[...] = (patches @ _matrix(W)).reshape(dx.shape)  # (6)


@jit
def _conv(a, x, W, s_h, s_w, top, left, flat):
    correlate(a, x, W, s_h, s_w, top, left, flat)  # (1)


@jit
def _conv_gradient(dW, dx, da, x, W, s_h, s_w, top, left, add, flat, Wt):
    weights(dW, x, da, s_h, s_w, top, left, add, flat)  # (2)
    if len(dx) > 0:
        paint(dx, da, W, s_h, s_w, top, left, flat, Wt)  # (3)


@jit
def _conv_transpose(a, x, W, s_h, s_w, top, left, flat, Wt):
    paint(a, x, W, s_h, s_w, top, left, flat, Wt)  # (4)


@jit
def _conv_transpose_gradient(dW, dx, da, x, W, s_h, s_w, top, left, add, flat):
    weights(dW, da, x, s_h, s_w, top, left, add, flat)  # (5)
    if len(dx) > 0:
        correlate(dx, da, W, s_h, s_w, top, left, flat)  # (6)


CONV = Kernel(conv, _conv)
CONV_GRADIENT = Kernel(conv_gradient, _conv_gradient)
CONV_TRANSPOSE = Kernel(conv_transpose, _conv_transpose)
CONV_TRANSPOSE_GRADIENT = Kernel(conv_transpose_gradient, _conv_transpose_gradient)
