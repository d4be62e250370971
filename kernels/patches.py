"""im2col and its adjoint col2im: convolution as a matrix product.

An image x (N, H, W, C) is padded with zeros, top rows above and left columns before it; the patch at
output position (p, q) starts at row p s_h - top and column q s_w - left:

    cols[n, p, q, i, j, c] = x[n, p s_h + i - top, q s_w + j - left, c]   or 0 outside  (1)

so that cols as a matrix (N P Q, kh kw C) times the weights (kh kw C, O) is the convolution. The adjoint
adds every patch back to where it came from, which is the gradient of (1) and the forward pass of a
transposed convolution:

    x[n, p s_h + i - top, q s_w + j - left, c] += cols[n, p, q, i, j, c]   where inside (2)

The sizes are those of the arrays: cols is (N, P, Q, kh, kw, C). For fixed i the entries j, c of a patch
are one run of memory in x, clipped at the image's sides.

Source: Chellapilla, Puri, Simard, "High performance convolutional neural networks for document
processing", 2006 (1); Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016,
chapter 4 (2).
"""

import numpy as np

from .kernel import Kernel, jit


def _padded(x, cols, s_h, s_w, top, left):
    """Zeros of the size that the patches span, and where x lies in them."""
    N, H, W, C = x.shape
    _, P, Q, kh, kw, _ = cols.shape
    height, width = max(top + H, (P - 1) * s_h + kh), max(left + W, (Q - 1) * s_w + kw)
    padded = np.zeros((N, height, width, C), x.dtype)
    return padded, padded[:, top : top + H, left : left + W]


def im2col(cols, x, s_h, s_w, top, left):
    """cols (N, P, Q, kh, kw, C) <- x (N, H, W, C), constants: strides and padding."""
    _, P, Q, kh, kw, _ = cols.shape
    padded, inside = _padded(x, cols, s_h, s_w, top, left)
    inside[...] = x
    for i in range(kh):
        for j in range(kw):
            cols[:, :, :, i, j] = padded[:, i : i + P * s_h : s_h, j : j + Q * s_w : s_w]  # (1)


def col2im(x, cols, s_h, s_w, top, left):
    """x (N, H, W, C) <- cols (N, P, Q, kh, kw, C), constants: strides and padding."""
    _, P, Q, kh, kw, _ = cols.shape
    padded, inside = _padded(x, cols, s_h, s_w, top, left)
    for i in range(kh):
        for j in range(kw):
            padded[:, i : i + P * s_h : s_h, j : j + Q * s_w : s_w] += cols[:, :, :, i, j]  # (2)
    x[...] = inside


@jit
def _im2col(cols, x, s_h, s_w, top, left):
    N, H, W, C = x.shape
    _, P, Q, kh, kw, _ = cols.shape
    for n in range(N):
        for p in range(P):
            for q in range(Q):
                first = q * s_w - left
                lo, hi = max(0, -first), min(kw, W - first)  # the j inside the image
                for i in range(kh):
                    h = p * s_h + i - top
                    if h < 0 or h >= H or lo > 0 or hi < kw:
                        cols[n, p, q, i] = 0
                    if 0 <= h < H:
                        for j in range(lo, hi):
                            for c in range(C):
                                cols[n, p, q, i, j, c] = x[n, h, first + j, c]  # (1)


@jit
def _col2im(x, cols, s_h, s_w, top, left):
    N, H, W, C = x.shape
    _, P, Q, kh, kw, _ = cols.shape
    x[...] = 0
    for n in range(N):
        for p in range(P):
            for q in range(Q):
                first = q * s_w - left
                lo, hi = max(0, -first), min(kw, W - first)  # the j inside the image
                for i in range(kh):
                    h = p * s_h + i - top
                    if 0 <= h < H:
                        for j in range(lo, hi):
                            for c in range(C):
                                x[n, h, first + j, c] += cols[n, p, q, i, j, c]  # (2)


IM2COL = Kernel(im2col, _im2col)
COL2IM = Kernel(col2im, _col2im)
