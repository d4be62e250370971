"""exp, log, cos and their kin inside a loop: short series that a compiler can run on many numbers
at once.

The C library takes one number at a call; a loop that calls it cannot be vectorised, and the loss
of a batch of pixels then costs as much as a matrix product. In float32 a few terms are enough:

    x = n ln 2 + r,   n whole, |r| <= ln(2) / 2     ln 2 in two parts, n times the first exact  (1)
    expm1(r) = r + r^2 / 2! + ... + r^7 / 7!        the rest is below 6e-9                      (2)
    exp(x) = 2^n + 2^n expm1(r)                     2^n is made from its bits                   (3)
    expm1(x) = (2^n - 1) + 2^n expm1(r)             for n = 0 it is (2) itself                  (4)
    s = e / (2 + e),   log1p(e) = log((1 + s) / (1 - s)) = 2 (s + s^3 / 3 + ... + s^15 / 15)    (5)

    v = 2^n f,   1/sqrt(2) <= f < sqrt(2),   s = (f - 1) / (f + 1)
    log(v) = n ln 2 + 2 (s + s^3 / 3 + ... + s^11 / 11) n and f are v's bits                    (6)
    u = k / 4 + t / (2 pi),   k whole, |t| <= pi / 4    a quarter turn and the rest             (7)
    cos(t) = 1 - t^2 / 2! + ... + t^8 / 8! - t^10 / 10!,
    sin(t) = t - t^3 / 3! + ... + t^9 / 9!                                                      (8)
    cos, sin of 2 pi u = (cos t, sin t), (-sin t, cos t), (-cos t, -sin t), (sin t, -cos t)     (9)
                                                        for k = 0 and 4, 1, 2, 3

(5) is for 0 <= e <= 1, where s <= 1/3, (6) for normal v > 0, (7) for 0 <= u <= 1; what each series
leaves out is below 3e-9. Largest errors over every range, in units of the last place
(tests/kernels/test_elementary.py): exp 1.2, expm1 2.1, log1p 2, log 1.7; cos and sin are off by
1.2e-7 at most. Below -86.98 exp stays at 2e-38 instead of going to 0 through numbers that are slow
to compute with; above 88.72 it is inf; NaN stays NaN. float64 is for checks, where accuracy counts
and speed does not: there the C library computes.

Source: Cody and Waite, "Software manual for the elementary functions", 1980, chapters 4 to
8 (1, 3, 6, 7); Abramowitz and Stegun, "Handbook of mathematical functions", 1964, 4.2.1 (2),
4.1.27 (5, 6), 4.3.65 (8).
"""

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

PER_LN2 = np.float32(1 / math.log(2))
LN2_FIRST = np.float32(355 / 512)  # 9 bits: n times it is exact
LN2_REST = np.float32(math.log(2) - 355 / 512)
LN2 = np.float32(math.log(2))
LOWEST, HIGHEST = np.float32(-86.98), np.float32(89)
HALF, ONE, TWO, FOUR, BIAS = (np.float32(v) for v in (0.5, 1, 2, 4, 128.5))
F2, F3, F4, F5, F6, F7, F8, F9, F10 = (np.float32(1 / math.factorial(k)) for k in range(2, 11))
S3, S5, S7, S9, S11, S13, S15 = (np.float32(1 / k) for k in range(3, 16, 2))
QUARTER, TAU = np.float32(0.25), np.float32(2 * math.pi)
# the bits of the least f: those of v above them are n
LEAST = np.float32(math.sqrt(0.5)).view(np.int32)
OPTIONS: Any = {
    "fastmath": {"contract"},
    "error_model": "numpy",
}  # no "reassoc": it would undo (1)


def exp(x):
    """A scalar -> its exponential."""
    return np.exp(x)


def expm1(x):
    """A scalar -> its exponential less 1, exact near 0."""
    return np.expm1(x)


def log1p_unit(e):
    """A scalar in [0, 1] -> log(1 + e), exact near 0."""
    return np.log1p(e)


def log(v):
    """A positive scalar -> its natural logarithm."""
    return np.log(v)


def cos_sin(u):
    """A scalar in [0, 1] -> cos(2 pi u) and sin(2 pi u)."""
    return np.cos(2 * np.pi * u), np.sin(2 * np.pi * u)


def _parts(x):
    """A scalar -> 2^(n - 1) and expm1(r)."""


@overload(_parts, jit_options=OPTIONS)
def _parts_float32(x):
    def parts(x):
        x = LOWEST if x < LOWEST else x
        x = HIGHEST if x > HIGHEST else x
        # truncated above 0 is rounded down; a sum of int32 is int64 to Numba
        n = np.int32(np.int32(x * PER_LN2 + BIAS) - np.int32(128))
        r = (x - np.float32(n) * LN2_FIRST) - np.float32(n) * LN2_REST  # (1)
        p = r + r * r * (F2 + r * (F3 + r * (F4 + r * (F5 + r * (F6 + r * F7)))))  # (2)
        # half of 2^n, since 2^128 is inf
        return np.int32(np.int32(n + 126) << 23).view(np.float32), p

    return parts


@overload(exp, jit_options=OPTIONS)
def _exp(x):
    def float32(x):
        half, p = _parts(x)
        return TWO * (half + half * p)  # (3)

    return float32 if x == types.float32 else lambda x: math.exp(x)


@overload(expm1, jit_options=OPTIONS)
def _expm1(x):
    def float32(x):
        half, p = _parts(x)
        return TWO * ((half - HALF) + half * p)  # (4)

    return float32 if x == types.float32 else lambda x: math.expm1(x)


@overload(log1p_unit, jit_options=OPTIONS)
def _log1p_unit(e):
    def float32(e):
        s = e / (TWO + e)
        q = s * s
        return TWO * (
            s + s * q * (S3 + q * (S5 + q * (S7 + q * (S9 + q * (S11 + q * (S13 + q * S15))))))
        )  # (5)

    return float32 if e == types.float32 else lambda e: math.log1p(e)


@overload(log, jit_options=OPTIONS)
def _log(v):
    def float32(v):
        bits = np.int32(np.float32(v).view(np.int32) - LEAST)
        n = np.float32(np.int32(bits >> 23))
        f = np.int32(np.int32(bits & 0x7FFFFF) + LEAST).view(np.float32)
        s = (f - ONE) / (f + ONE)
        q = s * s
        return n * LN2 + TWO * (s + s * q * (S3 + q * (S5 + q * (S7 + q * (S9 + q * S11)))))  # (6)

    return float32 if v == types.float32 else lambda v: math.log(v)


@overload(cos_sin, jit_options=OPTIONS)
def _cos_sin(u):
    def float32(u):
        k = np.int32(u * FOUR + HALF)
        t = TAU * (u - QUARTER * np.float32(k))  # (7)
        q = t * t
        c = ONE - q * (F2 - q * (F4 - q * (F6 - q * (F8 - q * F10))))  # (8)
        s = t - t * q * (F3 - q * (F5 - q * (F7 - q * F9)))  # (8)
        odd, back, down = k & 1, (k + 1) & 2, k & 2
        cosine, sine = (s if odd else c), (c if odd else s)
        return (-cosine if back else cosine), (-sine if down else sine)  # (9)

    def float64(u):
        return math.cos(2.0 * math.pi * u), math.sin(2.0 * math.pi * u)

    return float32 if u == types.float32 else float64
