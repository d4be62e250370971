"""check_estimator: gradients that are right in the mean alone, and what the others say of them."""

import numpy as np
import pytest
from gradcheck.planting import spoiled, wrong

import scratchae as sa
from scratchae.gradcheck import check, check_estimator, check_model, check_objective
from scratchae.latents import gaussian


def parts(conditional=False, I=4):
    if not conditional:
        return sa.Dense(I, 2), sa.Dense(1, I, "tanh"), sa.Gaussian(1), sa.Bernoulli()
    encoder = sa.Sequential(sa.Given(3), sa.Dense(I + 3, 2))
    decoder = sa.Sequential(sa.Given(3), sa.Dense(4, I, "tanh"))
    return encoder, decoder, sa.GivenPrior(1, 3, sa.Dense(3, 2)), sa.Bernoulli()


RIGHT = [(sa.ELBO, 1), (sa.ELBO, 2), (sa.IWAE, 2), (sa.STL, 1), (sa.DReG, 1), (sa.DReG, 2)]


@pytest.mark.slow
@pytest.mark.parametrize("kind, K", RIGHT)
def test_right_ones(kind, K, backend):
    report = check_estimator(kind(*parts(), samples=K), (4,), backend=backend)
    assert report.ok and len(report.rows) == 4, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("kind, K", [(sa.IWAE, 2), (sa.STL, 1)])
@pytest.mark.parametrize("given", [None, 1, [2, 0]])
def test_rows_that_are_given_something(kind, K, given):
    report = check_estimator(kind(*parts(True), samples=K), (4,), given=given)
    assert report.ok and len(report.rows) == 6, str(report)


@pytest.mark.slow
def test_a_bias_is_seen():
    """STL of two samples leaves out what has no mean of zero; an error of 0.1 % in the path."""
    assert set(wrong(check_estimator(sa.STL(*parts(), samples=2), (4,)))) == {
        "encoder.W",
        "encoder.b",
    }
    with pytest.MonkeyPatch.context() as patch:
        change = spoiled(gaussian.GAUSSIAN_PATH, lambda dh, *_: np.multiply(dh, 1.001, out=dh))
        patch.setattr(gaussian, "GAUSSIAN_PATH", change)
        assert wrong(check_estimator(sa.DReG(*parts(), samples=2), (4,)))


class Mine(sa.IWAE):
    """A reader's estimator, which says that its gradient is right in the mean alone."""

    is_slope = False


@pytest.mark.parametrize("kind", [sa.STL, sa.DReG, Mine])
def test_differences_of_one_loss_are_refused(kind):
    """They would call it wrong, as they do where it does not say so."""
    words = rf"the gradient of {kind.__name__} is no slope of the loss .* check_estimator\("
    model = sa.Model(kind(*parts(), samples=1)).build(4)
    for call in (
        lambda: check_objective(model.objective, (4,)),
        lambda: check_model(model),
        lambda: check(model),
        lambda: check(kind(*parts()), (4,)),
    ):
        with pytest.raises(TypeError, match=words):
            call()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [sa.STL, sa.DReG])
def test_they_would_be_called_wrong(kind, monkeypatch):
    monkeypatch.setattr(kind, "is_slope", True)
    assert wrong(check_objective(kind(*parts(), samples=1), (4,)))


class Hidden(sa.Gaussian):
    def bind(self, backend, rows, samples=1):
        super().bind(backend, rows, samples)
        del self.eps


def hierarchy():
    latent = sa.Hierarchy(sa.Dense(1, 2), sa.Dense(1, 2))
    return sa.ELBO(sa.Dense(4, 2), sa.Dense(1, 4), latent, sa.Bernoulli())


def with_latent(latent, D):
    return sa.ELBO(sa.Dense(4, 2 * D), sa.Dense(D, 4), latent, sa.Bernoulli())


REFUSED = {
    "no latent": (
        lambda: sa.Reconstruction(sa.Dense(4, 2), sa.Dense(2, 4), sa.SquaredError()),
        *(TypeError, "Reconstruction has no latent, .*: check_objective"),
    ),
    "two layers": (hierarchy, ValueError, "Hierarchy has noise of its networks, .*ELBO and IWAE"),
    "two numbers": (
        lambda: with_latent(sa.Gaussian(2), 2),
        *(ValueError, "ELBO has 2 latent numbers and 1 samples"),
    ),
    "no noise": (
        lambda: with_latent(Hidden(1), 1),
        TypeError,
        r"Hidden keeps no noise in self\.e",
    ),
    "no sum": (
        lambda: sa.Capacity(*parts(), capacity=1.0),
        *(ValueError, "Capacity is no sum over examples"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_does_not_take(name):
    make, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        check_estimator(make(), (4,))
