"""Stochastic gradient descent with momentum on the flat vector, the sum over shards fused in.

Shard s hands in the gradient G_s of its sum over examples; c = 1 / (count of all shards):

    g = c sum_s G_s                            added in shard order                     (1)
    v <- mu v + g                              the velocity                             (2)
    theta <- theta - alpha v                                                            (3)

row (2,) holds what changes between steps: c, alpha. With mu = 0 this is plain gradient descent. c
= 0 says that the loss was not finite: no step is taken.

Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; in the
form of Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum in deep
learning", 2013, eq. 1 and 2, with the learning rate taken out of v.
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.shards import PIECE, sum_shards


def sgd(theta, v, G, row, mu, start, stop):
    """The part start:stop of theta (n,), v (n,) is updated from G (S, n) and row (2,)."""
    c, alpha = row
    if c == 0:
        return
    theta, v, G = theta[start:stop], v[start:stop], G[:, start:stop]
    g = c * sum(G[1:], start=G[0])  # (1)
    v[...] = mu * v + g  # (2)
    theta[...] = theta - alpha * v  # (3)


@jit
def _sgd(theta, v, G, row, mu, start, stop):
    momentum, c, alpha = theta.dtype.type(mu), row[0], row[1]
    if c == 0:
        return
    total = np.empty(PIECE, theta.dtype)
    for first in range(start, stop, PIECE):
        last = min(first + PIECE, stop)
        theta_p, v_p, G_p = theta[first:last], v[first:last], sum_shards(total, G, first, last)
        for i in range(theta_p.shape[0]):
            g = c * G_p[i]  # (1)
            v_p[i] = momentum * v_p[i] + g  # (2)
            theta_p[i] -= alpha * v_p[i]  # (3)


def _sgd_cuda(gpu, theta, v, G, row, mu, start, stop):
    gpu.each("sgd", stop - start, theta, v, G, row, mu, *G.shape, start, stop)


SGD = Kernel(sgd, _sgd, _sgd_cuda)
