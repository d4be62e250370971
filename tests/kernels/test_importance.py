"""Importance weights that are too small for a gradient are 0."""

import numpy as np
import pytest

from scratchae import get_backend
from scratchae.kernels.importance import IMPORTANCE_WEIGHTS, LEAST

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
