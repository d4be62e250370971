"""log p(x) of a model that is given the label, and the label by Bayes' rule: by quadrature."""

import numpy as np
import pytest
from latents.test_given_prior import P_Y, X, evidence, model

import scratchae as sa
from scratchae.evaluation import ByLabel, by_label, log_likelihood

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def exact():
    return np.stack([evidence(model(), y) for y in (0, 1)], axis=1)  # (8, 2)


def test_log_p_of_x_given_a_label(exact):
    """Within 5 standard errors, for each x and each label."""
    for y in (0, 1):
        found = log_likelihood(model(1.4), sa.Labelled(sa.Values(X, np.full(8, y)), 2), **QUIET)
        np.testing.assert_array_less(np.abs(found.each - exact[:, y]), 5 * found.error + 1e-9)
    assert not np.allclose(exact[:, 0], exact[:, 1], atol=0.1)


@pytest.mark.parametrize("prior", [None, P_Y, np.array([1.0, 0.0]), [0, 1]])
def test_log_p_of_x_and_the_label_by_bayes(exact, prior):
    """From log p(x|y) as it is; log p(x) sums to one over all x."""
    p = np.full(2, 0.5) if prior is None else prior
    found, joint = ByLabel(exact, p), p * np.exp(exact)
    np.testing.assert_allclose(found.each, np.log(joint.sum(axis=1)), rtol=1e-12)
    np.testing.assert_allclose(np.exp(found.each).sum(), 1, rtol=1e-9)
    np.testing.assert_allclose(found.posterior, joint / joint.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(found.labels, joint.argmax(axis=1))
    drawn = by_label(model(1.4), X, prior, samples=5000, **QUIET)
    np.testing.assert_allclose(drawn.given, exact, atol=0.13)  # 5 standard errors
    np.testing.assert_array_equal(drawn.prior, p)


@pytest.mark.parametrize("prior", [[1.0], [0.4, 0.4], [-0.5, 1.5], [1, 1], [True, False], "even"])
def test_a_prior_is_probabilities(prior):
    with pytest.raises(ValueError, match="2 probabilities that sum to 1"):
        by_label(model(), X, prior, **QUIET)


def test_a_model_that_is_given_nothing_knows_no_labels():
    plain = sa.VAE(sa.Dense(3, 2), sa.Dense(1, 3), sa.Gaussian(1)).build(3, dtype="float64")
    with pytest.raises(TypeError, match="no p\\(x\\|y\\): put Given"):
        by_label(plain, X, **QUIET)


def upward(*above):
    """A model whose q(z_2|z_1) is given the label, and p(x|z) no more than what stands above."""
    latent = sa.Hierarchy(sa.Sequential(sa.Given(2), sa.Dense(4, 4)), sa.Dense(2, 4))
    decoder = sa.Sequential(*above, sa.Dense(2 + 2 * len(above), 3))
    objective = sa.ELBO(sa.Dense(3, 4), decoder, latent, sa.Bernoulli())
    return sa.Model(objective).build(3, dtype="float64")


def test_a_label_that_only_q_is_given_says_nothing_of_x():
    with pytest.raises(TypeError, match="draws x without a label, so there is no p"):
        by_label(upward(), X, **QUIET)
    assert upward().sample(4).shape == (4, 3)
    with pytest.raises(TypeError, match="no layer of the latent and the decoder of this Model"):
        upward().sample(4, given=1)
    both = upward(sa.Given(2))
    assert by_label(both, X, samples=10, **QUIET).given.shape == (8, 2)
    with pytest.raises(TypeError, match="given is missing: the decoder of this Model takes 2"):
        both.sample(4)


def test_what_was_found_is_compared_by_identity():
    """An array of comparisons has no one truth."""
    one, other = (by_label(model(1.4), X, samples=10, **QUIET) for _ in range(2))
    assert one != other and one == one and len({one, other, one}) == 2
