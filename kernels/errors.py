"""Squared and absolute error of a reconstruction: value and gradient in one pass.

    nll = (tau / 2) sum over D of (a - x)^2 + c         da = tau (a - x)                (1)
    nll = tau sum over D of |a - x| + c                 da = tau sign(a - x)            (2)

(1) is the Gaussian negative log-likelihood of precision tau = 1 / sigma^2 when c = D (log sigma +
log(2 pi) / 2), and the plain squared error when tau = 2 and c = 0. (2) is that of the Laplace
distribution of scale b = 1 / tau when c = D log(2 b), and the plain absolute error when tau = 1
and c = 0; at a = x its gradient is taken as 0. Rows n K to n K + K - 1 of a (N K, D) are held
against row n of x (N, D). The sums run in float64.

Source: Bishop, "Pattern recognition and machine learning", 2006, eq. 1.62 (1); Kingma and Welling,
"Auto-encoding variational Bayes", 2014, appendix C.2 (1); Laplace's distribution (2).
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit


def squared_error(nll, da, a, x, tau, c):
    """nll (N K,), da (N K, D) <- a (N K, D), x (N, D), constants tau and c."""
    r = a - np.repeat(x, a.shape[0] // max(x.shape[0], 1), axis=0)
    nll[...] = tau / 2 * (r * r).sum(axis=1, dtype=np.float64) + c  # (1)
    da[...] = tau * r  # (1)


def absolute_error(nll, da, a, x, tau, c):
    """nll (N K,), da (N K, D) <- a (N K, D), x (N, D), constants tau and c."""
    r = a - np.repeat(x, a.shape[0] // max(x.shape[0], 1), axis=0)
    nll[...] = tau * np.abs(r).sum(axis=1, dtype=np.float64) + c  # (2)
    da[...] = tau * np.sign(r)  # (2)


@jit
def _squared_error(nll, da, a, x, tau, c):
    M, D = a.shape
    K = M // max(x.shape[0], 1)
    precision = a.dtype.type(tau)
    for m in range(M):
        n, total = m // K, 0.0
        for d in range(D):
            r = a[m, d] - x[n, d]
            total += r * r
            da[m, d] = precision * r  # (1)
        nll[m] = tau / 2 * total + c  # (1)


@jit
def _absolute_error(nll, da, a, x, tau, c):
    M, D = a.shape
    K = M // max(x.shape[0], 1)
    slope = a.dtype.type(tau)
    for m in range(M):
        n, total = m // K, 0.0
        for d in range(D):
            r = a[m, d] - x[n, d]
            total += abs(r)
            da[m, d] = slope * np.sign(r)  # (2)
        nll[m] = tau * total + c  # (2)


def _squared_error_cuda(gpu, nll, da, a, x, tau, c):
    M, D = a.shape
    gpu.blocks("squared_error", M, nll, da, a, x, tau, c, M, D, M // max(x.shape[0], 1))


def _absolute_error_cuda(gpu, nll, da, a, x, tau, c):
    M, D = a.shape
    gpu.blocks("absolute_error", M, nll, da, a, x, tau, c, M, D, M // max(x.shape[0], 1))


SQUARED_ERROR = Kernel(squared_error, _squared_error, _squared_error_cuda)
ABSOLUTE_ERROR = Kernel(absolute_error, _absolute_error, _absolute_error_cuda)
