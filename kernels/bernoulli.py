"""The Bernoulli negative log-likelihood from logits: value and gradient in one pass.

With p = sigmoid(a), the probability that a pixel is 1, and x in [0, 1]:

    -log p(x | a) = -x log p - (1 - x) log(1 - p) = softplus(a) - x a                   (1)
    softplus(a) = max(a, 0) + log1p(e),   e = exp(-|a|)                                 (2)
    nll = sum over the D pixels of (1)                                                  (3)
    da = sigmoid(a) - x,   sigmoid(a) = 1 / (1 + e) if a >= 0 else e / (1 + e)          (4)

(2) is finite and right for every finite logit; log(sigmoid(a)) is not: in float32 it is -inf from
a = -104 on. log1p(e) is added last, since it is all that is left where x = 1 and a is large. With
K samples an example, rows n K to n K + K - 1 of a are held against row n of x. The sums run in
float64.

Source: Kingma and Welling, "Auto-encoding variational Bayes", 2014, appendix C.1 (1); Maechler,
"Accurately computing log(1 - exp(-|a|))", 2012 (2).
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.elementary import exp, log1p_unit


def bernoulli_nll(nll, da, a, x):
    """nll (N K,), da (N K, D) <- a (N K, D) logits, x (N, D) in [0, 1]."""
    x = np.repeat(x, a.shape[0] // max(x.shape[0], 1), axis=0)
    e = np.exp(-np.abs(a))
    pixels = np.maximum(a, 0.0) - x * a + np.log1p(e)  # (1) (2)
    nll[...] = pixels.sum(axis=1, dtype=np.float64)  # (3)
    da[...] = np.where(a >= 0, 1.0, e) / (1.0 + e) - x  # (4)


@jit
def _bernoulli_nll(nll, da, a, x):
    M, D = a.shape
    K = M // max(x.shape[0], 1)
    zero, one = a.dtype.type(0), a.dtype.type(1)
    for m in range(M):
        a_m, x_n, da_m, total = a[m], x[m // K], da[m], 0.0
        for d in range(D):
            e = exp(-abs(a_m[d]))
            linear = (zero if a_m[d] < zero else a_m[d]) - x_n[d] * a_m[d]  # (1) (2)
            total += linear + log1p_unit(e)  # (1) (2) (3)
            da_m[d] = (one if a_m[d] >= zero else e) / (one + e) - x_n[d]  # (4)
        nll[m] = total


def _bernoulli_nll_cuda(gpu, nll, da, a, x):
    M, D = a.shape
    gpu.blocks("bernoulli_nll", M, nll, da, a, x, M, D, M // max(x.shape[0], 1))


BERNOULLI_NLL = Kernel(bernoulli_nll, _bernoulli_nll, _bernoulli_nll_cuda)
