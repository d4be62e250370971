"""The protocol of a layer, held against every layer: one case for each kind, activation and
geometry."""

import numpy as np
import pytest
from differences import assert_gradients
from layers.contract import (
    CASE,
    CASES,
    DRAWN,
    ROWS,
    address,
    arrays,
    bound,
    close,
    every_layer,
    step,
)

from scratchae import layers
from scratchae.layers import Dense


def test_every_layer_has_a_case():
    public = [getattr(layers, name) for name in layers.__all__]
    every = {one for one in public if isinstance(one, type) and issubclass(one, layers.Layer)}
    every -= {layers.Layer, layers.Given}  # which is handed more than x: test_given.py
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
