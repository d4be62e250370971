"""Models and data on which the GPU's training is tested."""

from functools import cache

import numpy as np

import scratchae as sa
from scratchae.datasets.generated import strokes

N = 90  # with batches of 32: 32, 32, 26


@cache
def digits(n=N):
    return strokes.load(n, 1)[0][0]


def pixels(n=N):
    return sa.Images(digits(n), binarize="dynamic")


def dense(backend, width=400, D=20, beta=1.0):
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(784, width, "relu"), sa.Dense(width, 2 * D))
    decoder = sa.Sequential(
        sa.Dense(D, width, "relu"), sa.Dense(width, 784), sa.Reshape(28, 28, 1)
    )
    return sa.VAE(encoder, decoder, sa.Gaussian(D), beta=beta).build(
        (28, 28, 1), backend=backend, seed=1
    )


def conv(backend, a=8, b=8):
    encoder = sa.Sequential(
        sa.Conv2d(1, a, 3, stride=2, activation="relu"),
        sa.Conv2d(a, b, 3, stride=2, activation="relu"),
        sa.Flatten(),
        sa.Dense(36 * b, 4),
    )
    decoder = sa.Sequential(
        sa.Dense(2, 49 * a, "relu"),
        sa.Reshape(7, 7, a),
        sa.ConvTranspose2d(a, b, 3, stride=2, padding="same", activation="relu"),
        sa.ConvTranspose2d(b, a, 3, stride=2, padding="same", activation="relu"),
        sa.ConvTranspose2d(a, 1, 3, padding="same"),
    )
    return sa.VAE(encoder, decoder, sa.Gaussian(2)).build((28, 28, 1), backend=backend, seed=1)


def small(backend, dtype="float32", beta=0.7):
    encoder, decoder = sa.Sequential(sa.Dense(6, 5, "tanh"), sa.Dense(5, 4)), sa.Dense(2, 6)
    return sa.VAE(encoder, decoder, sa.Gaussian(2), beta=beta).build(
        6, backend=backend, dtype=dtype, seed=1
    )


def rows(n=N):
    return np.random.default_rng(3).random((n, 6)).astype(np.float32)


def values(model):
    return model.backend.to_host(model.parameters.values)
