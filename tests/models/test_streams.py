"""Who draws what: weights, order, pixels, noise of every kind, each from the stream, seed, epoch
and row that are its own, against Philox by hand. Nothing but the bits tells two streams apart, so
a wrong one trains and samples as well as the right one."""

import numpy as np
import philox_by_hand as by_hand
import pytest
from training.runs import Watched

import scratchae as sa
from scratchae import randomness
from scratchae.gradcheck.measure import probe
from scratchae.initializers import Normal

SEED = 5 * 2**32 + 13  # both words
N, D = 10, 2
X = np.random.default_rng(0).random((N, 6))
DRAWN = {"init": Normal(1.0), "init_b": Normal(0.5)}
STAND_STILL = {"epochs": 2, "batch_size": 4, "progress": False}  # with a rate of 1e-30


def vae(**options):
    model = sa.VAE(sa.Dense(6, 2 * D), sa.Dense(D, 6), sa.Gaussian(D), sa.SquaredError())
    return model.build(6, dtype="float64", **options)


def reconstruction(model, eps):
    """That of all rows, given their eps (N, D)."""
    mu, logvar = model.encode(X)
    a = model.decoder_output(mu + np.exp(logvar / 2) * eps)
    return ((a - X) ** 2).sum(axis=1).mean()


def test_each_tensor_has_its_number():
    """In order of x, W before b, and a tensor of another seed is another."""
    layers = sa.Dense(6, 3, **DRAWN), sa.Dense(3, 6, **DRAWN)
    model = sa.Autoencoder(*layers).build(6, dtype="float64", seed=SEED)
    names = ["encoder.W", "encoder.b", "decoder.W", "decoder.b"]
    assert list(model.weights) == names
    for number, name in enumerate(names):
        values = model.weights[name]
        eps = by_hand.normal((1, values.size), SEED, by_hand.WEIGHTS, number)
        expected = (1.0 if name.endswith("W") else 0.5) * eps
        np.testing.assert_allclose(values.ravel(), expected[0], rtol=1e-13)


def test_tensors_of_one_size_are_independent():
    """Correlated within 4 standard errors of nothing, each with each."""
    square = [sa.Dense(100, 100, **DRAWN) for _ in range(3)]
    model = sa.Autoencoder(sa.Sequential(*square[:2]), square[2], penalty=sa.L1(1.0)).build(100)
    W = [model.weights[name].ravel() for name in model.weights if name.endswith("W")]
    off = np.corrcoef(W)[np.triu_indices(3, 1)]
    assert (np.abs(off) < 4 / 100).all()


def test_the_order_of_each_epoch():
    data = Watched(X)
    sa.fit(vae(), data, sa.SGD(1e-30), seed=SEED, shards=1, **STAND_STILL)
    found = np.concatenate(data.batches).reshape(2, N).tolist()
    assert found == [by_hand.order(N, SEED, epoch) for epoch in (1, 2)]


def test_eps_in_training_validation_and_evaluation(tolerance):
    """By example, not by place in a batch; evaluation has one epoch, 0, and a purpose of its own.
    Validation has the seed of the run."""
    model, rel = vae(), tolerance("loss")
    history = sa.fit(model, X, sa.SGD(1e-30), seed=SEED, validation=X, **STAND_STILL)
    for epoch, found in enumerate(history["train_reconstruction"], 1):
        eps = by_hand.normal((N, D), SEED, by_hand.LATENT, epoch)
        assert found == pytest.approx(reconstruction(model, eps), rel=rel)
    held_out = by_hand.LATENT + by_hand.EVALUATION
    expected = reconstruction(model, by_hand.normal((N, D), SEED, held_out))
    assert history["test_reconstruction"] == pytest.approx([expected] * 2, rel=rel)
    found = sa.evaluate(model, X, seed=SEED)["reconstruction"]
    assert found == pytest.approx(expected, rel=rel)
    expected = reconstruction(model, by_hand.normal((N, D), 0, held_out))
    assert sa.evaluate(model, X)["reconstruction"] == pytest.approx(expected, rel=rel)


def test_the_prior_and_the_outputs():
    model = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), sa.GaussianLikelihood(0.5))
    model.build(6, dtype="float64")
    z = by_hand.normal((7, 2), SEED, by_hand.PRIOR)
    np.testing.assert_allclose(model.sample(7, seed=SEED), model.decode(z), rtol=1e-12)
    x = model.decode(z) + 0.5 * by_hand.normal((7, 6), SEED, by_hand.OUTPUTS)
    np.testing.assert_allclose(model.sample(7, seed=SEED, noise=True), x, rtol=1e-12)
    np.testing.assert_allclose(model.sample_x(z, seed=SEED), x, rtol=1e-12)


@pytest.mark.parametrize("purpose", [0, by_hand.EVALUATION])
def test_pixels(purpose):
    """Ink where 255 u is below the grey value; u by pixel, example, epoch."""
    pixels = np.random.default_rng(1).integers(0, 256, (N, 3, 2, 1)).astype(np.uint8)
    rows, backend = np.array([7, 2, 9], np.uint32), sa.get_backend("numpy", "float64")
    feed = sa.Images(pixels, binarize="dynamic").feed(backend, 3)
    found = feed.fill(rows, randomness.clock(SEED, 4, purpose))
    u = by_hand.uniform((N, 6), SEED, by_hand.PIXELS + purpose, 4)
    expected = 255 * u.reshape(pixels.shape) < pixels
    np.testing.assert_array_equal(found, expected[rows])


def test_layers_of_a_model_have_a_stream_each(tolerance):
    """Encoder before decoder; layers that draw nothing are not counted."""
    first, second, third = (sa.GaussianNoise(sigma) for sigma in (0.5, 0.3, 0.7))
    encoder = sa.Sequential(first, sa.Dense(6, 3), second)
    decoder = sa.Sequential(sa.Dense(3, 4), third, sa.Dense(4, 6))
    model = sa.Autoencoder(encoder, decoder).build(6, dtype="float64")
    history = sa.fit(model, X, sa.SGD(1e-30), seed=SEED, **STAND_STILL)
    W = model.weights
    for epoch, found in enumerate(history["train_loss"], 1):
        eps = [
            by_hand.normal((N, size), SEED, by_hand.NOISE + k, epoch)
            for k, size in enumerate((6, 3, 4))
        ]
        h = (X + 0.5 * eps[0]) @ W["encoder.1.W"] + 0.3 * eps[1]
        a = (h @ W["decoder.0.W"] + 0.7 * eps[2]) @ W["decoder.2.W"]
        expected = ((a - X) ** 2).sum(axis=1).mean()
        assert found == pytest.approx(expected, rel=tolerance("loss"))


def test_probes():
    eps = by_hand.normal((1, 6), 0, by_hand.PROBE, 4)
    np.testing.assert_allclose(probe((2, 3), 4).ravel(), eps[0], rtol=1e-13)
