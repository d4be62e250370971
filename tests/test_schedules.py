"""Schedules: their values by hand, at their ends, in a run on every backend, saved and resumed."""

import functools
import math
import re

import numpy as np
import pytest

import scratchae as sa
from scratchae import schedules
from scratchae.execution.runner import runner_for
from scratchae.randomness import permutation

X = np.random.default_rng(0).random((24, 6))


@pytest.mark.parametrize(
    "schedule, expected",
    [
        (schedules.Warmup(0.8, 4), {1: 0.2, 2: 0.4, 4: 0.8, 9: 0.8}),
        (schedules.Exponential(1.0, 0.25, 2), {1: 1.0, 2: 0.5, 3: 0.25, 5: 0.0625}),
        (schedules.Steps(1.0, 0.1, (3, 5)), {1: 1.0, 3: 1.0, 4: 0.1, 5: 0.1, 6: 0.01}),
        (
            schedules.Cosine(1.0, 4, 0.2),
            {1: 1.0, 2: 0.6 + 0.4 * math.sqrt(0.5), 3: 0.6, 5: 0.2, 9: 0.2},
        ),
        (schedules.Linear(0.2, 1.0, 4), {1: 0.2, 2: 0.4, 3: 0.6, 4: 0.8, 5: 1.0, 9: 1.0}),
        (
            schedules.Sigmoid(0.5, 1.5, 4, 8.0),
            {1: 0.5, 2: 1 - math.tanh(1) / math.tanh(2) / 2, 3: 1.0, 5: 1.5, 9: 1.5},
        ),
        (schedules.Sigmoid(1.0, 0.0, 4, 1e-30), {1: 1.0, 2: 0.75, 3: 0.5, 4: 0.25, 5: 0.0}),
        (schedules.Sigmoid(0.0, 1.0, 3, 1e30), {1: 0.0, 2: 0.0, 3: 1.0, 4: 1.0}),
        (
            schedules.Cyclical(0.0, 1.0, 16, 2, 0.5),
            {1: 0.0, 2: 0.25, 4: 0.75, 5: 1.0, 8: 1.0, 9: 0.0, 10: 0.25, 16: 1.0, 17: 1.0, 99: 1},
        ),
        (
            schedules.Cyclical(1.0, 0.0, 8, 2, 1.0),
            {1: 1.0, 2: 0.75, 3: 0.5, 4: 0.25, 5: 1.0, 8: 0.25, 9: 0.0},
        ),
        (schedules.Cyclical(0.0, 1.0, 8, 1, 0.25), {1: 0.0, 2: 0.5, 3: 1.0, 8: 1.0, 9: 1.0}),
        (schedules.Cyclical(0.0, 1.0, 10, 4, 1.0), {1: 0.0, 2: 0.4, 3: 0.8, 4: 0.2, 6: 0.0}),
        (schedules.Cyclical(0.0, 3.0, 8, 1, 1.0), {5: 1.5, 8: 2.625, 9: 3.0}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_by_hand(schedule, expected):
    assert {t: schedule(t) for t in expected} == pytest.approx(expected, rel=1e-15, abs=1e-16)


def model(backend="numpy"):
    return sa.Autoencoder(sa.Dense(6, 3, "tanh"), sa.Dense(3, 6)).build(
        6, backend=backend, dtype="float64", seed=1
    )


def test_each_step_has_its_own_rate(backend, tolerance):
    """Plain gradient descent by hand, three batches an epoch: theta moves by lr(t) times the
    gradient."""
    schedule = schedules.Steps(0.02, 0.5, (1, 3, 4))
    m, by_hand, t = model(backend), model(), 0
    sa.fit(m, X, sa.SGD(schedule), epochs=2, batch_size=8, shards=1)
    with runner_for(by_hand, 8, 1) as runner:
        feeds = runner.feeds(sa.Values(X))
        for rows in [
            batch for epoch in (1, 2) for batch in np.split(permutation(24, 0, epoch), 3)
        ]:
            t += 1
            total = runner.gradients(feeds, rows)
            by_hand.parameters.values -= schedule(t) * runner.grads[0] / total[0]
    found = [each.backend.to_host(each.parameters.values) for each in (m, by_hand)]
    np.testing.assert_allclose(*found, rtol=tolerance("layer"))


def halving(t):
    return 0.02 * 0.5**t


def test_a_function_of_the_step_is_a_schedule(backend, tmp_path):
    """As the class beside it, to the bit, and saved by its name."""
    found = []
    for lr in (halving, schedules.Exponential(0.01, 0.5, 1)):
        m = model(backend)
        optimizer = sa.SGD(lr)
        sa.fit(m, X, optimizer, epochs=2, batch_size=8, shards=1)
        found.append(m.backend.to_host(m.parameters.values))
        if lr is halving:
            sa.save(m, tmp_path / "m", optimizer=optimizer)
            assert sa.load(tmp_path / "m", classes=[halving]).optimizer.lr is halving
    np.testing.assert_array_equal(*found)


NAMELESS = [lambda t: 0.1, math.cos, functools.partial(halving), schedules.Warmup(1.0, 2).__call__]


@pytest.mark.parametrize("lr", NAMELESS)
def test_a_function_that_no_file_could_name_is_refused_at_once(lr):
    with pytest.raises(TypeError, match=r"Adam\(lr\) is .*, which a saved model cannot name"):
        sa.Adam(lr)


class Late(schedules.Schedule):
    """A rate that is none from some step on."""

    def __init__(self, rate, first):
        self.rate, self.first = rate, first

    def __call__(self, t):
        return self.rate if t >= self.first else 0.01


@pytest.mark.parametrize("rate", [-1, None, float("nan"), float("inf"), 1e39, "0.1", True])
@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_rate_that_is_none_is_refused_where_it_comes(backend, rate, first):
    """From a function, or set since: before the step that would use it, and of a GPU's epoch
    before its first."""
    m, optimizer = model(backend), sa.SGD(Late(rate, first))
    before = m.backend.to_host(m.parameters.values)
    words = r"SGD\(lr\) at step {} is " + re.escape(repr(rate)) + ", but it must be a number"
    with pytest.raises(ValueError, match=words.format(first)):
        sa.fit(m, X, optimizer, epochs=1, batch_size=8)
    steps = 0 if m.backend.name == "cupy" else first - 1
    assert optimizer.t == steps and (optimizer.owner is None) == (first == 1)
    assert (m.backend.to_host(m.parameters.values) != before).any() == (steps > 0)
    with pytest.raises(ValueError, match=r"SGD\(lr\) is .*, but"):
        optimizer.lr = rate


def test_a_rate_that_fades_away_is_one():
    optimizer = sa.SGD(schedules.Exponential(1e-3, 0.5, 1))
    assert 0 < optimizer.rate(200) < 1e-46 and optimizer.rate(2000) == 0


@pytest.mark.parametrize("kind", [sa.SGD, sa.Adam, sa.AdamW, sa.Adagrad, sa.Adadelta, sa.RMSProp])
def test_saved_and_resumed(kind, backend, tmp_path):
    whole, half = model(backend), model(backend)
    options = {"batch_size": 8, "shards": 1}
    sa.fit(whole, X, kind(schedules.Cosine(0.01, 12)), epochs=4, **options)
    optimizer = kind(schedules.Cosine(0.01, 12))
    sa.fit(half, X, optimizer, epochs=2, **options)
    sa.save(half, tmp_path / "half", optimizer=optimizer)
    again = sa.load(tmp_path / "half", backend=backend)
    sa.fit(again, X, again.optimizer, epochs=2, **options)
    found = [each.backend.to_host(each.parameters.values) for each in (whole, again)]
    np.testing.assert_array_equal(*found)


def test_a_run_that_diverges_names_the_rate_of_its_step():
    m = model()
    with (
        pytest.raises(sa.NonFiniteLoss, match="try a learning rate below 1e"),
        np.errstate(all="ignore"),
    ):
        sa.fit(m, X, sa.SGD(schedules.Warmup(1e38, 1)), epochs=9, batch_size=4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: schedules.Warmup(0.0, 3),
        lambda: schedules.Warmup(1.0, 0),
        lambda: schedules.Exponential(1.0, 0.0, 3),
        lambda: schedules.Steps(1.0, 0.1, (0,)),
        lambda: schedules.Steps(1.0, 0.1, 5),
        lambda: schedules.Cosine(1.0, 3, -1.0),
        lambda: schedules.Cosine(1.0, 3, 1e-50),
        lambda: schedules.Sigmoid(0.0, -1.0, 3),
        lambda: schedules.Sigmoid(0.0, 1.0, 3, 0.0),
        lambda: schedules.Sigmoid(0.0, 1.0, 3, 1e-50),
        lambda: schedules.Cyclical(0.0, 1.0, 8, 0),
        lambda: schedules.Cyclical(0.0, 1.0, 8, 4, 0.0),
        lambda: schedules.Cyclical(0.0, 1.0, 8, 4, 1.01),
        lambda: schedules.Cyclical(0.0, 1.0, 3, 4),
        lambda: schedules.Cyclical(-1.0, 1.0, 8),
    ],
)
def test_bad_numbers(make):
    with pytest.raises(ValueError, match=r"(start|steps|gamma|end|lr|cycles|ratio|steepness) is"):
        make()


@pytest.mark.parametrize(
    ("schedule", "steps"),
    [
        (schedules.Warmup(0.8, 4), 4),
        (schedules.Steps(1.0, 0.1, (3, 7, 5)), 7),
        (schedules.Cosine(1.0, 4), 4),
        (schedules.Linear(0.2, 1.0, 4), 4),
        (schedules.Sigmoid(0.2, 1.0, 4), 4),
        (schedules.Cyclical(0.2, 1.0, 12, 3), 12),
    ],
    ids=lambda value: type(value).__name__,
)
def test_it_stays_after_the_steps_that_it_lasts(schedule, steps):
    assert schedule.lasts == steps
    assert schedule(steps + 1) == schedule(steps + 2) == schedule(10 * steps)


def test_some_never_stay():
    assert schedules.Exponential(1.0, 0.5, 3).lasts is None
    assert schedules.Steps(1.0, 0.5, ()).lasts == 0 and Late(0.1, 3).lasts is None
