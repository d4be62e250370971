"""The Gaussian negative log-likelihood whose spread is one number for all values, and learned:
value and gradients.

logvar (1,) is a parameter beside the weights, f a floor below sigma, and the constant the kernels
are told is L = log f^2, -inf without a floor. D values a row, M rows:

    sigma^2 = f^2 + exp(logvar) = exp(l)                                                (1)
    l = max(logvar, L) + log1p(e),   e = exp(-|logvar - L|)                             (2)
    q_m = sum over D of (a - x)^2 / sigma^2                                             (3)
    nll_m = (q_m + D (l + log(2 pi))) / 2                                               (4)
    da = (a - x) / sigma^2                                                              (5)
    g = exp(logvar) / sigma^2 = 1 / (1 + e) if logvar >= L else e / (1 + e)             (6)
    dlogvar = g sum_m w_m (D - q_m) / 2      of sum_m w_m nll_m                         (7)

(7) is zero where sigma^2 is the mean square of a - x: the sigma that is learned is the error that
the decoder makes, in the units of the data. logvar is no softplus of a parameter and sigma no 1
plus something: with a floor it has every value above f, and no other bound. With K samples an
example, rows n K to n K + K - 1 of a are held against row n of x. The sums run in float64.

Source: Rybkin, Daniilidis, Levine, "Simple and effective VAE training with calibrated decoders",
2021, section 4.1 (shared sigma); Kingma and Welling 2014, appendix C.2 (4).
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit

LOG_2PI = math.log(2 * math.pi)


def shared_gaussian_nll(nll, da, q, a, x, logvar, L):
    """nll, q (N K,), da (N K, D) <- a (N K, D), x (N, D), logvar (1,), constant L."""
    v = np.float64(logvar[0])
    ell = np.maximum(v, L) + np.log1p(np.exp(-np.abs(v - L)))  # (2)
    r, tau = a - np.repeat(x, a.shape[0] // max(x.shape[0], 1), axis=0), math.exp(-ell)  # (1)
    q[...] = tau * (r * r).sum(axis=1, dtype=np.float64)  # (3)
    nll[...] = (q + a.shape[1] * (ell + LOG_2PI)) / 2  # (4)
    da[...] = tau * r  # (5)


def shared_gaussian_gradient(dlogvar, q, w, logvar, L, D, add):
    """dlogvar (1,), added to what is there or not, <- q, w (M,), logvar (1,), constants L, D."""
    v = np.float64(logvar[0])
    e = np.exp(-np.abs(v - L))  # (2)
    g = (1.0 if v >= L else e) / (1.0 + e)  # (6)
    slope = g * (w * (D - q.astype(np.float64))).sum() / 2  # (7)
    dlogvar[0] = dlogvar[0] + slope if add else slope


@jit
def _shared_gaussian_nll(nll, da, q, a, x, logvar, L):
    (M, D), v = a.shape, np.float64(logvar[0])
    ell = (L if v < L else v) + math.log1p(math.exp(-abs(v - L)))  # (2)
    K, tau = M // max(x.shape[0], 1), math.exp(-ell)  # (1)
    precision = a.dtype.type(tau)
    for m in range(M):
        n, total = m // K, 0.0
        for d in range(D):
            r = a[m, d] - x[n, d]
            total += r * r
            da[m, d] = precision * r  # (5)
        q[m] = tau * total  # (3)
        nll[m] = (tau * total + D * (ell + LOG_2PI)) / 2  # (4)


@jit
def _shared_gaussian_gradient(dlogvar, q, w, logvar, L, D, add):
    v, total = np.float64(logvar[0]), 0.0
    e = math.exp(-abs(v - L))  # (2)
    g = (1.0 if v >= L else e) / (1.0 + e)  # (6)
    for m in range(q.shape[0]):
        total += np.float64(w[m]) * (D - np.float64(q[m]))  # (7)
    dlogvar[0] = g * total / 2 + (dlogvar[0] if add else 0.0)  # (7)


def _shared_gaussian_nll_cuda(gpu, nll, da, q, a, x, logvar, L):
    M, D = a.shape
    sizes = M, D, M // max(x.shape[0], 1)
    gpu.blocks("shared_gaussian_nll", M, nll, da, q, a, x, logvar, L, LOG_2PI, *sizes)


def _shared_gaussian_gradient_cuda(gpu, dlogvar, q, w, logvar, L, D, add):
    gpu.blocks("shared_gaussian_gradient", 1, dlogvar, q, w, logvar, L, q.shape[0], D, int(add))


SHARED_GAUSSIAN_NLL = Kernel(shared_gaussian_nll, _shared_gaussian_nll, _shared_gaussian_nll_cuda)
SHARED_GAUSSIAN_GRADIENT = Kernel(
    shared_gaussian_gradient, _shared_gaussian_gradient, _shared_gaussian_gradient_cuda
)
