"""Layers and likelihoods of a user's own that leave something out: a sentence says what."""

import numpy as np
import pytest

import scratchae as sa
from scratchae.detection import absolute_error
from scratchae.evaluation import denoising_score
from scratchae.likelihoods import Likelihood

X = np.random.default_rng(0).random((8, 5)).astype(np.float32)


def autoencoder(*layers, likelihood=None):
    return sa.Autoencoder(sa.Sequential(*layers), sa.Dense(3, 5), likelihood).build(5, seed=0)


class Column(sa.SquaredError):
    """Its mean has another shape than x, one that would broadcast."""

    def mean(self, a):
        return a[:, :1]


class Four(sa.SquaredError):
    def mean(self, a):
        return a[:, :4]


class Mean(sa.SquaredError):
    def mean(self, a):
        return a.mean(axis=0)


@pytest.mark.parametrize("likelihood", [Column, Four, Mean])
@pytest.mark.parametrize(
    "use",
    [
        lambda model: model.reconstruct(X),
        lambda model: denoising_score(model, X, 0.3),
        lambda model: absolute_error(model, X),
    ],
    ids=["reconstruct", "score", "error"],
)
def test_a_mean_of_another_shape_than_x(likelihood, use):
    model = autoencoder(sa.GaussianNoise(0.3), sa.Dense(5, 3), likelihood=likelihood())
    words = rf"{likelihood.__name__}\.mean\(a\) gives an array of shape .*, but \(8, 5\), the"
    with pytest.raises(ValueError, match=words):
        use(model)


class Forgot(sa.Layer):
    """Its backward returns nothing, which would leave every layer below it as it was."""

    def declare(self, shape):
        self.shape = self.output = shape
        return shape, {}

    def bind(self, backend, rows, need_dx):
        pass

    def forward(self, x):
        return x

    def backward(self, dy):
        pass


def test_a_backward_that_returns_nothing():
    model = autoencoder(sa.Dense(5, 4), Forgot(), sa.Dense(4, 3))
    with pytest.raises(TypeError, match=r"Forgot\.backward gives None, but dx is needed"):
        sa.fit(model, X, sa.Adam(), epochs=1, progress=False)


def test_first_of_all_nobody_needs_dx():
    model = autoencoder(Forgot(), sa.Dense(5, 3))
    sa.fit(model, X, sa.Adam(), epochs=1, progress=False)


def test_a_likelihood_without_a_kernel():
    class Nothing(Likelihood):
        pass

    model = autoencoder(sa.Dense(5, 3), likelihood=Nothing())
    with pytest.raises(TypeError, match="Nothing names no kernel: set kernel, or define bind"):
        sa.evaluate(model, X)


class Drawn(Forgot):
    def declare(self, shape):
        self.shape = self.output = shape
        return shape, {"w": (shape, lambda rng: np.ones(shape))}


def test_an_initialiser_of_another_signature():
    with pytest.raises(TypeError, match=r"encoder\.0\.w is drawn by .*, but init\(noise=\.\.\.\)"):
        autoencoder(Drawn(), sa.Dense(5, 3))
