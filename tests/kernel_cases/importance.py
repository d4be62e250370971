"""Cases of the kernels of importance weights: K samples of a Gaussian latent."""

import numpy as np

from kernel_cases.draws import easy, garbage, hard


def samples(rng, dtype, N, D, K):
    """z, eps (N K, D), h (N, 2D): float32 has no exp of 100, so +-20 there, whose eps / sigma is
    2e4."""
    h = hard(rng, dtype, (N, 2 * D), 50.0)
    h[:, D:] = np.clip(h[:, D:], -20, 20)
    eps = easy(rng, dtype, (N * K, D))
    mu, sigma = np.repeat(h[:, :D], K, axis=0), np.exp(np.repeat(h[:, D:], K, axis=0) / 2)
    return (mu + sigma * eps).astype(dtype), h, eps


def gaussian_ratio(rng, dtype, N, D, K, key):
    return [garbage(dtype, N * K)], list(samples(rng, dtype, N, D, K)), []


def importance_weights(rng, dtype, N, D, K, key):
    """Weights of like size, and some of e^-50, e^-100 of the others."""
    nll, r = hard(rng, dtype, (N * K,)), easy(rng, dtype, (N * K,))
    return [garbage(dtype, N * K), garbage(dtype, N)], [nll, r], []


def weigh_rows(rng, dtype, N, D, K, key):
    return [garbage(dtype, N * K, D)], [easy(rng, dtype, (N * K, D)), easy(rng, dtype, N * K)], []


def gradient(rng, dtype, N, D, K, key):
    z, h, eps = samples(rng, dtype, N, D, K)
    dz, w = easy(rng, dtype, z.shape), rng.random(N * K).astype(dtype)
    return [garbage(dtype, N, 2 * D)], [dz, z, h, eps, w], []


CASES = {
    "importance.GAUSSIAN_RATIO": gaussian_ratio,
    "importance.IMPORTANCE_WEIGHTS": importance_weights,
    "importance.WEIGH_ROWS": weigh_rows,
    "importance.GAUSSIAN_WEIGHED": gradient,
    "importance.GAUSSIAN_PATH": gradient,
}
