"""AdamW on the flat vector of all parameters: Adam with decoupled weight decay, the sum over
shards fused in.

Shard s hands in the gradient G_s of its sum over examples; c = 1 / (count of all shards). At step
t:

    g = c sum_s G_s                            added in shard order                     (1)
    m <- beta1 m + (1 - beta1) g               first moment                             (2)
    v <- beta2 v + (1 - beta2) g^2             second raw moment                        (3)
    m_hat = m / (1 - beta1^t)                  bias corrections                         (4)
    v_hat = v / (1 - beta2^t)                                                           (5)
    theta <- theta - alpha (m_hat / (sqrt(v_hat) + epsilon) + lambda theta)             (6)

(1) to (5) are those of adam.py. The decay stands in (6), not in g: put into g it would be divided
by sqrt(v_hat) like any gradient, and weights with large gradients would decay less (Adam with an
L2 penalty, which Algorithm 2 shows beside this one). It acts on all of theta, biases too.

Line 12 of Algorithm 2 reads eta_t (alpha m_hat / (sqrt(v_hat) + epsilon) + lambda theta). Here
alpha is its eta_t alpha, all that a schedule changes, and lambda is its lambda / alpha: the same
algorithm, its numbers as PyTorch has them. row (4,) holds what changes between steps: c, alpha,
1 - beta1^t, 1 - beta2^t. c = 0 says that the loss was not finite: no step is taken, and nothing
decays.

Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, Algorithm 2.
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.shards import PIECE, sum_shards


def adamw(theta, m, v, G, row, beta1, beta2, epsilon, decay, start, stop):
    """The part start:stop of theta (n,), m (n,), v (n,) is updated from G (S, n) and row (4,);
    decay is lambda."""
    c, alpha, correction1, correction2 = row
    if c == 0:
        return
    theta, m, v, G = theta[start:stop], m[start:stop], v[start:stop], G[:, start:stop]
    g = c * sum(G[1:], start=G[0])  # (1)
    m[...] = beta1 * m + (1 - beta1) * g  # (2)
    v[...] = beta2 * v + (1 - beta2) * g * g  # (3)
    m_hat = m / correction1  # (4)
    v_hat = v / correction2  # (5)
    theta[...] = theta - alpha * (m_hat / (np.sqrt(v_hat) + epsilon) + decay * theta)  # (6)


@jit
def _adamw(theta, m, v, G, row, beta1, beta2, epsilon, decay, start, stop):
    real = theta.dtype.type
    b1, b2, e, w = real(beta1), real(beta2), real(epsilon), real(decay)
    r1, r2 = real(1.0 - beta1), real(1.0 - beta2)  # subtracted in double, as in adam.py
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
            theta_p[i] -= alpha * (m_hat / (math.sqrt(v_hat) + e) + w * theta_p[i])  # (6)


def _adamw_cuda(gpu, theta, m, v, G, row, beta1, beta2, epsilon, decay, start, stop):
    constants = (beta1, beta2, epsilon, decay, *G.shape, start, stop)
    gpu.each("adamw", stop - start, theta, m, v, G, row, *constants)


ADAMW = Kernel(adamw, _adamw, _adamw_cuda)
