"""Short runs of a small VAE, and data that may do something in the middle of one."""

import signal

import numpy as np

import scratchae as sa

N, BATCH = 20, 8


def vae(backend="numpy", dtype="float64", beta=1.0, likelihood=None):
    encoder = sa.Sequential(sa.Dense(6, 8, "relu"), sa.Dense(8, 4))
    decoder = sa.Sequential(sa.Dense(2, 8, "tanh"), sa.Dense(8, 6))
    return sa.VAE(encoder, decoder, sa.Gaussian(2), likelihood, beta).build(
        6, backend=backend, dtype=dtype, seed=1
    )


def rows(n=N, seed=0):
    return np.random.default_rng(seed).random((n, 6))


def fit(model, data=None, optimizer=None, **options):
    options = {"epochs": 2, "batch_size": BATCH} | options
    return sa.fit(model, rows() if data is None else data, optimizer or sa.Adam(0.01), **options)


def values(model):
    return model.backend.to_host(model.parameters.values)


class Watched(sa.Values):
    """Data that remembers which rows each batch asked for, and may do something then."""

    def __init__(self, x, when=lambda batches: None):
        super().__init__(x)
        self.batches, self.when = [], when

    def feed(self, backend, rows):
        feed = super().feed(backend, rows)
        fill = feed.fill

        def watched(index, clock):
            self.batches.append(index.tolist())
            self.when(self.batches)
            return fill(index, clock)

        feed.fill = watched
        return feed


def interrupt(*_):
    signal.raise_signal(signal.SIGINT)
