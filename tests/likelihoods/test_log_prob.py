"""log_prob on the host: minus nll in float64, for what is a distribution and for nothing else."""

import numpy as np
import pytest

import scratchae as sa
from scratchae import checks, likelihoods
from scratchae.gradcheck.models import possible

SHAPE = (3, 2)
ERRORS, BATCHES = {"SquaredError", "AbsoluteError"}, {"OptimalGaussian"}
KINDS = sorted(set(likelihoods.__all__) - {"Likelihood"})
DISTRIBUTIONS = pytest.mark.parametrize("name", [k for k in KINDS if k not in ERRORS | BATCHES])


def rows(likelihood, rng, n=5):
    """x (n, ...) that it draws itself, a (n, ...)."""
    a = rng.normal(size=(n, *likelihood.parameters(SHAPE)))
    return likelihood.sample(a, Draws(rng)), a


class Draws:
    """Draws of a generator of NumPy's."""

    def __init__(self, rng):
        self.uniform, self.normal = (lambda shape: rng.random(shape)), rng.standard_normal


@DISTRIBUTIONS
def test_it_is_minus_the_nll(name, backend, rng, tolerance):
    likelihood = getattr(sa, name)()
    x, a = rows(likelihood, rng)
    by_hand = sa.by_hand(likelihood, SHAPE, backend=backend)
    found = likelihood.log_prob(x, a)
    assert found.shape == (5,) and found.dtype == np.float64
    np.testing.assert_allclose(found, -by_hand(a, x), rtol=tolerance("kernel"))


@DISTRIBUTIONS
def test_float32_is_taken_in_float64_and_in_pieces(name, rng, monkeypatch):
    likelihood = getattr(sa, name)()
    x, a = (v.astype(np.float32) for v in rows(likelihood, rng, 20))
    whole = likelihood.log_prob(x, a)
    monkeypatch.setattr(checks, "PIECE", 3 * x[0].nbytes)
    np.testing.assert_array_equal(likelihood.log_prob(x, a), whole)
    assert not {"nll", "da", "shape"} & set(vars(likelihood))  # it is left as it was


def test_a_changed_number_acts():
    likelihood = sa.Laplace(1.0)
    likelihood.b = 0.5
    found = likelihood.log_prob([[0.0, 3.0]], [[0.0, 1.0]])
    np.testing.assert_allclose(found, -4 - 2 * np.log(1.0))


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_an_error_has_none(name, rng):
    x = rng.random((2, 3))
    with pytest.raises(TypeError, match=f"{name} is an error and no distribution, so it has no"):
        getattr(sa, name)().log_prob(x, x)


def test_a_sigma_of_the_batch_has_none(rng):
    """What p(x) of an example is would depend on the others that it is measured with."""
    x = rng.random((2, 3))
    with pytest.raises(TypeError, match="the loss is that of a batch as a whole, so an example"):
        sa.OptimalGaussian().log_prob(x, x)


def test_grey_data_have_none_under_a_bernoulli(rng):
    """nll is a number there, and no density."""
    x, bernoulli = rng.random((4, 3)), sa.Bernoulli()
    assert np.isfinite(sa.by_hand(bernoulli, 3)(x, x)).all()
    with pytest.raises(ValueError, match=r"index \(0, 0\), but a Bernoulli .* cross-entropy: bin"):
        bernoulli.log_prob(x, x)


def test_probabilities_have_none_under_a_categorical():
    x = possible(sa.Categorical(), (4, 3))
    with pytest.raises(ValueError, match=r"index \(0, 0\), but a Categorical .* one-hot rows"):
        sa.Categorical().log_prob(x, x)


X = np.zeros((4, 3))
WRONG = {
    "rows": (X, X[:2], "a has 2 rows, but x has 4: give as many"),
    "shape of a": (X, X[:, :2], r"a has shape \(4, 2\), but \(N, 3\) is expected"),
    "a NaN": (X * np.nan, X, r"x is nan at index \(0, 0\)"),
    "NaN in a": (X, X * np.nan, r"a is nan at index \(0, 0\)"),
    "not in the support": (X - 1, X, "0 and 1 alone"),
}


@pytest.mark.parametrize("which", WRONG)
def test_a_wrong_use_is_a_sentence(which):
    x, a, words = WRONG[which]
    with pytest.raises(ValueError, match=words):
        sa.Bernoulli().log_prob(x, a)


class Shifted(sa.Likelihood):
    """One of a reader's own without a kernel: x = a + noise of deviation 1, by bind and
    forward."""

    def bind(self, backend, rows, shape, samples=1):
        self.backend = backend

    def forward(self, a, x):
        return ((a - x) ** 2 + np.log(2 * np.pi)).sum(axis=1) / 2

    def sample(self, a, noise):
        return a + noise.normal(a.shape)


def test_one_without_a_kernel(rng, tolerance):
    x, a = rng.normal(size=(2, 4, 3))
    right = sa.GaussianLikelihood().log_prob(x, a)
    np.testing.assert_allclose(Shifted().log_prob(x, a), right, rtol=tolerance("kernel"))
