"""What the SHA-256 of a model in compressed data holds: what coding reads, and nothing else."""

import numpy as np
import pytest
from coding.models import dense, images
from sentences import one_sentence

import scratchae as sa
from scratchae import coding, initializers
from scratchae.settings import Number

SHAPE = (4, 3, 1)


@pytest.fixture(scope="module")
def model():
    return dense(SHAPE)


@pytest.fixture(scope="module")
def whole(model):
    return coding.compress(model, images(model, 40))


def around(like, objective=sa.ELBO, likelihood=None, activation="tanh", scale=None, **how):
    """A model like ``dense`` with the weights of that one, some of it otherwise."""
    more = () if scale is None else (scale,)
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(12, 8, activation), sa.Dense(8, 6))
    out = sa.Dense(8, 12, init=initializers.Normal(7.0)), sa.Reshape(*SHAPE)
    decoder = sa.Sequential(sa.Dense(3, 8, "tanh"), *out, *more)
    parts = encoder, decoder, sa.Gaussian(3), likelihood or sa.Bernoulli()
    model = sa.Model(objective(*parts, **how)).build(SHAPE)
    for name, values in like.weights.items():
        model.weights[name] = values
    return model


def refused(model, data):
    one_sentence(lambda: coding.decompress(model, data), ValueError, "model whose SHA-256 is")


def test_what_coding_does_not_read_may_change(model, whole):
    """beta, what is frozen, the initialisers, the objective and its samples."""
    x = images(model, 40)
    changed = dense(SHAPE)
    changed.beta, changed.encoder.trainable = 2.0, False
    for other in (changed, around(model), around(model, sa.IWAE, samples=3)):
        assert (coding.decompress(other, whole) == x).all()
    free_bits = around(model, sa.FreeBits, floor=0.5)
    assert (coding.decompress(free_bits, whole) == x).all()


class Scale(sa.Layer):
    """y = factor x."""

    factor = Number(0)

    def __init__(self, factor):
        self.factor = factor

    def declare(self, shape):
        self.output = shape
        return shape, {}

    def bind(self, backend, rows, need_dx):
        pass

    def forward(self, x):
        return x * np.float32(self.factor)

    def backward(self, dy):
        return dy * np.float32(self.factor)


Early = Scale


def scale_of_later(kind):
    """The same class, with an argument that was added since."""

    class Scale(kind):
        def __init__(self, factor, shift=0.0):
            super().__init__(factor)
            self.shift = shift

        def forward(self, x):
            return super().forward(x) + np.float32(self.shift)

    return Scale


def test_an_argument_that_is_added_later_leaves_earlier_files_readable(model):
    Later = scale_of_later(Early)
    x = images(model, 40)
    data = coding.compress(around(model, scale=Early(0.5)), x)
    assert (coding.decompress(around(model, scale=Later(0.5)), data) == x).all()
    refused(around(model, scale=Later(0.5, 0.25)), data)
    refused(around(model, scale=Early(0.25)), data)


class Negative(sa.Bernoulli):
    """Another likelihood of the same symbols."""


def test_what_acts_is_in_the_fingerprint(model, whole):
    changes = {"activation": "relu"}, {"likelihood": Negative()}, {"scale": Early(1.0)}
    for other in (around(model, **change) for change in changes):
        refused(other, whole)
