"""The continuous Bernoulli in its natural parameter: closed forms at every size of a, its mass,
its moments, what is refused."""

import math

import numpy as np
import pytest

import scratchae as sa
from scratchae.initializers import TensorDraws

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
# both sides of the border between series and closed form, and where exp(a) has no number
SIZES = [1e-30, 1e-8, 1e-3, 0.1, 0.4999, 0.5, 0.5001, 1.0, 5.0, 50.0, 100.0, 500.0, 1e4, 1e30]
A = np.array([0.0, *SIZES, *(-s for s in SIZES)])


def run(a, x, backend, dtype="float64"):
    """a (N, D), x (N, D) -> nll (N,), da (N, D), on the host."""
    bound, likelihood = sa.get_backend(backend, dtype), sa.ContinuousBernoulli()
    likelihood.bind(bound, len(x), x.shape[1:])
    nll = bound.to_host(likelihood.forward(bound.asarray(a), bound.asarray(x)))
    return nll, bound.to_host(likelihood.backward())


def log_mass(a):
    """log of int_0^1 exp(t a) dt by the trapezoid rule in double exponential steps: no closed
    form, no series. Source: Takahasi and Mori 1974."""
    u = np.linspace(-4, 4, 2001)
    v = math.pi / 2 * np.sinh(u)
    near_0, near_1 = (1 / (1 + np.exp(-2 * s * v)) for s in (1, -1))  # t and 1 - t
    log_w = np.log(u[1] - u[0]) + np.log(math.pi / 4 * np.cosh(u)) - 2 * np.log(np.cosh(v))
    away = near_1 if a > 0 else near_0  # from the end where exp(t a) is largest
    return max(a, 0.0) + np.log(np.exp(log_w - abs(a) * away).sum())


@DTYPES
@pytest.mark.parametrize("x", [0.0, 0.3, 1.0])
def test_values_and_slopes_at_every_size(x, dtype, backend, tolerance):
    """Against 1 - exp(-|a|) over |a| in extended precision, and against its expansion near 0."""
    nll, da = run(A[:, None], np.full((len(A), 1), x), backend, dtype)
    wide = A.astype(dtype).astype(np.longdouble)
    size, data = np.maximum(abs(wide), 1e-3), np.longdouble(np.dtype(dtype).type(x))
    far = np.maximum(wide, 0) + np.log(-np.expm1(-size) / size)
    g = 1 / -np.expm1(-size) - 1 / size
    near = wide / 2 + wide**2 / 24 - wide**4 / 2880
    small = abs(wide) < 1e-3
    tol = tolerance("kernel", dtype)
    right = np.where(small, near, far) - data * wide
    # nll is a difference of two numbers of the size of a
    assert (abs(nll - right) <= tol * (1 + abs(wide))).all()
    slope = np.where(small, 0.5 + wide / 12 - wide**3 / 720, np.where(wide >= 0, g, 1 - g))
    assert (abs(da[:, 0] - (slope - data)) <= tol).all()
    assert np.isfinite(nll).all() and np.isfinite(da).all() and nll.dtype == da.dtype == dtype


@pytest.mark.parametrize("a", [0.0, 1e-9, 0.2, -0.499, 0.501, 3.0, -40.0, 500.0])
def test_the_mass_is_one(a, backend, tolerance):
    """-log of the density at x = 0 is the log of int exp(t a) dt, by quadrature."""
    nll, _ = run(np.array([[a]]), np.zeros((1, 1)), backend)
    assert nll[0] == pytest.approx(log_mass(a), rel=tolerance("layer"), abs=1e-12)


def test_the_series_meets_the_closed_form(backend, tolerance):
    """The two sides of |a| = 1/2 differ by what a differs, and by rounding."""
    for end in (-0.5, 0.5):
        a = np.array([[end * (1 - 1e-15)], [end]])
        nll, da = run(a, np.full((2, 1), 0.5), backend)
        assert abs(nll[0] - nll[1]) < tolerance("kernel") and abs(da[0] - da[1]) < 1e-13


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
def test_a_million_values_in_float32_and_float64(dtype, tolerance):
    """The loop against float64's definition: 3e-7 in float32, absolute and relative."""
    a = np.random.default_rng(0).normal(size=(1000, 100)).astype(dtype) * 5
    x = np.random.default_rng(1).random(a.shape).astype(dtype)
    found = run(a, x, "numpy", dtype)
    right = run(a.astype(np.float64), x.astype(np.float64), "reference")
    np.testing.assert_allclose(found[0], right[0], rtol=3e-7, atol=3e-6)
    np.testing.assert_allclose(found[1], right[1], rtol=0, atol=3e-7)


@pytest.mark.parametrize("a", [0.0, 0.3, -0.7, 2.0, -6.0, 100.0, -1000.0, 1e30])
@DTYPES
def test_draws_have_their_moments(a, dtype):
    n, p = 20_000, sa.ContinuousBernoulli()
    x = p.sample(np.full((n, 1), a, dtype), TensorDraws(0, 0)).astype(np.float64)
    assert x.min() >= 0 and x.max() <= 1
    mean = p.mean(np.array([[a]]))[0, 0]
    # A''(a) = 1 / a^2 - 1 / (4 sinh^2(a / 2)) is the variance
    near, bounded = abs(a) < 1e-3, min(abs(a), 700.0) or 1.0
    v = 1 / 12 if near else 1 / a**2 - 1 / (4 * np.sinh(bounded / 2) ** 2)
    assert abs(x.mean() - mean) <= 5 * np.sqrt(v / n) + 1e-7
    assert abs(x.var() - v) <= 5 * np.sqrt(8 / n) * v + 1e-12


class Ends:
    """Draws at the ends of [0, 1)."""

    def uniform(self, shape):
        return np.resize([0.0, 1 - 2.0**-53], shape)


@DTYPES
def test_draws_at_the_ends_of_the_unit_interval(dtype):
    for a in A:
        x = sa.ContinuousBernoulli().sample(np.full((1, 2), a, dtype), Ends())
        assert x.dtype == dtype and x.min() >= 0 and x.max() <= 1


def test_black_and_white_pull_alike(backend, rng, tolerance):
    """p(x | a) = p(1 - x | -a), as 1 - x of an image is its negative."""
    a, x = 5 * rng.normal(size=(4, 3)), rng.random((4, 3))
    nll, da = run(a, x, backend)
    mirrored = run(-a, 1 - x, backend)
    np.testing.assert_allclose(nll, mirrored[0], rtol=tolerance("layer"))
    np.testing.assert_allclose(da, -mirrored[1], atol=tolerance("kernel"))


@pytest.mark.parametrize("value", [-0.01, 1.5])
def test_what_lies_outside_is_refused(value):
    x = np.full((4, 3), 0.5)
    x[2, 1] = value
    model = sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3), sa.ContinuousBernoulli()).build(3)
    words = rf"the data is {value} at index \(2, 1\), but a ContinuousBernoulli .*np\.clip"
    for call in (
        lambda: sa.fit(model, x, sa.Adam(), epochs=1),
        lambda: sa.ContinuousBernoulli().log_prob(x, x),
    ):
        with pytest.raises(ValueError, match=words):
            call()
