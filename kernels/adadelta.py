"""Adadelta on the flat vector of all parameters, the sum over shards fused in.

Shard s hands in the gradient G_s of its sum over examples; c = 1 / (count of all shards):

    g = c sum_s G_s                            added in shard order                     (1)
    v <- rho v + (1 - rho) g^2                 the paper's E[g^2]                       (2)
    d = -sqrt(u + epsilon) / sqrt(v + epsilon) g    u of the step before                (3)
    u <- rho u + (1 - rho) d^2                 the paper's E[Delta x^2]                 (4)
    theta <- theta + alpha d                                                            (5)

epsilon stands inside both roots: it alone starts the motion, since u starts at 0. The paper has no
alpha, that is alpha = 1; u remembers d without it. row (2,) holds what changes between steps: c,
alpha. c = 0 says that the loss was not finite: no step is taken.

Source: Zeiler, "ADADELTA: an adaptive learning rate method", 2012, Algorithm 1.
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.shards import PIECE, sum_shards


def adadelta(theta, v, u, G, row, rho, epsilon, start, stop):
    """The part start:stop of theta (n,), v (n,), u (n,) is updated from G (S, n) and row (2,)."""
    c, alpha = row
    if c == 0:
        return
    theta, v, u, G = theta[start:stop], v[start:stop], u[start:stop], G[:, start:stop]
    g = c * sum(G[1:], start=G[0])  # (1)
    v[...] = rho * v + (1 - rho) * g * g  # (2)
    d = -np.sqrt(u + epsilon) / np.sqrt(v + epsilon) * g  # (3)
    u[...] = rho * u + (1 - rho) * d * d  # (4)
    theta[...] = theta + alpha * d  # (5)


@jit
def _adadelta(theta, v, u, G, row, rho, epsilon, start, stop):
    real = theta.dtype.type
    r, r1, e = real(rho), real(1.0 - rho), real(epsilon)  # subtracted in double, as in adam.py
    c, alpha = row[0], row[1]
    if c == 0:
        return
    total = np.empty(PIECE, theta.dtype)
    for first in range(start, stop, PIECE):
        last = min(first + PIECE, stop)
        theta_p, v_p, u_p, G_p = (
            theta[first:last],
            v[first:last],
            u[first:last],
            sum_shards(total, G, first, last),
        )
        for i in range(theta_p.shape[0]):
            g = c * G_p[i]  # (1)
            v_p[i] = r * v_p[i] + r1 * g * g  # (2)
            d = -math.sqrt(u_p[i] + e) / math.sqrt(v_p[i] + e) * g  # (3)
            u_p[i] = r * u_p[i] + r1 * d * d  # (4)
            theta_p[i] += alpha * d  # (5)


def _adadelta_cuda(gpu, theta, v, u, G, row, rho, epsilon, start, stop):
    gpu.each("adadelta", stop - start, theta, v, u, G, row, rho, epsilon, *G.shape, start, stop)


ADADELTA = Kernel(adadelta, _adadelta, _adadelta_cuda)
