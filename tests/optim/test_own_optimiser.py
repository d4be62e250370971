"""An optimiser of a reader's own: as short as it can be, and a sentence for what it leaves out."""

import numpy as np
import pytest

import scratchae as sa

X = np.random.default_rng(0).random((40, 5)).astype(np.float32)


class Plain(sa.Optimizer):
    """Gradient descent: no state, no row of its own making."""

    def __init__(self, lr=1e-2):
        self.lr = lr

    def bind(self, backend, n):
        pass

    def per_step(self, t, count):
        return 1 / count, self.rate(t)

    def update(self, values, grads, part):
        values[part] -= self.row[1] * (self.row[0] * grads[:, part].sum(axis=0))


class NoBind(Plain):
    bind = sa.Optimizer.bind


class NoStep(Plain):
    per_step = sa.Optimizer.per_step


class NoUpdate(Plain):
    update = sa.Optimizer.update


class Nothing(sa.Optimizer):
    pass


def built():
    return sa.Autoencoder(sa.Dense(5, 3), sa.Dense(3, 5)).build(5, dtype="float64", seed=0)


def test_the_shortest_is_gradient_descent(tolerance):
    mine, theirs = built(), built()
    for model, optimizer in ((mine, Plain()), (theirs, sa.SGD(1e-2))):
        sa.fit(model, X, optimizer, epochs=3, batch_size=16, shards=2, progress=False)
        assert optimizer.t == 9
    np.testing.assert_allclose(
        mine.parameters.values, theirs.parameters.values, rtol=0, atol=tolerance("layer")
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (NoBind, r"NoBind does not say bind\(backend, n\)"),
        (NoStep, r"NoStep does not say per_step\(t, count\)"),
        (NoUpdate, r"NoUpdate does not say update\(values, grads, part\)"),
        (Nothing, r"Nothing does not say bind\(backend, n\)"),
    ],
)
def test_what_is_missing_is_said_before_the_first_step(kind, words):
    model, optimizer = built(), kind()
    before = np.array(model.parameters.values)
    with pytest.raises(NotImplementedError, match=rf"^{words}$"):
        sa.fit(model, X, optimizer, epochs=1, progress=False)
    np.testing.assert_array_equal(model.parameters.values, before)
    assert optimizer.owner is None and optimizer.t == 0
