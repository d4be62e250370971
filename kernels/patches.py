"""im2col and its adjoint col2im: convolution as a matrix product.

An image x (N, H, W, C) is padded with zeros, top rows above and left columns before it; the patch
at output position (p, q) starts at row p s_h - top and column q s_w - left:

    cols[n, p, q, i, j, c] = x[n, p s_h + i - top, q s_w + j - left, c]   or 0 outside  (1)

so that cols as a matrix (N P Q, kh kw C) times the weights (kh kw C, O) is the convolution. The
adjoint adds every patch back to where it came from, which is the gradient of (1) and the forward
pass of a transposed convolution:

    x[n, p s_h + i - top, q s_w + j - left, c] += cols[n, p, q, i, j, c]   where inside (2)

The sizes are those of the arrays: cols is (N, P, Q, kh, kw, C). The C channels of a pixel are one
run of memory in both, which the loops copy; where C is few such runs are short, and a row of
positions makes the inner loop. Positions that fall inside the image, first <= q < last, are known
before the loop over q begins:

    0 <= q s + k - before < W   if and only if
        ceil((before - k) / s) <= q < ceil((before - k + W) / s)

Source: Chellapilla, Puri, Simard, "High performance convolutional neural networks for document
processing", 2006 (1); Dumoulin and Visin, "A guide to convolution arithmetic for deep learning",
2016, chapter 4 (2).
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit

FEW = 4  # channels


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
def _inside(k, s, before, pixels, count):
    """The first and last + 1 of ``count`` positions whose tap k is inside the image."""
    first = max(0, -((k - before) // s))
    last = min(count, -((k - before - pixels) // s))
    return min(first, count), max(last, 0)


@jit
def _im2col(cols, x, s_h, s_w, top, left):
    N, H, W, C = x.shape
    _, P, Q, kh, kw, _ = cols.shape
    for n in range(N):
        for p in range(P):
            for i in range(kh):
                h = p * s_h + i - top
                for j in range(kw):
                    first, last = _inside(j, s_w, left, W, Q) if 0 <= h < H else (Q, Q)
                    cols[n, p, :first, i, j] = 0
                    cols[n, p, max(first, last) :, i, j] = 0
                    for q in range(first, last):
                        patch, pixel = cols[n, p, q, i, j], x[n, h, q * s_w + j - left]
                        for c in range(C):
                            patch[c] = pixel[c]  # (1)


@jit
def col2im_loop(x, cols, s_h, s_w, top, left):
    """x (N, H, W, C) <- cols (N, P, Q, kh, kw, C)."""
    N, H, W, C = x.shape
    _, P, Q, kh, kw, _ = cols.shape
    x[...] = 0
    for n in range(N):
        for p in range(P):
            for i in range(kh):
                h = p * s_h + i - top
                for j in range(kw):
                    first, last = _inside(j, s_w, left, W, Q) if 0 <= h < H else (Q, Q)
                    if C > FEW:
                        for q in range(first, last):
                            patch, pixel = cols[n, p, q, i, j], x[n, h, q * s_w + j - left]
                            for c in range(C):
                                pixel[c] += patch[c]  # (2)
                    elif first < last:
                        for c in range(C):
                            taps, row = (
                                cols[n, p, first:last, i, j, c],
                                x[n, h, first * s_w + j - left :, c],
                            )
                            for q in range(last - first):
                                row[q * s_w] += taps[q]  # (2)


def im2col_cuda(gpu, cols, x, s_h, s_w, top, left):
    """cols (N, P, Q, kh, kw, C) <- x (N, H, W, C), on a GPU."""
    _launch(gpu, "im2col", cols, x, x, cols, s_h, s_w, top, left)


def col2im_cuda(gpu, x, cols, s_h, s_w, top, left):
    """x (N, H, W, C) <- cols (N, P, Q, kh, kw, C), on a GPU."""
    _launch(gpu, "col2im", x, cols, x, cols, s_h, s_w, top, left)


def _launch(gpu, name, out, given, x, cols, s_h, s_w, top, left):
    """A thread for each number of out, or for each four of them where channels are fours."""
    (*image, C), taps, each = x.shape, cols.shape[1:5], 1
    if C % 4 == 0 and gpu.in_fours(out, given):
        name, each = f"{name}_fours", 4
    gpu.each(name, out.size // each, out, given, *image, C // each, *taps, s_h, s_w, top, left)


IM2COL = Kernel(im2col, _im2col, im2col_cuda)
COL2IM = Kernel(col2im, col2im_loop, col2im_cuda)
