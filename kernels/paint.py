"""Every number of a grid paints its multiple of the kernel onto an image: the sum over the taps
(i, j) of a kernel that makes a transposed convolution, and the gradient dx of a convolution.

For an image x (H, W, C), a grid a (P, Q, O) and weights W (kh, kw, C, O):

    x[h, w] = sum over i, j, o of a[p, q, o] W[i, j, :, o],
              p s_h + i - top = h, likewise w                                                   (3)

The taps that reach h are i = r, r + s_h, r + 2 s_h, ..., where r = (h + top) mod s_h, those that
reach w likewise. There are three ways to sum, which differ in how full the vectors are:

    by remainders   the pixels of one r share their taps: of C numbers each, they are a
                    correlation of stride 1 with the rest of the taps left out
    by blocks       s_h x s_w pixels, one of each r, are s_h s_w C numbers of the same places
                    (p, q), whose W is 0 where i would be kh or more; a NaN of a so reaches
                    all pixels of its block
    by patches      kh kw C numbers of one place (p, q), one product and col2im

``way`` counts the multiply-adds of each. (1) and (2) are in taps.py.

Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, chapter
4; Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016 (by blocks).
"""

import math

import numpy as np

from .machine.compile import jit
from .machine.product import lanes, panel_size, product, transposed_panels
from .machine.tile import R, load, pick, store, zeros
from .patches import col2im_loop
from .places import cut, ends, pairs, places, plan
from .taps import at_once, fill, sums

LANES = 16  # of a vector, on any machine: patches are summed in another order, which decides bits
COL2IM = 8  # multiply-adds of vectors that take as long as col2im does for one number


def way(C, O, kh, kw, s_h, s_w):
    """Which way takes the fewest multiply-adds of vectors for one place of the grid, with weights
    (kh, kw, C, O): 0 by remainders, 1 by blocks, 2 by patches."""
    taps = -(-kh // s_h) * -(-kw // s_w)
    ways = (
        kh * kw * O * -(-C // LANES),
        taps * O * -(-(s_h * s_w * C) // LANES),
        O * -(-(kh * kw * C) // LANES) + COL2IM * kh * kw * C,
    )
    return ways.index(min(ways))


def _reached(pixels, P, s, before):
    """How many places along one axis reach a pixel: those of the grid, and perhaps one more."""
    return max(P, (pixels - 1 + before) // s + 1)


def _before(kernel, s_h, s_w):
    """How many places above and left of its own reach a pixel."""
    return (kernel[0] - 1) // s_h, (kernel[1] - 1) // s_w


def _bordered(image, grid, kernel, s_h, s_w, top, left):
    """The shape (G, any, any, O) of grids (N, P, Q, O) that go through together, in zeros that
    every place needs that reaches images (N, H, W, C)."""
    (_, H, W, _), (N, P, Q, O), (above, before) = image, grid, _before(kernel, s_h, s_w)
    rows, columns = _reached(H, P, s_h, top), _reached(W, Q, s_w, left)
    return at_once(N, P, Q), above + rows, before + columns, O


def scratch_sizes(image, grid, kernel, s_h, s_w, top, left, itemsize):
    """The length of flat by remainders, blocks and patches, for images (N, H, W, C), grids (N, P,
    Q, O) and a kernel (kh, kw)."""
    (_, P, Q, O), (kh, kw), C = grid, kernel, image[3]
    G, rows, columns, _ = bordered = _bordered(image, grid, kernel, s_h, s_w, top, left)
    above, before = _before(kernel, s_h, s_w)
    block, taps, K = s_h * s_w * C, (above + 1) * (before + 1), kh * kw * C
    blocks = G * (rows - above) * (columns - before) * block
    return (
        panel_size(kh * kw * O, C, itemsize) + math.prod(bordered),
        panel_size(taps * O, block, itemsize) + math.prod(bordered) + blocks,
        panel_size(O, K, itemsize) + G * P * Q * K,
    )


@plan
def _remainders_plan(image, grid, W, s_h, s_w, top, left):
    """For the shapes of x, a and W: that of the border, where the panels' parts begin, where the
    pixels begin in x and in the border, ordered by r, and the taps that reach those of each r."""
    (_, H, width, C), (kh, kw, _, O) = image, W
    G, rows, columns, _ = bordered = _bordered(image, grid, W[:2], s_h, s_w, top, left)
    above, before = _before(W[:2], s_h, s_w)
    x_at, a_at, delta, row, reach = [], [], [], [], []
    for r_h in range(s_h):
        for r_w in range(s_w):
            n, h, w = np.ogrid[:G, (r_h - top) % s_h : H : s_h, (r_w - left) % s_w : width : s_w]
            p, q = above + (h + top - r_h) // s_h, before + (w + left - r_w) // s_w
            x_at.append((((n * H + h) * width + w) * C).ravel())
            a_at.append((((n * rows + p) * columns + q) * O).ravel())
            taps = [(i, j) for i in range(r_h, kh, s_h) for j in range(r_w, kw, s_w)]
            delta += [-(i // s_h * columns + j // s_w) * O for i, j in taps]
            row += [(i * kw + j) * O for i, j in taps]
            reach.append(len(taps))
    pixels, first = ends([len(these) for these in x_at]), O * np.arange(kh * kw)
    to, at, taps = np.concatenate(x_at), np.concatenate(a_at), pairs(delta, row)
    return bordered, first, np.zeros_like(first), to, pixels, at, taps, ends(reach)


def _by_remainders(x, a, W, s_h, s_w, top, left, flat):
    planned = _remainders_plan(x.shape, a.shape, W.shape, s_h, s_w, top, left)
    bordered, first, column, x_at, pixels, a_at, taps, reach = planned
    kh, kw, C, O = W.shape
    above, before = _before((kh, kw), s_h, s_w)
    K = kh * kw * O
    w, border = cut(flat, (panel_size(K, C, x.itemsize),), bordered)
    transposed_panels(w, W.reshape(kh * kw, C, O), first, column, K)
    y = x.reshape(x.size)
    sums(y, x_at, pixels, a, border, a_at, above, before, w, K, taps, reach, O, C)  # (3)


@plan
def _blocks_plan(image, grid, W, s_h, s_w, top, left):
    """For the shapes of x, a and W: those of the border and of all blocks, where the panels' parts
    begin, where blocks begin and their places in the border, the taps, and a line's blocks."""
    kh, kw, C, O = W
    G, rows, columns, _ = bordered = _bordered(image, grid, W[:2], s_h, s_w, top, left)
    above, before = _before(W[:2], s_h, s_w)
    down, across, block = rows - above, columns - before, s_h * s_w * C
    i, j = (tap.ravel() for tap in np.indices((kh, kw)))
    first = (i // s_h * (before + 1) + j // s_w) * O
    column = (i % s_h * s_w + j % s_w) * C
    i, j = (tap.ravel() for tap in np.indices((above + 1, before + 1)))
    taps = pairs(-(i * columns + j) * O, (i * (before + 1) + j) * O)
    start = (above * columns + before) * O
    a_at = start + places(G, down, across, rows * columns * O, columns * O, O)
    b_at = places(1, G * down, across, 0, across * block, block)
    return bordered, (G, down, across * block), first, column, b_at, a_at, taps, np.arange(across)


def _by_blocks(x, a, W, s_h, s_w, top, left, flat):
    planned = _blocks_plan(x.shape, a.shape, W.shape, s_h, s_w, top, left)
    bordered, apart, first, column, b_at, a_at, taps, runs = planned
    kh, kw, C, O = W.shape
    above, before = _before((kh, kw), s_h, s_w)
    K = len(taps) * O
    size = panel_size(K, s_h * s_w * C, x.itemsize)
    w, border, blocks = cut(flat, (size,), bordered, apart)
    transposed_panels(w, W.reshape(kh * kw, C, O), first, column, K)
    _blocks(
        x, blocks, b_at, runs, a, border, a_at, above, before, w, taps, s_h, s_w, top, left
    )  # (3)


@jit
def _blocks(x, blocks, b_at, runs, a, border, a_at, above, before, w, taps, s_h, s_w, top, left):
    (N, _, _, O), G, block = a.shape, border.shape[0], s_h * s_w * x.shape[3]
    b, spread = blocks.reshape(blocks.size), border.reshape(border.size)
    spread[:] = 0
    for n in range(0, N, G):
        g = min(G, N - n)
        M = len(a_at) // G * g
        fill(border, a, n, g, above, before)
        product(b, b_at[:M], spread, a_at[:M], w, len(taps) * O, taps, O, block, False)  # (3)
        _apart(x, n, g, blocks, runs, s_h, s_w, top, left)


@jit
def _apart(x, begin, g, blocks, runs, s_h, s_w, top, left):
    """g images of x (N, H, W, C), from begin on <- blocks (g or more, any, any): of each row M
    blocks of s_h runs of s_w pixels, one below the other; runs (M,) = 0, 1, 2, ..."""
    _, H, W, C = x.shape
    row, wide, left = W * C, s_w * C, left * C
    _, rows, line = blocks.shape
    y, flat = x.reshape(x.size), blocks.reshape(blocks.size)
    first, last = -(-left // wide), (row + left) // wide  # runs that are whole
    for n in range(g):
        for h in range(H):
            to, at = ((begin + n) * H + h) * row - left, (n * rows + (h + top) // s_h) * line
            at += (h + top) % s_h * wide
            for o in range(0, wide, 2 * lanes(x)):
                for m in range(first, last, R):
                    these = pick(runs, m, last - 1)
                    pixels = load(zeros(x, 2), flat, at + o, these, s_h * wide, wide - o)
                    store(pixels, y, to + o, these, wide, wide - o)
            for k in range(left, min(first * wide, left + row)):
                y[to + k] = flat[at + k // wide * s_h * wide + k % wide]
            for k in range(max(last * wide, left), left + row):
                y[to + k] = flat[at + k // wide * s_h * wide + k % wide]


@plan
def _patches_plan(grid, W):
    """For the shapes of a and W: that of the patches, where the panels begin, where patches and
    their places in a begin, and the one tap."""
    (N, P, Q, O), (kh, kw, C, _), start = grid, W, np.zeros(1, np.int64)
    G, K = at_once(N, P, Q), kh * kw * C
    cols_at, a_at = places(1, G, P * Q, 0, P * Q * K, K), places(1, G, P * Q, 0, P * Q * O, O)
    return (G, P, Q, kh, kw, C), start, cols_at, a_at, pairs(start, start)


def _by_patches(x, a, W, s_h, s_w, top, left, flat):
    shape, start, cols_at, a_at, taps = _patches_plan(a.shape, W.shape)
    K, O = W.size // W.shape[3], W.shape[3]
    w, cols = cut(flat, (panel_size(O, K, x.itemsize),), shape)
    transposed_panels(w, W.reshape(1, K, O), start, start, O)
    _patches(x, cols, cols_at, a, a_at, w, taps, s_h, s_w, top, left)  # (3)


@jit
def _patches(x, cols, cols_at, a, a_at, w, taps, s_h, s_w, top, left):
    (N, P, Q, O), G = a.shape, cols.shape[0]
    grids, flat, K = a.reshape(a.size), cols.reshape(cols.size), cols.size // len(a_at)
    for n in range(0, N, G):
        g = min(G, N - n)
        M = g * P * Q
        product(
            flat, cols_at[:M], grids[n * P * Q * O :], a_at[:M], w, O, taps, O, K, False
        )  # (3)
        col2im_loop(x[n : n + g], cols[:g], s_h, s_w, top, left)  # (3)


def paint(x, a, W, s_h, s_w, top, left, flat):
    """x (N, H, W, C) <- a (N, P, Q, O), W (kh, kw, C, O). Not compiled: it compiles what it
    takes."""
    kh, kw, C, O = W.shape
    by = (_by_remainders, _by_blocks, _by_patches)[way(C, O, kh, kw, s_h, s_w)]
    by(x, a, W, s_h, s_w, top, left, flat)
