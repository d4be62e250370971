"""Cases of the kernels of two stochastic layers: K samples of z_1, whose prior is of each row."""

import numpy as np

from kernel_cases.draws import easy, garbage, hard
from kernel_cases.importance import samples


def conditional(rng, dtype, N, D, K):
    """z, p, h, eps: m and l of the prior as wide as mu and logvar are, z from its own q."""
    z, h, eps = samples(rng, dtype, N, D, K)
    p = hard(rng, dtype, (N * K, 2 * D), 50.0)
    p[:, D:] = np.clip(p[:, D:], -20, 20)
    return z, p, h, eps


def conditional_ratio(rng, dtype, N, D, K, key):
    outs = [garbage(dtype, N * K), garbage(dtype, N * K, D)]
    return outs, list(conditional(rng, dtype, N, D, K)), []


def layer_terms(rng, dtype, N, D, K, key):
    outs = [garbage(dtype, N * K), garbage(dtype, N, 2)]
    return outs, [easy(rng, dtype, N * K), easy(rng, dtype, N * K)], []


def layer_weights(rng, dtype, N, D, K, key):
    return [garbage(dtype, N * K), garbage(dtype, N * K)], [easy(rng, dtype, 2)], [K]


def conditional_gradient(rng, dtype, N, D, K, key):
    z, p, _, _ = conditional(rng, dtype, N, D, K)
    v = ((z - p[:, :D]) * np.exp(-p[:, D:] / 2)).astype(dtype)
    return [garbage(dtype, N * K, 2 * D)], [v, p, easy(rng, dtype, N * K)], []


def lower_gradient(rng, dtype, N, D, K, key):
    z, p, h, eps = conditional(rng, dtype, N, D, K)
    dz, dz_up, dp = (easy(rng, dtype, a.shape) for a in (z, z, p))
    return [garbage(dtype, N, 2 * D)], [dz, dz_up, dp, h, eps, easy(rng, dtype, N * K)], []


CASES = {
    "hierarchy.CONDITIONAL_RATIO": conditional_ratio,
    "hierarchy.LAYER_TERMS": layer_terms,
    "hierarchy.LAYER_WEIGHTS": layer_weights,
    "hierarchy.CONDITIONAL_GRADIENT": conditional_gradient,
    "hierarchy.LOWER_GRADIENT": lower_gradient,
}
