"""What is claimed of the importance weighted bound and of log p(x) by it, and is asked twice, as
in claims.py: of the code as it is, and of the code with a famous bug planted."""

from functools import partial

import numpy as np
import pytest
from proofs.linear_gaussian import draw, exact, linear_vae, set_posterior
from proofs.quadrature import Noise, built, differences, log_p

import scratchae as sa
from scratchae import ELBO, IWAE, STL
from scratchae.evaluation import log_likelihood
from scratchae.gradcheck import check_objective
from scratchae.models import Model

X = np.array([1.0, 0.0, 1.0, 1.0])
NODES = {1: 60, 2: 30, 3: 20}
LIKELIHOODS = {
    "Bernoulli": {},
    "Gaussian": {"likelihood": sa.GaussianLikelihood(0.7)},
    "LearnedGaussian": {"likelihood": sa.LearnedGaussian(0.5), "outputs": 8},
}


def more_samples_come_closer_to_log_p(backend, name="Bernoulli"):
    """ELBO = L_1 < L_2 < L_3 < log p(x), and no draw is made."""
    Ks = (1, 2, 3) if backend == "numpy" else (1, 2)
    make = partial(built, backend=backend, **LIKELIHOODS[name])
    bounds = [-Noise(make(IWAE, K), X, NODES[K]).loss() for K in Ks]
    assert all(np.diff(bounds) > 1e-3) and bounds[-1] < log_p(make(IWAE, 1), X) - 1e-3
    elbo = -Noise(make(ELBO, 1), X, NODES[1]).loss()
    assert bounds[0] == pytest.approx(elbo, rel=1e-12)


def the_mean_gradient_is_the_slope_of_the_mean_loss(
    kind, K, nodes=30, allowed=1e-6, backend="numpy"
):
    """By h and by the decoder, against the slopes of the mean loss. STL's has that for one sample
    alone: of more it is biased, and the encoder's alone."""
    noise = Noise(built(kind, K, backend), X, nodes)
    found = noise.w @ noise.dh()
    slope = differences(noise.loss, noise.model, "encoder.b")
    error = np.abs(found - slope).max() / np.abs(slope).max()
    assert error > 0.1 if kind is STL and K > 1 else error < allowed
    if kind is not ELBO:
        for name, gradient in noise.decoder_gradients().items():
            slope = differences(noise.loss, noise.model, name)
            assert np.abs(gradient - slope).max() < allowed * np.abs(slope).max(), name


def the_exact_posterior_gives_log_p_in_every_draw(kind, backend, tolerance):
    """All weights are equal, the loss is -log p(x), and the path's gradient is zero: of STL and
    DReG in every draw, of IWAE in the mean alone."""
    model = linear_vae(backend, orthogonal=True)
    set_posterior(model)
    x = np.random.default_rng(4).normal(size=(6, 5))
    mine = Model(kind(*parts_of(model), samples=4)).build(5, backend=backend, dtype="float64")
    for name, values in model.weights.items():
        mine.weights[name] = values
    grads = mine.backend.zeros((mine.parameters.size,))
    replica = mine.replica(6, grads)
    draw(replica, 6, mine.backend)
    replica.forward(mine.backend.asarray(x))
    each = replica.each(lambda a: np.array(mine.backend.to_host(a)))
    np.testing.assert_allclose(each["loss"], -exact(model, x)[0], rtol=tolerance("layer"))
    np.testing.assert_allclose(each["ess"], 4, rtol=tolerance("layer"))
    replica.backward(replica.sums)
    found = {
        k: np.abs(mine.backend.to_host(v)).max() for k, v in mine.parameters.views(grads).items()
    }
    encoder = max(found["encoder.W"], found["encoder.b"])
    assert encoder > 0.1 if kind is IWAE else encoder < 1e-10
    assert found["decoder.W"] > 0.1


def parts_of(model):
    """Fresh parts like those of a linear-Gaussian VAE."""
    likelihood = sa.GaussianLikelihood(model.likelihood.sigma)
    return sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), likelihood


def the_gradient_is_the_slope_of_the_loss(backend, kind=IWAE):
    """Of three samples that were drawn, by every tensor."""
    objective = kind(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), sa.Bernoulli(), samples=3)
    report = check_objective(objective, (6,), backend=backend)
    assert report.ok, str(report)


def log_p_is_exact_of_every_row(samples, tolerance, n=41):
    """With the exact posterior, whatever the number of samples and of examples."""
    model = linear_vae(orthogonal=True)
    set_posterior(model)
    x = np.random.default_rng(0).normal(size=(n, 5))
    found = log_likelihood(model, x, samples)
    assert found.each.shape == (n,)
    np.testing.assert_allclose(found.each, exact(model, x)[0], rtol=tolerance("layer"))
    np.testing.assert_allclose(found.ess, samples, rtol=tolerance("layer"))
    assert found.mean == pytest.approx(exact(model, x)[0].mean(), rel=tolerance("layer"))


def evaluate_is_the_mean_of_every_row():
    """In batches of 16, of which the last has 9 rows."""
    model = linear_vae()
    x = np.random.default_rng(0).normal(size=(41, 5))
    mean, each = (sa.evaluate(model, x, batch_size=16, each=e) for e in (False, True))
    assert mean["loss"] == pytest.approx(each["loss"].mean(), rel=1e-12)
