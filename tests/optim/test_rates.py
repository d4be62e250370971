"""A scheduled learning rate is that of its step, in every optimiser: the rules by hand, with rates
that are read from a list, and runs whose rate is set anew before each step."""

import math

import numpy as np
import pytest

import scratchae as sa
from scratchae import randomness
from scratchae.execution.runner import runner_for
from scratchae.parameters import Parameters

RATES = (0.3, 0.05, 0.2, 0.01, 0.1)  # of steps 1 to 5: no two alike, neither rising nor falling
GRADS = ((2.0, -0.1), (-0.5, 0.2), (1.0, 0.1), (0.3, -2.0), (-1.0, 0.5))  # means over the batch
COUNT = 4


def listed(t):
    return RATES[t - 1]


# One step of one parameter: theta, its gradient, the rate, the step, the state -> theta, state.


def sgd(theta, g, alpha, t, v=0.0):
    v = 0.9 * v + g
    return theta - alpha * v, v


def adagrad(theta, g, alpha, t, h=0.0):
    h += g * g
    return theta - alpha * g / (math.sqrt(h) + 1e-10), h


def adadelta(theta, g, alpha, t, v=0.0, u=0.0):
    v = 0.95 * v + 0.05 * g * g
    d = -math.sqrt(u + 1e-6) / math.sqrt(v + 1e-6) * g
    return theta + alpha * d, v, 0.95 * u + 0.05 * d * d


def rmsprop(theta, g, alpha, t, v=0.0):
    v = 0.9 * v + 0.1 * g * g
    return theta - alpha * g / (math.sqrt(v) + 1e-8), v


def adam(theta, g, alpha, t, m=0.0, v=0.0, decay=0.0):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return theta - alpha * (m_hat / (math.sqrt(v_hat) + 1e-8) + decay * theta), m, v


def adamw(theta, g, alpha, t, m=0.0, v=0.0):
    return adam(theta, g, alpha, t, m, v, decay=0.01)


EVERY = {  # an optimiser with its default constants, which are the rule's
    "sgd": (lambda lr: sa.SGD(lr, 0.9), sgd),
    "adagrad": (sa.Adagrad, adagrad),
    "adadelta": (sa.Adadelta, adadelta),
    "rmsprop": (sa.RMSProp, rmsprop),
    "adam": (sa.Adam, adam),
    "adamw": (sa.AdamW, adamw),
}
NAMES = pytest.mark.parametrize("name", EVERY)


def by_hand(rule, rates):
    thetas, theta, state = [], [0.5, -1.0], [(), ()]
    for t, (g, alpha) in enumerate(zip(GRADS, rates, strict=True), 1):
        for i in range(2):
            theta[i], *state[i] = rule(theta[i], g[i], alpha, t, *state[i])
        thetas.append(list(theta))
    return thetas


@NAMES
def test_the_rate_of_each_step(name, backend, tolerance):
    make, rule = EVERY[name]
    b, optimizer = sa.get_backend(backend, "float64"), make(listed)
    parameters = Parameters(b, {"theta": ((2,), lambda noise: np.array([0.5, -1.0]))})
    parameters.initialise(seed=0)
    optimizer.start(parameters)
    G, found = b.zeros((1, parameters.size)), []
    for g in GRADS:
        b.write(parameters.view("theta", G[0]), COUNT * np.array(g))
        optimizer.tick(np.array([float(COUNT), 1.0]))
        optimizer.update(parameters.values, G, slice(0, 2))
        found.append(b.to_host(parameters.view("theta")))
    np.testing.assert_allclose(found, by_hand(rule, RATES), atol=tolerance("kernel"))


@NAMES
@pytest.mark.parametrize("wrong", [(0.3,) * 5, (0.3, *RATES[:4]), (*RATES[1:], 0.1)], ids=str)
def test_another_rate_is_seen(name, wrong, tolerance):
    """The first one all the time, each a step late, each a step early."""
    _, rule = EVERY[name]
    off = np.abs(np.array(by_hand(rule, wrong)) - by_hand(rule, RATES))
    assert off.max() > 1000 * tolerance("kernel")


@NAMES
def test_the_rows_of_an_epoch_on_a_gpu(name):
    """1 / count and the rate, step by step, from the step after those done."""
    optimizer = EVERY[name][0](listed)
    optimizer.t = 2
    rows = optimizer.schedule([8, 8, 3])
    np.testing.assert_allclose(rows[:, 0], [1 / 8, 1 / 8, 1 / 3])
    np.testing.assert_array_equal(rows[:, 1], RATES[2:])
    if name in ("adam", "adamw"):
        np.testing.assert_allclose(rows[:, 2:], [[1 - 0.9**t, 1 - 0.999**t] for t in (3, 4, 5)])


def model(backend):
    encoder = sa.Sequential(sa.Dense(6, 3, "tanh"))
    return sa.Autoencoder(encoder, sa.Dense(3, 6)).build(
        6, backend=backend, dtype="float64", seed=1
    )


def halving(t):
    return 0.1 * 0.5**t


@NAMES
def test_a_run_whose_rate_is_set_before_each_step(name, backend, rng, tolerance):
    """Two epochs of three steps by ``fit`` and a schedule; the same steps one by one."""
    x, steps, one = rng.random((20, 6)), model(backend), EVERY[name][0](1.0)
    scheduled, t = model(backend), 0
    sa.fit(scheduled, x, EVERY[name][0](halving), epochs=2, batch_size=8, shards=1, progress=False)
    one.start(steps.parameters)
    with runner_for(steps, 8, 1) as runner:
        feeds = runner.feeds(sa.Values(x))
        for epoch in (1, 2):
            order = randomness.permutation(20, 0, epoch)
            runner.set_clock(randomness.clock(0, epoch))
            for i in range(0, 20, 8):
                t += 1
                one.lr = halving(t)
                list(runner.steps(feeds, order[i : i + 8], 8, one, lambda: False))
    for tensor, values in scheduled.weights.items():
        np.testing.assert_allclose(values, steps.weights[tensor], rtol=tolerance("layer"))
