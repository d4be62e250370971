"""Importance weights that are too small for a gradient are 0."""

import numpy as np
import pytest

from scratchae import get_backend
from scratchae.kernels.importance import GAUSSIAN_PATH, IMPORTANCE_WEIGHTS, LEAST

EDGE = np.log(LEAST)
LOG_W = np.array([[0, EDGE + 1, EDGE - 1, -60, -90, -800], [-500, -500, -600, -530, -534, -537]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_no_gradient_shows_is_zero(backend, dtype, tolerance):
    """1e-30 times a small gradient would lie below the smallest normal number, which is slow."""
    b, (N, K) = get_backend(backend, dtype), LOG_W.shape
    arrays = np.full(N * K, 7.0), np.full(N, 7.0), -LOG_W.ravel(), np.zeros(N * K)
    w, bound, nll, r = (b.asarray(a, dtype) for a in arrays)
    b.op(IMPORTANCE_WEIGHTS)(w, bound, nll, r)
    found, top = b.to_host(w).reshape(N, K), LOG_W.max(axis=1)
    s = np.exp(LOG_W - top[:, None]).sum(axis=1)
    exact = np.exp(LOG_W - top[:, None]) / s[:, None]
    np.testing.assert_array_equal(found == 0, exact < LEAST)
    assert (exact < LEAST).sum() == 7
    np.testing.assert_allclose(found, exact, rtol=0, atol=tolerance("kernel", dtype))
    right = np.log(K) - top - np.log(s)  # which no weight is left out of
    np.testing.assert_allclose(b.to_host(bound), right, rtol=tolerance("kernel", dtype))
    assert (found[found > 0] ** 2 >= np.finfo(dtype).tiny).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_weight_of_zero_hides_a_sample_of_the_narrowest_posterior(backend, dtype):
    """1 / sigma is beyond float32 there, and 0 times that would be NaN."""
    b, arrays = get_backend(backend, dtype), ([[1.0], [1.0]], [[0.0], [0.0]], [[0.0, -180.0]])
    dh, (dz, z, h) = b.zeros((1, 2)), (b.asarray(np.array(a), dtype) for a in arrays)
    eps, w = b.asarray(np.array([[0.1], [0.1]]), dtype), b.asarray(np.array([0.0, 0.0]), dtype)
    b.op(GAUSSIAN_PATH)(dh, dz, z, h, eps, w)
    assert b.to_host(dh)[0, 0] == 2 and np.isfinite(b.to_host(dh)).all()
