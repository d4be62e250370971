"""The protocol of a layer, held against every layer: one case for each kind, activation and geometry."""

import copy
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from scratchae import get_backend, layers
from scratchae.initializers import Normal
from scratchae.kernels.activation import DEFINITIONS
from scratchae.layers import Conv2d, ConvTranspose2d, Dense, Flatten, Reshape, Sequential
from scratchae.layers import conv as conv_module
from scratchae.parameters import Parameters

ROWS, DRAWN = 6, {"init": Normal(0.7), "init_b": Normal(0.7)}

# What it is: (layer, shape of one input row, shape of one output row)
CASES = {f"Dense {name}": (Dense(5, 7, name, **DRAWN), (5,), (7,)) for name in DEFINITIONS} | {
    "Dense 1": (Dense(1, 1, **DRAWN), (1,), (1,)),
    "Conv2d": (Conv2d(2, 3, 3, activation="tanh", **DRAWN), (5, 6, 2), (3, 4, 3)),
    "Conv2d identity": (Conv2d(2, 3, (2, 3), **DRAWN), (5, 6, 2), (4, 4, 3)),
    "Conv2d same": (Conv2d(1, 2, 3, 2, "same", "softplus", **DRAWN), (6, 7, 1), (3, 4, 2)),
    "Conv2d uneven": (Conv2d(3, 1, (4, 2), (2, 3), (1, 0, 0, 2), "relu", **DRAWN), (6, 4, 3), (2, 2, 1)),
    "Conv2d strides beyond": (Conv2d(2, 2, 2, 3, 1, "sigmoid", **DRAWN), (6, 5, 2), (3, 2, 2)),
    "ConvTranspose2d": (ConvTranspose2d(3, 2, 3, activation="tanh", **DRAWN), (3, 4, 3), (5, 6, 2)),
    "ConvTranspose2d identity": (ConvTranspose2d(3, 2, (2, 3), **DRAWN), (3, 4, 3), (4, 6, 2)),
    "ConvTranspose2d same": (ConvTranspose2d(2, 1, 3, 2, "same", "softplus", **DRAWN), (3, 4, 2), (6, 8, 1)),
    "ConvTranspose2d torch": (ConvTranspose2d(2, 3, 3, 2, (1, 0, 1, 0), "relu", **DRAWN), (2, 3, 2), (4, 6, 3)),
    "ConvTranspose2d beyond": (ConvTranspose2d(2, 2, 2, 3, "same", "sigmoid", **DRAWN), (2, 2, 2), (6, 6, 2)),
    "Flatten": (Flatten(), (2, 3, 2), (12,)),
    "Reshape": (Reshape(2, 3, 2), (12,), (2, 3, 2)),
    "Sequential": (
        Sequential(Conv2d(1, 2, 2, activation="relu", **DRAWN), Flatten(), Dense(12, 3, "tanh", **DRAWN)),
        (3, 4, 1),
        (3,),
    ),
}
CASE = pytest.mark.parametrize("case", CASES)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Images of these cases go through in blocks of a few, as large ones do."""
    monkeypatch.setattr(conv_module, "BLOCK_BYTES", 2000)


def bound(case, backend="numpy", dtype="float64", rows=ROWS, need_dx=True):
    """The layer of a case, declared, attached and bound, with its parameters, gradients, x and dy."""
    layer, shape, output = copy.deepcopy(CASES[case])
    backend, rng = get_backend(backend, dtype), np.random.default_rng(1)
    got, declared = layer.declare(shape)
    assert got == layer.output == output and layer.shape == shape
    parameters = Parameters(backend, declared)
    parameters.initialise(seed=3)
    grads = backend.zeros((parameters.size,))
    layer.attach(parameters.views(), parameters.views(grads))
    layer.bind(backend, rows, need_dx)
    x, dy = (backend.asarray(rng.normal(size=(rows, *s))) for s in (shape, output))
    return SimpleNamespace(layer=layer, parameters=parameters, grads=grads, x=x, dy=dy)


def step(b, rows=slice(None)):
    """One step on some rows -> copies of y, dx and the gradients."""
    y = b.layer.forward(b.x[rows]).copy()
    dx = b.layer.backward(b.dy[rows]).copy()
    return y, dx, b.grads.copy()


def close(found, expected, tol):
    for a, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, right, rtol=tol, atol=tol)


def leaves(layer):
    inner = getattr(layer, "layers", ())
    return [layer, *(leaf for part in inner for leaf in leaves(part))]


def arrays(layer):
    """Every array that a layer holds: views, buffers, what it keeps of the forward pass."""
    return {
        f"{i}.{name}": value
        for i, leaf in enumerate(leaves(layer))
        for name, value in vars(leaf).items()
        if isinstance(value, np.ndarray)
    }


def test_every_layer_has_a_case():
    covered = {type(layer).__name__ for layer, _, _ in CASES.values()}
    assert covered == set(layers.__all__) - {"Layer"}


@CASE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shapes_dtypes_and_inputs_left_alone(case, backend, dtype):
    b = bound(case, backend, dtype)
    x, dy, values = b.x.copy(), b.dy.copy(), b.parameters.values.copy()
    y, dx, _ = step(b)
    assert y.shape == (ROWS, *b.layer.output) and dx.shape == b.x.shape
    close((b.x, b.dy, b.parameters.values), (x, dy, values), 0)
    assert {name: a.dtype for name, a in arrays(b.layer).items() if a.dtype != dtype} == {}


@CASE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_backends_agree(case, dtype, tolerance):
    close(step(bound(case, "numpy", dtype)), step(bound(case, "reference", dtype)), tolerance("layer", dtype))


@CASE
def test_gradients_are_the_derivatives(case, backend, tolerance):
    """Central differences of <dy, y> along a random direction of x and of each tensor."""
    b = bound(case, backend)
    _, dx, grads = step(b)
    named = {"x": (b.x, dx)} | {
        name: (b.parameters.view(name), b.parameters.view(name, grads)) for name in b.parameters.declared
    }
    for name, (value, grad) in named.items():
        v = np.random.default_rng(2).normal(size=value.shape)
        before, loss = value.copy(), []
        for h in (1e-6, -1e-6):
            value[...] = before + h * v
            loss.append(np.vdot(b.dy, b.layer.forward(b.x)))
        value[...] = before
        error = abs((loss[0] - loss[1]) / 2e-6 - np.vdot(grad, v)) / (np.linalg.norm(grad) / np.sqrt(grad.size))
        assert error < tolerance("gradient"), f"{name}: {error:.1e}"


@CASE
def test_gradients_assign_or_add(case, backend, tolerance):
    b = bound(case, backend)
    _, _, fresh = step(b)
    for name in b.parameters.declared:
        b.parameters.view(name, b.grads)[...] = np.nan
    close(step(b)[2:], [fresh], 0)  # whatever stood there is overwritten
    for leaf in leaves(b.layer):
        leaf.add = True
    close(step(b)[2:], [2 * fresh], tolerance("layer"))


@CASE
@pytest.mark.parametrize("n", [1, 4])
def test_a_smaller_batch_is_the_leading_slice(case, backend, n, tolerance):
    b, fresh = bound(case, backend), bound(case, backend, rows=n)
    y, dx = b.layer.forward(b.x), b.layer.backward(b.dy)
    close(step(b, slice(n)), step(SimpleNamespace(**vars(fresh) | {"x": b.x[:n], "dy": b.dy[:n]})), tolerance("layer"))
    again = b.layer.forward(b.x[:n]), b.layer.backward(b.dy[:n])
    assert [a.ctypes.data for a in again] == [a.ctypes.data for a in (y, dx)]


@CASE
def test_rows_are_independent(case, backend, tolerance):
    b = bound(case, backend)
    y, dx, grads = step(b)
    single = [step(b, slice(n, n + 1)) for n in range(ROWS)]
    whole = [np.concatenate(parts) for parts in list(zip(*single, strict=True))[:2]]
    close((y, dx, grads), (*whole, sum(part[2] for part in single)), tolerance("layer"))
    b.x[2], b.dy[2] = np.nan, np.nan  # one bad example spoils no other row
    y, dx, _ = step(b)
    close([np.delete(a, 2, axis=0) for a in (y, dx)], [np.delete(a, 2, axis=0) for a in whole], tolerance("layer"))


@CASE
def test_the_first_layer_computes_no_dx(case, backend):
    b, with_dx = bound(case, backend, need_dx=False), bound(case, backend)
    b.layer.forward(b.x)
    assert b.layer.backward(b.dy) is None
    close([b.grads], step(with_dx)[2:], 0)
    first = leaves(b.layer)[-1 if len(leaves(b.layer)) == 1 else 1]
    assert getattr(first, "dx", None) is None


@CASE
def test_addresses_stay(case):
    b = bound(case)
    step(b)
    addresses = [{name: a.ctypes.data for name, a in arrays(b.layer).items()}]
    step(b, slice(4))
    step(b)
    assert {name: a.ctypes.data for name, a in arrays(b.layer).items()} == addresses[0]


LARGE = {
    "Dense": (Dense(256, 256, "relu"), (256,)),
    "Conv2d": (Conv2d(8, 64, 3, activation="relu"), (12, 12, 8)),
    "ConvTranspose2d": (ConvTranspose2d(8, 64, 3, activation="relu"), (8, 8, 8)),
    "Sequential": (Sequential(Flatten(), Dense(256, 256, "tanh"), Reshape(16, 16, 1)), (16, 16)),
}
SMALL = 32 * 1024  # bytes; the batches, parameters and patches of LARGE are 128 KiB and more


def peak(case, dtype, monkeypatch):
    """How many bytes a step allocates at once, after the first."""
    monkeypatch.setitem(CASES, "large", (*LARGE[case], copy.deepcopy(LARGE[case][0]).declare(LARGE[case][1])[0]))
    b = bound("large", dtype=dtype, rows=128)
    b.layer.forward(b.x), b.layer.backward(b.dy)
    tracemalloc.start()
    try:
        b.layer.forward(b.x), b.layer.backward(b.dy)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("case", LARGE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_allocates_nothing(case, dtype, monkeypatch):
    monkeypatch.setattr(conv_module, "BLOCK_BYTES", 1 << 19)
    assert peak(case, dtype, monkeypatch) < SMALL


def test_an_allocation_is_seen(monkeypatch):
    forward = Dense.forward
    monkeypatch.setattr(Dense, "forward", lambda self, x: forward(self, x.copy()))
    assert peak("Dense", "float32", monkeypatch) > SMALL
