"""The categorical negative log-likelihood from logits: value and gradient in one pass.

At each of the P places of an example stand C logits a and the weights x of the C categories,
one-hot as a rule:

    b_c = a_c - max over c of a_c                                                       (1)
    Z = sum_c exp(b_c),   softmax(a)_c = exp(b_c) / Z                                   (2)
    -sum_c x_c log softmax(a)_c = sum_c x_c (log Z - b_c)                               (3)
    nll = sum over the P places of (3)                                                  (4)
    da_c = S softmax(a)_c - x_c,   S = sum_c x_c                                        (5)

(5) is the derivative of (3) for any x, and softmax(a) - x where x sums to 1. Z lies between 1 and
C whatever the logits, so nothing overflows, and no term of (3) is negative, so nothing cancels. Z
and the sums run in float64: log Z is all that is left where x is the likeliest category, and
beside 1 float32 loses what is below 6e-8. With K samples an example, rows n K to n K + K - 1 of a
are held against row n of x.

Source: Bishop, "Pattern recognition and machine learning", 2006, eq. 4.104 (2), 4.108 (3), 4.109
(5); Blanchard, Higham, Higham, "Accurately computing the log-sum-exp and softmax functions",
2021 (1, 2).
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.elementary import exp


def categorical_nll(nll, da, a, x):
    """nll (N K,), da (N K, P, C) <- a (N K, P, C) logits, x (N, P, C) that sum to 1 over C."""
    x = np.repeat(x, a.shape[0] // max(x.shape[0], 1), axis=0)
    b = a - a.max(axis=2, keepdims=True)  # (1)
    e = np.exp(b)
    Z, S = (v.sum(axis=2, dtype=np.float64, keepdims=True) for v in (e, x))  # (2) (5)
    nll[...] = (x * (np.log(Z) - b)).sum(axis=(1, 2))  # (3) (4)
    da[...] = S * (e / Z) - x  # (2) (5)


@jit
def _categorical_nll(nll, da, a, x):
    M, P, C = a.shape
    K = M // max(x.shape[0], 1)
    for m in range(M):
        total = 0.0
        for p in range(P):
            a_p, x_p, da_p, Z, S, most = a[m, p], x[m // K, p], da[m, p], 0.0, 0.0, a[m, p, 0]
            for c in range(C):
                most = a_p[c] if a_p[c] > most else most
            for c in range(C):
                da_p[c] = exp(a_p[c] - most)  # (1) (2)
                Z += da_p[c]  # (2)
                S += x_p[c]  # (5)
            log_Z, per_Z = math.log(Z), S / Z
            for c in range(C):
                total += x_p[c] * (log_Z - (a_p[c] - most))  # (1) (3) (4)
                da_p[c] = per_Z * da_p[c] - x_p[c]  # (2) (5)
        nll[m] = total


def _categorical_nll_cuda(gpu, nll, da, a, x):
    M, P, C = a.shape
    gpu.blocks("categorical_nll", M, nll, da, a, x, M, P, C, M // max(x.shape[0], 1))


CATEGORICAL_NLL = Kernel(categorical_nll, _categorical_nll, _categorical_nll_cuda)
