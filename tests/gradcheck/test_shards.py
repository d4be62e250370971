"""check_objective sees an objective whose shards do not make up the batch."""

import numpy as np
import pytest

import scratchae as sa
from scratchae.gradcheck import check_layer, check_objective


def parts():
    return sa.Dense(6, 4, "sigmoid"), sa.Dense(4, 6), sa.Bernoulli()


def vae_parts():
    return sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), sa.Bernoulli()


class CountLast(sa.Reconstruction):
    def forward(self, x):
        sums = super().forward(x)
        sums[:] = sums[::-1].copy()
        return sums

    def loss(self, total):
        return super().loss(total[::-1])


class Means(sa.Reconstruction):
    """Means in the place of sums, each right by itself."""

    def forward(self, x):
        sums = super().forward(x)
        sums[1] /= len(x)
        return sums

    def loss(self, total):
        return {"loss": total[1]}


class ReadsTotal(sa.Reconstruction):
    """KLRate's gradient reads the total, but the objective says that it does not."""

    additive = True


class OfTheShard(sa.ELBO):
    """The gradient by way of the size of the shard."""

    def backward(self, total):
        da = self.likelihood.backward() * total[0] / 4
        self.encoder.backward(self.latent.backward(self.decoder.backward(da), self.row))


@pytest.mark.parametrize(
    ("objective", "note"),
    [
        (CountLast(*parts()), "but the count of rows, 4, comes first"),
        (Means(*parts()), "sums, not means"),
        (ReadsTotal(*parts(), sa.KLRate(1.0, 0.1)), "additive only without the total"),
        (OfTheShard(*vae_parts()), "must add up"),
    ],
)
def test_a_wrong_one(objective, note):
    report = check_objective(objective, (6,))
    row = next(row for row in report.rows if row.what == "shards")
    assert row.verdict == "wrong" and note in row.note, str(report)


@pytest.mark.parametrize(
    "objective",
    [
        sa.Reconstruction(*parts()),
        sa.Reconstruction(*parts(), sa.KLRate(1.0, 0.1)),
        sa.ELBO(*vae_parts(), beta=0.5),
    ],
)
def test_a_right_one(objective, backend):
    report = check_objective(objective, (6,), backend=backend)
    assert report.ok and report.rows[-1].what == "shards", str(report)


class Shifts(sa.Layer):
    """Noise of its own, from a stream that it is handed and has no other idea of."""

    def place(self, stream):
        self.stream = stream
        return stream + 1

    def declare(self, shape):
        self.shape = self.output = shape
        return shape, {}

    def bind(self, backend, rows, need_dx):
        self.u = backend.zeros((rows, *self.shape))
        self.uniform = backend.op(sa.kernels.philox.UNIFORM)

    def draw(self, rows, clock):
        self.uniform(self.u[: len(rows)], rows, clock, self.stream)

    def forward(self, x):
        return x + self.u[: len(x)]

    def backward(self, dy):
        return dy


def test_a_layer_under_check_has_a_stream_of_noise():
    assert check_layer(Shifts(), (3,)).ok
    x = np.zeros((2, 3))
    assert not np.array_equal(
        *(sa.by_hand(part, 3)(x) for part in (Shifts(), sa.Sequential(sa.Dropout(0.5), Shifts())))
    )
