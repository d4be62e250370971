"""RMSProp on the flat vector of all parameters, the sum over shards fused in.

Shard s hands in the gradient G_s of its sum over examples; c = 1 / (count of all shards):

    g = c sum_s G_s                            added in shard order                     (1)
    v <- rho v + (1 - rho) g^2                 mean square of the gradient              (2)
    theta <- theta - alpha g / (sqrt(v) + epsilon)                                      (3)

v starts at 0 and is not corrected for it: the first step is about alpha / sqrt(1 - rho) wherever g
is not 0. The slide has rho = 0.9 and no epsilon; here it stands outside the root, as in Adam (some
libraries put it inside). row (2,) holds what changes between steps: c, alpha. c = 0 says that the
loss was not finite: no step is taken.

Source: Tieleman and Hinton, "Lecture 6.5: rmsprop", Neural networks for machine learning, 2012,
slide 29.
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.shards import PIECE, sum_shards


def rmsprop(theta, v, G, row, rho, epsilon, start, stop):
    """The part start:stop of theta (n,), v (n,) is updated from G (S, n) and row (2,)."""
    c, alpha = row
    if c == 0:
        return
    theta, v, G = theta[start:stop], v[start:stop], G[:, start:stop]
    g = c * sum(G[1:], start=G[0])  # (1)
    v[...] = rho * v + (1 - rho) * g * g  # (2)
    theta[...] = theta - alpha * g / (np.sqrt(v) + epsilon)  # (3)


@jit
def _rmsprop(theta, v, G, row, rho, epsilon, start, stop):
    real = theta.dtype.type
    r, r1, e = real(rho), real(1.0 - rho), real(epsilon)  # subtracted in double, as in adam.py
    c, alpha = row[0], row[1]
    if c == 0:
        return
    total = np.empty(PIECE, theta.dtype)
    for first in range(start, stop, PIECE):
        last = min(first + PIECE, stop)
        theta_p, v_p, G_p = theta[first:last], v[first:last], sum_shards(total, G, first, last)
        for i in range(theta_p.shape[0]):
            g = c * G_p[i]  # (1)
            v_p[i] = r * v_p[i] + r1 * g * g  # (2)
            theta_p[i] -= alpha * g / (math.sqrt(v_p[i]) + e)  # (3)


def _rmsprop_cuda(gpu, theta, v, G, row, rho, epsilon, start, stop):
    gpu.each("rmsprop", stop - start, theta, v, G, row, rho, epsilon, *G.shape, start, stop)


RMSPROP = Kernel(rmsprop, _rmsprop, _rmsprop_cuda)
