"""The three sums of a convolution, over the taps (i, j) of its kernel, without making patches.

For an image x (H, W, C), a grid a (P, Q, O) and weights W (kh, kw, C, O):

    correlate   a[p, q] = sum over i, j, c of x[p s_h + i - top, q s_w + j - left, c]
                          W[i, j, c]                                                            (1)
    weights     dW[i, j, c] = sum over p, q of x[p s_h + i - top, q s_w + j - left, c] a[p, q]  (2)
    paint       x[h, w] = sum over i, j, o of a[p, q, o] W[i, j, :, o],
                p s_h + i - top = h, likewise w                                                 (3)

where in (2) a is da of a convolution, x of a transposed one; each a vector over the last axis, a
tile of them at a time (product.py, tile.py). An image is put within a border of zeros, so that
every tap finds a number; then a patch is known by the place where it begins, a tap by its distance
from there, and a row of taps is one run of kw C numbers, of the image as of W.

In (2) a number of dW is a sum over all patches of all images, a hundred thousand terms and more,
and the rounding of a running sum grows with their number. So up to PART patches of an image are
summed at a time, and each such sum is added to dW: of n terms in parts of m, each is rounded at
most m + n / m times, and not n times.

In paint the taps that reach h are i = r, r + s_h, r + 2 s_h, ..., where r = (h + top) mod s_h.
Pixels of one r, and of one for w, share their taps, and are a correlation of stride 1 with the
rest of the taps left out. An image of few channels would leave its vectors empty; it is painted
through its patches instead, one product and col2im.

Source: Georganas et al., "Anatomy of high-performance deep learning convolutions on SIMD
architectures", 2018.
"""

import numpy as np

from .machine.compile import jit
from .machine.product import lanes, product, transpose
from .machine.tile import R, multiply_add, pick, plus, store, zeros
from .patches import FEW, col2im_loop

PART = 512  # patches of an image whose sum stays in registers, before it is added to dW


@jit
def _fill(padded, image, top, left):
    """padded (any, any, C), whose border stays zero, <- image (H, W, C) from row top and column
    left on."""
    H, W, C = image.shape
    for h in range(H):
        inside, row = padded[top + h, left : left + W].reshape(W * C), image[h].reshape(W * C)
        for i in range(W * C):
            inside[i] = row[i]


def scratch_size(image, grid, kernel, s_h, s_w, top, left):
    """The length of flat for images (H, W, C), grids (P, Q, O) and a kernel (kh, kw)."""
    (H, W, C), (P, Q, O), (kh, kw) = image, grid, kernel
    gathered = max(top + H, (P - 1) * s_h + kh) * max(left + W, (Q - 1) * s_w + kw) * C
    above, before = (kh - 1) // s_h, (kw - 1) // s_w
    painted = (
        (above + max(P, (H - 1 + top) // s_h + 1))
        * (before + max(Q, (W - 1 + left) // s_w + 1))
        * O
    )
    return max(gathered, painted, P * Q * kh * kw * C if C <= FEW else 0)


@jit
def _border(flat, rows, columns, C):
    """Zeros (rows, columns, C) at the start of flat, for one image in their middle."""
    border = flat[: rows * columns * C]
    border[:] = 0
    return border.reshape(rows, columns, C)


@jit
def _bordered(flat, x, grid, kh, kw, s_h, s_w, top, left):
    """Zeros (any, any, C) for one image of x (N, H, W, C) and for every patch of grid (N, P, Q, O)
    on it."""
    _, H, W, C = x.shape
    _, P, Q, _ = grid.shape
    return _border(flat, max(top + H, (P - 1) * s_h + kh), max(left + W, (Q - 1) * s_w + kw), C)


@jit
def _places(P, Q, down, right):
    """(P Q,): where each patch of a grid begins, its rows down and its columns right apart."""
    at = np.empty(P * Q, np.int64)
    for p in range(P):
        for q in range(Q):
            at[p * Q + q] = p * down + q * right
    return at


@jit
def correlate(a, x, W, s_h, s_w, top, left, flat):
    """a (N, P, Q, O) <- x (N, H, W, C), W (kh, kw, C, O)."""
    N, P, Q, O = a.shape
    kh, kw, C, _ = W.shape
    border = _bordered(flat, x, a, kh, kw, s_h, s_w, top, left)
    line, w = border.shape[1] * C, W.reshape(W.size)
    taps = np.empty((kh, 2), np.int64)
    x_at, a_at = _places(P, Q, s_h * line, s_w * C), _places(P, Q, Q * O, O)
    for i in range(kh):
        # a row of the kernel is one run, of x as of W
        taps[i, 0], taps[i, 1] = i * line, i * kw * C
    for n in range(N):
        _fill(border, x[n], top, left)
        product(a[n].reshape(P * Q * O), a_at, flat, x_at, w, taps, kw * C, O, False)  # (1)


@jit
def weight_gradient(dW, x, a, s_h, s_w, top, left, add, flat):
    """dW (kh, kw, C, O) <- x (N, H, W, C), a (N, P, Q, O)."""
    N, P, Q, O = a.shape
    kh, kw, C, _ = dW.shape
    border = _bordered(flat, x, a, kh, kw, s_h, s_w, top, left)
    line, dw, K = border.shape[1] * C, dW.reshape(dW.size), kh * kw * C
    x_at = _places(P, Q, s_h * line, s_w * C)
    away, rows = _places(kh, kw * C, line, 1), _places(kh, kw * C, kw * C, 1)
    for n in range(N):
        _fill(border, x[n], top, left)
        grid = a[n].reshape(P * Q * O)
        for first in range(0, P * Q, PART):
            patches, more = range(first, min(first + PART, P * Q)), add or n + first > 0
            for o in range(0, O, 2 * lanes(x)):
                for k in range(0, K, R):
                    taps, row = pick(away, k, K - 1), pick(rows, k, K - 1)
                    if O - o > lanes(x):
                        wide = zeros(x, 2)
                        for m in patches:
                            wide = multiply_add(
                                wide, flat, x_at[m], taps, grid, m * O + o, O - o
                            )  # (2)
                        if more:
                            wide = plus(wide, dw, o, row, O, O - o)  # (2)
                        store(wide, dw, o, row, O, O - o)
                    else:
                        narrow = zeros(x, 1)
                        for m in patches:
                            narrow = multiply_add(
                                narrow, flat, x_at[m], taps, grid, m * O + o, O - o
                            )  # (2)
                        if more:
                            narrow = plus(narrow, dw, o, row, O, O - o)  # (2)
                        store(narrow, dw, o, row, O, O - o)


@jit
def _paint_many(x, a, W, s_h, s_w, top, left, flat, Wt):
    """x (N, H, W, C) <- a (N, P, Q, O), W (kh, kw, C, O)."""
    N, H, width, C = x.shape
    _, P, Q, O = a.shape
    kh, kw = W.shape[:2]
    for i in range(kh):
        for j in range(kw):
            transpose(Wt[i, j], W[i, j])
    above, before = (kh - 1) // s_h, (kw - 1) // s_w  # how far up and left the taps of one r reach
    rows, columns = (
        above + max(P, (H - 1 + top) // s_h + 1),
        before + max(Q, (width - 1 + left) // s_w + 1),
    )
    border, w, first = (
        _border(flat, rows, columns, O),
        Wt.reshape(Wt.size),
        (above * columns + before) * O,
    )
    x_at, a_at, pixels = _pixels(H, width, C, O, columns, first, s_h, s_w, top, left)
    taps, reach = _taps(kh, kw, O, columns, s_h, s_w)
    for n in range(N):
        _fill(border, a[n], above, before)
        image = x[n].reshape(H * width * C)
        for r in range(s_h * s_w):
            these, ways = slice(pixels[r], pixels[r + 1]), slice(reach[r], reach[r + 1])
            product(image, x_at[these], flat, a_at[these], w, taps[ways], O, C, False)  # (3)


@jit
def _pixels(H, W, C, O, columns, first, s_h, s_w, top, left):
    """Where the pixels begin in x (H, W, C), and in a with its border (any, columns, O), ordered
    by r.

    first: where a itself begins. Those of the r-th pair (r_h, r_w) are at ends[r]:ends[r + 1]."""
    x_at, a_at, ends = (
        np.empty(H * W, np.int64),
        np.empty(H * W, np.int64),
        np.zeros(s_h * s_w + 1, np.int64),
    )
    m = 0
    for r_h in range(s_h):
        for r_w in range(s_w):
            for h in range((r_h - top) % s_h, H, s_h):
                for w in range((r_w - left) % s_w, W, s_w):
                    p, q = (h + top - r_h) // s_h, (w + left - r_w) // s_w
                    x_at[m], a_at[m] = (h * W + w) * C, first + (p * columns + q) * O
                    m += 1
            ends[r_h * s_w + r_w + 1] = m
    return x_at, a_at, ends


@jit
def _taps(kh, kw, O, columns, s_h, s_w):
    """The taps, ordered by r: how far before the pixel's own place a is read, and the first row of
    W^T.

    Those of the r-th pair (r_h, r_w) are at ends[r]:ends[r + 1]."""
    taps, ends = np.empty((kh * kw, 2), np.int64), np.zeros(s_h * s_w + 1, np.int64)
    m = 0
    for r_h in range(s_h):
        for r_w in range(s_w):
            for i in range(r_h, kh, s_h):
                for j in range(r_w, kw, s_w):
                    taps[m, 0], taps[m, 1] = -(i // s_h * columns + j // s_w) * O, (i * kw + j) * O
                    m += 1
            ends[r_h * s_w + r_w + 1] = m
    return taps, ends


@jit
def _paint_few(x, a, W, s_h, s_w, top, left, flat, Wt):
    """x (N, H, W, C) <- a (N, P, Q, O), W (kh, kw, C, O), through the patches of one image."""
    N, P, Q, O = a.shape
    kh, kw, C, _ = W.shape
    K, w = kh * kw * C, Wt.reshape(Wt.size)
    transpose(w.reshape(O, K), W.reshape(K, O))
    cols, taps = flat[: P * Q * K], np.zeros((1, 2), np.int64)
    cols_at, a_at = _places(P, Q, Q * K, K), _places(P, Q, Q * O, O)
    for n in range(N):
        product(cols, cols_at, a[n].reshape(P * Q * O), a_at, w, taps, O, K, False)  # (3)
        col2im_loop(x[n : n + 1], cols.reshape(1, P, Q, kh, kw, C), s_h, s_w, top, left)  # (3)


def paint(x, a, W, s_h, s_w, top, left, flat, Wt):
    """x (N, H, W, C) <- a (N, P, Q, O), W (kh, kw, C, O). Not compiled: it compiles what it
    takes."""
    if W.shape[2] <= FEW:
        _paint_few(x, a, W, s_h, s_w, top, left, flat, Wt)
    else:
        _paint_many(x, a, W, s_h, s_w, top, left, flat, Wt)
