"""Two of the three sums of a convolution, over the taps (i, j) of its kernel, without making
patches; paint.py has the third.

For an image x (H, W, C), a grid a (P, Q, O) and weights W (kh, kw, C, O):

    correlate   a[p, q] = sum over i, j, c of x[p s_h + i - top, q s_w + j - left, c]
                          W[i, j, c]                                                            (1)
    weights     dW[i, j, c] = sum over p, q of x[p s_h + i - top, q s_w + j - left, c] a[p, q]  (2)

where in (2) a is da of a convolution, x of a transposed one; each a vector over the last axis, a
tile of them at a time (product.py, tile.py). An image is put within a border of zeros, so that
every tap finds a number; then a patch is known by the place where it begins, a tap by its distance
from there, and a row of taps is one run of kw C numbers, of the image as of W.

In (2) a number of dW is a sum over all patches of all images, a hundred thousand terms and more,
and the rounding of a running sum grows with their number. So up to PART patches are summed at a
time, and each such sum is added to dW: of n terms in parts of m, each is rounded at most m + n / m
times, and not n times. PART is also how many stay in the nearest cache.

Source: Georganas et al., "Anatomy of high-performance deep learning convolutions on SIMD
architectures", 2018.
"""

import numpy as np
from numba.extending import register_jitable

from .machine.compile import jit
from .machine.product import lanes, panel_size, panels, product
from .machine.tile import R, multiply_add, pick, plus, store, zeros

PART = 128  # patches whose sum stays in registers, before it is added to dW
TOGETHER = 512  # patches, of as many images as that takes


@register_jitable
def at_once(N, P, Q):
    """How many of N images with grids (P, Q) go through together: weights are read from far away
    once for all of them, and few patches would not fill the tiles."""
    return max(1, min(N, TOGETHER // (P * Q)))


def scratch_size(image, grid, kernel, s_h, s_w, top, left, itemsize):
    """The length of flat for images (N, H, W, C), grids (N, P, Q, O) and a kernel (kh, kw)."""
    (N, H, W, C), (_, P, Q, O), (kh, kw) = image, grid, kernel
    G, K = at_once(N, P, Q), kh * kw * C
    gathered = max(top + H, (P - 1) * s_h + kh) * max(left + W, (Q - 1) * s_w + kw) * C
    return max(
        panel_size(K, O, itemsize) + G * gathered,  # (1)
        panel_size(G * P * Q, O, itemsize) + G * gathered,  # (2)
    )


@jit
def zeros_for(flat, G, rows, columns, C):
    """Zeros (G, rows, columns, C) at the start of flat, for images in their middle."""
    border = flat[: G * rows * columns * C]
    border[:] = 0
    return border.reshape(G, rows, columns, C)


@jit
def fill(border, x, first, g, top, left):
    """border (G, any, any, C), whose border stays zero, <- g images of x (N, H, W, C) from the
    first on, each from row top and column left on."""
    _, H, W, C = x.shape
    _, rows, columns, _ = border.shape
    inside, images = border.reshape(border.size), x.reshape(x.size)
    for n in range(g):
        for h in range(H):
            to = ((n * rows + top + h) * columns + left) * C
            row = ((first + n) * H + h) * W * C
            for i in range(W * C):
                inside[to + i] = images[row + i]


@jit
def _bordered(flat, x, grid, G, kh, kw, s_h, s_w, top, left):
    """Zeros (G, any, any, C) for images of x (N, H, W, C) and for every patch of grid (N, P, Q, O)
    on them."""
    _, H, W, C = x.shape
    _, P, Q, _ = grid.shape
    rows, columns = max(top + H, (P - 1) * s_h + kh), max(left + W, (Q - 1) * s_w + kw)
    return zeros_for(flat, G, rows, columns, C)


@jit
def places(G, P, Q, image, down, right):
    """(G P Q,): where each patch of G grids begins, image apart, its rows down and its columns
    right apart."""
    at = np.empty(G * P * Q, np.int64)
    m = 0
    for n in range(G):
        for p in range(P):
            for q in range(Q):
                at[m] = n * image + p * down + q * right
                m += 1
    return at


@jit
def correlate(a, x, W, s_h, s_w, top, left, flat):
    """a (N, P, Q, O) <- x (N, H, W, C), W (kh, kw, C, O)."""
    N, P, Q, O = a.shape
    kh, kw, C, _ = W.shape
    G, K, y = at_once(N, P, Q), kh * kw * C, a.reshape(a.size)
    w = flat[: panel_size(K, O, x.itemsize)]
    panels(w, W.reshape(W.size), places(1, 1, K, 0, 0, O), O)
    border = _bordered(flat[len(w) :], x, a, G, kh, kw, s_h, s_w, top, left)
    gathered, line, taps = (
        border.reshape(border.size),
        border.shape[2] * C,
        np.empty((kh, 2), np.int64),
    )
    x_at = places(G, P, Q, border.shape[1] * line, s_h * line, s_w * C)
    a_at = places(G, P, Q, P * Q * O, Q * O, O)
    for i in range(kh):
        # a row of the kernel is one run, of x as of W
        taps[i, 0], taps[i, 1] = i * line, i * kw * C
    for n in range(0, N, G):
        g = min(G, N - n)
        M = g * P * Q
        fill(border, x, n, g, top, left)
        product(
            y[n * P * Q * O :], a_at[:M], gathered, x_at[:M], w, K, taps, kw * C, O, False
        )  # (1)


@jit
def weight_gradient(dW, x, a, s_h, s_w, top, left, add, flat):
    """dW (kh, kw, C, O) <- x (N, H, W, C), a (N, P, Q, O)."""
    N, P, Q, O = a.shape
    kh, kw, C, _ = dW.shape
    G, K, step = at_once(N, P, Q), kh * kw * C, 2 * lanes(x)
    numbers = a.reshape(a.size)
    w = flat[: panel_size(G * P * Q, O, x.itemsize)]
    border = _bordered(flat[len(w) :], x, a, G, kh, kw, s_h, s_w, top, left)
    gathered, line, dw = border.reshape(border.size), border.shape[2] * C, dW.reshape(dW.size)
    x_at = places(G, P, Q, border.shape[1] * line, s_h * line, s_w * C)
    grid_at = places(1, G, P * Q, 0, P * Q * O, O)
    away, rows = places(1, kh, kw * C, 0, line, 1), places(1, kh, kw * C, 0, kw * C, 1)
    for n in range(0, N, G):
        g = min(G, N - n)
        M = g * P * Q
        fill(border, x, n, g, top, left)
        grid, length, apart = numbers[n * P * Q * O :], O, 1
        if 2 * step < O:
            panels(w, grid, grid_at[:M], O)
            grid, length, apart = w, step, M
        elif O % lanes(x) > 0:  # the last vector reads beyond the last row
            for i in range(M * O):
                w[i] = grid[i]
            grid = w
        for first in range(0, M, PART):
            patches, more = range(first, min(first + PART, M)), add or n + first > 0
            for o in range(0, O, step):
                for k in range(0, K, R):
                    taps, row = pick(away, k, K - 1), pick(rows, k, K - 1)
                    if O - o > lanes(x):
                        wide = zeros(x, 2)
                        for m in patches:
                            wide = multiply_add(
                                wide, gathered, x_at[m], taps, grid, o * apart + m * length
                            )  # (2)
                        if more:
                            wide = plus(wide, dw, o, row, O, O - o)  # (2)
                        store(wide, dw, o, row, O, O - o)
                    else:
                        narrow = zeros(x, 1)
                        for m in patches:
                            narrow = multiply_add(
                                narrow, gathered, x_at[m], taps, grid, o * apart + m * length
                            )  # (2)
                        if more:
                            narrow = plus(narrow, dw, o, row, O, O - o)  # (2)
                        store(narrow, dw, o, row, O, O - o)
