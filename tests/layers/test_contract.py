"""The protocol of a layer, held against every layer: one case for each kind, activation and
geometry."""

import copy
import tracemalloc
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from differences import assert_gradients

from scratchae import get_backend, layers
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


def test_every_layer_has_a_case():
    public = [getattr(layers, name) for name in layers.__all__]
    every = {one for one in public if isinstance(one, type) and issubclass(one, layers.Layer)} - {
        layers.Layer
    }
    assert {type(leaf) for layer, _, _ in CASES.values() for leaf in every_layer(layer)} == every


@CASE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shapes_dtypes_and_inputs_left_alone(case, backend, dtype):
    b = bound(case, backend, dtype)
    inputs = b.x, b.dy, b.parameters.values
    before = [b.host(a) for a in inputs]
    y, dx, _ = step(b)
    assert y.shape == (ROWS, *b.layer.output) and dx.shape == b.x.shape
    close([b.host(a) for a in inputs], before, 0)
    assert {
        name: a.dtype for name, a in arrays(b).items() if a.dtype not in (dtype, "uint8")
    } == {}


@CASE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_backends_agree(case, backend, dtype, tolerance):
    close(
        step(bound(case, backend, dtype)),
        step(bound(case, "reference", dtype)),
        tolerance("layer", dtype),
    )


@CASE
def test_gradients_are_the_derivatives(case, backend, tolerance):
    """Those of <dy, y> by x and by each tensor."""
    b = bound(case, backend)
    _, dx, grads = step(b)
    places = {"x": b.x} | b.parameters.views()
    found = {"x": dx} | b.parameters.views(grads)
    tensors = {name: b.host(place) for name, place in places.items()}

    def f():
        for name, place in places.items():
            b.backend.write(place, tensors[name])
        return np.vdot(b.host(b.dy), b.host(b.layer.forward(b.x)))

    assert_gradients(f, tensors, found, tolerance("gradient"))


@CASE
def test_gradients_assign_or_add(case, backend, tolerance):
    b = bound(case, backend)
    _, _, fresh = step(b)
    for name in b.parameters.declared:
        b.backend.write(b.parameters.view(name, b.grads), np.nan)
    close(step(b)[2:], [fresh], 0)  # whatever stood there is overwritten
    for leaf in every_layer(b.layer):
        leaf.add = True
    close(step(b)[2:], [2 * fresh], tolerance("layer"))


@CASE
@pytest.mark.parametrize("n", [1, 4])
def test_a_smaller_batch_is_the_leading_slice(case, backend, n, tolerance):
    b = bound(case, backend)
    fresh = bound(case, b.backend, rows=n)
    whole = b.layer.forward(b.x), b.layer.backward(b.dy)
    fresh.x, fresh.dy = b.x[:n], b.dy[:n]
    close(step(b, slice(n)), step(fresh), tolerance("layer"))
    part = b.layer.forward(b.x[:n]), b.layer.backward(b.dy[:n])
    assert [address(a) for a in part] == [address(a) for a in whole]


@CASE
def test_rows_are_independent(case, backend, tolerance):
    b = bound(case, backend)
    y, dx, grads = step(b)
    single = [step(b, slice(n, n + 1)) for n in range(ROWS)]
    whole = [np.concatenate(parts) for parts in list(zip(*single, strict=True))[:2]]
    close((y, dx, grads), (*whole, sum(part[2] for part in single)), tolerance("layer"))
    for a in (b.x, b.dy):
        b.backend.write(a[2], np.nan)  # one bad example spoils no other row
    y, dx, _ = step(b)
    close(
        [np.delete(a, 2, axis=0) for a in (y, dx)],
        [np.delete(a, 2, axis=0) for a in whole],
        tolerance("layer"),
    )


@CASE
def test_the_first_layer_computes_no_dx(case, backend):
    b, with_dx = bound(case, backend, need_dx=False), bound(case, backend)
    b.layer.draw(b.rows, b.clock), b.layer.forward(b.x)
    assert b.layer.backward(b.dy) is None
    close([b.host(b.grads)], step(with_dx)[2:], 0)
    first = next((leaf for leaf in every_layer(b.layer) if hasattr(leaf, "W")), b.layer)
    assert getattr(first, "dx", None) is None  # nor has the first with weights a buffer for one


@CASE
def test_addresses_stay(case, backend):
    b = bound(case, backend)
    step(b)
    before = arrays(b)  # held, so that no address is given out twice
    step(b, slice(4))
    step(b)
    moved = [name for name, a in arrays(b).items() if address(a) != address(before[name])]
    assert moved == []


LARGE = {
    "Dense": (Dense(256, 256, "relu"), (256,)),
    "Conv2d": (Conv2d(16, 128, 3, activation="relu"), (8, 8, 16)),
    "ConvTranspose2d": (ConvTranspose2d(16, 128, 3, activation="relu"), (6, 6, 16)),
    "MaxPool2d": (MaxPool2d(3, 2, "same"), (12, 12, 16)),
    "Upsample2d": (Upsample2d(2), (6, 6, 16)),
    "Conv1d": (Conv1d(16, 64, 3, activation="relu"), (32, 16)),
    "Repeat": (Repeat(8), (256,)),
    "GaussianNoise": (GaussianNoise(0.5, (0, 1)), (256,)),
    "SaltAndPepper": (SaltAndPepper(0.5), (256,)),
    "LSTM": (LSTM(16, 64, True), (6, 16)),
    "LSTM last": (LSTM(16, 64, False), (6, 16)),
    "Sequential": (Sequential(Flatten(), Dense(256, 256, "tanh"), Reshape(16, 16, 1)), (16, 16)),
}
SMALL = 32 * 1024  # bytes; every batch, weight and block of patches of LARGE is larger


def peak(case, dtype, monkeypatch):
    """How many bytes a step allocates at once, after the first."""
    monkeypatch.setitem(
        CASES, "large", (*LARGE[case], copy.deepcopy(LARGE[case][0]).declare(LARGE[case][1])[0])
    )
    b = bound("large", dtype=dtype, rows=128)
    b.layer.draw(b.rows, b.clock), b.layer.forward(b.x), b.layer.backward(b.dy)
    tracemalloc.start()
    try:
        b.layer.draw(b.rows, b.clock), b.layer.forward(b.x), b.layer.backward(b.dy)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("case", LARGE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_allocates_nothing(case, dtype, monkeypatch):
    assert peak(case, dtype, monkeypatch) < SMALL


def test_an_allocation_is_seen(monkeypatch):
    forward = Dense.forward
    monkeypatch.setattr(Dense, "forward", lambda self, x: forward(self, x.copy()))
    assert peak("Dense", "float32", monkeypatch) > SMALL


@contextmanager
def no_new_memory(b):
    """Within it, the GPU gives out no array."""

    def refuse(*_):
        raise AssertionError("a step allocates memory on the GPU")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(b.backend.cupy, "empty", refuse)
        patched.setattr(b.backend, "empty", refuse)
        yield


@CASE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_allocates_nothing_on_the_gpu(case, dtype, gpu):
    b = bound(case, gpu, dtype)
    step(b)
    with no_new_memory(b):
        step(b), step(b, slice(4))


def test_an_allocation_on_the_gpu_is_seen(gpu, monkeypatch):
    b, forward = bound("Dense relu", gpu), Dense.forward
    monkeypatch.setattr(
        Dense, "forward", lambda self, x: forward(self, b.backend.asarray(b.host(x)))
    )
    step(b)
    with no_new_memory(b), pytest.raises(AssertionError, match="allocates memory on the GPU"):
        step(b)


class Accumulates(Dense):
    def backward(self, dy):
        before = self.dW.copy()
        dx = super().backward(dy)
        self.dW += before
        return dx


class SlightlyWrong(Dense):
    def backward(self, dy):
        dx = super().backward(dy)
        self.db *= 1.001
        return dx


class WritesItsInput(Dense):
    def forward(self, x):
        x += 0.1
        return super().forward(x)


class Upcasts(Dense):
    def bind(self, backend, rows, need_dx):
        super().bind(backend, rows, need_dx)
        self.mean = np.zeros(rows)


class NormalisesTheBatch(Dense):
    def forward(self, x):
        y = super().forward(x)
        y -= y.mean(axis=0)
        return y


class UsesTheLastRows(Dense):
    def forward(self, x):
        y = self.y[-len(x) :]
        y[...] = super().forward(x)
        return y


class MakesANewBuffer(Dense):
    def forward(self, x):
        self.y = self.y.copy()
        return super().forward(x)


class ComputesDxRegardless(Dense):
    def bind(self, backend, rows, need_dx):
        super().bind(backend, rows, True)


@pytest.mark.parametrize(
    "fault, check",
    [
        (Accumulates, lambda tol: test_gradients_assign_or_add("mutant", "numpy", tol)),
        (SlightlyWrong, lambda tol: test_gradients_are_the_derivatives("mutant", "numpy", tol)),
        (
            WritesItsInput,
            lambda tol: test_shapes_dtypes_and_inputs_left_alone("mutant", "numpy", "float32"),
        ),
        (
            Upcasts,
            lambda tol: test_shapes_dtypes_and_inputs_left_alone("mutant", "numpy", "float32"),
        ),
        (NormalisesTheBatch, lambda tol: test_rows_are_independent("mutant", "numpy", tol)),
        (
            UsesTheLastRows,
            lambda tol: test_a_smaller_batch_is_the_leading_slice("mutant", "numpy", 4, tol),
        ),
        (MakesANewBuffer, lambda tol: test_addresses_stay("mutant", "numpy")),
        (ComputesDxRegardless, lambda tol: test_the_first_layer_computes_no_dx("mutant", "numpy")),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_layer_that_breaks_the_protocol_is_seen(monkeypatch, tolerance, fault, check):
    monkeypatch.setitem(CASES, "mutant", (Dense(5, 7, "tanh", **DRAWN), (5,), (7,)))
    check(tolerance)  # sound so far
    monkeypatch.setitem(CASES, "mutant", (fault(5, 7, "tanh", **DRAWN), (5,), (7,)))
    with pytest.raises(AssertionError):
        check(tolerance)
