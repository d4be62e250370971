"""A case for each kind, activation and geometry of layer, bound and ready for a step."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest

from scratchae import get_backend
from scratchae.initializers import Normal
from scratchae.kernels.activation import DEFINITIONS
from scratchae.layers import (
    LSTM,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    Masking,
    MaxPool2d,
    Repeat,
    Reshape,
    SaltAndPepper,
    Sequential,
    Tied,
    Upsample2d,
)
from scratchae.layers.sequential import leaves
from scratchae.layers.tied import resolve_ties
from scratchae.parameters import Parameters
from scratchae.randomness import clock

ROWS, DRAWN = 6, {"init": Normal(0.7), "init_b": Normal(0.7)}
RECURRENT = DRAWN | {"init_r": Normal(0.7)}

CODE = Dense(5, 4, "tanh", **DRAWN)

# What it is: (layer, shape of one input row, shape of one output row)
CASES = {f"Dense {name}": (Dense(5, 7, name, **DRAWN), (5,), (7,)) for name in DEFINITIONS} | {
    **{
        f"Tied {name}": (Sequential(CODE, Tied(CODE, name, Normal(0.7))), (5,), (5,))
        for name in DEFINITIONS
    },
    "Dense 1": (Dense(1, 1, **DRAWN), (1,), (1,)),
    "Conv2d": (Conv2d(2, 3, 3, activation="tanh", **DRAWN), (5, 6, 2), (3, 4, 3)),
    "Conv2d identity": (Conv2d(2, 3, (2, 3), **DRAWN), (5, 6, 2), (4, 4, 3)),
    "Conv2d same": (Conv2d(1, 2, 3, 2, "same", "softplus", **DRAWN), (6, 7, 1), (3, 4, 2)),
    "Conv2d uneven": (
        Conv2d(3, 1, (4, 2), (2, 3), (1, 0, 0, 2), "relu", **DRAWN),
        (6, 4, 3),
        (2, 2, 1),
    ),
    "Conv2d strides beyond": (Conv2d(2, 2, 2, 3, 1, "sigmoid", **DRAWN), (6, 5, 2), (3, 2, 2)),
    "Conv2d to few": (
        Conv2d(6, 1, (3, 2), 1, (1, 0, 0, 2), "relu", **DRAWN),
        (5, 4, 6),
        (4, 5, 1),
    ),
    "Conv2d of many": (Conv2d(6, 5, 3, 2, "same", "tanh", **DRAWN), (5, 4, 6), (3, 2, 5)),
    "Conv2d of one pixel": (Conv2d(3, 4, 1, activation="tanh", **DRAWN), (4, 5, 3), (4, 5, 4)),
    "Conv2d of one pixel, padded": (Conv2d(3, 2, 1, 1, 1, **DRAWN), (2, 3, 3), (4, 5, 2)),
    "ConvTranspose2d to many": (
        ConvTranspose2d(2, 6, 3, 2, "same", "tanh", **DRAWN),
        (2, 3, 2),
        (4, 6, 6),
    ),
    "ConvTranspose2d": (
        ConvTranspose2d(3, 2, 3, activation="tanh", **DRAWN),
        (3, 4, 3),
        (5, 6, 2),
    ),
    "ConvTranspose2d identity": (ConvTranspose2d(3, 2, (2, 3), **DRAWN), (3, 4, 3), (4, 6, 2)),
    "ConvTranspose2d same": (
        ConvTranspose2d(2, 1, 3, 2, "same", "softplus", **DRAWN),
        (3, 4, 2),
        (6, 8, 1),
    ),
    "ConvTranspose2d torch": (
        ConvTranspose2d(2, 3, 3, 2, (1, 0, 1, 0), "relu", **DRAWN),
        (2, 3, 2),
        (4, 6, 3),
    ),
    "ConvTranspose2d beyond": (
        ConvTranspose2d(2, 2, 2, 3, "same", "sigmoid", **DRAWN),
        (2, 2, 2),
        (6, 6, 2),
    ),
    "MaxPool2d": (MaxPool2d(2), (5, 6, 2), (2, 3, 2)),
    "MaxPool2d same": (MaxPool2d(2, padding="same"), (5, 7, 3), (3, 4, 3)),
    "MaxPool2d overlapping": (MaxPool2d((3, 2), (2, 1), "same"), (6, 4, 1), (3, 4, 1)),
    "MaxPool2d strides beyond": (MaxPool2d(2, (3, 4)), (6, 6, 2), (2, 2, 2)),
    "Upsample2d": (Upsample2d(2), (3, 2, 2), (6, 4, 2)),
    "Upsample2d uneven": (Upsample2d((1, 3)), (2, 3, 1), (2, 9, 1)),
    "LSTM": (LSTM(3, 4, True, **RECURRENT), (5, 3), (5, 4)),
    "LSTM last": (LSTM(2, 5, False, **RECURRENT), (4, 2), (5,)),
    "LSTM of ones": (LSTM(1, 1, True, **RECURRENT), (2, 1), (2, 1)),
    "LSTM of ones last": (LSTM(1, 1, False, **RECURRENT), (3, 1), (1,)),
    "Conv1d": (Conv1d(2, 3, 3, activation="tanh", **DRAWN), (5, 2), (3, 3)),
    "Conv1d same": (Conv1d(1, 2, 4, 3, "same", "softplus", **DRAWN), (7, 1), (3, 2)),
    "Conv1d uneven": (Conv1d(3, 2, 3, 2, (0, 2), "relu", **DRAWN), (5, 3), (3, 2)),
    "Conv1d to few": (Conv1d(6, 1, 3, 1, 1, **DRAWN), (5, 6), (5, 1)),
    "ConvTranspose1d": (ConvTranspose1d(3, 2, 3, 2, (1, 0), "tanh", **DRAWN), (4, 3), (8, 2)),
    "ConvTranspose1d same": (ConvTranspose1d(2, 6, 3, 2, "same", **DRAWN), (3, 2), (6, 6)),
    "Repeat": (Repeat(4), (3,), (4, 3)),
    "Repeat once": (Repeat(1), (1,), (1, 1)),
    "GaussianNoise": (GaussianNoise(0.5), (7,), (7,)),
    "GaussianNoise clipped": (GaussianNoise(0.5, (-0.4, 0.6)), (3, 2, 3), (3, 2, 3)),
    "Masking": (Masking(0.4), (3, 4, 1), (3, 4, 1)),
    "SaltAndPepper": (SaltAndPepper(0.6), (9,), (9,)),
    "Dropout": (Dropout(0.4), (9,), (9,)),
    "Tied twice": (
        Sequential(
            CODE,
            Tied(CODE, "sigmoid", Normal(0.7)),
            Dense(5, 4, **DRAWN),
            Tied(CODE, init_b=Normal(0.7)),
        ),
        *((5,), (5,)),
    ),
    "Flatten": (Flatten(), (2, 3, 2), (12,)),
    "Reshape": (Reshape(2, 3, 2), (12,), (2, 3, 2)),
    "Sequential": (
        Sequential(
            Conv2d(1, 2, 2, activation="relu", **DRAWN), Flatten(), Dense(12, 3, "tanh", **DRAWN)
        ),
        (3, 4, 1),
        (3,),
    ),
    "Sequential noisy": (Sequential(Masking(0.4), Dense(6, 4, **DRAWN), Dropout(0.3)), (6,), (4,)),
    "Sequential flat": (
        Sequential(Sequential(Flatten()), Dense(6, 3, "relu", **DRAWN)),
        (2, 3),
        (3,),
    ),
}
CASE = pytest.mark.parametrize("case", CASES)


def bound(case, backend="numpy", dtype="float64", rows=ROWS, need_dx=True):
    """The layer of a case, declared, attached and bound, with its parameters, gradients, x and
    dy."""
    layer, shape, output = copy.deepcopy(CASES[case])
    backend = get_backend(backend, dtype) if isinstance(backend, str) else backend
    rng = np.random.default_rng(1)
    got, declared = layer.declare(shape)
    resolve_ties(inner for _, inner in leaves("", layer))
    assert got == layer.output == output and layer.shape == shape
    parameters = Parameters(backend, declared)
    parameters.initialise(seed=3)
    grads = backend.zeros((parameters.size,))
    layer.attach(parameters.views(), parameters.views(grads))
    layer.bind(backend, rows, need_dx)
    x, dy = (backend.asarray(rng.normal(size=(rows, *s))) for s in (shape, output))
    arrays = {"parameters": parameters, "grads": grads, "x": x, "dy": dy}
    arrays |= {
        "rows": backend.asarray(np.arange(rows), np.uint32),
        "clock": backend.asarray(clock(7), np.uint32),
    }
    return SimpleNamespace(backend=backend, host=backend.to_host, layer=layer, **arrays)


def step(b, rows=slice(None)):
    """One step on some rows, noise and all -> y, dx and the gradients, on the host."""
    b.layer.draw(b.rows[rows], b.clock)
    y = b.host(b.layer.forward(b.x[rows]))
    dx = b.host(b.layer.backward(b.dy[rows]))
    return y, dx, b.host(b.grads)


def close(found, expected, tol):
    for a, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, right, rtol=tol, atol=tol)


def every_layer(layer):
    inner = getattr(layer, "layers", ())
    return [layer, *(leaf for part in inner for leaf in every_layer(part))]


def holders(layer):
    """Whatever holds arrays: the layers inside, the plane of a Conv1d, the product of a
    convolution."""
    inner = [vars(leaf).get(name) for leaf in every_layer(layer) for name in ("plane", "product")]
    return [*every_layer(layer), *(holder for part in inner if part for holder in holders(part))]


def arrays(b):
    """Every array that a layer holds: views, buffers, what it keeps of the forward pass."""
    return {
        f"{i}.{name}": value
        for i, holder in enumerate(holders(b.layer))
        for name, value in vars(holder).items()
        if isinstance(value, (np.ndarray, type(b.x)))
    }


def address(a):
    return a.ctypes.data if isinstance(a, np.ndarray) else a.data.ptr
