"""The sigma that is best for the batch: its value, its gradient through the whole batch, and what
a single example has none of."""

import math

import numpy as np
import pytest

import scratchae as sa
from scratchae.detection import negative_log_likelihood
from scratchae.gradcheck import check_model

X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)


def autoencoder(likelihood=None, **build):
    encoder, decoder = sa.Dense(5, 2, "tanh"), sa.Dense(2, 5)
    return sa.Autoencoder(encoder, decoder, likelihood or sa.OptimalGaussian()).build(5, **build)


def vae(likelihood=None, samples=1, **build):
    parts = sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), likelihood or sa.OptimalGaussian()
    return sa.VAE(*parts, samples=samples).build(5, **build)


MAKE = pytest.mark.parametrize("make", [autoencoder, vae, lambda **build: vae(None, 3, **build)])


def test_its_value_is_the_least_over_all_sigmas(backend, tolerance):
    """Of the same model with a Gaussian of any other."""
    model = autoencoder(backend=backend, dtype="float64", seed=1)
    loss = sa.evaluate(model, X)["loss"]
    sigma = model.likelihood.sigma(X, model.reconstruct(X))
    at = {
        f: autoencoder(sa.GaussianLikelihood(f * sigma), backend=backend, dtype="float64", seed=1)
        for f in (0.9, 1.0, 1.1)
    }
    found = {f: sa.evaluate(other, X)["loss"] for f, other in at.items()}
    assert loss == pytest.approx(found[1.0], rel=tolerance("loss"))
    assert loss == pytest.approx(5 / 2 * (math.log(2 * math.pi * sigma**2) + 1))
    assert found[0.9] > loss + 0.01 and found[1.1] > loss + 0.01


@MAKE
def test_every_gradient_of_a_model(make, backend):
    report = check_model(make(backend=backend), X[:6].astype(np.float64))
    assert report.ok, str(report)


@MAKE
def test_shards_change_rounding_only(make, backend, tolerance):
    """sigma is that of the whole batch, whichever shard a row is in."""
    found = []
    for shards in (1, 2, 3, 7):
        model = make(backend=backend, dtype="float64", seed=1)
        history = sa.fit(
            model, X, sa.Adam(1e-2), epochs=3, batch_size=30, shards=shards, progress=False
        )
        found.append([*history["train_loss"], *model.weights["decoder.W"].ravel()])
    np.testing.assert_allclose(found, [found[0]] * 4, rtol=tolerance("layer"))


@pytest.mark.slow
def test_it_ends_where_a_learned_sigma_ends(backend):
    losses = []
    for likelihood in (sa.OptimalGaussian(), sa.SharedGaussian(1.0, 0.0)):
        model = autoencoder(likelihood, backend=backend, seed=1)
        sa.fit(model, X, sa.Adam(2e-2), epochs=400, batch_size=60, progress=False)
        losses.append(sa.evaluate(model, X)["loss"])
    assert losses[0] == pytest.approx(losses[1], abs=0.02)


def test_the_loss_does_not_depend_on_the_batches_that_data_are_measured_in(backend, tolerance):
    model = vae(backend=backend, dtype="float64", seed=1)
    losses = [sa.evaluate(model, X, batch_size=n)["loss"] for n in (60, 7, 1)]
    np.testing.assert_allclose(losses, losses[0], rtol=tolerance("loss"))


REFUSED = {
    "each": lambda model: sa.evaluate(model, X, each=True),
    "scores": lambda model: negative_log_likelihood(model, X),
    "log_prob": lambda model: model.likelihood.log_prob(X, X),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("make", [autoencoder, vae])
def test_an_example_alone_has_no_likelihood(make, what):
    with pytest.raises(TypeError, match=r"under OptimalGaussian the loss is that of a batch as a"):
        REFUSED[what](make())


@pytest.mark.parametrize("kind", ["IWAE", "STL", "DReG"])
def test_importance_weights_need_one(kind):
    parts = sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), sa.OptimalGaussian()
    model = sa.Model(getattr(sa.objectives, kind)(*parts, samples=3))
    with pytest.raises(TypeError, match="an example has no log p"):
        model.build(5)


def test_draws_are_refused():
    with pytest.raises(TypeError, match="OptimalGaussian says nothing of drawing x"):
        autoencoder().sample_x(np.zeros((1, 2), np.float32))


def test_it_is_saved(tmp_path):
    model = vae(seed=1, dtype="float64")
    sa.fit(model, X, sa.Adam(1e-2), epochs=1, progress=False)
    sa.save(model, tmp_path / "model")
    again = sa.load(tmp_path / "model")
    assert sa.evaluate(again, X) == sa.evaluate(model, X)
