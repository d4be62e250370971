"""What the checks are given: data that a likelihood can have, and objects in place of classes."""

import numpy as np
import pytest
from gradcheck.test_distributions import Poisson

import scratchae as sa
from scratchae.gradcheck import __main__ as command
from scratchae.gradcheck import (
    check_bound,
    check_latent,
    check_likelihood,
    check_model,
    check_objective,
    check_sampler,
)
from scratchae.gradcheck.models import likelihood_gradients
from scratchae.likelihoods import Likelihood


class Counts(Poisson):
    def check(self, x):
        if not ((x >= 0) & (x == np.round(x))).all():
            raise ValueError("x holds no counts, but whole numbers from 0 are expected")


class Undrawn(Counts):
    sample = Likelihood.sample


class OffItself(Counts):
    def sample(self, a, noise):
        return super().sample(a, noise) + 0.5


@pytest.fixture
def float64():
    return sa.backend.get_backend("numpy", "float64")


def test_data_of_counts_are_drawn(float64):
    rows = likelihood_gradients(Counts(), (2,), None, 3, float64)
    assert [row.verdict for row in rows] == ["right", "right"], rows


@pytest.mark.slow
def test_a_likelihood_of_counts_is_right():
    assert check_likelihood(Counts()).ok


@pytest.mark.parametrize(
    "kind, why", [(Undrawn, "it draws none"), (OffItself, "nor what its sample draws")]
)
def test_data_that_cannot_be_made_are_asked_for(kind, why):
    with pytest.raises(ValueError, match="x=") as error:
        check_likelihood(kind())
    assert why in str(error.value) and "whole numbers from 0" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_command_says_so_in_one_sentence(tmp_path, capsys):
    (tmp_path / "counts.py").write_text(
        "import scratchae as sa\n\n\nclass Counts(sa.SquaredError):\n"
        "    def check(self, x):\n"
        "        if (x != x.round()).any():\n"
        "            raise ValueError('whole numbers are expected')\n"
    )
    with pytest.raises(SystemExit) as ended:
        command.main([f"{tmp_path / 'counts.py'}:Counts"])
    told = capsys.readouterr().err
    assert ended.value.code == 2 and told.count("\n") == 1 and "x=" in told, told


@pytest.mark.parametrize(
    "check, kind, what",
    [
        (check_sampler, sa.Gaussian, "the latent"),
        (check_latent, sa.Gaussian, "the latent"),
        (check_likelihood, sa.Bernoulli, "the likelihood"),
        (check_bound, sa.VAE, "the model"),
        (check_model, sa.VAE, "the model"),
    ],
)
def test_a_class_is_refused(check, kind, what):
    with pytest.raises(TypeError, match=f"{what} is the class {kind.__name__}, but an object"):
        check(kind)


def test_the_class_of_an_objective_is_refused():
    with pytest.raises(TypeError, match="the objective is the class ELBO, but an object"):
        check_objective(sa.objectives.ELBO, (2,))
