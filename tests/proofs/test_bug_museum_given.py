"""The bug museum of what rows are given, and of gaps: famous bugs, planted here, each caught."""

import numpy as np
import pytest
from proofs.test_bug_museum import exhibit

import scratchae as sa


def the_label_reaches_both_ends(backend, tolerance):
    """With Given in both, the loss is that of the VAE whose first biases are b + W_y[label], and a
    code decodes to what its class looks like."""
    label, model = 1, conditional(backend)
    plain = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), samples=3)
    plain.build(6, backend=backend, dtype="float64")
    for part, inputs in (("encoder", 6), ("decoder", 2)):
        W = model.weights[f"{part}.1.W"]
        plain.weights[f"{part}.W"] = W[:inputs]
        plain.weights[f"{part}.b"] = model.weights[f"{part}.1.b"] + W[inputs + label]
    x = np.random.default_rng(0).uniform(size=(5, 6))
    found = sa.evaluate(model, sa.Labelled(sa.Values(x, np.full(5, label)), 3))
    assert found == pytest.approx(sa.evaluate(plain, x), rel=tolerance("loss"))


def conditional(backend, samples=3):
    encoder = sa.Sequential(sa.Given(3), sa.Dense(9, 4))
    decoder = sa.Sequential(sa.Given(3), sa.Dense(5, 6))
    model = sa.VAE(encoder, decoder, sa.Gaussian(2), samples=samples)
    return model.build(6, backend=backend, dtype="float64", seed=1)


def test_a_decoder_that_is_not_given_the_label(monkeypatch, backend, tolerance):
    """The encoder is handed y, the decoder zeros in its place: it trains, and draws no class.

    Source: AC-VAEGAN #7."""

    def to_the_encoder_alone(self, c):
        self.encoder.give(c)
        self.decoder.give(sa.get_backend(backend, "float64").zeros(c.shape))

    exhibit(
        lambda: the_label_reaches_both_ends(backend, tolerance),
        lambda: monkeypatch.setattr(sa.Objective, "give", to_the_encoder_alone),
    )


def each_sample_is_given_its_examples_label(backend):
    """Rows n K ... n K + K - 1 of what goes into the decoder end in c_n."""
    model = conditional(backend)
    replica, bound = model.replica(3), model.backend
    replica.give(bound.asarray(np.eye(3)))
    y = bound.to_host(replica.decoder.layers[0].forward(bound.zeros((9, 2))))
    np.testing.assert_array_equal(y[:, 2:], np.repeat(np.eye(3), 3, axis=0))


def test_labels_tiled_over_samples(monkeypatch, backend):
    """With K samples an example, y is tiled where z is repeated, so that sample k of one example
    is given the label of another."""

    def tiled(self, x):
        y, host = self.y[: len(x)], self.backend.to_host(self.c)
        K = len(x) // len(host)
        self.join(y, x, self.backend.asarray(np.tile(host, (K, 1))))
        return y

    def plant():
        monkeypatch.setattr(sa.Given, "backend", sa.get_backend(backend, "float64"), raising=False)
        monkeypatch.setattr(sa.Given, "forward", tiled)

    exhibit(lambda: each_sample_is_given_its_examples_label(backend), plant)


def test_a_label_as_a_channel_of_the_image():
    """Ten constant channels beside the pixels of a convolution, each as large as the image.

    Source: hwalsuklee/tensorflow-generative-model-collections #27."""
    encoder = sa.Sequential(sa.Given(10), sa.Conv2d(11, 2, 3), sa.Flatten(), sa.Dense(1352, 4))
    with pytest.raises(ValueError, match=r"Given\(10\) is handed rows of shape \(28, 28, 1\)"):
        sa.VAE(encoder, sa.Dense(2, 784), sa.Gaussian(2)).build((28, 28, 1))


def gaps_are_no_zeros(backend, tolerance):
    """The loss is of what was observed, summed: a gap neither counts as a 0 nor is made up for."""
    model = sa.Autoencoder(sa.Dense(4, 2), sa.Dense(2, 4)).build(
        4, backend=backend, dtype="float64", seed=1
    )
    x = np.random.default_rng(0).uniform(1, 2, (5, 4))
    mask = np.random.default_rng(1).random((5, 4)) < 0.5
    r = model.reconstruct(x * mask) - x
    found = sa.evaluate(model, sa.Observed(x, mask))["loss"]
    assert found == pytest.approx((r * r * mask).sum() / 5, rel=tolerance("layer"))


def test_gaps_that_are_filled_with_zeros_and_scored(monkeypatch, backend, tolerance):
    """Missing values are set to 0 and the likelihood scores these zeros, as most code does."""
    exhibit(
        lambda: gaps_are_no_zeros(backend, tolerance),
        lambda: monkeypatch.setattr(sa.Likelihood, "aim", lambda self, target, seen: None),
    )
