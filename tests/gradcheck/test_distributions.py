"""check_likelihood as a proof: the library's likelihoods pass or are told what they are, right
ones of a reader's pass, and each planted error shows."""

import math

import numpy as np
import pytest
from gradcheck.planting import wrong

import scratchae as sa
from scratchae.gradcheck import check_likelihood
from scratchae.likelihoods import Likelihood

pytestmark = pytest.mark.slow

LOG_2PI = math.log(2 * math.pi)
AXES = ["integral over x (2, 1, 1)", "integral over x (1, 2, 1)", "integral over x (1, 1, 2)"]
DRAWN = ["sample, mean", "sample, variance", "sample, both values"]


def told(report):
    """{what: note} of what is no density."""
    return {row.what: row.note for row in report.rows if row.verdict == "no density"}


@pytest.mark.parametrize("shape", [(1,), (2,), (5,), (3, 2), (4, 4, 3)])
@pytest.mark.parametrize(
    "likelihood", [sa.Bernoulli(), sa.GaussianLikelihood(0.6), sa.LearnedGaussian(0.3)]
)
def test_what_is_a_distribution(likelihood, shape, tolerance):
    report = check_likelihood(likelihood, shape)
    assert report.ok, str(report)
    mass = [row for row in report.rows if "over x" in row.what]
    assert len(mass) == (1 if math.prod(shape) <= 2 else len(shape))
    assert max(row.error for row in mass) < tolerance("layer")


def test_every_spelling(backend):
    for likelihood in (sa.Bernoulli(), sa.Categorical(), sa.GaussianLikelihood(2.0)):
        assert check_likelihood(likelihood, backend=backend).ok


def test_categories_and_the_default_shape():
    for shape in ((2,), (3, 4)):
        report = check_likelihood(sa.Categorical(), shape)
        assert report.ok and not told(report), str(report)
    assert [row.what for row in check_likelihood(sa.GaussianLikelihood()).rows] == [
        *("a, K = 1", "a, K = 2", "integral over x (2,)", "mean"),
        *DRAWN,
    ]


@pytest.mark.parametrize(
    "likelihood, mass, lacks",
    [
        (sa.SquaredError(), math.pi, math.log(math.pi) / 2),
        (sa.AbsoluteError(), 4.0, math.log(2)),
    ],
)
def test_an_error_is_told_what_it_lacks(likelihood, mass, lacks):
    report = check_likelihood(likelihood, (3, 3, 2))
    assert report.ok and len(told(report)) == 3
    for note in told(report).values():
        assert note.startswith("an error, no distribution, as it cannot draw")
        assert note.endswith(f"mass {mass:.4g}, nll lacks {lacks:.4g} nats a value"), note


def test_grey_values_are_told_what_they_are():
    (note,) = told(check_likelihood(sa.Bernoulli(), (2,))).values()
    assert "a cross-entropy there: the ELBO bounds nothing" in note and "mass 0." in note


# --- right ones of a reader's own, on host arrays ---


class Host(Likelihood):
    """nll, its gradient and draws in NumPy: one line each."""

    takes_grey = True
    b = 1.0

    def bind(self, backend, rows, shape, samples=1):
        self.to_host, self.asarray = backend.to_host, backend.asarray

    def forward(self, a, x):
        a, x = self.to_host(a), self.to_host(x)
        x = np.repeat(x, len(a) // len(x), axis=0)
        nll, self.da = self.value(a, x), self.slope(a, x)
        return self.asarray(nll.reshape(len(a), -1).sum(axis=1))

    def backward(self):
        return self.asarray(self.da)


class Laplace(Host):
    def value(self, a, x):
        return np.abs(x - a) / self.b + np.log(2 * self.b)

    def slope(self, a, x):
        return np.sign(a - x) / self.b

    def sample(self, a, noise):
        u = noise.uniform(a.shape) - 0.5
        return a - self.b * np.sign(u) * np.log1p(-2 * np.abs(u))


class Student(Host):
    """Five degrees of freedom: far tails."""

    constant = math.lgamma(3) - math.lgamma(2.5) - math.log(5 * math.pi) / 2

    def value(self, a, x):
        return 3 * np.log1p((x - a) ** 2 / 5) - self.constant

    def slope(self, a, x):
        return 6 * (a - x) / (5 + (a - x) ** 2)

    def sample(self, a, noise):
        # a normal over the root of a mean of five squares
        others = noise.normal((*a.shape, 6))
        return a + others[..., 0] / np.sqrt((others[..., 1:] ** 2).mean(axis=-1))


class ContinuousBernoulli(Host):
    """exp(x a) a / (exp(a) - 1) on [0, 1]."""

    def value(self, a, x):
        return np.log(np.expm1(a) / a) - x * a

    def slope(self, a, x):
        return self.mean(a) - x

    def mean(self, a):
        return 1 / -np.expm1(-a) - 1 / a

    def sample(self, a, noise):
        return np.log1p(noise.uniform(a.shape) * np.expm1(a)) / a


class Poisson(Host):
    """Counts, of rate exp(a)."""

    def value(self, a, x):
        return np.exp(a) - x * a + np.vectorize(math.lgamma)(np.maximum(x, 0) + 1)

    def slope(self, a, x):
        return np.exp(a) - x

    def mean(self, a):
        return np.exp(a)

    def sample(self, a, noise):
        x, u = np.zeros(a.shape), noise.uniform(a.shape)
        term = below = np.exp(-np.exp(a))
        for k in range(1, 60):  # by inversion
            x += below <= u
            term = term * np.exp(a) / k
            below = below + term
        return x


class Exponential(Host):
    """exp(-x / s) / s for x above 0, of mean s = exp(a)."""

    def value(self, a, x):
        return np.where(x >= 0, x * np.exp(-a) + a, np.inf)

    def slope(self, a, x):
        return 1 - x * np.exp(-a)

    def mean(self, a):
        return np.exp(a)

    def sample(self, a, noise):
        return -np.exp(a) * np.log1p(-noise.uniform(a.shape))


@pytest.mark.parametrize("kind", [Laplace, Student, ContinuousBernoulli, Poisson, Exponential])
def test_a_readers_own(kind):
    report = check_likelihood(kind(), (2,))
    assert report.ok, str(report)
    assert [row.what for row in report.rows][3:] == ["mean", *DRAWN]


# --- planted errors ---


class NoConstant(sa.GaussianLikelihood):
    def constants(self, shape):
        tau, c = super().constants(shape)
        return tau, c - math.prod(shape) * LOG_2PI / 2


class NoChannels(sa.GaussianLikelihood):
    def constants(self, shape):
        tau, c = super().constants(shape)
        return tau, c / shape[-1]


class SigmaForVariance(sa.GaussianLikelihood):
    def constants(self, shape):
        tau, c = super().constants(shape)
        return tau**0.5, c


class InBits(sa.GaussianLikelihood):
    def constants(self, shape):
        return tuple(v / math.log(2) for v in super().constants(shape))


class MeanOverValues(sa.GaussianLikelihood):
    def constants(self, shape):
        return tuple(v / math.prod(shape) for v in super().constants(shape))


@pytest.mark.parametrize(
    "kind, seen, note",
    [
        (NoConstant, AXES, f"nll lacks {LOG_2PI / 2:.4g} nats a value"),
        (NoChannels, AXES[2:], "nll lacks"),
        (SigmaForVariance, AXES, "nll lacks"),
        (InBits, AXES, "nll is in bits, so multiply it by log 2"),
        (MeanOverValues, AXES, "nll lacks"),
    ],
)
def test_a_mass_that_is_not_one(kind, seen, note):
    report = check_likelihood(kind(0.4), (4, 4, 3))
    found = wrong(report)
    assert [what for what in AXES if what in found] == seen, str(report)
    assert all(note in row.note for row in report.rows if row.what in seen), str(report)


class OwnMean(sa.GaussianLikelihood):
    def mean(self, a):
        return 1.001 * a


class Ink(sa.Bernoulli):
    def mean(self, a):
        return (a > 0).astype(a.dtype)

    def sample(self, a, noise):
        return (noise.uniform(a.shape) < sa.Bernoulli().mean(a)).astype(a.dtype)


class MeanOfShape(sa.LearnedGaussian):
    def mean(self, a):
        return a

    def sample(self, a, noise):
        return sa.LearnedGaussian(self.floor).sample(a, noise)


@pytest.mark.parametrize("kind", [OwnMean, Ink, MeanOfShape])
def test_a_mean_that_is_not_the_mean(kind):
    assert list(wrong(check_likelihood(kind(), (2,)))) == ["mean"]


class TooNarrow(sa.GaussianLikelihood):
    def sample(self, a, noise):
        return a + math.sqrt(0.99) * self.sigma * noise.normal(a.shape)


class VarianceForSigma(sa.LearnedGaussian):
    def sigma(self, a):
        return super().sigma(a) ** 2


class NoiseAlone(sa.GaussianLikelihood):
    def sample(self, a, noise):
        return self.sigma * noise.normal(a.shape)


class OneForAll(sa.Bernoulli):
    def sample(self, a, noise):
        u = noise.uniform((len(a), 1))
        return (u < self.mean(a)).astype(a.dtype)


class Likeliest(sa.Categorical):
    def sample(self, a, noise):
        return (a == a.max(axis=-1, keepdims=True)).astype(a.dtype)


@pytest.mark.parametrize(
    "kind, seen",
    [
        (TooNarrow, ["sample, variance"]),
        (VarianceForSigma, ["sample, variance"]),
        (NoiseAlone, ["sample, mean", "sample, variance"]),
        (OneForAll, ["sample, both values"]),
        (Likeliest, ["sum over x (2,)"]),
    ],
)
def test_a_sample_of_something_else(kind, seen):
    report = check_likelihood(kind(), (2,))
    assert set(seen) <= set(wrong(report)), str(report)
    assert kind is Likeliest or not {"mean", "integral over x (2,)"} & set(wrong(report))


class Unsettled(Laplace):
    b = 1e-4

    def sample(self, a, noise):
        return a + noise.normal(a.shape)


def test_what_quadrature_cannot_settle_is_said():
    report = check_likelihood(Unsettled(), (2,))
    assert any("quadrature does not settle" in row.note for row in report.rows), str(report)
