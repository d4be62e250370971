"""Adagrad on the flat vector of all parameters, the sum over shards fused in.

Shard s hands in the gradient G_s of its sum over examples; c = 1 / (count of all shards):

    g = c sum_s G_s                            added in shard order                     (1)
    h <- h + g^2                               all squared gradients so far             (2)
    theta <- theta - alpha g / (sqrt(h) + epsilon)                                      (3)

h starts at 0 in the paper, and the first step is then about alpha wherever g is not 0, however
small it is; a start above 0 damps the first steps. epsilon is the paper's delta and stands outside
the root. h only grows, so that steps shrink and shrink, which rmsprop.py and adadelta.py mend.
row (2,) holds what changes between steps: c, alpha. c = 0 says that the loss was not finite: no
step is taken.

Source: Duchi, Hazan, Singer, "Adaptive subgradient methods for online learning and stochastic
optimization", JMLR 12, 2011, Figure 1 (diagonal matrices), the mirror descent update (4) without
regulariser or constraint.
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.shards import PIECE, sum_shards


def adagrad(theta, h, G, row, epsilon, start, stop):
    """The part start:stop of theta (n,), h (n,) is updated from G (S, n) and row (2,)."""
    c, alpha = row
    if c == 0:
        return
    theta, h, G = theta[start:stop], h[start:stop], G[:, start:stop]
    g = c * sum(G[1:], start=G[0])  # (1)
    h[...] = h + g * g  # (2)
    theta[...] = theta - alpha * g / (np.sqrt(h) + epsilon)  # (3)


@jit
def _adagrad(theta, h, G, row, epsilon, start, stop):
    e, c, alpha = theta.dtype.type(epsilon), row[0], row[1]
    if c == 0:
        return
    total = np.empty(PIECE, theta.dtype)
    for first in range(start, stop, PIECE):
        last = min(first + PIECE, stop)
        theta_p, h_p, G_p = theta[first:last], h[first:last], sum_shards(total, G, first, last)
        for i in range(theta_p.shape[0]):
            g = c * G_p[i]  # (1)
            h_p[i] += g * g  # (2)
            theta_p[i] -= alpha * g / (math.sqrt(h_p[i]) + e)  # (3)


def _adagrad_cuda(gpu, theta, h, G, row, epsilon, start, stop):
    gpu.each("adagrad", stop - start, theta, h, G, row, epsilon, *G.shape, start, stop)


ADAGRAD = Kernel(adagrad, _adagrad, _adagrad_cuda)
