"""Cases of the kernels of the contractive penalty."""

import numpy as np


def squared_columns(rng, dtype, N, D, K, key):
    return [np.full(D, 77.0)], [rng.normal(size=(N, D)).astype(dtype)], []


def contraction(rng, dtype, N, D, K, key):
    return [np.full(N, 77, dtype)], [rng.random((N, D)).astype(dtype), rng.random(D)], [0.3]


def gradient(rng, dtype, N, D, K, key):
    dh, h = rng.normal(size=(N, D)).astype(dtype), rng.random((N, D)).astype(dtype)
    return [np.full((N, D), 77, dtype)], [dh, h, rng.random(D)], [0.7, 0.3]


def squared_slopes(rng, dtype, N, D, K, key):
    return [np.full(D, 77.0)], [rng.random((N, D)).astype(dtype)], [0.3]


def weights(rng, dtype, N, D, K, key):
    """dW is added to."""
    dW, W = (rng.normal(size=(N, D)).astype(dtype) for _ in range(2))
    return [dW], [W, rng.random(D)], [0.7]


CASES = {
    "contraction.SQUARED_COLUMNS": squared_columns,
    "contraction.CONTRACTION": contraction,
    "contraction.CONTRACTION_GRADIENT": gradient,
    "contraction.SQUARED_SLOPES": squared_slopes,
    "contraction.CONTRACTION_WEIGHTS": weights,
}
