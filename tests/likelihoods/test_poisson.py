"""The Poisson likelihood: closed forms of small and large counts, its mass, its draws by both
ways, what is refused."""

import math

import numpy as np
import pytest

import scratchae as sa
from scratchae.initializers import TensorDraws
from scratchae.kernels.poisson import log_factorial

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def run(a, x, backend, dtype="float64"):
    """a (N, D), x (N, D) -> nll (N,), da (N, D), on the host."""
    bound, p = sa.get_backend(backend, dtype), sa.Poisson()
    p.bind(bound, len(x), x.shape[1:])
    nll = bound.to_host(p.forward(bound.asarray(a), bound.asarray(x)))
    return nll, bound.to_host(p.backward())


def test_log_factorials():
    """Of a table and of Stirling's series, against Python's own."""
    k = np.array([0, 1, 2, 10, 254, 255, 256, 257, 1000, 10**6, 10**12, 10**15])
    right = [math.lgamma(v + 1.0) for v in k]
    np.testing.assert_allclose(log_factorial(k), right, rtol=1e-14)
    assert np.isnan(log_factorial(np.array([np.nan]))[0])


COUNTS = [0, 1, 5, 100, 255, 256, 300, 10_000]


@DTYPES
@pytest.mark.parametrize("a", [-100.0, -50.0, -5.0, 0.0, 2.3, 5.0, 9.2, 50.0, 85.0])
def test_values_and_slopes(a, dtype, backend, tolerance):
    """In float32 what cancels is rounded: 1e-7 of the rate and of x a."""
    x = np.array(COUNTS, float)[:, None]
    nll, da = run(np.full_like(x, a), x, backend, dtype)
    a = float(np.dtype(dtype).type(a))
    right = [math.exp(a) - v * a + math.lgamma(v + 1) for v in COUNTS]
    size = np.array([math.exp(a) + math.lgamma(v + 1) for v in COUNTS])
    tol = tolerance("kernel", dtype)
    assert (np.abs(nll - right) <= tol * (np.abs(right) + 1) + np.finfo(dtype).eps * size).all()
    np.testing.assert_allclose(da[:, 0], math.exp(a) - x[:, 0], rtol=tol, atol=tol)
    assert np.isfinite(nll).all() and np.isfinite(da).all()


@DTYPES
def test_a_rate_of_e_to_the_100(dtype, backend):
    """Has a float64; in float32 it has none, and the loss is infinite rather than wrong."""
    with np.errstate(over="ignore"):
        nll, da = run(np.full((1, 1), 100.0), np.full((1, 1), 3.0), backend, dtype)
    if dtype == "float32":
        assert nll[0] == np.inf
    else:
        assert nll[0] == pytest.approx(math.exp(100)) and da[0, 0] == pytest.approx(math.exp(100))


@pytest.mark.parametrize("a", [-30.0, -1.0, 0.0, 3.0, 6.5])
def test_the_mass_is_one(a, backend, tolerance):
    x = np.arange(1200.0)[:, None]
    nll, _ = run(np.full_like(x, a), x, backend)
    assert np.exp(-nll).sum() == pytest.approx(1, abs=tolerance("kernel"))


def test_the_best_rate_is_the_mean(backend, rng, tolerance):
    x = rng.poisson(4.0, (60, 1)).astype(float)
    _, da = run(np.full_like(x, np.log(x.mean())), x, backend)
    assert abs(da.sum()) < 60 * tolerance("kernel")


@pytest.mark.parametrize("rate", [1e-3, 0.5, 4.0, 9.99, 10.0, 11.5, 40.0, 1e3, 1e6])
@DTYPES
def test_draws_have_their_moments(rate, dtype):
    """Mean, variance and third moment are all the rate."""
    n, p = 40_000, sa.Poisson()
    a = np.full((n, 1), math.log(rate), dtype)
    x = p.sample(a, TensorDraws(0, 0)).astype(np.float64)[:, 0]
    p.check(x[:, None])
    off, rate = x - rate, float(np.exp(np.float64(a[0, 0])))
    # the variances of the first three moments' estimates: m2, m4 - m2^2, m6 - m3^2
    m4, m6 = rate + 3 * rate**2, rate + 25 * rate**2 + 15 * rate**3
    for power, m, v in ((1, 0, rate), (2, rate, m4 - rate**2), (3, rate, m6 - rate**2)):
        slack = 2e-7 * rate**power if dtype == "float32" else 0  # of log rate's rounding
        assert abs((off**power).mean() - m) <= 5 * np.sqrt(v / n) + slack, power


@pytest.mark.parametrize("rate", [3.0, 9.5, 10.5, 30.0])
def test_draws_come_as_often_as_they_are_likely(rate, backend):
    n, k = 40_000, np.arange(80.0)
    x = sa.Poisson().sample(np.full((n, 1), math.log(rate)), TensorDraws(0, 1))
    nll, _ = run(np.full((80, 1), math.log(rate)), k[:, None], backend)
    often, P = np.bincount(x[:, 0].astype(int), minlength=80) / n, np.exp(-nll)
    assert (np.abs(often - P) <= 5 * np.sqrt(P / n) + 1e-4).all()


class Ends:
    """Draws at the ends of [0, 1)."""

    calls = 0

    def uniform(self, shape):
        self.calls += 1
        ends = [0.0, 1 - 2.0**-53] if self.calls < 4 else [0.5, 0.5]
        return np.resize(ends, shape)


@pytest.mark.parametrize("a", [-1000.0, -100.0, 0.0, 2.3, 2.31, 8.0, 60.0, 1000.0])
def test_draws_at_the_ends_of_the_unit_interval(a):
    x = sa.Poisson().sample(np.full((2, 2), a), Ends())
    assert np.isfinite(x).all() and (x >= 0).all()


def test_a_draw_is_of_its_own_place():
    """Whether others are drawn by rejection or not, and how often they were rejected."""
    a = np.array([[1.0, 5.0, 3.0], [-2.0, 8.0, 2.0]])
    p = sa.Poisson()
    found = p.sample(a, TensorDraws(0, 0))
    changed = np.where(np.eye(2, 3, dtype=bool), a + 3, a)
    again = p.sample(changed, TensorDraws(0, 0))
    same = ~np.eye(2, 3, dtype=bool)
    np.testing.assert_array_equal(found[same], again[same])


@pytest.mark.parametrize("value", [-1.0, 0.5, 3.0001])
def test_what_is_no_count_is_refused(value):
    x = np.ones((4, 3))
    x[2, 1] = value
    model = sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3), sa.Poisson()).build(3, dtype="float64")
    words = rf"the data is {value} at index \(2, 1\), but a Poisson likelihood takes counts, whole"
    for call in (
        lambda: sa.fit(model, x, sa.Adam(), epochs=1),
        lambda: sa.Poisson().log_prob(x, x),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    assert np.isfinite(sa.evaluate(model, np.rint(abs(x)).astype(np.int64))["loss"])


def test_grey_images_are_no_counts(rng):
    pixels = rng.integers(0, 256, (4, 3, 3, 1)).astype(np.uint8)
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(9, 2))
    decoder = sa.Sequential(sa.Dense(2, 9), sa.Reshape(3, 3, 1))
    model = sa.Autoencoder(encoder, decoder, sa.Poisson()).build((3, 3, 1), dtype="float64")
    with pytest.raises(ValueError, match=r"of the images from 0 on, the data is .* takes counts"):
        sa.evaluate(model, sa.Images(pixels))
    assert np.isfinite(sa.evaluate(model, sa.Images(pixels, binarize="threshold"))["loss"])


def test_counts_are_not_to_be_scaled(recwarn):
    """A mean of 10 is warned of elsewhere; scaled counts are none."""
    x = np.random.default_rng(0).poisson(10.0, (40, 3)).astype(float)
    model = sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3), sa.Poisson()).build(3, dtype="float64")
    sa.fit(model, x, sa.Adam(), epochs=1, progress=False)
    assert not [w for w in recwarn if issubclass(w.category, sa.ScaleWarning)]
    with pytest.warns(sa.ScaleWarning):
        model = sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3)).build(3)
        sa.fit(model, x, sa.Adam(), epochs=1, progress=False)
