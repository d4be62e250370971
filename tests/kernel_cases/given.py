"""Cases of what rows are given beside x: put at their end, and as the prior of a latent."""

import numpy as np

from kernel_cases.draws import easy, garbage


def join(rng, dtype, N, D, K, key):
    x, c = easy(rng, dtype, (N * K, D)), easy(rng, dtype, (N, D % 5 + 1))
    return [garbage(dtype, N * K, D + D % 5 + 1)], [x, c], []


def split(rng, dtype, N, D, K, key):
    return [garbage(dtype, N, D)], [easy(rng, dtype, (N, D + K))], []


def one_hot(rng, dtype, N, D, K, key):
    """Labels in either precision, whatever the model's."""
    labels = rng.integers(0, D, (N + 3, 1)).astype(rng.choice(["float32", "float64"]))
    rows = rng.integers(0, N + 3, N).astype(np.uint32)
    return [garbage(dtype, N, D)], [labels, rows], []


def prior(rng, dtype, N, D, K, key):
    """z, eps (N K, D), h, p (N, 2D): variances from e^-6 to e^6."""
    h, p, eps = *(easy(rng, dtype, (N, 2 * D)) for _ in range(2)), easy(rng, dtype, (N * K, D))
    h[:, D:], p[:, D:] = (np.clip(2 * a[:, D:], -6, 6) for a in (h, p))
    sigma = np.exp(np.repeat(h[:, D:], K, axis=0) / 2)
    return (np.repeat(h[:, :D], K, axis=0) + sigma * eps).astype(dtype), h, p, eps


def prior_sample(rng, dtype, N, D, K, key):
    _, h, p, eps = prior(rng, dtype, N, D, K, key)
    return [garbage(dtype, N * K, D), garbage(dtype, N, D)], [h, p, eps], []


def prior_gradient(rng, dtype, N, D, K, key):
    z, h, p, eps = prior(rng, dtype, N, D, K, key)
    outs = [garbage(dtype, N, 2 * D), garbage(dtype, N, 2 * D)]
    return outs, [easy(rng, dtype, z.shape), h, p, eps, easy(rng, dtype, D)], []


def prior_ratio(rng, dtype, N, D, K, key):
    return [garbage(dtype, N * K)], list(prior(rng, dtype, N, D, K, key)), []


def under_weights(rng, dtype, N, D, K, key):
    z, h, p, eps = prior(rng, dtype, N, D, K, key)
    dz, w = easy(rng, dtype, z.shape), rng.random(N * K).astype(dtype)
    outs = [garbage(dtype, N, 2 * D), garbage(dtype, N, 2 * D)]
    return outs, [dz, z, h, p, eps, w], []


CASES = {
    "given.JOIN": join,
    "given.SPLIT": split,
    "given.ONE_HOT": one_hot,
    "prior.PRIOR_SAMPLE": prior_sample,
    "prior.PRIOR_GRADIENT": prior_gradient,
    "prior.PRIOR_RATIO": prior_ratio,
    "prior.PRIOR_WEIGHED": under_weights,
    "prior.PRIOR_PATH": under_weights,
}
