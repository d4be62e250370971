"""Philox4x32-10: random numbers that are a pure function of who asks.

One block of four words is a bijection of a 128-bit counter under a 64-bit key, ten times the round

    (h0, l0) = M0 c0,   (h1, l1) = M1 c2        high and low half of a 64-bit product    (1)
    (c0, c1, c2, c3) <- (h1 ^ c1 ^ k0,  l1,  h0 ^ c3 ^ k1,  l0)                          (2)
    (k0, k1) <- (k0 + W0,  k1 + W1)             modulo 2^32, between rounds              (3)

The counter says who asks: (position // 4, row of the example in its data set, epoch, stream), so a
draw depends neither on the backend, nor on how a batch is cut, nor on what was drawn before. From
a word w:

    u = (w >> 8) 2^-24                          in [0, 1), exact in float32              (4)
    v = ((w >> 8) + 1) 2^-24                    in (0, 1], exact in float32              (5)
    e0 = sqrt(-2 ln v0) cos(2 pi u1),  e1 = sqrt(-2 ln v0) sin(2 pi u1)   Box-Muller     (6)

Every kernel takes rows (N,) uint32, one per example; clock (4,) uint32 = key (2 words), epoch,
purpose, all of which change between steps; and stream, a constant. The fourth counter word is
purpose + stream.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; Box and
Muller, "A note on the generation of random normal deviates", 1958.
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.elementary import cos_sin, log

M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
DROP, ONE = np.uint64(8), np.uint64(1)
SCALE = 2.0**-24


def _philox_numpy(c0, c1, c2, c3, k0, k1):
    """Four arrays of uint64 below 2^32 as counter, two as key -> four such arrays of words."""
    for _ in range(10):
        p0, p1 = M0 * c0, M1 * c2
        h0, l0, h1, l1 = p0 >> HALF, p0 & LOW, p1 >> HALF, p1 & LOW  # (1)
        c0, c1, c2, c3 = h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0  # (2)
        k0, k1 = (k0 + W0) & LOW, (k1 + W1) & LOW  # (3)
    return c0, c1, c2, c3


def _words_numpy(shape, rows, clock, stream):
    """(N, P) words, as four interleaved columns of each block: (N, P/4 up, 4) cut to P columns."""
    k0, k1, epoch, purpose = clock.astype(np.uint64)
    blocks = np.arange((shape[1] + 3) // 4, dtype=np.uint64)[None, :]
    c0, c1 = np.broadcast_arrays(blocks, rows.astype(np.uint64)[:, None])
    c2, c3 = np.full_like(c0, epoch), np.full_like(c0, (purpose + np.uint64(stream)) & LOW)
    return np.stack(_philox_numpy(c0, c1, c2, c3, k0, k1), axis=-1).reshape(shape[0], -1)


def words(out, rows, clock, stream):
    """out (N, P) uint32 = the raw words."""
    out[...] = _words_numpy(out.shape, rows, clock, stream)[:, : out.shape[1]]


def uniform(out, rows, clock, stream):
    """out (N, P) = uniform draws in [0, 1)."""
    w = _words_numpy(out.shape, rows, clock, stream)[:, : out.shape[1]]
    out[...] = (w >> DROP) * SCALE  # (4)


def normal(out, rows, clock, stream):
    """out (N, P) = standard normal draws."""
    w = _words_numpy(out.shape, rows, clock, stream).reshape(out.shape[0], -1, 2)
    v = ((w[..., 0] >> DROP) + ONE) * SCALE  # (5)
    u = (w[..., 1] >> DROP) * SCALE  # (4)
    radius, angle = np.sqrt(-2.0 * np.log(v)), 2.0 * np.pi * u
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)  # (6)
    out[...] = pairs.reshape(out.shape[0], -1)[:, : out.shape[1]]


@jit
def philox(c0, c1, c2, c3, k0, k1):
    """Four uint32 scalars as counter, two as key -> four words."""
    for _ in range(10):
        p0, p1 = M0 * np.uint64(c0), M1 * np.uint64(c2)
        h0, l0 = np.uint32(p0 >> HALF), np.uint32(p0 & LOW)  # (1)
        h1, l1 = np.uint32(p1 >> HALF), np.uint32(p1 & LOW)  # (1)
        c0, c1, c2, c3 = np.uint32(h1 ^ c1 ^ k0), l1, np.uint32(h0 ^ c3 ^ k1), l0  # (2)
        k0, k1 = np.uint32((k0 + W0) & LOW), np.uint32((k1 + W1) & LOW)  # (3)
    return c0, c1, c2, c3


@jit
def _row_words(w, row, clock, stream):
    """w (4, blocks) uint32 <- word j of block i of one row at w[j, i]: a loop over blocks can be
    vectorised."""
    k0, k1, epoch, last = (
        clock[0],
        clock[1],
        clock[2],
        np.uint32(np.uint32(clock[3]) + np.uint32(stream)),
    )
    for i in range(w.shape[1]):
        w[0, i], w[1, i], w[2, i], w[3, i] = philox(np.uint32(i), row, epoch, last, k0, k1)


@jit
def _blocks(P):
    return (P + 3) // 4


@jit
def _words(out, rows, clock, stream):
    N, P = out.shape
    w = np.empty((4, _blocks(P)), np.uint32)
    for n in range(N):
        _row_words(w, rows[n], clock, stream)
        for p in range(P):
            out[n, p] = w[p % 4, p // 4]


@jit
def _uniform(out, rows, clock, stream):
    N, P = out.shape
    w, unit = np.empty((4, _blocks(P)), np.uint32), out.dtype.type(SCALE)
    for n in range(N):
        _row_words(w, rows[n], clock, stream)
        for p in range(P):
            out[n, p] = out.dtype.type(np.int32(w[p % 4, p // 4] >> DROP)) * unit  # (4)


@jit
def _normal(out, rows, clock, stream):
    N, P = out.shape
    real = out.dtype.type
    w, e, unit = (
        np.empty((4, _blocks(P)), np.uint32),
        np.empty((4, _blocks(P)), out.dtype),
        real(SCALE),
    )
    for n in range(N):
        _row_words(w, rows[n], clock, stream)
        for j in range(0, 4, 2):
            w0, w1, e0, e1 = w[j], w[j + 1], e[j], e[j + 1]
            for i in range(e.shape[1]):
                v = real(np.int32(w0[i] >> DROP)) * unit + unit  # (5)
                c, s = cos_sin(real(np.int32(w1[i] >> DROP)) * unit)  # (4)
                radius = math.sqrt(real(-2.0) * log(v))
                e0[i], e1[i] = radius * c, radius * s  # (6)
        for p in range(P):
            out[n, p] = e[p % 4, p // 4]


def _each_block(gpu, name, out, *ins):
    N, P = out.shape
    gpu.each(name, N * ((P + 3) // 4), out, *ins, N, P)


def _words_cuda(gpu, out, rows, clock, stream):
    _each_block(gpu, "words", out, rows, clock, stream)


def _uniform_cuda(gpu, out, rows, clock, stream):
    _each_block(gpu, "uniform", out, rows, clock, stream)


def _normal_cuda(gpu, out, rows, clock, stream):
    _each_block(gpu, "normal", out, rows, clock, stream)


WORDS = Kernel(words, _words, _words_cuda)
UNIFORM = Kernel(uniform, _uniform, _uniform_cuda)
NORMAL = Kernel(normal, _normal, _normal_cuda)
