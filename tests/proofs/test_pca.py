"""A linear autoencoder with squared error finds the subspace of the principal components, and no
more than that.

Source: Baldi and Hornik, "Neural networks and principal component analysis", 1989.
"""

import numpy as np
import pytest

import scratchae as sa
from scratchae.initializers import Normal
from scratchae.schedules import Cosine

N, I, D, STEPS = 256, 10, 3, 3000


def data():
    """Centred rows whose spectrum falls off, in a turned basis."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(I, I)))[0]
    x = rng.normal(size=(N, I)) * 0.7 ** np.arange(I) @ basis
    return x - x.mean(axis=0)


def angles(a, b):
    """The angles between two subspaces, given by the columns of (I, D)."""
    a, b = np.linalg.qr(a)[0], np.linalg.qr(b)[0]
    return np.arccos(np.clip(np.linalg.svd(a.T @ b)[1], -1, 1))


def trained(likelihood=None, seed=0):
    """From small weights: what the encoder starts with along directions in which the data hardly
    varies, training hardly takes away, and with Glorot's that may be an angle of 0.26."""
    layers = (sa.Dense(*sizes, init=Normal(1e-3)) for sizes in ((I, D), (D, I)))
    model = sa.Autoencoder(*layers, likelihood).build(I, dtype="float64", seed=seed)
    sa.fit(model, data(), sa.Adam(Cosine(0.02, STEPS)), epochs=STEPS, batch_size=N, shards=1)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_principal_subspace_is_found(seed):
    x, model = data(), trained(seed=seed)
    components = np.linalg.svd(x)[2][:D].T  # (I, D)
    decoder = model.parameters.view("decoder.W").T
    encoder = model.parameters.view("encoder.W")
    assert angles(decoder, components).max() < 1e-2 and angles(encoder, components).max() < 1e-2
    error = ((model.reconstruct(x) - x) ** 2).sum()
    best = ((x @ components @ components.T - x) ** 2).sum()
    assert best <= error < 1.01 * best
    others = np.linalg.svd(x)[2][1 : D + 1].T
    assert angles(decoder, others).max() > 1  # the test can tell subspaces apart


@pytest.mark.slow
def test_another_error_finds_another_subspace():
    """With absolute errors it is not the principal one: the angles can tell."""
    model = trained(sa.AbsoluteError())
    components = np.linalg.svd(data())[2][:D].T
    assert angles(model.parameters.view("decoder.W").T, components).max() > 1e-2
