"""The discretised logistic: its bins sum to one at every scale, values and slopes where a clamp
would sit, its mean and its draws, what is refused."""

import math

import numpy as np
import pytest

import scratchae as sa
from scratchae.initializers import TensorDraws

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
# mu and log s: many bins, a bin, less than one, far outside, and where exp(log s) has no number
HARD = [
    *[(0.5, s) for s in (3.0, 0.0, -3.0, -5.0, -7.0, -12.0, 60.0, 100.0, 1000.0, -1000.0)],
    *[(0.3, -5.5), (2.0, -4.0), (-3.0, -5.0), (100.0, -5.0), (-100.0, -100.0), (1e4, 100.0)],
]
BINS = [(256, 0.0, 1.0), (5, -1.0, 2.0), (2, 0.0, 1.0)]


def values(p):
    return p.low + p.width * np.arange(p.bins)


def run(p, a, x, backend, dtype="float64"):
    """a (N, 2), x (N, 1) -> nll (N,), da (N, 2), on the host."""
    bound = sa.get_backend(backend, dtype)
    p.bind(bound, len(x), x.shape[1:])
    nll = bound.to_host(p.forward(bound.asarray(a), bound.asarray(x)))
    return nll, bound.to_host(p.backward())


def of_all(p, mu, log_s, backend, dtype="float64"):
    """nll and da of every bin: (B,), (B, 2)."""
    a = np.tile([p.low + (p.high - p.low) * mu, log_s], (p.bins, 1))
    return run(p, a, values(p)[:, None], backend, dtype)


@pytest.mark.parametrize("bins", BINS)
@pytest.mark.parametrize("mu, log_s", HARD)
def test_the_bins_sum_to_one(mu, log_s, bins, backend, tolerance):
    nll, da = of_all(sa.DiscretisedLogistic(*bins), mu, log_s, backend)
    assert np.exp(-nll).sum() == pytest.approx(1, abs=tolerance("kernel"))
    assert np.isfinite(nll).all() and np.isfinite(da).all()


@pytest.mark.parametrize("mu, log_s", HARD)
@pytest.mark.slow
def test_the_bins_sum_to_one_in_float32(mu, log_s, backend):
    """As far as the rounding of k / 255, in units of the scale, lets two bins meet: 2e-7 as a
    rule, 1e-4 for a mean on an edge and a scale of 1/64 of a bin."""
    p = sa.DiscretisedLogistic()
    nll, da = of_all(p, mu, log_s, backend, "float32")
    allowed = 5e-7 + 6e-8 / (p.width / 64 + math.exp(min(log_s, 700.0)))
    assert np.exp(-nll.astype(np.float64)).sum() == pytest.approx(1, abs=allowed)
    assert np.isfinite(nll).all() and np.isfinite(da).all()


def exact(p, mu, log_s, k):
    """nll of bin k in extended precision, as a difference of two sigmoids where that has digits,
    else as the tail's exponential."""
    mu, w = np.longdouble(mu), np.longdouble(p.width)
    s = w / 64 + np.exp(np.longdouble(log_s))
    hi, lo = ((p.low + w * (k + side) - mu) / s for side in (0.5, -0.5))
    if k == 0:
        return np.logaddexp(np.longdouble(0), -hi)
    if k == p.bins - 1:
        return np.logaddexp(np.longdouble(0), lo)
    zero = np.longdouble(0)
    return np.logaddexp(zero, -hi) + np.logaddexp(zero, lo) - np.log(-np.expm1(lo - hi))


@DTYPES
@pytest.mark.parametrize("mu, log_s", [h for h in HARD if abs(h[1]) <= 100])
def test_values_where_others_clamp(mu, log_s, dtype, backend, tolerance):
    p = sa.DiscretisedLogistic()
    nll, _ = of_all(p, mu, log_s, backend, dtype)
    right = [float(exact(p, mu, log_s, k)) for k in range(p.bins)]
    # float32 holds mu and k / 255 to 6e-8, and the slope over mu is at most 64 / w
    off = min(1 / (p.width / 64 + math.exp(log_s)), 64 / p.width)
    atol = tolerance("kernel", dtype) + np.finfo(dtype).eps * off * max(abs(mu), 1)
    np.testing.assert_allclose(nll, right, rtol=tolerance("kernel", dtype), atol=atol)


@pytest.mark.parametrize("bins", BINS)
@pytest.mark.parametrize("mu, log_s", [h for h in HARD if abs(h[0]) < 10])
def test_slopes_where_others_clamp(mu, log_s, bins, backend):
    """Central differences of the exact nll; both slopes of every bin."""
    p = sa.DiscretisedLogistic(*bins)
    _, da = of_all(p, mu, log_s, backend)
    at, s = p.low + (p.high - p.low) * mu, p.width / 64 + math.exp(min(log_s, 700.0))
    for k in {0, 1, p.bins // 2, p.bins - 1}:
        for i, step in enumerate((1e-5 * min(s, 1.0), 1e-5)):
            ends = [
                exact(p, at + (i == 0) * sign * step, log_s + (i == 1) * sign * step, k)
                for sign in (1, -1)
            ]
            slope = float((ends[0] - ends[1]) / (2 * np.longdouble(step)))
            assert da[k, i] == pytest.approx(slope, rel=1e-6, abs=1e-7), (k, i)


@pytest.mark.parametrize("bins", [*BINS, (1000, -3.0, 3.0)])
def test_the_mean_is_the_sum_over_all_bins(bins):
    p = sa.DiscretisedLogistic(*bins)
    mu = p.low + (p.high - p.low) * np.array([0, 0.3, 0.5, 1, -0.1, 1.7, 1e6, -1e6])
    log_s = np.log(p.width) + np.array([-8, -1, -0.1, 0.4, 0.41, 1, 2, 4, 8, 40, 1000])
    a = np.stack([v.ravel() for v in np.meshgrid(mu, log_s)], axis=1)
    edges, s = values(p)[1:] - p.width / 2, p.scale(a)
    above = 0.5 + 0.5 * np.tanh((a[:, :1] - edges) / s / 2)
    right = p.low + p.width * above.sum(axis=1)
    np.testing.assert_allclose(p.mean(a)[:, 0], right, rtol=0, atol=1e-7 * p.width)


@pytest.mark.parametrize("bins", BINS)
@pytest.mark.parametrize(
    "mu, shift", [(0.5, 0.0), (0.5, -3.0), (0.0, 1.0), (1.3, 1.0), (0.4, 3.0)]
)
def test_draws_come_as_often_as_they_are_likely(mu, shift, bins, backend):
    n, p = 40_000, sa.DiscretisedLogistic(*bins)
    log_s = math.log(p.width) + shift
    nll, _ = of_all(p, mu, log_s, backend)
    a = np.tile([p.low + (p.high - p.low) * mu, log_s], (n, 1))
    x = p.sample(a, TensorDraws(0, 0))
    p.check(x)
    k = np.rint((x[:, 0] - p.low) / p.width).astype(int)
    often, P = np.bincount(k, minlength=p.bins) / n, np.exp(-nll)
    assert (np.abs(often - P) <= 6 * np.sqrt(P * (1 - P) / n) + 1e-4).all()


class Ends:
    """Draws at the ends of [0, 1)."""

    def uniform(self, shape):
        return np.resize([0.0, 1 - 2.0**-53], shape)


@DTYPES
def test_draws_at_the_ends_of_the_unit_interval(dtype):
    p = sa.DiscretisedLogistic()
    for log_s in (-100.0, 0.0, 100.0):
        x = p.sample(np.tile([0.5, 0.5, log_s, log_s], (2, 1)).astype(dtype), Ends())
        assert x.dtype == dtype and x.min() >= 0 and x.max() <= 1


@DTYPES
def test_shapes_on_the_host(dtype, rng):
    p, a = sa.DiscretisedLogistic(), rng.normal(size=(4, 3, 2, 6)).astype(dtype)
    for found in (p.mean(a), p.scale(a), p.sample(a, TensorDraws(0, 0))):
        assert found.shape == (4, 3, 2, 3) and found.dtype == dtype
    assert p.parameters((3, 2, 3)) == (3, 2, 6)


def model(likelihood, shape=(3,)):
    D = math.prod(shape)
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(D, 2)) if len(shape) > 1 else sa.Dense(D, 2)
    decoder = sa.Sequential(sa.Dense(2, 2 * D), sa.Reshape(*likelihood.parameters(shape)))
    return sa.Autoencoder(encoder, decoder, likelihood).build(shape, dtype="float64")


def test_data_between_the_values_are_refused_with_the_binning_to_use(rng):
    p, x = sa.DiscretisedLogistic(), rng.random((4, 3))
    words = (
        r"the data is 0\.\d+ at index \(0, 0\), but a DiscretisedLogistic likelihood takes its "
        r"256 values 0, 0\.00392157, \.\.\., 1 alone: bin the data, x = likelihood\.binned\(x\)"
    )
    for call in (
        lambda: sa.fit(model(p), x, sa.Adam(), epochs=1),
        lambda: sa.evaluate(model(p), x),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    assert np.isfinite(sa.evaluate(model(p), p.binned(x))["loss"])
    np.testing.assert_array_equal(p.binned(x), np.round(255 * x) / 255)
    for value in (-1 / 255, 256 / 255, 0.5):
        with pytest.raises(ValueError, match="DiscretisedLogistic likelihood takes its 256"):
            p.check(np.full((2, 2), value))


@pytest.mark.parametrize(
    ("bins", "values"), [(2, "0, 1 alone"), (3, "0, 0.5, 1 alone"), (5, "0, 0.25, ..., 1 alone")]
)
def test_the_values_are_named(bins, values):
    with pytest.raises(ValueError, match=f"takes its {bins} values {values}"):
        sa.DiscretisedLogistic(bins).check(np.full((1, 3), 0.1))


def test_float32_data_of_any_bins_are_taken(rng):
    for bins in (*BINS, (65_536, -1.0, 1.0)):
        p = sa.DiscretisedLogistic(*bins)
        p.check(values(p)[:, None].astype(np.float32))
        p.check(p.binned(rng.random((5, 5)).astype(np.float32)))


@pytest.mark.slow
def test_images_of_uint8_need_no_binning(rng):
    pixels = rng.integers(0, 256, (8, 4, 4, 1)).astype(np.uint8)
    for binarize in ("none", "threshold"):
        trained = model(sa.DiscretisedLogistic(), (4, 4, 1))
        history = sa.fit(trained, sa.Images(pixels, binarize=binarize), sa.Adam(), epochs=1)
        assert np.isfinite(history["train_loss"][0])
    coarse = model(sa.DiscretisedLogistic(16), (4, 4, 1))
    with pytest.raises(ValueError, match=r"of the images from 0 on, the data is .* its 16 values"):
        sa.fit(coarse, sa.Images(pixels), sa.Adam(), epochs=1)
    sa.fit(coarse, sa.Images(pixels // 17 * 17), sa.Adam(), epochs=1)


WRONG = {
    "bins": (lambda: sa.DiscretisedLogistic(1), r"\(bins\) is 1, but a whole number of at least"),
    "half a bin": (lambda: sa.DiscretisedLogistic(2.5), r"\(bins\) is 2\.5, but a whole"),
    "no width": (lambda: sa.DiscretisedLogistic(4, 1, 1), r"\(high\) is 1.0, but .* above 1"),
    "no number": (lambda: sa.DiscretisedLogistic(4, math.nan), r"\(low\) is nan, but"),
}


@pytest.mark.parametrize("which", WRONG)
def test_what_is_no_set_of_bins(which):
    make, words = WRONG[which]
    with pytest.raises(ValueError, match=words):
        make()
