"""Philox4x32-10 once more, in Python's own integers, one word at a time: nothing of the library is
imported. Streams, purposes and seeds are numbers here, as the library's runs have them.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011, section
3.3 and table 2; Box and Muller 1958.
"""

import math

import numpy as np

# what a draw is for: the fourth word of the counter, by the numbers that decide every run's bits
ORDER, WEIGHTS, PIXELS, LATENT, PRIOR, SHAPES, PROBE, OUTPUTS, UPPER = 0, 1, 2, 3, 4, 5, 6, 7, 8
NOISE, EVALUATION = 256, 65536


def block(counter, key):
    """Four words of 32 bits and two -> four words."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & 0xFFFFFFFF, a >> 32 ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def words(shape, seed, stream, epoch=0, first=0):
    """(N, ...) words of the rows from first on: position // 4, row, epoch, stream is the
    counter."""
    key, P = (seed % 2**32, seed // 2**32), math.prod(shape[1:])
    rows = [
        [block((p // 4, first + n, epoch, stream), key)[p % 4] for p in range(P)]
        for n in range(shape[0])
    ]
    return np.array(rows, np.uint32).reshape(shape)


def uniform(shape, seed, stream, epoch=0, first=0):
    """(N, ...): the top 24 bits of each word, in [0, 1)."""
    return words(shape, seed, stream, epoch, first) // 2**8 / 2**24


def normal(shape, seed, stream, epoch=0, first=0):
    """(N, ...): two normals from each pair of words, by Box and Muller."""
    P = math.prod(shape[1:])
    even = (shape[0], P + P % 2)
    u = uniform(even, seed, stream, epoch, first)
    radius = np.sqrt(-2 * np.log(u[:, ::2] + 2**-24))
    e = np.empty(even)
    e[:, ::2] = radius * np.cos(2 * np.pi * u[:, 1::2])
    e[:, 1::2] = radius * np.sin(2 * np.pi * u[:, 1::2])
    return e[:, :P].reshape(shape)


def order(n, seed, epoch):
    """The examples 0 ... n - 1 by their words, the lowest first."""
    keys = words((n, 1), seed, ORDER, epoch)[:, 0].tolist()
    return sorted(range(n), key=keys.__getitem__)
