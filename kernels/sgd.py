"""Stochastic gradient descent with momentum on the flat vector, the sum over shards fused in.

Shard s hands in the gradient G_s of its sum over examples; c = 1 / (count of all shards):

    g = c sum_s G_s                            added in shard order                     (1)
    v <- mu v + g                              the velocity                             (2)
    theta <- theta - alpha v                                                            (3)

now (2,) holds what changes between steps: c, alpha. With mu = 0 this is plain gradient descent.

Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; in the form of
Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum in deep learning",
2013, eq. 1 and 2, with the learning rate taken out of v.
"""

from .kernel import Kernel, jit


def sgd(theta, v, G, now, mu):
    """theta (n,), v (n,) are updated from G (S, n) and now (2,)."""
    c, alpha = now
    g = c * sum(G[1:], start=G[0])  # (1)
    v[...] = mu * v + g  # (2)
    theta[...] = theta - alpha * v  # (3)


@jit
def _sgd(theta, v, G, now, mu):
    momentum, c, alpha = theta.dtype.type(mu), now[0], now[1]
    for i in range(theta.shape[0]):
        g = G[0, i]
        for s in range(1, G.shape[0]):
            g += G[s, i]
        g = c * g  # (1)
        v[i] = momentum * v[i] + g  # (2)
        theta[i] -= alpha * v[i]  # (3)


SGD = Kernel(sgd, _sgd)
