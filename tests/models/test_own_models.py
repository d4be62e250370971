"""Parts that no page of docs/ has: layers inside a layer, noise, a learned number for all rows, a
term over pairs of units, a state between steps."""

import math

import numpy as np
import pytest
from blocks import held

import scratchae as sa
from scratchae.execution import threads
from scratchae.gradcheck import check_layer, check_model, check_objective
from scratchae.kernels.philox import UNIFORM
from scratchae.parameters import below, prefixed

X = np.random.default_rng(0).random((90, 6))


class Gated(sa.Layer):
    """y = sigmoid(left(x)) right(x): two inputs from one tensor, two layers inside."""

    def __init__(self, left, right):
        self.left, self.right = left, right

    def declare(self, shape):
        (self.output, left), (_, right) = self.left.declare(shape), self.right.declare(shape)
        self.shape = shape
        return self.output, prefixed("left", left) | prefixed("right", right)

    def attach(self, values, grads):
        self.left.attach(below("left", values), below("left", grads))
        self.right.attach(below("right", values), below("right", grads))

    def bind(self, backend, rows, need_dx):
        self.left.bind(backend, rows, need_dx)
        self.right.bind(backend, rows, need_dx)

    def forward(self, x):
        self.gate = 1 / (1 + np.exp(-self.left.forward(x)))
        self.y = self.right.forward(x)
        return self.gate * self.y

    def backward(self, dy):
        self.left.add = self.right.add = self.add
        a = self.left.backward(dy * self.y * self.gate * (1 - self.gate))
        b = self.right.backward(dy * self.gate)
        return None if a is None else a + b


class Shifts(sa.Layer):
    """y = x + u / 10, u uniform."""

    def place(self, stream):
        self.stream = stream
        return stream + 1

    def declare(self, shape):
        self.shape = self.output = shape
        return shape, {}

    def bind(self, backend, rows, need_dx):
        self.u = backend.zeros((rows, math.prod(self.shape)))
        self.uniform = backend.op(UNIFORM)

    def draw(self, rows, clock):
        self.uniform(self.u[: len(rows)], rows, clock, self.stream)

    def forward(self, x):
        return x + self.u[: len(x)].reshape(x.shape) / 10

    def backward(self, dy):
        return dy


class Append(sa.Layer):
    """[x | s] with one learned number s: the logvar of a LearnedGaussian, the same everywhere."""

    def declare(self, shape):
        self.shape, self.output = shape, (*shape[:-1], 2 * shape[-1])
        return self.output, {"s": ((1,), lambda noise: np.zeros(1))}

    def bind(self, backend, rows, need_dx):
        pass

    def forward(self, x):
        return np.concatenate([x, np.broadcast_to(self.s, x.shape)], axis=-1)

    def backward(self, dy):
        D = self.shape[-1]
        self.ds[...] = dy[..., D:].sum() + (self.ds if self.add else 0)
        return dy[..., :D]


class Decorrelate(sa.Penalty):
    """weight times the squared covariances between units of the code, over the whole batch."""

    additive = False

    def sums_needed(self, units):
        self.D = units
        return units + units * units

    def forward(self, sums, nll, h):
        self.sum_terms(sums[:2], nll)
        sums[2 : 2 + self.D] = h.sum(axis=0, dtype=np.float64)
        sums[2 + self.D :] = (h.T.astype(np.float64) @ h).ravel()

    def covariances(self, total):
        D = math.isqrt(len(total) - 2)  # D + D^2 sums
        mean = total[2 : 2 + D] / total[0]
        found = total[2 + D :].reshape(D, D) / total[0] - np.outer(mean, mean)
        return mean, found - np.diag(np.diag(found))

    def value(self, total):
        return self.weight * float((self.covariances(total)[1] ** 2).sum())

    def backward(self, dh, h, total):
        mean, between = self.covariances(total)
        return (dh + 4 * self.weight * (h - mean) @ between).astype(h.dtype)


def encoder(*layers):
    return sa.Sequential(sa.Dense(6, 4, "tanh"), *layers, sa.Dense(4, 3, "tanh"))


MODELS = {
    "gated": lambda: sa.Autoencoder(
        encoder(Gated(sa.Dense(4, 4), sa.Dense(4, 4))), sa.Dense(3, 6)
    ),
    "noise": lambda: sa.Autoencoder(encoder(Shifts(), sa.Dropout(0.2), Shifts()), sa.Dense(3, 6)),
    "learned number": lambda: sa.Autoencoder(
        encoder(), sa.Sequential(sa.Dense(3, 6), Append()), sa.LearnedGaussian()
    ),
    "over the batch": lambda: sa.Autoencoder(encoder(), sa.Dense(3, 6), penalty=Decorrelate(0.5)),
}
NAMES = pytest.mark.parametrize("name", MODELS)


def trained(name, backend="numpy", dtype="float64", **how):
    model = MODELS[name]().build(6, backend=backend, dtype=dtype, seed=0)
    sa.fit(model, X, sa.Adam(1e-2), epochs=3, batch_size=30, progress=False, **how)
    return model


@NAMES
def test_shards_blocks_and_spellings(name, monkeypatch, tolerance):
    values = np.array(trained(name).parameters.values)
    others = [
        trained(name, backend=backend, shards=n)
        for backend in ("numpy", "reference")
        for n in (1, 2, 3)
    ]
    monkeypatch.setattr(threads, "blocks_of", held(1))
    others.append(trained(name, shards=2))
    for other in others:
        np.testing.assert_allclose(
            other.parameters.values, values, rtol=0, atol=tolerance("layer")
        )
    threaded = trained(name, shards=3, threads=3).parameters.values
    np.testing.assert_array_equal(threaded, trained(name, shards=3, threads=1).parameters.values)


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@NAMES
def test_gradients_and_files(name, dtype, tmp_path):
    model = trained(name, dtype=dtype)
    report = check_model(model, X[:5])
    assert report.ok, report
    assert check_objective(MODELS[name]().objective, (6,)).ok
    sa.save(model, tmp_path / "model")
    again = sa.load(tmp_path / "model", classes=[Gated, Shifts, Append, Decorrelate])
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))
    assert sa.evaluate(again, X) == sa.evaluate(model, X)
    with pytest.raises(ValueError, match=r"hand it in as load\(path, classes=\["):
        sa.load(tmp_path / "model")


def test_layers_inside_are_layers():
    report = check_layer(Gated(sa.Dense(4, 3), sa.Dense(4, 3)), (4,))
    assert report.ok, report
    alone = sa.by_hand(Gated(sa.Dense(4, 3), sa.Dense(4, 3)), 4)
    alone(X[:, :4])
    alone.backward(X[:, :3])
    assert set(alone.gradients) == {"left.W", "left.b", "right.W", "right.b"}


class RunningMean(Shifts):
    """What a shard has seen so far decides what it gives: no layer here is to."""

    def draw(self, rows, clock):
        pass

    def bind(self, backend, rows, need_dx):
        self.mean = np.zeros(self.shape)

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.mean(axis=0)
        return x - self.mean


def test_a_state_between_steps_is_seen():
    report = check_layer(RunningMean(), (4,))
    assert not report.ok and "two calls at the same x differ" in str(report)
