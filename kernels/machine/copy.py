"""A run of numbers copied by a loop that becomes vectors, where both runs lie in one piece.

Source: Numba's user guide, "Performance tips", and its ``wraparound`` of negative indices.
"""

from .compile import jit


@jit
def copy(out, a, length):
    """The first numbers of out (any,) <- as many of a (any,).

    An index that a loop computes may be negative, for all Numba knows: it asks each time, and the
    loop stays scalar. The index of a loop from 0 on it takes as it is."""
    for k in range(length):
        out[k] = a[k]
