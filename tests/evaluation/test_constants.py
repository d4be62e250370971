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
