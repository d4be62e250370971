"""check_bound of several samples, of free bits and a capacity, and of what rows are given."""

from itertools import pairwise

import numpy as np
import pytest
from gradcheck.planting import spoiled, wrong
from gradcheck.test_bounds import put, sides

import scratchae as sa
from scratchae.gradcheck import bounds, check_bound, check_estimator, check_model, check_objective
from scratchae.gradcheck.points import Points, fitting, log_sum
from scratchae.latents import gaussian, given_prior
from scratchae.objectives import iwae

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).random((3, 6))


def parts(D, likelihood=None):
    encoder = sa.Sequential(sa.Dense(6, 8, "tanh"), sa.Dense(8, 2 * D))
    decoder = sa.Sequential(sa.Dense(D, 8, "tanh"), sa.Dense(8, 6))
    return encoder, decoder, sa.Gaussian(D), likelihood or sa.GaussianLikelihood(0.7)


def model(kind, D=1, likelihood=None, **options):
    return sa.Model(kind(*parts(D, likelihood), **options)).build(6, dtype="float64", seed=3)


def conditional(kind=sa.ELBO, **options):
    encoder = sa.Sequential(sa.Given(3), sa.Dense(9, 2))
    decoder = sa.Sequential(sa.Given(3), sa.Dense(4, 6))
    latent = sa.GivenPrior(1, 3, sa.Dense(3, 2))
    made = sa.Model(kind(encoder, decoder, latent, sa.Bernoulli(), **options))
    made.build(6, dtype="float64", seed=3)
    made.weights["latent.network.b"] = [0.4, -0.7]
    return made


# --- points ---


@pytest.mark.parametrize("D, K", [(1, 1), (1, 2), (1, 4), (2, 2)])
def test_points_have_the_means_of_samples_that_are_independent(D, K):
    """Of products of powers of the noise of K samples, which are exact."""
    points = Points(D, K, True)
    eps = points.eps[points.nodes]  # (P, K, D)
    assert points.W.sum() == pytest.approx(1) == points.w.sum()
    once = (eps**2).prod(axis=(1, 2)) + (eps**2).sum(axis=(1, 2)) ** 2
    assert points.W @ once == pytest.approx(1 + K * D * (K * D + 2))
    several = log_sum(np.log(np.ones((5, K))))
    np.testing.assert_allclose(several, np.log(K))


def test_how_many_samples_fit():
    assert [k for k in range(2, 20) if fitting(1, k)] == [2, 3, 4, 5, 6]
    assert [k for k in range(2, 20) if fitting(2, k)] == [2]


# --- right ones ---


RIGHT = {
    "ELBO": (sa.ELBO, {"beta": 3.0, "samples": 3}),
    "no beta": (sa.ELBO, {"beta": 0.0}),
    "a schedule": (sa.ELBO, {"beta": sa.schedules.Linear(0, 1, 10)}),
    "IWAE of one": (sa.IWAE, {"samples": 1}),
    "IWAE": (sa.IWAE, {"samples": 2}),
    "STL": (sa.STL, {"samples": 2}),
    "DReG": (sa.DReG, {"samples": 2}),
    "free bits": (sa.FreeBits, {"floor": 2.0, "beta": 0.5, "samples": 2}),
    "capacity": (sa.Capacity, {"capacity": 7.0, "samples": 2}),
}


@pytest.mark.parametrize("D", [1, 2])
@pytest.mark.parametrize("name", RIGHT)
def test_right_ones(name, D, tolerance):
    kind, options = RIGHT[name]
    report = check_bound(model(kind, D, **options), X[:2])
    assert [row.verdict for row in report.rows] == ["right"] * 3, str(report)
    assert report.rows[0].error < tolerance("loss")


@pytest.mark.parametrize("name", ["ELBO", "IWAE", "free bits", "capacity"])
def test_every_backend(name, backend, monkeypatch):
    monkeypatch.setattr("scratchae.gradcheck.points.MOST", 100)  # points: 13 nodes
    assert check_bound(model(RIGHT[name][0], **RIGHT[name][1]), X[:2], backend).ok


def test_they_are_one_bound_and_more_samples_a_tighter_one():
    """-log p(x) < L_6 < L_3 < L_2 < L_1, which is that of every ELBO."""
    made = model(sa.IWAE, likelihood=sa.GaussianLikelihood(1.5))
    found = [sides(made, *bounds.data_for(made, X, None), K).exact() for K in (1, 2, 3, 6)]
    for more, fewer in pairwise(reversed(found)):
        assert (-more.log_p + 1e-4 < more.bound).all() and (more.bound < fewer.bound - 1e-4).all()
        np.testing.assert_allclose(more.log_p, fewer.log_p, rtol=1e-12)
    for kind, options in RIGHT.values():
        other = model(kind, likelihood=sa.GaussianLikelihood(1.5), **options)
        again = sides(other, *bounds.data_for(other, X, None), 1).exact()
        np.testing.assert_allclose(again.bound, found[0].bound, rtol=1e-12)


def test_samples_are_those_of_the_objective_or_as_asked():
    made = model(sa.DReG, samples=50)
    words = r"DReG has 50 samples, and D = 1, but .* check_bound\(model, x, samples=6\)"
    with pytest.raises(ValueError, match=words):
        check_bound(made, X)
    assert "K = 3\n" in str(check_bound(made, X, samples=3)) and made.objective.samples == 50
    with pytest.raises(ValueError, match=r"samples=2\)"):
        check_bound(model(sa.IWAE, 2, samples=3), X)
    with pytest.raises(ValueError, match="samples is 0"):
        check_bound(made, X, samples=0)


def test_nodes_that_are_too_few_are_told():
    """A posterior far narrower than q, and a loss that is taken to be below -log p(x)."""
    made = model(sa.IWAE, likelihood=sa.GaussianLikelihood(0.05), samples=5)
    points = bounds._points(made.objective, 5)
    both = sides(made, *bounds.data_for(made, X, None), 5)
    exact = both.exact()
    assert exact.above > bounds.UNSETTLED
    row = bounds._bound_row(-exact.log_p.mean() - 1, exact, points)
    assert row.verdict == "does not settle" and "by the nodes" in row.note


# --- planted errors ---


def test_a_forgotten_number_of_samples_is_seen(monkeypatch):
    loss = sa.ELBO.loss
    monkeypatch.setattr(sa.ELBO, "loss", lambda self, total: loss(self, total * [1, self.K, 1]))
    for kind in ("ELBO", "free bits"):
        made = model(RIGHT[kind][0], **RIGHT[kind][1])
        assert "loss" in wrong(check_bound(made, X))
    assert check_bound(model(sa.ELBO), X).ok


def log_k(w, bound, nll, r):
    put(bound, bound - np.log(len(nll) // len(bound)))


BOUND_ERRORS = {
    "a sum in the place of a mean": ("IMPORTANCE_WEIGHTS", iwae, log_k),
    "the bound off by 0.1 %": (
        *("IMPORTANCE_WEIGHTS", iwae),
        lambda w, bound, nll, r: put(bound, 1.001 * bound),
    ),
    "the ratio of the wrong sign": (
        *("GAUSSIAN_RATIO", gaussian),
        lambda r, z, h, eps: put(r, -r),
    ),
    "the ratio off by 0.1 %": (
        *("GAUSSIAN_RATIO", gaussian),
        lambda r, z, h, eps: put(r, 1.001 * r),
    ),
}


@pytest.mark.parametrize("kind", [sa.IWAE, sa.DReG])
@pytest.mark.parametrize("error", BOUND_ERRORS)
def test_an_error_in_the_weights_is_seen(error, kind, monkeypatch):
    name, module, change = BOUND_ERRORS[error]
    monkeypatch.setattr(module, name, spoiled(getattr(module, name), change))
    assert "loss" in wrong(check_bound(model(kind, samples=2), X))


def test_a_loss_below_log_p_is_told(monkeypatch):
    """The sum in the place of the mean is log 2 too low, which is more than the gap has."""
    right = check_bound(near(), X[:1])
    assert right.ok, str(right)
    monkeypatch.setattr(iwae, "IMPORTANCE_WEIGHTS", spoiled(iwae.IMPORTANCE_WEIGHTS, log_k))
    assert set(wrong(check_bound(near(), X[:1]))) == {"loss", "bound"}


def near():
    """A posterior near the prior, and q too."""
    made = model(sa.IWAE, likelihood=sa.GaussianLikelihood(3.0), samples=2)
    for name in ("encoder.1.W", "encoder.1.b"):
        made.weights[name] = 0 * made.weights[name]
    return made


@pytest.mark.parametrize("name", ["free bits", "capacity"])
def test_a_wrong_kl_is_seen_under_any_control_of_it(name, monkeypatch):
    change = spoiled(gaussian.GAUSSIAN_SAMPLE, lambda z, kl, h, eps: put(kl, 1.001 * kl))
    monkeypatch.setattr(gaussian, "GAUSSIAN_SAMPLE", change)
    assert "loss" in wrong(check_bound(model(RIGHT[name][0], **RIGHT[name][1]), X))


@pytest.mark.parametrize("name", ["free bits", "capacity"])
def test_a_penalty_that_is_not_in_the_loss_is_seen(name, monkeypatch):
    kind, options = RIGHT[name]
    loss = kind.loss

    def without(self, total):
        terms = loss(self, total)
        return terms | {"loss": terms["loss"] - 0.1 * terms["penalty"]}

    monkeypatch.setattr(kind, "loss", without)
    assert "loss" in wrong(check_bound(model(kind, **options), X))


# --- what rows are given ---


@pytest.mark.parametrize("kind, K", [(sa.ELBO, 3), (sa.IWAE, 2), (sa.STL, 2)])
@pytest.mark.parametrize("given", [None, 2, [0, 1, 2], X[:, :3]])
def test_rows_that_are_given_something(kind, K, given):
    for made, x in ((conditional(kind, samples=K), X > 0.5), (conditional(kind, samples=K), 3)):
        report = check_bound(made, x * 1, given=given)
        assert [row.verdict for row in report.rows] == ["right"] * 3, str(report)
    assert check_model(conditional(), X, given=given).ok


def test_what_they_are_given_matters():
    """The loss and log p(x) of one label are not those of another."""
    found = {str(check_bound(conditional(), X, given=y).rows[0].note) for y in range(3)}
    assert len(found) == 3


@pytest.mark.parametrize(
    "name, change",
    [
        ("PRIOR_SAMPLE", lambda z, kl, h, p, eps: put(kl, 1.001 * kl)),
        ("PRIOR_SAMPLE", lambda z, kl, h, p, eps: put(z, z + 0.001 * p[:, 1:])),
        ("PRIOR_RATIO", lambda r, z, h, p, eps: put(r, 1.001 * r)),
    ],
)
def test_an_error_in_a_prior_that_is_given_is_seen(name, change, backend, monkeypatch):
    kernel = getattr(given_prior, name)
    monkeypatch.setattr(given_prior, name, spoiled(kernel, change))
    made = conditional(sa.IWAE if name == "PRIOR_RATIO" else sa.ELBO, samples=1)
    assert "loss" in wrong(check_bound(made, X, backend, given=1))


CHECKS = {
    "check_bound": lambda made, x, **how: check_bound(made, x, **how),
    "check_model": lambda made, x, **how: check_model(made, x, **how),
    "check_objective": lambda made, x, **how: check_objective(made.objective, (6,), **how),
    "check_estimator": lambda made, x, **how: check_estimator(made.objective, (6,), **how),
}


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_given_for_nothing_or_wrongly_is_a_sentence(check):
    with pytest.raises(TypeError, match="given is 1, but no layer of this ELBO takes anything"):
        CHECKS[check](model(sa.ELBO), X, given=1)
    with pytest.raises(ValueError, match="there is a class 3 in given, at index 0, but 3 classes"):
        CHECKS[check](conditional(), X, given=3)


@pytest.mark.parametrize("check", [check_bound, check_model])
def test_a_source_is_told_from_rows(check):
    data = sa.Labelled(sa.Values(X, np.arange(3)), 3)
    words = r"x is a Labelled, but .* hand in data\.values\(slice\(3\)\), and .* given=data\.given"
    with pytest.raises(TypeError, match=words):
        check(conditional(), data)
    assert check(conditional(), data.values(slice(3)), given=data.given(slice(3))).ok
