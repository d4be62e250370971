"""The Laplace likelihood: closed forms, hard values, its draws, what is refused."""

import math

import numpy as np
import pytest

import scratchae as sa
from scratchae.initializers import TensorDraws

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


@DTYPES
@pytest.mark.parametrize("b", [1e-3, 0.3, 1.0, 50.0])
def test_values_and_slopes(b, dtype, backend, rng, tolerance):
    """Deviations of 0, +-1, +-100 and 1e6, on rows of three values."""
    r = np.array([[0.0, 1.0, -1.0], [100.0, -100.0, 0.0], [1e6, 0.5, 0.0]])
    x = np.array([[0.25, -1.0, 2.0]] * 3)
    part = sa.by_hand(sa.Laplace(b), 3, backend=backend, dtype=dtype)
    nll, da = part(x + r, x), part.backward()
    right = np.abs(r).sum(axis=1) / b + 3 * math.log(2 * b)
    tol = {"rtol": tolerance("kernel", dtype), "atol": 1e-12}
    np.testing.assert_allclose(nll, right, **tol)
    np.testing.assert_allclose(da, np.sign(r) / b, **tol)


def test_the_best_median_is_the_median(rng):
    x = rng.exponential(size=(61, 1))
    part = sa.by_hand(sa.Laplace(0.7), 1)
    part(np.full_like(x, np.median(x)), x)
    assert abs(part.backward().sum()) < 1e-12


@pytest.mark.parametrize("b", [0.2, 3.0])
def test_draws_have_their_moments(b):
    """Mean a, variance 2 b^2, fourth moment 24 b^4."""
    n = 40_000
    x = sa.Laplace(b).sample(np.full((n, 1), 1.5), TensorDraws(0, 0))
    off = (x - 1.5) / b
    for power, m, v in ((1, 0, 2), (2, 2, 20), (3, 0, 720), (4, 24, 40320 - 576)):
        assert abs((off**power).mean() - m) <= 5 * np.sqrt(v / n), power


class Ends:
    """Draws at the ends of [0, 1)."""

    def uniform(self, shape):
        return np.resize([0.0, 1 - 2.0**-24, 0.5], shape)


@DTYPES
def test_draws_at_the_ends_of_the_unit_interval(dtype):
    x = sa.Laplace().sample(np.zeros((1, 3), dtype), Ends())
    assert np.isfinite(x).all() and x.dtype == dtype and x[0, 2] == 0
    assert x[0, 0] < -15 and x[0, 1] > 15


@pytest.mark.parametrize("b", [0, -1, math.nan, math.inf, 1e-40, True])
def test_what_is_no_scale(b):
    with pytest.raises(ValueError, match=r"Laplace\(b\) is .*, but it must be a number"):
        sa.Laplace(b)
