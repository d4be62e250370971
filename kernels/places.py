"""Where images, grids and kernels begin in memory: arrays of places, for the sums of taps.py and
paint.py.

A place is a distance from the first number of an array. All of them follow from the shapes, so
NumPy computes them once for a shape: a plan, which is kept. In compiled loops they would cost a
third of the time that Numba takes for a convolution.

Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, chapter 2.
"""

import math
from functools import lru_cache

import numpy as np

plan = lru_cache(maxsize=64)  # that of an image of 512 x 512 takes 4 MB


def places(G, P, Q, image, down, right):
    """(G P Q,): where each patch of G grids (P, Q) begins, image apart, its rows down and its
    columns right apart."""
    n, p, q = np.ogrid[:G, :P, :Q]
    return (n * image + p * down + q * right).ravel()


def pairs(first, second):
    """(M, 2) of two lists of M numbers."""
    return np.array([first, second], np.int64).T.copy()


def ends(lengths):
    """Where each of R runs of those lengths (R,) begins, and where the last one ends."""
    return np.cumsum([0, *lengths])


def cut(flat, *shapes):
    """Arrays of those shapes in flat (any,), one after the other."""
    arrays, begin = [], 0
    for shape in shapes:
        end = begin + math.prod(shape)
        arrays.append(flat[begin:end].reshape(shape))
        begin = end
    return arrays
