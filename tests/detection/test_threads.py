"""The threads of BLAS decide no score, so that no detector flags what it has learnt from."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import scratchae as sa
from scratchae.detection import (
    Detector,
    Maximum,
    absolute_error,
    negative_log_likelihood,
    squared_error,
)

X = np.random.default_rng(0).random((700, 784)).astype(np.float32)
SCORES = (
    squared_error,
    *(pytest.param(s, marks=pytest.mark.slow) for s in (absolute_error, negative_log_likelihood)),
)


def autoencoder():
    return sa.Autoencoder(sa.Dense(784, 512, "tanh"), sa.Dense(512, 784)).build(784)


def vae():
    return sa.VAE(sa.Dense(784, 1024), sa.Dense(512, 784), sa.Gaussian(512)).build(784)


@pytest.mark.parametrize("make", [autoencoder, vae])
@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
def test_one_or_two_threads_of_blas_give_the_same_scores(make, score):
    """Products wide enough for a BLAS of two threads to share."""
    model, found = make(), []
    for n in (1, 2):
        with threadpool_limits(n, "blas"):
            before = [pool["num_threads"] for pool in threadpool_info()]
            found.append(score(model, X))
            assert [pool["num_threads"] for pool in threadpool_info()] == before
    np.testing.assert_array_equal(*found)
    with threadpool_limits(2, "blas"):
        detector = Detector(model, score, Maximum()).fit(X)
    with threadpool_limits(1, "blas"):
        assert not detector.flags(X).any()
