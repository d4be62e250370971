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
time, and each such sum is added to dW: a term is rounded at most PART times, and once for each
part, and not once for each term. The patches of a part are read again for every tile of dW: they
are to stay in the nearest caches, and more of them read and write dW less often.

Source: Georganas et al., "Anatomy of high-performance deep learning convolutions on SIMD
architectures", 2018.
"""

import math

from .machine.compile import jit
from .machine.copy import copy
from .machine.product import LINE, lanes, panel_size, panels, product
from .machine.tile import R, multiply_add, pick, plus, store, zeros
from .places import cut, ends, pairs, places, plan

PART = 256  # patches whose sum stays in registers, before it is added to dW
TOGETHER = 256  # patches, of as many images as that takes


def at_once(N, P, Q):
    """How many of N images with grids (P, Q) go through together: weights are read from far away
    once for all of them, and few patches would not fill the tiles."""
    return max(1, min(N, TOGETHER // (P * Q)))


def _bordered(image, grid, kernel, s_h, s_w, top, left):
    """The shape (G, any, any, C) of images (N, H, W, C) that go through together, in zeros that
    have every patch of grids (N, P, Q, O)."""
    (N, H, W, C), (_, P, Q, _), (kh, kw) = image, grid, kernel
    rows, columns = max(top + H, (P - 1) * s_h + kh), max(left + W, (Q - 1) * s_w + kw)
    return at_once(N, P, Q), rows, columns, C


def _spaced(image, grid, kernel, s_h, s_w, top, left):
    """The same, (G, any, any, C or more): every tile of (2) comes back to PART patches, which
    would share few lines of the nearest cache if they began a multiple of 4 lines apart."""
    *shape, C = _bordered(image, grid, kernel, s_h, s_w, top, left)
    return (*shape, C + LINE if s_w * C % (4 * LINE) == 0 else C)


def scratch_size(image, grid, kernel, s_h, s_w, top, left, itemsize):
    """The length of flat for images (N, H, W, C), grids (N, P, Q, O) and a kernel (kh, kw)."""
    sizes, K = (image, grid, kernel, s_h, s_w, top, left), math.prod(kernel) * image[-1]
    (_, P, Q, O), G = grid, at_once(*grid[:3])
    return max(
        panel_size(K, O, itemsize) + math.prod(_bordered(*sizes)),  # (1)
        panel_size(G * P * Q, O, itemsize) + math.prod(_spaced(*sizes)),  # (2)
    )


@jit
def fill(border, x, first, g, top, left):
    """border (G, any, any, C or more), whose rest stays zero, <- g images of x (N, H, W, C) from
    the first on, each from row top and column left on."""
    _, H, W, C = x.shape
    _, rows, columns, apart = border.shape
    inside, images = border.reshape(border.size), x.reshape(x.size)
    pixels, length = (1, W * C) if apart == C else (W, C)  # a row is one run
    for n in range(g):
        for h in range(H):
            to = ((n * rows + top + h) * columns + left) * apart
            row = ((first + n) * H + h) * W * C
            for w in range(pixels):
                copy(inside[to + w * apart :], images[row + w * C :], length)


@jit
def sums(y, y_at, y_ends, x, border, x_at, top, left, w, K, taps, ends, length, O):
    """y (any,) of N images <- x (N, any, any, any), G of them at a time in border (G, any, any,
    any), from row top and column left on.

    For each r, the numbers of y from y_at[m] on are sums over taps[ends[r] : ends[r + 1]] from
    x_at[m] on, y_ends[r] <= m < y_ends[r + 1]; product.py says which."""
    N, G = x.shape[0], border.shape[0]
    each, inside = len(y) // max(1, N), border.reshape(border.size)
    inside[:] = 0
    for n in range(0, N, G):
        g = min(G, N - n)
        fill(border, x, n, g, top, left)
        for r in range(len(ends) - 1):
            begin, reach = y_ends[r], taps[ends[r] : ends[r + 1]]
            end = begin + (y_ends[r + 1] - begin) // G * g
            product(
                y[n * each :],
                y_at[begin:end],
                inside,
                x_at[begin:end],
                w,
                K,
                reach,
                length,
                O,
                False,
            )


@plan
def _correlate_plan(image, grid, W, s_h, s_w, top, left):
    """For the shapes of x, a and W: that of the border, where the rows of W begin, where patches
    begin in the border and in a, how many, and the taps, how many."""
    (_, P, Q, O), (kh, kw, C, _) = grid, W
    bordered = _bordered(image, grid, (kh, kw), s_h, s_w, top, left)
    G, rows, line, K = bordered[0], bordered[1], bordered[2] * C, kh * kw * C
    x_at = places(G, P, Q, rows * line, s_h * line, s_w * C)
    a_at = places(G, P, Q, P * Q * O, Q * O, O)
    # a row of the kernel is one run, of x as of W
    taps = pairs([i * line for i in range(kh)], [i * kw * C for i in range(kh)])
    return bordered, places(1, 1, K, 0, 0, O), x_at, a_at, ends([G * P * Q]), taps, ends([kh])


def correlate(a, x, W, s_h, s_w, top, left, flat):
    """a (N, P, Q, O) <- x (N, H, W, C), W (kh, kw, C, O)."""
    planned = _correlate_plan(x.shape, a.shape, W.shape, s_h, s_w, top, left)
    bordered, W_at, x_at, a_at, a_ends, taps, reach = planned
    _, kw, C, O = W.shape
    w, border = cut(flat, (panel_size(len(W_at), O, x.itemsize),), bordered)
    panels(w, W.reshape(W.size), W_at, O)
    y = a.reshape(a.size)
    sums(y, a_at, a_ends, x, border, x_at, top, left, w, len(W_at), taps, reach, kw * C, O)  # (1)


@plan
def _gradient_plan(image, grid, W, s_h, s_w, top, left):
    """For the shapes of x, a and W: that of the border, where patches begin in it and in a, and
    how far from there each row of dW has its numbers, and where that row begins."""
    (_, P, Q, O), (kh, kw, C, _) = grid, W
    bordered = _spaced(image, grid, (kh, kw), s_h, s_w, top, left)
    G, rows, columns, apart = bordered
    line = columns * apart
    x_at = places(G, P, Q, rows * line, s_h * line, s_w * apart)
    away, row = places(kh, kw, C, line, apart, 1), places(1, kh, kw * C, 0, kw * C, 1)
    return bordered, x_at, places(1, G, P * Q, 0, P * Q * O, O), away, row


def weight_gradient(dW, x, a, s_h, s_w, top, left, add, flat):
    """dW (kh, kw, C, O) <- x (N, H, W, C), a (N, P, Q, O)."""
    planned = _gradient_plan(x.shape, a.shape, dW.shape, s_h, s_w, top, left)
    bordered, x_at, a_at, away, rows = planned
    w, border = cut(flat, (panel_size(len(x_at), a.shape[3], x.itemsize),), bordered)
    _weight_gradient(dW, x, a, border, top, left, w, x_at, a_at, away, rows, add)


@jit
def _weight_gradient(dW, x, a, border, top, left, w, x_at, a_at, away, rows, add):
    N, P, Q, O = a.shape
    G, K, step = border.shape[0], len(away), 2 * lanes(x)
    gathered, dw, numbers = border.reshape(border.size), dW.reshape(dW.size), a.reshape(a.size)
    gathered[:] = 0
    for n in range(0, N, G):
        g = min(G, N - n)
        M = g * P * Q
        fill(border, x, n, g, top, left)
        grid, length, apart = numbers[n * P * Q * O :], O, 1
        if 2 * step < O:
            panels(w, grid, a_at[:M], O)
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
