"""Classes of a reader's own: what they leave out is said in a sentence, by name, and before anything is trained."""

import numpy as np
import pytest

import scratchae as sa
from scratchae.objectives import Penalty

X = np.linspace(0, 1, 40 * 6, dtype=np.float32).reshape(40, 6)


class Half(sa.Layer):
    """y = x / 2, as short as a layer can be."""

    def __init__(self, by=2):
        self.divisor = by

    def declare(self, shape):
        return shape, {}

    def bind(self, backend, rows, need_dx):
        pass

    def forward(self, x):
        return x / np.float32(self.divisor)

    def backward(self, dy):
        return dy / np.float32(self.divisor)


class NoBackward(Half):
    backward = sa.Layer.backward


class NoForward(Half):
    forward = sa.Layer.forward


class NoBind(Half):
    bind = sa.Layer.bind


class NoDeclare(Half):
    declare = sa.Layer.declare


class ShapeAlone(Half):
    def declare(self, shape):
        return shape


class Price(Penalty):
    """A penalty that says nothing."""


def model(layer, penalty=None):
    encoder = sa.Sequential(sa.Dense(6, 3), layer)
    return sa.Autoencoder(encoder, sa.Dense(3, 6), penalty=penalty).build(6)


def test_a_short_layer_is_enough():
    m = model(Half())
    assert m.objective.encoder.layers[1].output == m.objective.encoder.layers[1].shape == (3,)
    assert "encoder.1  Half()" in str(m)  # its argument is kept under another name
    losses = sa.fit(m, X, sa.Adam(1e-2), epochs=5, batch_size=8)["train_loss"]
    assert losses[-1] < losses[0]
    alone = sa.Autoencoder(sa.Dense(6, 3), sa.Sequential(sa.Dense(3, 6), Half())).build(6)
    assert alone.reconstruct(X).shape == X.shape
    with pytest.raises(TypeError, match="a Half cannot be saved, since its argument by is no attribute"):
        sa.save(m, "nowhere")


@pytest.mark.parametrize(
    ("layer", "kind", "words"),
    [
        (NoDeclare(), NotImplementedError, r"NoDeclare does not say declare\(shape\)"),
        (
            ShapeAlone(),
            TypeError,
            r"ShapeAlone\.declare gives \(3,\), but the shape of an output row and",
        ),
        (NoBind(), NotImplementedError, r"NoBind does not say bind\(backend, rows, need_dx\)"),
        (NoForward(), NotImplementedError, r"NoForward does not say forward\(x\)"),
        (NoBackward(), NotImplementedError, r"NoBackward does not say backward\(dy\)"),
    ],
)
def test_what_a_layer_leaves_out(layer, kind, words):
    with pytest.raises(kind, match=words):
        sa.fit(model(layer), X, sa.Adam(), epochs=1)


def test_what_a_penalty_leaves_out():
    with pytest.raises(NotImplementedError, match=r"Price does not say forward\(sums, nll, h\)"):
        sa.evaluate(model(Half(), Price(0.1)), X)
    with pytest.raises(NotImplementedError, match=r"Price does not say backward\(dh, h, total\)"):
        price = Price(0.1)
        price.forward = lambda sums, nll, h: sums.__setitem__(slice(None), [len(h), nll.sum(), 0])
        sa.fit(model(Half(), price), X, sa.Adam(), epochs=1)


def without_noise(shape, fan_in, fan_out):
    return np.zeros(shape)


def test_an_initialiser_of_other_arguments():
    with pytest.raises(TypeError, match=r"the initialiser is .*, but a function \(shape, fan_in, fan_out, noise\)"):
        sa.Dense(6, 3, init=without_noise)
