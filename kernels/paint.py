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

import numpy as np
from numba.extending import register_jitable

from .machine.compile import jit
from .machine.product import lanes, panel_size, product, transposed_panels
from .machine.tile import R, load, pick, store, zeros
from .patches import col2im_loop
from .taps import at_once, fill, places, zeros_for

LANES = 16  # of a vector, on any machine: patches are summed in another order, which decides bits
COL2IM = 8  # multiply-adds of vectors that take as long as col2im does for one number


@register_jitable
def _rows(pixels, P, s, before):
    """How many places along one axis reach a pixel: those of the grid, and perhaps one more."""
    return max(P, (pixels - 1 + before) // s + 1)


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


def scratch_sizes(image, grid, kernel, s_h, s_w, top, left, itemsize):
    """The length of flat by remainders, blocks and patches, for images (N, H, W, C), grids (N, P,
    Q, O) and a kernel (kh, kw)."""
    (N, H, W, C), (_, P, Q, O), (kh, kw) = image, grid, kernel
    G, K, taps = at_once(N, P, Q), kh * kw * C, -(-kh // s_h) * -(-kw // s_w)
    rows, columns = _rows(H, P, s_h, top), _rows(W, Q, s_w, left)
    bordered = (-(-kh // s_h) - 1 + rows) * (-(-kw // s_w) - 1 + columns) * O
    block = s_h * s_w * C
    return (
        panel_size(kh * kw * O, C, itemsize) + G * bordered,
        panel_size(taps * O, block, itemsize) + G * (bordered + rows * columns * block),
        panel_size(O, K, itemsize) + G * P * Q * K,
    )


@jit
def _bordered(flat, G, x, a, kh, kw, s_h, s_w, top, left):
    """Zeros (G, any, any, O) for grids of a (N, P, Q, O), with the places that reach x (N, H, W,
    C)."""
    _, H, W, _ = x.shape
    _, P, Q, O = a.shape
    above, before = (kh - 1) // s_h, (kw - 1) // s_w  # how far up and left the taps of one r reach
    rows, columns = _rows(H, P, s_h, top), _rows(W, Q, s_w, left)
    return zeros_for(flat, G, above + rows, before + columns, O)


@jit
def _by_remainders(x, a, W, s_h, s_w, top, left, flat):
    N, H, width, C = x.shape
    _, P, Q, O = a.shape
    kh, kw = W.shape[:2]
    G, K, above, before = at_once(N, P, Q), kh * kw * O, (kh - 1) // s_h, (kw - 1) // s_w
    w = flat[: panel_size(K, C, x.itemsize)]
    if len(w) > K * C:
        w[:] = 0
    for i in range(kh):
        for j in range(kw):
            transposed_panels(w, W[i, j], (i * kw + j) * O, 0, K)
    border = _bordered(flat[len(w) :], G, x, a, kh, kw, s_h, s_w, top, left)
    spread, columns, y = border.reshape(border.size), border.shape[2], x.reshape(x.size)
    first, image = (above * columns + before) * O, border.shape[1] * columns * O
    x_at, a_at, pixels = _pixels(G, H, width, C, O, image, columns, first, s_h, s_w, top, left)
    taps, reach = _taps(kh, kw, O, columns, s_h, s_w)
    for n in range(0, N, G):
        g = min(G, N - n)
        fill(border, a, n, g, above, before)
        images = y[n * H * width * C :]
        for r in range(s_h * s_w):
            end = pixels[r] + (pixels[r + 1] - pixels[r]) // G * g
            these, ways = slice(pixels[r], end), slice(reach[r], reach[r + 1])
            product(images, x_at[these], spread, a_at[these], w, K, taps[ways], O, C, False)  # (3)


@jit
def _pixels(G, H, W, C, O, image, columns, first, s_h, s_w, top, left):
    """Where the pixels begin in x (G, H, W, C), and in a with its border (any, columns, O), which
    has image numbers, ordered by r, then by the image.

    first: where a itself begins. Those of the r-th pair (r_h, r_w) are at ends[r]:ends[r + 1]."""
    x_at, a_at, ends = (
        np.empty(G * H * W, np.int64),
        np.empty(G * H * W, np.int64),
        np.zeros(s_h * s_w + 1, np.int64),
    )
    m = 0
    for r_h in range(s_h):
        for r_w in range(s_w):
            for n in range(G):
                for h in range((r_h - top) % s_h, H, s_h):
                    for w in range((r_w - left) % s_w, W, s_w):
                        p, q = (h + top - r_h) // s_h, (w + left - r_w) // s_w
                        x_at[m] = ((n * H + h) * W + w) * C
                        a_at[m] = n * image + first + (p * columns + q) * O
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
def _by_blocks(x, a, W, s_h, s_w, top, left, flat):
    N, P, Q, O = a.shape
    kh, kw, C, _ = W.shape
    G, above, before = at_once(N, P, Q), (kh - 1) // s_h, (kw - 1) // s_w
    K, block = (above + 1) * (before + 1) * O, s_h * s_w * C
    w = flat[: panel_size(K, block, x.itemsize)]
    w[:] = 0
    border = _bordered(flat[len(w) :], G, x, a, kh, kw, s_h, s_w, top, left)
    spread, columns = border.reshape(border.size), border.shape[2]
    taps = np.empty(((above + 1) * (before + 1), 2), np.int64)
    for i in range(kh):
        for j in range(kw):
            tap = i // s_h * (before + 1) + j // s_w
            taps[tap, 0], taps[tap, 1] = -(i // s_h * columns + j // s_w) * O, tap * O
            transposed_panels(w, W[i, j], tap * O, (i % s_h * s_w + j % s_w) * C, K)
    rows, across, image = border.shape[1] - above, columns - before, border.shape[1] * columns * O
    a_at = (above * columns + before) * O + places(G, rows, across, image, columns * O, O)
    b_at = places(1, G * rows, across, 0, across * block, block)
    blocks = flat[len(w) + len(spread) : len(w) + len(spread) + block * len(a_at)]
    for n in range(0, N, G):
        g = min(G, N - n)
        M = g * rows * across
        fill(border, a, n, g, above, before)
        product(blocks, b_at[:M], spread, a_at[:M], w, K, taps, O, block, False)  # (3)
        these = blocks.reshape(G, rows, across * block)
        _apart(x, n, g, these, s_h, s_w, top, left)


@jit
def _apart(x, begin, g, blocks, s_h, s_w, top, left):
    """g images of x (N, H, W, C), from begin on <- blocks (g or more, any, any) of s_h runs of s_w
    pixels, one below the other."""
    _, H, W, C = x.shape
    row, wide, left = W * C, s_w * C, left * C
    _, rows, line = blocks.shape
    y, flat = x.reshape(x.size), blocks.reshape(blocks.size)
    v = places(1, 1, line // (s_h * wide), 0, 0, 1)
    first, last = -(-left // wide), (row + left) // wide  # runs that are whole
    for n in range(g):
        for h in range(H):
            to, at = ((begin + n) * H + h) * row - left, (n * rows + (h + top) // s_h) * line
            at += (h + top) % s_h * wide
            for o in range(0, wide, 2 * lanes(x)):
                for m in range(first, last, R):
                    these = pick(v, m, last - 1)
                    runs = load(zeros(x, 2), flat, at + o, these, s_h * wide, wide - o)
                    store(runs, y, to + o, these, wide, wide - o)
            for k in range(left, min(first * wide, left + row)):
                y[to + k] = flat[at + k // wide * s_h * wide + k % wide]
            for k in range(max(last * wide, left), left + row):
                y[to + k] = flat[at + k // wide * s_h * wide + k % wide]


@jit
def _by_patches(x, a, W, s_h, s_w, top, left, flat):
    N, P, Q, O = a.shape
    kh, kw, C, _ = W.shape
    G, K, grids = at_once(N, P, Q), kh * kw * C, a.reshape(a.size)
    w = flat[: panel_size(O, K, x.itemsize)]
    w[:] = 0
    transposed_panels(w, W.reshape(K, O), 0, 0, O)
    cols, taps = flat[len(w) : len(w) + G * P * Q * K], np.zeros((1, 2), np.int64)
    cols_at, a_at = places(1, G, P * Q, 0, P * Q * K, K), places(1, G, P * Q, 0, P * Q * O, O)
    for n in range(0, N, G):
        g = min(G, N - n)
        M = g * P * Q
        product(
            cols, cols_at[:M], grids[n * P * Q * O :], a_at[:M], w, O, taps, O, K, False
        )  # (3)
        patches = cols[: M * K].reshape(g, P, Q, kh, kw, C)
        col2im_loop(x[n : n + g], patches, s_h, s_w, top, left)  # (3)


def paint(x, a, W, s_h, s_w, top, left, flat):
    """x (N, H, W, C) <- a (N, P, Q, O), W (kh, kw, C, O). Not compiled: it compiles what it
    takes."""
    kh, kw, C, O = W.shape
    by = (_by_remainders, _by_blocks, _by_patches)[way(C, O, kh, kw, s_h, s_w)]
    by(x, a, W, s_h, s_w, top, left, flat)
