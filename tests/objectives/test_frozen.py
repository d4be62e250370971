"""Which gradients an objective asks for where layers are frozen."""

import numpy as np
import pytest

import scratchae as sa

D, X = 3, np.random.default_rng(0).random((11, 6))


def layers(inputs, outputs):
    return sa.Sequential(sa.Dense(inputs, 5, "tanh"), sa.Dense(5, outputs))


LATENTS = {
    "Hierarchy": lambda: sa.Hierarchy(layers(D, 2 * 2), layers(2, 2 * D)),
    "GivenPrior": lambda: sa.GivenPrior(D, 2, sa.Sequential(sa.Dense(2, 2 * D))),
    "Gaussian": lambda: sa.Gaussian(D),
}


def model(kind):
    one = sa.VAE(sa.Dense(6, 2 * D), sa.Dense(D, 6), LATENTS[kind]())
    return one.build(6, dtype="float64", seed=1)


@pytest.mark.parametrize("kind", LATENTS)
def test_no_gradient_goes_to_a_latent_that_is_frozen(kind):
    """Where nothing before the decoder learns, it computes no dz, and the latent's backward is not
    called."""
    one = model(kind)
    one.encoder.trainable = False
    assert one.replica(3).latent_learns == (kind != "Gaussian")
    for network in one.latent.networks().values():
        network.trainable = False
    replica = one.replica(len(X), one.backend.zeros((one.parameters.size,)))
    assert not replica.latent_learns and not replica.encoder_learns
    replica.latent.backward = None  # would be an error
    replica.give(np.ones((len(X), 2)))
    replica.backward(replica.forward(X))
    assert replica.decoder.dx is None and replica.decoder.dW.any()


def test_one_network_of_two_that_learns_is_enough():
    one = model("Hierarchy")
    one.encoder.trainable = one.latent.up.trainable = False
    assert one.replica(3).latent_learns
    one.latent.down.trainable = False
    assert not one.replica(3).latent_learns


class Shifted(sa.Gaussian):
    """Has a parameter that belongs to no layer, and so is never frozen."""

    def declare(self, shape):
        return super().declare(shape)[0], {"shift": ((1,), lambda noise: np.zeros(1))}


def test_a_parameter_of_the_latent_itself_learns():
    one = sa.VAE(sa.Dense(6, 2 * D), sa.Dense(D, 6), Shifted(D)).build(6, dtype="float64")
    one.encoder.trainable = False
    assert one.replica(3).latent_learns
