"""What is claimed of free bits, of a capacity and of schedules of the KL, and is asked twice: of
the code as it is (tests/objectives), and with a famous bug planted (test_bug_museum_kl.py).

The KL is known by hand: the encoder gives mu = x and logvar = 0, so kl_nd = x_nd^2 / 2, and with a
decoder that gives zeros whatever z is, the gradient by mu_nd is w_d x_nd.
"""

import math
import warnings

import numpy as np
import pytest
from proofs.linear_gaussian import write

import scratchae as sa
from scratchae.execution.runner import runner_for

N, SHARDS = 14, (1, 2, 3, 7)
# The first half of the rows has no KL, the second 2 and 0.8 nats: a shard is not like the batch.
X = np.repeat([[0.0, 0.0], [2.0, math.sqrt(1.6)]], N // 2, axis=0)
KL = np.array([1.0, 0.4])  # the mean of each dimension


def known(kind, backend, *arguments, **options):
    """A built model over such an objective."""
    parts = sa.Dense(2, 4), sa.Dense(2, 2), sa.Gaussian(2), sa.SquaredError()
    model = sa.Model(kind(*parts, *arguments, **options))
    model.build(2, backend=backend, dtype="float64", seed=0)
    write(model, "encoder", np.eye(2, 4), 0.0)
    write(model, "decoder", 0.0, 0.0)
    return model


def step(model, shards, x=X):
    """The terms of a batch, and the gradient of N loss by the encoder's biases: mu, logvar."""
    with runner_for(model, len(x), shards) as runner:
        feeds = runner.feeds(sa.Values(x))
        total = runner.gradients(feeds, np.arange(len(x), dtype=np.uint32))
        grads = runner.backend.to_host(runner.grads).sum(axis=0)
        return runner.objective.loss(total), model.parameters.views(grads)["encoder.b"]


def expect(model, cost, weights, tolerance, **more):
    """The cost of the KL and the weight (2,) of each dimension, over any shards."""
    for shards in SHARDS:
        terms, db = step(model, shards)
        reconstruction = (X**2).sum() / N
        due = {"loss": reconstruction + cost, "reconstruction": reconstruction}
        due |= {"kl": KL.sum(), "penalty": cost - KL.sum()} | more
        assert terms == pytest.approx(due, rel=tolerance("loss"), abs=tolerance("loss"))
        slope = np.concatenate([weights * X.sum(axis=0), [0.0, 0.0]])
        np.testing.assert_allclose(db, slope, rtol=tolerance("loss"), atol=tolerance("loss"))


def a_dimension_is_free_by_the_mean_of_the_batch(backend, tolerance):
    """One dimension on either side of the floor: weights (beta, 0), whatever an example or a shard
    has by itself."""
    model = known(sa.FreeBits, backend, floor=0.6, beta=0.5)
    expect(model, 0.5 * (KL[0] + 0.6), np.array([0.5, 0.0]), tolerance, above_floor=1)


def the_kl_is_held_from_both_sides(backend, tolerance):
    """A KL of 1.4 nats is pulled up to 2 and down to 1."""
    for capacity, side in ((2.0, -1.0), (1.0, 1.0)):
        model = known(sa.Capacity, backend, capacity, gamma=3.0)
        cost = 3.0 * abs(KL.sum() - capacity)
        expect(model, cost, np.full(2, 3.0 * side), tolerance)


def a_schedule_without_its_end_is_told(backend):
    """Three epochs of one step, and a beta that would take a hundred."""
    model = known(sa.ELBO, backend, beta=sa.schedules.Linear(0, 1, 100))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        history = sa.fit(model, X, sa.SGD(1e-3), epochs=3, batch_size=N, progress=False)
    assert history["beta"] == [0, 0.01, 0.02]
    assert [each.category for each in told] == [sa.ScheduleWarning]
