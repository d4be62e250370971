"""A product of matrices in tiles of registers, whose rows may begin anywhere.

Where x and W are small, or W is the same in many products, it costs less than a call of BLAS,
which puts W into an order of its own each time. A row of x may be cut into taps, runs of numbers
of one length: they may lie apart, and overlap those of other rows, as the patches of an image do.

W (K, O) is read in panels of 2 vectors' columns, one after the other, each (K, 2 LANES) in one
piece and filled up with zeros: rows of W that lie a power of two apart would share few lines of
the cache, and drive each other out.

Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008, sections
4.2.1 (packing) and 5.
"""

import numpy as np
from numba.extending import register_jitable

from .compile import jit
from .copy import copy
from .tile import WIDTH, R, load, multiply_add, pick, store, zeros

PIECE = 256  # rows of a panel that stay in the nearest cache while all rows of x pass
LINE = 16  # numbers of a row that are transposed together: a line of the cache


@jit
def lanes(x):
    """How many numbers a vector has of the dtype of x (any shape)."""
    return WIDTH // x.itemsize


@register_jitable
def panel_size(K, O, itemsize):
    """The length of the panels of W (K, O)."""
    wide = 2 * WIDTH // itemsize
    return K * wide * -(-O // wide)


@jit
def panels(w, x, x_at, O):
    """Panels w of the matrix (M, O) whose row m is x[x_at[m] : x_at[m] + O]."""
    M, step = len(x_at), 2 * lanes(x)
    to = np.empty(M, np.int64)
    for m in range(M):
        to[m] = m * step
    for o in range(0, O, step):
        for m in range(0, M, R):
            rows = load(zeros(x, 2), x, o, pick(x_at, m, M - 1), 1, O - o)
            store(rows, w, o * M, pick(to, m, M - 1), 1, step)


@jit
def transposed_panels(w, W, first, column, K):
    """Panels w of a matrix of K rows, 0 but for the transposes of W (T, O, any): W[t]^T begins in
    row first[t] and column[t]."""
    (T, O, rows), step = W.shape, 2 * lanes(w)
    by_panel = w.reshape(-1, K, step)
    if len(w) > W.size:
        w[:] = 0
    for t in range(T):
        for block in range(0, rows, LINE):
            for o in range(O):
                to = by_panel[(column[t] + o) // step, first[t] + block :, (column[t] + o) % step]
                copy(to, W[t, o, block:], min(LINE, rows - block))


@jit
def product(y, y_at, x, x_at, w, K, taps, length, O, add):
    """y[y_at[m] + o] <- sum over taps (delta, row), k < length of
    x[x_at[m] + delta + k] W[row + k, o], with W (K, O) in panels w.

    With add, the sums are added to y. What is left of O may fill one vector only; the number of
    vectors is a constant of the compiler, and both cases are written out, since handing a tile to
    a function costs a fifth of a small product."""
    last, step, more = len(x_at) - 1, 2 * lanes(x), max(1, PIECE // length)
    for o in range(0, O, step):
        for first in range(0, max(1, len(taps)), more):  # y is 0 where there is no tap
            these = range(first, min(first + more, len(taps)))
            for begin in range(0, length, PIECE):
                run, start = range(begin, min(begin + PIECE, length)), add or first + begin > 0
                for m in range(0, last + 1, R):
                    from_x, to_y = pick(x_at, m, last), pick(y_at, m, last)
                    if O - o > lanes(x):
                        wide = zeros(x, 2)
                        if start:
                            wide = load(wide, y, o, to_y, 1, O - o)
                        for tap in these:
                            delta, row = taps[tap, 0], o * K + taps[tap, 1] * step
                            for k in run:
                                wide = multiply_add(wide, x, delta + k, from_x, w, row + k * step)
                        store(wide, y, o, to_y, 1, O - o)
                    else:
                        narrow = zeros(x, 1)
                        if start:
                            narrow = load(narrow, y, o, to_y, 1, O - o)
                        for tap in these:
                            delta, row = taps[tap, 0], o * K + taps[tap, 1] * step
                            for k in run:
                                narrow = multiply_add(
                                    narrow, x, delta + k, from_x, w, row + k * step
                                )
                        store(narrow, y, o, to_y, 1, O - o)
