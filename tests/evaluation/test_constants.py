"""The cost of the best constant, against closed forms of it."""

import math

import numpy as np
import pytest

import scratchae as sa
from scratchae.evaluation.constants import best_constant

CENT = 1e-2  # nats of an example that the search may leave


def cost(likelihood, x, rows=64, backend="numpy"):
    each = best_constant(sa.get_backend(backend, "float64"), likelihood, x, rows)
    assert each.shape == (len(x),)
    return each.mean()


def entropy(p):
    p = np.clip(p, 1e-300, 1)
    return -(p * np.log(p)).sum()


def test_bernoulli_is_at_the_mean_pixel(rng):
    """Also where a pixel is never black, or always."""
    p = rng.uniform(size=12)
    x = (rng.uniform(size=(200, 12)) < p) * 1.0
    x[:, 0], x[:, 1] = 0, 1
    mean = x.mean(axis=0)
    assert cost(sa.Bernoulli(), x) == pytest.approx(entropy(mean) + entropy(1 - mean), abs=CENT)


def test_grey_pixels_cost_the_entropy_of_their_mean(rng):
    x = rng.uniform(size=(100, 3, 2, 1))
    mean = x.mean(axis=0)
    exact = entropy(mean) + entropy(1 - mean)
    assert cost(sa.Bernoulli(), x) == pytest.approx(exact, abs=CENT)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_gaussian_is_at_the_mean(rng, scale):
    x = scale * (5 + rng.normal(size=(100, 4)))
    exact = 4 * math.log(scale) + 2 * math.log(2 * math.pi) + (x / scale).var(axis=0).sum() / 2
    assert cost(sa.GaussianLikelihood(scale), x) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("off", [0, 5])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_sigma_that_is_learned_is_that_of_the_constant(rng, scale, off):
    """And not that of a model, which fits the errors that it makes."""
    x = scale * (off + rng.normal(size=(100, 4)))
    exact = 2 * (math.log(2 * math.pi * x.var(axis=0).mean()) + 1)
    for initial in (0.1 * scale, 3 * scale):
        likelihood = sa.SharedGaussian(initial, 1e-3 * scale)
        assert cost(likelihood, x) == pytest.approx(exact, abs=CENT)
        assert likelihood.sigma() == pytest.approx(initial, rel=0.01)


def test_every_backend_finds_it(rng, backend):
    x = 2 + 3 * rng.normal(size=(30, 3))
    exact = 1.5 * (math.log(2 * math.pi * x.var(axis=0).mean()) + 1)
    assert cost(sa.SharedGaussian(), x, 20, backend) == pytest.approx(exact, abs=CENT)


def test_it_begins_at_the_sigma_of_a_built_model(rng):
    x = 1e3 * rng.normal(size=(200, 784))
    exact = 392 * (math.log(2 * math.pi * x.var(axis=0).mean()) + 1)
    likelihood = sa.SharedGaussian()
    likelihood.learnt = lambda name: np.array([2 * math.log(0.7e3)])
    assert cost(likelihood, x, 200) == pytest.approx(exact, abs=0.1)


class OwnSigmas(sa.Likelihood):
    """A Gaussian with a parameter for each number."""

    def declare(self, shape):
        return {"logvar": (shape, lambda noise: np.zeros(shape))}

    def bind(self, backend, rows, shape, samples=1):
        pass

    def forward(self, a, x):
        self.r, self.tau = a - x, np.exp(-self.logvar)
        return (self.r**2 * self.tau + self.logvar + math.log(2 * math.pi)).sum(axis=1) / 2

    def backward(self):
        self.dlogvar[...] = (1 - self.r**2 * self.tau).sum(axis=0) / 2
        return self.r * self.tau


def test_so_are_the_parameters_of_any_likelihood(rng):
    x = np.array([0.1, 1.0, 5.0]) * rng.normal(size=(300, 3))
    exact = (np.log(2 * math.pi * math.e * x.var(axis=0))).sum() / 2
    assert cost(OwnSigmas(), x) == pytest.approx(exact, abs=CENT)


def test_a_likelihood_of_a_batch_as_a_whole_is_refused(rng):
    with pytest.raises(TypeError, match="under OptimalGaussian the loss is that of a batch"):
        cost(sa.OptimalGaussian(), rng.normal(size=(10, 3)))


def test_a_learned_gaussian_learns_both(rng):
    """Also what is far from 0, where the search begins."""
    x = np.array([300.0, -1.0, 0.5]) + np.array([0.1, 1.0, 5.0]) * rng.normal(size=(300, 3))
    exact = (np.log(2 * math.pi * math.e * x.var(axis=0))).sum() / 2
    assert cost(sa.LearnedGaussian(0), x) == pytest.approx(exact, abs=CENT)


def test_a_category_costs_the_entropy(rng):
    x = np.eye(4)[rng.choice(4, size=(200, 3), p=[0.1, 0.2, 0.3, 0.4])]
    assert cost(sa.Categorical(), x) == pytest.approx(entropy(x.mean(axis=0)), abs=CENT)


def test_an_absolute_error_is_at_the_median(rng):
    x = rng.exponential(size=(201, 5))
    exact = abs(x - np.median(x, axis=0)).sum(axis=1).mean()
    assert cost(sa.AbsoluteError(), x) == pytest.approx(exact, abs=CENT)


def test_rows_at_a_time_change_nothing(rng, tolerance):
    x = (rng.uniform(size=(50, 6)) < 0.3) * 1.0
    assert cost(sa.Bernoulli(), x, 7) == pytest.approx(
        cost(sa.Bernoulli(), x, 50), rel=tolerance("loss")
    )


def gaussian(x, sigma):
    return ((x - x.mean(axis=0)) ** 2).sum(axis=1).mean() / (2 * sigma**2) + x.shape[1] * math.log(
        sigma * math.sqrt(2 * math.pi)
    )


def laplace(x, b):
    return abs(x - np.median(x, axis=0)).sum(axis=1).mean() / b + x.shape[1] * math.log(2 * b)


# float32's loops are compiled in the slow lane
DTYPES = pytest.mark.parametrize(
    "dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)]
)


@DTYPES
@pytest.mark.parametrize("off", [0, 100])
@pytest.mark.parametrize("scale", [1e-3, 1e-1, 10.0, 1e3, 1e4])
def test_real_values_of_any_scale(rng, scale, off, dtype):
    """Whatever the spread that the likelihood has: that of the data, 1, or one that is learned."""
    x = scale * (off + rng.normal(size=(150, 6)) * np.arange(1, 7))
    if dtype == "float32":
        x = x.astype(np.float32).astype(np.float64)
    each, all_of = x.var(axis=0), x.var(axis=0).mean()
    exact = {
        sa.GaussianLikelihood(scale): gaussian(x, scale),
        sa.GaussianLikelihood(): gaussian(x, 1),
        sa.SquaredError(): each.sum(),
        sa.Laplace(scale): laplace(x, scale),
        sa.Laplace(): laplace(x, 1),
        sa.AbsoluteError(): laplace(x, 1) - 6 * math.log(2),
        sa.SharedGaussian(floor=0): 3 * (math.log(2 * math.pi * all_of) + 1),
        sa.LearnedGaussian(0): np.log(2 * math.pi * math.e * each).sum() / 2,
        sa.LearnedGaussian(scale): np.log(2 * math.pi * math.e * each).sum() / 2,
    }
    for likelihood, nats in exact.items():
        found = best_constant(sa.get_backend("numpy", dtype), likelihood, x, 64).mean()
        assert found == pytest.approx(nats, rel=1e-5, abs=CENT), likelihood


@DTYPES
@pytest.mark.parametrize("rate", [1e-3, 0.3, 7.0, 60.0, 95.0, 1e3, 1e4])
def test_counts_of_any_size(rng, rate, dtype):
    """Whose log rate is far from the mean: exp of that is no number from 89 on."""
    x = rng.poisson(rate, (200, 6)) * 1.0
    x[:, 0] = 0
    m = np.maximum(x.mean(axis=0), 1e-300)
    log_factorial = sum(math.lgamma(k + 1) for k in x.ravel()) / len(x)
    exact = (m - m * np.log(m)).sum() + log_factorial
    found = best_constant(sa.get_backend("numpy", dtype), sa.Poisson(), x, 64).mean()
    assert found == pytest.approx(exact, rel=1e-6, abs=CENT)


@pytest.mark.parametrize("p", [1e-3, 0.02, 0.5, 0.999])
def test_rare_values_and_frequent_ones(rng, p):
    x = (rng.uniform(size=(3000, 4)) < p) * 1.0
    m = x.mean(axis=0)
    assert cost(sa.Bernoulli(), x) == pytest.approx(entropy(m) + entropy(1 - m), abs=CENT)
    x = np.eye(2)[x.astype(int)]
    assert cost(sa.Categorical(), x) == pytest.approx(entropy(x.mean(axis=0)), abs=CENT)


def least(f, low, high):
    """The least value of a convex f between low and high."""
    for _ in range(200):
        a, b = low + (high - low) * 0.382, low + (high - low) * 0.618
        low, high = (low, b) if f(a) < f(b) else (a, high)
    return f((low + high) / 2)


@pytest.mark.parametrize("scale", [1e-3, 0.05, 0.5, 0.9, 1.0])
def test_grey_values_of_any_brightness(rng, scale):
    """a of x and of 1 - x mirror one another."""
    x = scale * rng.uniform(size=(100, 3))
    each = [lambda a, m=m: np.log(np.expm1(a) / a) - a * m for m in x.mean(axis=0)]
    exact = sum(least(f, -5e3, 100.001) for f in each)
    assert cost(sa.ContinuousBernoulli(), x) == pytest.approx(exact, abs=CENT)
    assert cost(sa.ContinuousBernoulli(), 1 - x) == pytest.approx(exact, abs=CENT)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_binned_values_of_any_scale(rng, scale):
    """By a search over mu and s of one number; a number that is the same in all rows costs 0."""
    likelihood = sa.DiscretisedLogistic(16, -scale, 2 * scale)
    x = likelihood.binned(scale * rng.exponential(0.4, size=(150, 2)))
    x[:, 1] = -scale
    mu, log_s = np.meshgrid(np.linspace(0, 1, 81), np.linspace(-3, 0, 81))
    a = scale * mu.ravel(), log_s.ravel() + math.log(scale)
    values, counts = np.unique(x[:, 0], return_counts=True)
    grid = np.stack(a, axis=1)
    each = [likelihood.log_prob(np.full((len(grid), 1), v), grid) for v in values]
    exact = -(counts @ np.array(each)).max() / len(x)
    assert cost(likelihood, x) == pytest.approx(exact, abs=CENT)


class OwnCounts(sa.Likelihood):
    """Poisson's, which says nothing of where to begin."""

    kernel = sa.Poisson.kernel


@pytest.mark.parametrize("rate", [0.3, 60.0, 500.0, 1e4])
def test_what_is_not_said_is_searched(rng, rate):
    x = rng.poisson(rate, (200, 6)) * 1.0
    assert cost(OwnCounts(), x) == pytest.approx(cost(sa.Poisson(), x), abs=CENT)


class OwnGaussian(sa.LearnedGaussian):
    """Which says nothing of where to begin."""

    def best_output(self, x):
        return {}


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_so_is_what_lies_far_from_0(rng, scale):
    x = scale * (100 + rng.normal(size=(200, 3)))
    assert cost(OwnGaussian(0), x) == pytest.approx(cost(sa.LearnedGaussian(0), x), abs=CENT)


class Nowhere(sa.SquaredError):
    """An error that is never finite."""

    def forward(self, a, x):
        return super().forward(a, x) + np.inf


def test_where_nothing_finite_is_found_it_says_so(rng):
    assert np.isnan(cost(Nowhere(), rng.normal(size=(20, 3))))
