"""A product of matrices in tiles of registers, whose rows may begin anywhere.

Where x and W are small, or W is the same in many products, it costs less than a call of BLAS,
which puts W into an order of its own each time. A row of x may be cut into taps, runs of numbers
of one length: they may lie apart, and overlap those of other rows, as the patches of an image do.

Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008, section
5.
"""

from .compile import jit
from .tile import WIDTH, R, load, multiply_add, pick, store, zeros


@jit
def lanes(x):
    """How many numbers a vector has of the dtype of x (any shape)."""
    return WIDTH // x.itemsize


@jit
def transpose(Wt, W):
    """Wt (O, K) <- W (K, O)."""
    for k in range(W.shape[0]):
        for o in range(W.shape[1]):
            Wt[o, k] = W[k, o]


@jit
def product(y, y_at, x, x_at, w, taps, length, O, add):
    """y[y_at[m] + o] <- sum over taps (delta, row), k < length of x[x_at[m] + delta + k] w[(row +
    k) O + o].

    With add, the sums are added to y. What is left of O may fill one vector only; the number of
    vectors is a constant of the compiler, and both cases are written out, since handing a tile to
    a function costs a fifth of a small product."""
    last = len(x_at) - 1
    for o in range(0, O, 2 * lanes(x)):
        for m in range(0, last + 1, R):
            from_x, to_y = pick(x_at, m, last), pick(y_at, m, last)
            if O - o > lanes(x):
                wide = zeros(x, 2)
                if add:
                    wide = load(wide, y, o, to_y, 1, O - o)
                for tap in range(len(taps)):
                    delta, row = taps[tap, 0], taps[tap, 1]
                    for k in range(length):
                        wide = multiply_add(
                            wide, x, delta + k, from_x, w, (row + k) * O + o, O - o
                        )
                store(wide, y, o, to_y, 1, O - o)
            else:
                narrow = zeros(x, 1)
                if add:
                    narrow = load(narrow, y, o, to_y, 1, O - o)
                for tap in range(len(taps)):
                    delta, row = taps[tap, 0], taps[tap, 1]
                    for k in range(length):
                        narrow = multiply_add(
                            narrow, x, delta + k, from_x, w, (row + k) * O + o, O - o
                        )
                store(narrow, y, o, to_y, 1, O - o)
