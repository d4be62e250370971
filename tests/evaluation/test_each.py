"""evaluate(..., each=True): the terms of each example, whose means are what evaluate says."""

from functools import partial

import numpy as np
import pytest
from sentences import one_sentence

import scratchae as sa
from scratchae.models import Model
from scratchae.schedules import Linear

X = np.random.default_rng(0).random((23, 5))


def parts():
    return sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), sa.Bernoulli()


def autoencoder(penalty=None):
    return sa.Autoencoder(sa.Dense(5, 3, "sigmoid"), sa.Dense(3, 5), penalty=penalty)


MODELS = {
    "ELBO": lambda: sa.VAE(*parts()),
    "beta": lambda: sa.VAE(*parts(), beta=3.0),
    "no KL": lambda: sa.VAE(*parts(), beta=0.0),
    "schedule": lambda: sa.VAE(*parts(), beta=Linear(0.5, 4, 3)),
    "samples": lambda: sa.VAE(*parts(), samples=3),
    "IWAE": lambda: Model(sa.IWAE(*parts(), samples=4)),
    "one weight": lambda: Model(sa.IWAE(*parts(), samples=1)),
    "DReG": lambda: Model(sa.DReG(*parts(), samples=3)),
    "reconstruction": autoencoder,
    "penalty": lambda: autoencoder(sa.L1(0.3)),
    "rate": lambda: autoencoder(sa.KLRate(0.3)),
    "contraction": lambda: autoencoder(sa.Contractive(0.3)),
}


def built(name, backend="numpy", dtype="float64"):
    """A model after three steps, so that a schedule is under way."""
    model = MODELS[name]().build(5, backend=backend, dtype=dtype, seed=1)
    sa.fit(model, X, sa.SGD(1e-3), epochs=1, batch_size=8, shards=1, progress=False)
    return model


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("batch_size", [23, 8])
def test_the_means_are_what_evaluate_says(name, backend, batch_size, tolerance):
    """The last batch of 8 has 7 rows."""
    model = built(name, backend)
    whole = sa.evaluate(model, X, batch_size=batch_size, seed=3)
    each = sa.evaluate(model, X, batch_size=batch_size, seed=3, each=True)
    due = set(whole) - ({"loss", "penalty"} if "penalty" in whole and not model.latent else set())
    assert due == set(each) - {"kl_per_dimension", "ess"} and "reconstruction" in due
    for term in due:
        assert each[term].shape == (23,) and each[term].dtype == np.float64
        mean, scale = each[term].mean(), abs(whole["loss"])
        assert mean == pytest.approx(whole[term], rel=1e-12, abs=tolerance("loss") * scale)
    if "kl" in due:
        terms = each["reconstruction"] + each["kl"] + each["penalty"]
        np.testing.assert_allclose(terms, each["loss"], rtol=1e-12)


def test_the_noise_is_that_of_a_row_whatever_the_batch(tolerance):
    model = built("IWAE")
    a, b = (sa.evaluate(model, X, batch_size=n, each=True) for n in (23, 4))
    for term in a:
        np.testing.assert_allclose(a[term], b[term], rtol=tolerance("layer"), atol=1e-12)
    other = sa.evaluate(model, X, seed=1, each=True)
    assert (other["loss"] != a["loss"]).all()


def test_kl_per_dimension_is_the_closed_form(backend, tolerance):
    model = built("beta", backend)
    each = sa.evaluate(model, X, each=True)
    mu, logvar = model.encode(X)
    expected = (mu**2 + np.exp(logvar) - 1 - logvar) / 2
    np.testing.assert_allclose(each["kl_per_dimension"], expected, rtol=tolerance("layer"))
    np.testing.assert_allclose(each["kl"], expected.sum(axis=1), rtol=tolerance("layer"))


def test_the_effective_number_of_samples():
    """Between 1 and K; K where all weights are equal, as with a decoder and an encoder that know
    nothing."""
    ess = sa.evaluate(built("IWAE"), X, each=True)["ess"]
    assert (ess >= 1).all() and (ess <= 4).all() and (ess < 4).any()
    model = MODELS["IWAE"]().build(5, dtype="float64")
    for name in model.weights:
        model.weights[name] = np.zeros(model.weights[name].shape)
    np.testing.assert_allclose(sa.evaluate(model, X, each=True)["ess"], 4, rtol=1e-12)


def test_a_kl_without_end_has_no_part_where_beta_is_0():
    """As in the mean: 0 times inf is not computed."""
    model = MODELS["no KL"]().build(5, dtype="float64")
    model.weights["encoder.b"] = [1e200, 0, 0, 0]
    whole, each = (sa.evaluate(model, X[:4], each=e) for e in (False, True))
    assert whole["kl"] == np.inf and (each["kl"] == np.inf).all()
    assert np.isfinite(whole["loss"])
    assert each["loss"].mean() == pytest.approx(whole["loss"], rel=1e-12)
    model = MODELS["ELBO"]().build(5, dtype="float64")
    model.weights["encoder.b"] = [1e200, 0, 0, 0]
    assert (sa.evaluate(model, X[:4], each=True)["penalty"] == 0).all()


def test_one_sample_gains_nothing():
    """In float32 too, where the bound and its two terms round differently."""
    parts = sa.Dense(5, 6), sa.Dense(3, 5), sa.Gaussian(3), sa.Bernoulli()
    model = sa.Model(sa.IWAE(*parts, samples=1)).build(5, seed=1)
    assert (sa.evaluate(model, X, each=True)["penalty"] == 0).all()
    assert sa.evaluate(model, X)["penalty"] == 0


class Own(sa.objectives.Objective):
    """An objective of the reader's own that says nothing of an example."""

    def __init__(self, encoder, decoder, likelihood):
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood

    def bind(self, backend, rows):
        super().bind(backend, rows)
        self.sums = backend.zeros((2,), np.float64)

    def forward(self, x):
        nll = self.likelihood.forward(self.decoder.forward(self.encoder.forward(x)), x)
        self.sums[:] = len(nll), nll.sum()
        return self.sums

    def loss(self, total):
        return {"loss": float(total[1] / total[0])}

    def backward(self, total):
        self.encoder.backward(self.decoder.backward(self.likelihood.backward()))


def test_bad_input():
    own = Model(Own(sa.Dense(5, 2), sa.Dense(2, 5), sa.SquaredError())).build(5)
    words = r"Own does not say each\(host\)"
    one_sentence(lambda: sa.evaluate(own, X, each=True), TypeError, words)
    words = "each is 1, but it must be True or False"
    one_sentence(lambda: sa.evaluate(built("ELBO"), X, each=1), ValueError, words)
    for name in ("shards", "threads"):
        for each in (True, False):
            call = partial(sa.evaluate, built("ELBO"), X, each=each, **{name: 0})
            one_sentence(call, ValueError, f"{name} is 0|{name} = 0|0 {name}")
    for seed in (-1, 0.5):
        call = partial(sa.evaluate, built("ELBO"), X, each=True, seed=seed)
        one_sentence(call, ValueError, "the seed is")
