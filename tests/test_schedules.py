"""Schedules: their values by hand, at their ends, in a run on every backend, saved and resumed."""

import math

import numpy as np
import pytest

import scratchae as sa
from scratchae import schedules

X = np.random.default_rng(0).random((24, 6))


@pytest.mark.parametrize(
    "schedule, expected",
    [
        (schedules.Warmup(0.8, 4), {1: 0.2, 2: 0.4, 4: 0.8, 9: 0.8}),
        (schedules.Exponential(1.0, 0.25, 2), {1: 1.0, 2: 0.5, 3: 0.25, 5: 0.0625}),
        (schedules.Steps(1.0, 0.1, (3, 5)), {1: 1.0, 3: 1.0, 4: 0.1, 5: 0.1, 6: 0.01}),
        (schedules.Cosine(1.0, 4, 0.2), {1: 1.0, 2: 0.6 + 0.4 * math.sqrt(0.5), 3: 0.6, 5: 0.2, 9: 0.2}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_by_hand(schedule, expected):
    assert {t: schedule(t) for t in expected} == pytest.approx(expected, rel=1e-15, abs=1e-16)


def model(backend="numpy"):
    return sa.Autoencoder(sa.Dense(6, 3, "tanh"), sa.Dense(3, 6)).build(6, backend=backend, dtype="float64", seed=1)


def test_each_step_has_its_own_rate(backend, tolerance):
    """Plain gradient descent by hand, one batch a step: theta moves by lr(t) times the gradient."""
    schedule = schedules.Steps(0.02, 0.5, (1, 3, 4))
    m, by_hand = model(backend), model(backend)
    sa.fit(m, X, sa.SGD(schedule), epochs=6, batch_size=24, shards=1)
    optimizer = sa.SGD(1.0)
    for t in range(1, 7):
        optimizer.lr = schedule(t)
        sa.fit(by_hand, X, optimizer, epochs=1, batch_size=24, shards=1)
    found = [each.backend.to_host(each.parameters.values) for each in (m, by_hand)]
    np.testing.assert_allclose(*found, rtol=tolerance("kernel"))


@pytest.mark.parametrize("kind", [sa.SGD, sa.Adam, sa.AdamW, sa.Adagrad, sa.Adadelta, sa.RMSProp])
def test_saved_and_resumed(kind, backend, tmp_path):
    whole, half = model(backend), model(backend)
    options = {"batch_size": 8, "shards": 1}
    sa.fit(whole, X, kind(schedules.Cosine(0.01, 12)), epochs=4, **options)
    sa.fit(half, X, kind(schedules.Cosine(0.01, 12)), epochs=2, **options)
    sa.save(half, tmp_path / "half")
    again = sa.load(tmp_path / "half", backend=backend)
    sa.fit(again, X, again.optimizer, epochs=2, **options)
    found = [each.backend.to_host(each.parameters.values) for each in (whole, again)]
    np.testing.assert_array_equal(*found)


def test_a_run_that_diverges_names_the_rate_of_its_step():
    m = model()
    with pytest.raises(sa.NonFiniteLoss, match="try a learning rate below 1e"), np.errstate(all="ignore"):
        sa.fit(m, X, sa.SGD(schedules.Warmup(1e200, 1)), epochs=9, batch_size=4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: schedules.Warmup(0.0, 3),
        lambda: schedules.Warmup(1.0, 0),
        lambda: schedules.Exponential(1.0, 0.0, 3),
        lambda: schedules.Steps(1.0, 0.1, (0,)),
        lambda: schedules.Cosine(1.0, 3, -1.0),
        lambda: sa.Adam(lambda t: 0.1),
    ],
)
def test_bad_numbers(make):
    with pytest.raises(ValueError, match=r"(start|steps|gamma|end|lr) is"):
        make()
