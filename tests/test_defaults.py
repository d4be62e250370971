"""What an argument is that nobody gives, and the constants without a name: the papers' numbers and
those of the libraries that recipes come from, written out once more."""

import inspect
import math

import numpy as np
import pytest

import scratchae as sa

DEFAULTS = {  # with the source of each number
    sa.Adam: {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},  # the paper, Algorithm 1
    sa.AdamW: {  # PyTorch 2.13
        **{"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 1e-2}
    },
    sa.SGD: {"lr": 1e-2, "momentum": 0.0},
    sa.Adagrad: {"lr": 1e-2, "initial": 0.0, "eps": 1e-10},  # PyTorch 2.13
    sa.Adadelta: {"lr": 1.0, "rho": 0.95, "eps": 1e-6},  # the paper, section 4.1
    sa.RMSProp: {"lr": 1e-3, "rho": 0.9, "eps": 1e-8},  # the slide and Keras; PyTorch's eps
    sa.GaussianLikelihood: {"sigma": 1.0},
    sa.LearnedGaussian: {"floor": 1e-3},
    sa.Laplace: {"b": 1.0},
    sa.SharedGaussian: {"initial": 1.0, "floor": 1e-3},
    sa.DiscretisedLogistic: {"bins": 256, "low": 0.0, "high": 1.0},  # PixelCNN++: 8 bits
    sa.Dense: {"activation": "identity"},
    sa.Conv2d: {"stride": 1, "padding": "valid", "activation": "identity"},
    sa.ConvTranspose2d: {"stride": 1, "padding": "valid", "activation": "identity"},
    sa.VAE: {"beta": 1.0},
    sa.fit: {"batch_size": 128, "seed": 0},
    sa.evaluate: {"batch_size": 128, "seed": 0},
    sa.datasets.split: {"seed": 0, "fraction": 0.8},
}


@pytest.mark.parametrize("thing", DEFAULTS, ids=lambda thing: thing.__name__)
def test_the_defaults(thing):
    arguments = inspect.signature(thing).parameters
    found = {name: arguments[name].default for name in DEFAULTS[thing]}
    assert found == DEFAULTS[thing]


def test_the_initialisers_that_are_not_named():
    """Glorot and zero; of an LSTM orthogonal, and 1 for the forget gate."""
    for layer in (sa.Dense(3, 2), sa.Conv2d(3, 2, 1), sa.ConvTranspose2d(3, 2, 1)):
        assert layer.init is sa.initializers.glorot_uniform
        assert layer.init_b is sa.initializers.zeros
    layer = sa.LSTM(3, 2, True)
    assert (layer.init, layer.init_r) == (
        sa.initializers.glorot_uniform,
        sa.initializers.orthogonal,
    )
    assert layer.init_b is sa.initializers.lstm_bias


ACTIVATIONS = {  # Maas, Hannun and Ng 2013 have the leak of 0.01
    "identity": lambda a: a,
    "relu": lambda a: max(a, 0.0),
    "leaky_relu": lambda a: a if a > 0 else a / 100,
    "tanh": math.tanh,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "softplus": lambda a: math.log(1 + math.exp(a)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_one_by_one(name, backend, tolerance):
    a = np.array([[-3.0, -1.0, -0.1, 0.0, 0.2, 1.0, 4.0]])
    layer = sa.by_hand(sa.Dense(7, 7, name), 7, backend=backend, dtype="float64")
    layer.W, layer.b = np.eye(7), np.zeros(7)
    expected = [[ACTIVATIONS[name](v) for v in a[0]]]
    np.testing.assert_allclose(layer(a), expected, atol=tolerance("kernel"))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.75])
def test_dropout_keeps_the_mean(p, backend, tolerance):
    """What stays is divided by the share that stays."""
    layer = sa.by_hand(sa.Dropout(p), 50, backend=backend, dtype="float64")
    y = layer(np.ones((200, 50)))
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - p)], atol=tolerance("kernel"))
    assert abs(y.mean() - 1) < 4 * math.sqrt(p / (1 - p) / y.size)
