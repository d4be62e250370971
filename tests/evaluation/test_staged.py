"""Data whose rows cross to the device one batch at a time: whoever asks for a batch has them
brought first."""

import numpy as np
import pytest

import scratchae as sa
from scratchae import evaluation

X = (np.random.default_rng(0).random((23, 6)) > 0.5).astype(np.float32)
QUIET = {"threads": 1, "progress": False}


class Staged(sa.Values):
    """Its feed makes the rows that were brought, and no others."""

    def feed(self, backend, rows):
        feed, fill = super().feed(backend, rows), super().feed(backend, rows).fill
        brought = []

        def only_what_was_brought(index, clock):
            np.testing.assert_array_equal(brought.pop(), backend.to_host(index))
            return fill(index, clock)

        feed.bring = lambda rows: brought.append(np.array(rows))
        feed.fill = only_what_was_brought
        return feed


CALLS = {
    "each": lambda model, x: sa.evaluate(model, x, batch_size=10, each=True)["loss"],
    "log p": lambda model, x: evaluation.log_likelihood(model, x, 60, **QUIET).each,
    "health": lambda model, x: evaluation.health(model, x, samples=20, **QUIET).kl_per_dimension,
}


@pytest.mark.parametrize("which", CALLS)
def test_rows_are_brought_before_they_are_gathered(which):
    model = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2)).build(6, seed=0)
    found, plain = (CALLS[which](model, x) for x in (Staged(X), X))
    np.testing.assert_array_equal(found, plain)
