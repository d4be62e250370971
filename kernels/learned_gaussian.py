"""The Gaussian negative log-likelihood whose mean and spread are both learned: value and gradient
in one pass.

The decoder's output a holds mu and logvar side by side, C of each at every of the P places of an
example; f is a floor below sigma, and the constant the kernel is told is L = log f^2, which is
-inf without a floor:

    sigma^2 = f^2 + exp(logvar) = exp(l)                                                (1)
    l = max(logvar, L) + log1p(e),   e = exp(-|logvar - L|)                             (2)
    q = ((mu - x) / sigma)^2,   1 / sigma = exp(-l / 2)                                 (3)
    nll = sum over P and C of (q + l + log(2 pi)) / 2                                   (4)
    dmu = (mu - x) / sigma^2                                                            (5)
    g = exp(logvar) / sigma^2 = 1 / (1 + e) if logvar >= L else e / (1 + e)             (6)
    dlogvar = g (1 - q) / 2                                                             (7)

(7) is the derivative of (4) through (1), floor and all: g is 1 where the floor is far below and 0
far above. (2) is the logarithm of a sum of exponentials, so nothing overflows on the way, and
without a floor l is logvar itself. The results themselves must have a number: in float32 (3) ends
at |mu - x| / sigma = 1.8e19, and 1 / sigma, without a floor, at logvar = -177. The sum runs in
float64. With K samples an example, rows n K to n K + K - 1 of a are held against row n of x. The
loop puts the mu of a row side by side first, and its logvar too.

Source: Nix and Weigend, "Estimating the mean and variance of the target probability distribution",
1994 (4, 5, 7); Kingma and Welling, "Auto-encoding variational Bayes", 2014, appendix C.2, a
decoder with mu and log sigma^2.
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.elementary import exp, log1p_unit
from .machine.halves import apart, together

LOG_2PI = math.log(2 * math.pi)


def learned_gaussian_nll(nll, da, a, x, L):
    """nll (N K,), da (N K, P, 2C) <- a (N K, P, 2C), x (N, P, C), constant L."""
    C = x.shape[2]
    mu, logvar, x = a[..., :C], a[..., C:], np.repeat(x, a.shape[0] // max(x.shape[0], 1), axis=0)
    e = np.exp(-np.abs(logvar - L))  # (2)
    log_var = np.maximum(logvar, L) + np.log1p(e)  # (1) (2)
    per_sigma = np.exp(-log_var / 2)  # (3)
    s = (mu - x) * per_sigma
    q = s * s  # (3)
    nll[...] = (q + log_var + LOG_2PI).sum(axis=(1, 2), dtype=np.float64) / 2  # (4)
    da[..., :C] = s * per_sigma  # (5)
    g = np.where(logvar >= L, 1.0, e) / (1.0 + e)  # (6)
    da[..., C:] = g * (1.0 - q) / 2  # (7)


@jit
def _row(dmu, dlogvar, mu, logvar, x, least):
    one, half, total = x.dtype.type(1), x.dtype.type(0.5), 0.0
    for d in range(x.shape[0]):
        e = exp(-abs(logvar[d] - least))  # (2)
        log_var = (least if logvar[d] < least else logvar[d]) + log1p_unit(e)  # (1) (2)
        per_sigma = exp(-half * log_var)  # (3)
        s = (mu[d] - x[d]) * per_sigma
        q = s * s  # (3)
        total += q + log_var  # (4)
        dmu[d] = s * per_sigma  # (5)
        g = (one if logvar[d] >= least else e) / (one + e)  # (6)
        dlogvar[d] = half * g * (one - q)  # (7)
    return (total + x.shape[0] * LOG_2PI) / 2  # (4)


@jit
def _learned_gaussian_nll(nll, da, a, x, L):
    M, D = a.shape[0], x.shape[1] * x.shape[2]
    K, least = M // max(x.shape[0], 1), a.dtype.type(L)
    parts, dparts = np.empty((2, D), a.dtype), np.empty((2, D), a.dtype)
    for m in range(M):
        apart(parts, a[m])
        nll[m] = _row(dparts[0], dparts[1], parts[0], parts[1], x[m // K].reshape(-1), least)
        together(da[m], dparts)


def _learned_gaussian_nll_cuda(gpu, nll, da, a, x, L):
    (N, P, C), M = x.shape, a.shape[0]
    gpu.blocks("learned_gaussian_nll", M, nll, da, a, x, L, LOG_2PI, M, P, C, M // max(N, 1))


LEARNED_GAUSSIAN_NLL = Kernel(
    learned_gaussian_nll, _learned_gaussian_nll, _learned_gaussian_nll_cuda
)
