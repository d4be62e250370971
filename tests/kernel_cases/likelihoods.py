"""Cases of the likelihoods whose last axis means something.

D is the length of the last axis, and an example has 1 + D % 3 places.
"""

import math

import numpy as np

from kernel_cases.draws import easy, garbage, hard


def outputs(dtype, a):
    return [garbage(dtype, *a.shape[:1]), garbage(dtype, *a.shape)]


def learned_gaussian(rng, dtype, N, D, K, key):
    """With a floor and, for every fourth K, without: float32 has then no square for residuals of
    e^50 sigma."""
    P, floor = 1 + D % 3, 0.3 if K != 4 else 0.0
    mu = hard(rng, dtype, (N * K, P, D))
    logvar = hard(rng, dtype, mu.shape, 50.0 if K == 4 and dtype == "float32" else 100.0)
    a, x = np.concatenate([mu, logvar], axis=2), mu[::K] + rng.integers(-1, 2, (N, P, D))
    return outputs(dtype, a), [a, x.astype(dtype)], [2 * math.log(floor) if floor else -math.inf]


def discretised_logistic(rng, dtype, N, D, K, key):
    """Means in the bins and as far as 100 beyond them, scales up to e^100 and down to 1 / 64 of a
    bin; low is far from 0, so that it tells which bin is the first."""
    P, low, w, bins = 1 + D % 3, -60.0, 0.25, 2 + 3 * K
    mu = low + hard(rng, dtype, (N * K, P, D))
    a = np.concatenate([mu, hard(rng, dtype, mu.shape)], axis=2)
    x = low + w * rng.integers(0, bins, (N, P, D))
    return outputs(dtype, a), [a.astype(dtype), x.astype(dtype)], [low, w, bins]


def poisson(rng, dtype, N, D, K, key):
    """Counts of the table and above it; e^100 is no float32."""
    a = hard(rng, dtype, (N * K, D), 50.0 if dtype == "float32" else 100.0)
    x = rng.choice([0, 1, 7, 255, 256, 10_000], (N, D))
    return outputs(dtype, a), [a, x.astype(dtype)], []


def spread(rng, dtype, K):
    """logvar (1,), of +-100 too where a floor keeps 1 / sigma^2 a number, and the constant L."""
    floor = 0.3 if K != 4 else 0.0
    return hard(rng, dtype, (1,), 100.0 if floor else 1.0), 2 * math.log(floor or 1e-9)


def shared_gaussian(rng, dtype, N, D, K, key):
    a, (logvar, L) = hard(rng, dtype, (N * K, D)), spread(rng, dtype, K)
    x = a[::K] + rng.integers(-1, 2, (N, D))
    return [*outputs(dtype, a), garbage(dtype, N * K)], [a, x.astype(dtype), logvar], [L]


def shared_gaussian_gradient(rng, dtype, N, D, K, key):
    q, w = rng.random((2, N * K)).astype(dtype)
    logvar, L = spread(rng, dtype, 1)
    return [easy(rng, dtype, (1,))], [q, w, logvar], [L, D, bool(K % 2)]


def optimal_gaussian_gradient(rng, dtype, N, D, K, key):
    """total: count, sum of squares, and a term that it does not read."""
    y, total = hard(rng, dtype, (N * K, D)), np.array([N, 0.3 + N * K, 7.0])
    return [garbage(dtype, *y.shape)], [y, total], [K * D]


def categorical(rng, dtype, N, D, K, key):
    """One-hot for odd K, else probabilities of any sum."""
    a = hard(rng, dtype, (N * K, 1 + D % 3, D))
    one_hot, grey = np.eye(D)[rng.integers(0, D, (N, a.shape[1]))], rng.random((N, *a.shape[1:]))
    return outputs(dtype, a), [a, (one_hot if K % 2 else grey).astype(dtype)], []


CASES = {
    "learned_gaussian.LEARNED_GAUSSIAN_NLL": learned_gaussian,
    "discretised_logistic.DISCRETISED_LOGISTIC_NLL": discretised_logistic,
    "poisson.POISSON_NLL": poisson,
    "shared_gaussian.SHARED_GAUSSIAN_NLL": shared_gaussian,
    "shared_gaussian.SHARED_GAUSSIAN_GRADIENT": shared_gaussian_gradient,
    "optimal_gaussian.OPTIMAL_GAUSSIAN_GRADIENT": optimal_gaussian_gradient,
    "categorical.CATEGORICAL_NLL": categorical,
}
