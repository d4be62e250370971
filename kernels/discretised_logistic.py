"""The discretised logistic negative log-likelihood: value and gradient in one pass.

x takes B values, low, low + w, ..., such as the 256 of a pixel. The probability of each is what a
logistic distribution of mean mu and scale s has between the edges of its bin; the first and the
last bin reach to infinity. The decoder's output a holds mu and log s side by side, C of each at
every of the P places of an example. In units of a bin, u = (x - mu) / w and v = log(s / w):

    l = log of (scale in bins) = max(v, L) + log1p(e),   e = exp(-|v - L|), L = -log 64 (1)
    d = exp(-l)                                a bin is so many scales wide, at most 64 (2)
    hi = d (u + 1/2),   lo = d (u - 1/2)       the edges                                (3)
    P = sigmoid(hi) sigmoid(-lo) (1 - exp(-d)) of a bin inside                          (4)
    P = sigmoid(hi) of the first bin, sigmoid(-lo) of the last                          (5)
    nll = sum over P and C of -log P = softplus(-hi) + softplus(lo) - log(1 - exp(-d))  (6)
    1 - exp(-d) = E / (1 + E),   E = expm1(d)                                           (7)
    g_hi = sigmoid(-hi), 0 for the last bin;   g_lo = sigmoid(lo), 0 for the first      (8)
    dmu = d (g_hi - g_lo) / w                                                           (9)
    dl = hi g_hi - lo g_lo + d / E, the last inside alone                               (10)
    g = 1 / (1 + e) if v >= L else e / (1 + e),   dlog s = g dl                         (11)

(4) is sigmoid(hi) - sigmoid(lo) without the difference, which in float32 is 0 from 17 scales away
on. Others clamp it at 1e-12 there, and log s at -7: then the gradient is 0 where a mean is far
off, and P does not sum to one. Here the B bins sum to one for every mu and s. (1) is a floor below
s, smooth and inside the gradient: with mu in the middle of a bin, 1 - P is 3e-14 at 64 scales a
bin, so nothing is lost, and 1 / s has a number for every a. Where a bin is narrow, d < 1, log(1 -
exp(-d)) is log((1 - exp(-d)) / d) - l, and d is kept above exp(-80), below which (3), (8) and (10)
do not change. With K samples an example, rows n K to n K + K - 1 of a are held against row n of x.
The sum runs in float64.

Source: Salimans, Karpathy, Chen, Kingma, "PixelCNN++", 2017, eq. 2 (4, 5); Kingma et al.,
"Improved variational inference with inverse autoregressive flow", 2016, appendix C.
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.elementary import exp, expm1, log, log1p_unit
from .machine.halves import apart, together

FLOOR = -math.log(64)  # L: a bin is at most 64 scales wide
LEAST = math.exp(-80)  # of d


def discretised_logistic_nll(nll, da, a, x, low, w, bins):
    """nll (N K,), da (N K, P, 2C) <- a (N K, P, 2C), x (N, P, C), constants low, w and bins."""
    C = x.shape[2]
    mu, log_s, x = a[..., :C], a[..., C:], np.repeat(x, a.shape[0] // max(x.shape[0], 1), axis=0)
    v = log_s - math.log(w)
    e = np.exp(-np.abs(v - FLOOR))  # (1)
    ell, d_l = np.maximum(v, FLOOR) + np.log1p(e), np.where(v >= FLOOR, 1.0, e) / (1.0 + e)  # (1)
    d = np.exp(-np.minimum(ell, -math.log(LEAST)))  # (2)
    u, first, last = (x - mu) / w, x < low + w / 2, x > low + (bins - 1.5) * w
    hi, lo, inside = d * (u + 0.5), d * (u - 0.5), ~(first | last)  # (3)
    E = np.expm1(d)
    m, e_hi, e_lo = E / (1.0 + E), np.exp(-np.abs(hi)), np.exp(-np.abs(lo))  # (7)
    to_hi = np.where(last, 0.0, np.maximum(-hi, 0.0) + np.log1p(e_hi))  # (4) (5)
    to_lo = np.where(first, 0.0, np.maximum(lo, 0.0) + np.log1p(e_lo))  # (4) (5)
    between = np.where(d < 1.0, ell - np.log(m / d), -np.log(m))
    nll[...] = (to_hi + to_lo + inside * between).sum(axis=(1, 2), dtype=np.float64)  # (6)
    g_hi = np.where(last, 0.0, np.where(hi < 0, 1.0, e_hi) / (1.0 + e_hi))  # (8)
    g_lo = np.where(first, 0.0, np.where(lo >= 0, 1.0, e_lo) / (1.0 + e_lo))  # (8)
    da[..., :C] = d * (g_hi - g_lo) / w  # (9)
    da[..., C:] = d_l * (hi * g_hi - lo * g_lo + inside * (d / E))  # (10) (11)


@jit
def _row(dmu, dlog_s, mu, log_s, x, constants):
    log_w, per_w, floor, most, low_edge, high_edge = constants
    zero, half, one, total = x.dtype.type(0), x.dtype.type(0.5), x.dtype.type(1), 0.0
    for i in range(x.shape[0]):
        v = log_s[i] - log_w
        e = exp(-abs(v - floor))  # (1)
        ell = (floor if v < floor else v) + log1p_unit(e)  # (1)
        d = exp(-(most if ell > most else ell))  # (2)
        u, is_first, is_last = (x[i] - mu[i]) * per_w, x[i] < low_edge, x[i] > high_edge
        hi, lo, E = d * (u + half), d * (u - half), expm1(d)  # (3)
        m, e_hi, e_lo = E / (one + E), exp(-abs(hi)), exp(-abs(lo))  # (7)
        inside = (x[i] >= low_edge) & (x[i] <= high_edge)
        share, linear, slope = m / d if d < one else m, ell if d < one else zero, d / E
        # (4) and (5) as one logarithm of a number between 1 and 7, and what is left
        of_hi, of_lo = one if is_last else one + e_hi, one if is_first else one + e_lo
        product = of_hi * of_lo / (share if inside else one)  # (4) (5)
        linear = linear if inside else zero
        linear -= zero if is_last else (hi if hi < zero else zero * hi)
        linear += zero if is_first else (zero * lo if lo < zero else lo)
        total += linear + log(product)  # (6)
        p_hi = (one if hi < zero else e_hi) / (one + e_hi)
        p_lo = (one if lo >= zero else e_lo) / (one + e_lo)
        g_hi, g_lo = zero if is_last else p_hi, zero if is_first else p_lo  # (8)
        dmu[i] = d * (g_hi - g_lo) * per_w  # (9)
        dl = hi * g_hi - lo * g_lo + (slope if inside else zero)  # (10)
        dlog_s[i] = (one if v >= floor else e) / (one + e) * dl  # (11)
    return total


@jit
def _discretised_logistic_nll(nll, da, a, x, low, w, bins):
    M, D, real = a.shape[0], x.shape[1] * x.shape[2], a.dtype.type
    K = M // max(x.shape[0], 1)
    constants = (
        *(real(math.log(w)), real(1 / w), real(FLOOR), real(-math.log(LEAST))),
        *(real(low + w / 2), real(low + (bins - 1.5) * w)),
    )
    parts, dparts = np.empty((2, D), a.dtype), np.empty((2, D), a.dtype)
    for m in range(M):
        apart(parts, a[m])
        nll[m] = _row(dparts[0], dparts[1], parts[0], parts[1], x[m // K].reshape(-1), constants)
        together(da[m], dparts)


def _discretised_logistic_nll_cuda(gpu, nll, da, a, x, low, w, bins):
    (N, P, C), M = x.shape, a.shape[0]
    constants = math.log(w), 1 / w, FLOOR, -math.log(LEAST), low + w / 2, low + (bins - 1.5) * w
    sizes = M, P, C, M // max(N, 1)
    gpu.blocks("discretised_logistic_nll", M, nll, da, a, x, *constants, *sizes)


DISCRETISED_LOGISTIC_NLL = Kernel(
    discretised_logistic_nll, _discretised_logistic_nll, _discretised_logistic_nll_cuda
)
