"""Names that cannot act: refused where they are set, on every part of the library; what a class of
a reader's own takes is its own matter."""

import re

import numpy as np
import pytest

import scratchae as sa
from scratchae.latents import Gaussian
from scratchae.models import Model
from scratchae.objectives import L1, Reconstruction

X = np.random.default_rng(0).random((20, 6)).astype(np.float32)


def vae():
    return sa.VAE(sa.Dense(6, 4), sa.Sequential(sa.Dense(2, 6)), Gaussian(2))


def built():
    return vae().build(6)


VAE = "beta, decoder, encoder, latent, likelihood"
WRONG = {
    "optimiser": (sa.Adam, "learning_rate", "beta1, beta2, eps, lr"),
    "another's": (sa.Adam, "weight_decay", "beta1, beta2, eps, lr"),
    "a part's": (lambda: sa.Autoencoder(sa.Dense(6, 2), sa.Dense(2, 6)), "weight", "decoder, "),
    "model": (vae, "betta", VAE),
    "built model": (built, "betta", VAE),
    "set on its objective": (built, "t", VAE),
    "set there too": (built, "epoch", VAE),
    "set on its likelihood": (built, "learnt", VAE),
    "set on its parts": (lambda: built().objective, "add", "beta, decoder, encoder"),
    "objective": (
        lambda: built().objective,
        "betta",
        "beta, decoder, encoder, latent, likelihood",
    ),
    "layer": (lambda: sa.Dropout(0.5), "rate", "in_evaluation, p, trainable"),
    "layer inside": (lambda: built().decoder.layers[0], "units", "activation, init, init_b, "),
    "likelihood": (lambda: sa.GaussianLikelihood(), "std", "sigma"),
    "latent": (lambda: Gaussian(2), "size", "dimensions"),
    "error": (sa.SquaredError, "sigma", "nothing"),
    "penalty": (lambda: L1(1e-3), "strength", "weight"),
}


@pytest.mark.parametrize("make, name, due", WRONG.values(), ids=WRONG)
def test_a_name_that_cannot_act_is_refused(make, name, due):
    thing = make()
    kind, before = type(thing).__name__, dict(vars(thing))
    words = f"this {kind} has no {name!r}, which could not act: set {due}"
    with pytest.raises(AttributeError, match=re.escape(words)):
        setattr(thing, name, 0.5)
    assert vars(thing) == before


def test_it_is_refused_during_training_too():
    optimizer = sa.Adam()

    def halve(model, history):
        optimizer.learning_rate = 1e-4

    with pytest.raises(AttributeError, match="this Adam has no 'learning_rate'"):
        sa.fit(built(), X, optimizer, epochs=2, callbacks=halve, progress=False)


def test_what_begins_with_an_underscore_is_the_readers():
    for thing in (sa.Adam(), built(), sa.Dense(3, 2), built().objective):
        thing._note = "mine"
        assert thing._note == "mine"


class Noted(sa.Adam):
    """An optimiser that remembers a word, which it takes from anywhere."""


class Wide(Reconstruction):
    """Sets what it likes where it likes."""

    def bind(self, backend, rows):
        super().bind(backend, rows)
        self.buffer_of_rows = backend.zeros((rows,))


class Strict(sa.Dense):
    """Has a rule of its own for what is set."""

    def __setattr__(self, name, value):
        if name == "forbidden":
            raise AttributeError("forbidden")
        super().__setattr__(name, value)


class StricterStill(Strict):
    """Keeps that rule."""


def test_a_class_of_ones_own_takes_any_name():
    optimizer, objective = Noted(), Wide(sa.Dense(6, 2), sa.Dense(2, 6), sa.SquaredError(), None)
    optimizer.word = objective.word = "mine"
    model = Model(objective).build(6)
    history = sa.fit(model, X, optimizer, epochs=1, progress=False)
    assert optimizer.word == model.objective.word == "mine" and len(history) == 1
    layer = StricterStill(6, 2)
    with pytest.raises(AttributeError, match="forbidden"):
        layer.forbidden = 1
    with pytest.raises(AttributeError, match="this StricterStill has no 'outptus'"):
        layer.outptus = 1
    sa.fit(sa.Autoencoder(layer, sa.Dense(2, 6)).build(6), X, sa.Adam(), epochs=1, progress=False)


def test_no_step_pays_for_it():
    """The copies of the shards set attributes in each step, and take them as Python does."""
    objective = built().replica(3)
    for part in (objective, objective.latent, objective.decoder, objective.decoder.layers[0]):
        assert type(part).__setattr__ is object.__setattr__
        assert type(part).__name__ == type(part).__mro__[1].__name__
