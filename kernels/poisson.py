"""The Poisson negative log-likelihood of counts from a log rate: value and gradient in one pass.

    p(x | a) = exp(x a - exp(a)) / x!,   x = 0, 1, 2, ...,   the rate is exp(a)         (1)
    nll = sum over the D counts of exp(a) - x a + log x!                                (2)
    da = exp(a) - x                                                                     (3)
    log x! from a table below 256, above: x log x - x + log(2 pi x) / 2 + 1 / (12 x)
                                          - 1 / (360 x^3)                               (4)

What (4) leaves out is below 1e-15. x a is a float64, since it
cancels with the rest: of a count of 10,000 the sum is then off by 1e-3 in float32, by the rounding
of exp(a). A rate has no float32 from a = 88.73 on, nor a float64 from 709.8 on: the loss is
infinite there. With K samples an example, rows n K to n K + K - 1 of a are held against row n of
x. The sums run in float64.

Source: Poisson's distribution; Abramowitz and Stegun, "Handbook of mathematical functions", 1964,
6.1.41 (4: Stirling).
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.elementary import exp

TABLE = np.array([math.lgamma(k + 1.0) for k in range(256)])  # log k!
LOG_2PI = math.log(2 * math.pi)


def log_factorial(x):
    """log x! of whole numbers x >= 0 (any shape), float64."""
    x = np.asarray(x, np.float64)
    above, below = np.maximum(x, len(TABLE)), np.clip(np.nan_to_num(x), 0, len(TABLE) - 1)
    rest = (1 / 12 - 1 / (360 * above * above)) / above
    stirling = above * np.log(above) - above + (LOG_2PI + np.log(above)) / 2 + rest
    return np.where(x < len(TABLE), TABLE[below.astype(np.int64)], stirling)  # (4)


def poisson_nll(nll, da, a, x):
    """nll (N K,), da (N K, D) <- a (N K, D) log rates, x (N, D) counts."""
    x, rate = np.repeat(x, a.shape[0] // max(x.shape[0], 1), axis=0), np.exp(a)
    nll[...] = (rate - x.astype(np.float64) * a + log_factorial(x)).sum(axis=1)  # (1) (2)
    da[...] = rate - x  # (3)


@jit
def _stirling(x_n):
    total = 0.0
    for d in range(x_n.shape[0]):
        v = np.float64(x_n[d])
        if not 0 <= v < TABLE.shape[0]:
            rest = (1 / 12 - 1 / (360 * v * v)) / v
            total += v * math.log(v) - v + (LOG_2PI + math.log(v)) / 2 + rest  # (4)
    return total


@jit
def _poisson_nll(nll, da, a, x):
    M, D = a.shape
    K = M // max(x.shape[0], 1)
    for m in range(M):
        a_m, x_n, da_m, total = a[m], x[m // K], da[m], 0.0
        for d in range(D):
            rate = exp(a_m[d])
            total += rate - np.float64(x_n[d]) * np.float64(a_m[d])  # (1) (2)
            da_m[d] = rate - x_n[d]  # (3)
        beyond = False
        for d in range(D):
            v = np.float64(x_n[d])
            inside = 0 <= v < TABLE.shape[0]
            total += TABLE[np.int64(v) if inside else 0]  # (2) (4), 0! = 1
            beyond |= not inside
        if beyond:
            total += _stirling(x_n)  # (2) (4)
        nll[m] = total


def _poisson_nll_cuda(gpu, nll, da, a, x):
    M, D = a.shape
    gpu.blocks("poisson_nll", M, nll, da, a, x, M, D, M // max(x.shape[0], 1))


POISSON_NLL = Kernel(poisson_nll, _poisson_nll, _poisson_nll_cuda)
