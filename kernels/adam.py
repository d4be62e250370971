"""Adam on the flat vector of all parameters, the sum over shards fused in.

Shard s hands in the gradient G_s of its sum over examples; c = 1 / (count of all shards). At step
t:

    g = c sum_s G_s                            added in shard order                     (1)
    m <- beta1 m + (1 - beta1) g               first moment                             (2)
    v <- beta2 v + (1 - beta2) g^2             second raw moment                        (3)
    m_hat = m / (1 - beta1^t)                  bias corrections                         (4)
    v_hat = v / (1 - beta2^t)                                                           (5)
    theta <- theta - alpha m_hat / (sqrt(v_hat) + epsilon)                              (6)

(4) and (5) undo the start at m = v = 0. Unrolled, (2) is a weighed sum of all g so far, and if
these have one mean E g, the weights make a geometric sum:

    m_t = (1 - beta1) sum_i beta1^(t - i) g_i                   i = 1 ... t
    E m_t = E g (1 - beta1) (1 + beta1 + ... + beta1^(t - 1)) = E g (1 - beta1^t)

so that E m_hat = E g at every t; likewise E v_hat = E g^2. Without them the first step would be
(1 - beta1) / sqrt(1 - beta2) = 3.2 times alpha, with the usual betas, and not alpha.

epsilon stands outside the root and is added after the bias correction, as Algorithm 1 has it (its
section 2 also gives a form with another epsilon, which some libraries use; that is not this one).
row (4,) holds what changes between steps: c, alpha, 1 - beta1^t, 1 - beta2^t. c = 0 says that the
loss was not finite: no step is taken.

Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, Algorithm 1.
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.shards import PIECE, sum_shards


def adam(theta, m, v, G, row, beta1, beta2, epsilon, start, stop):
    """The part start:stop of theta (n,), m (n,), v (n,) is updated from G (S, n) and row (4,)."""
    c, alpha, correction1, correction2 = row
    if c == 0:
        return
    theta, m, v, G = theta[start:stop], m[start:stop], v[start:stop], G[:, start:stop]
    g = c * sum(G[1:], start=G[0])  # (1)
    m[...] = beta1 * m + (1 - beta1) * g  # (2)
    v[...] = beta2 * v + (1 - beta2) * g * g  # (3)
    m_hat = m / correction1  # (4)
    v_hat = v / correction2  # (5)
    theta[...] = theta - alpha * m_hat / (np.sqrt(v_hat) + epsilon)  # (6)


@jit
def _adam(theta, m, v, G, row, beta1, beta2, epsilon, start, stop):
    real = theta.dtype.type
    b1, b2, e = real(beta1), real(beta2), real(epsilon)
    r1, r2 = (
        real(1.0 - beta1),
        real(1.0 - beta2),
    )  # subtracted in double: 1 - float32(0.999) is 1.3e-5 off
    c, alpha, correction1, correction2 = row[0], row[1], row[2], row[3]
    if c == 0:
        return
    total = np.empty(PIECE, theta.dtype)
    for first in range(start, stop, PIECE):
        last = min(first + PIECE, stop)
        theta_p, m_p, v_p, G_p = (
            theta[first:last],
            m[first:last],
            v[first:last],
            sum_shards(total, G, first, last),
        )
        for i in range(theta_p.shape[0]):
            g = c * G_p[i]  # (1)
            m_p[i] = b1 * m_p[i] + r1 * g  # (2)
            v_p[i] = b2 * v_p[i] + r2 * g * g  # (3)
            m_hat = m_p[i] / correction1  # (4)
            v_hat = v_p[i] / correction2  # (5)
            theta_p[i] -= alpha * m_hat / (math.sqrt(v_hat) + e)  # (6)


def _adam_cuda(gpu, theta, m, v, G, row, beta1, beta2, epsilon, start, stop):
    constants = (beta1, beta2, epsilon, *G.shape, start, stop)
    gpu.each("adam", stop - start, theta, m, v, G, row, *constants)


ADAM = Kernel(adam, _adam, _adam_cuda)
