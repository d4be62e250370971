"""What a step must do at least, and what a machine can do at most."""

import numpy as np
import pytest

import scratchae as sa
from benchmarks.shared import floor, limits, recipes


def flops(encoder, decoder, shape, batch):
    model = sa.Autoencoder(sa.Sequential(*encoder), sa.Sequential(*decoder))
    return floor.work(model, shape, batch, 4).flops


def test_flops():
    """Passes times weights times uses, 2 operations each; no input gradient in the first layer."""
    assert flops([sa.Dense(5, 3)], [sa.Dense(3, 5)], (5,), 7) == 7 * 2 * (2 * 15 + 3 * 15)
    encoder = [sa.GaussianNoise(0.1), sa.Conv2d(1, 2, 3, 2, "same")]
    decoder = [sa.ConvTranspose2d(2, 1, 3, 2, "same", "relu"), sa.Conv2d(1, 1, 3, 1, "same")]
    assert flops(encoder, decoder, (8, 8, 1), 10) == 20 * (2 * 16 * 18 + 3 * 16 * 18 + 3 * 64 * 9)
    encoder, decoder = [sa.LSTM(1, 3, False)], [sa.Repeat(7), sa.LSTM(3, 5, True)]
    expected = 9 * 7 * 2 * (2 * 12 + 3 * 36 + 3 * 60 + 3 * 100 + 3 * 5)
    assert flops(encoder, [*decoder, sa.Conv1d(5, 1, 1)], (7, 1), 9) == expected
    encoder, decoder = [sa.Conv1d(1, 2, 3, 2, "same")], [sa.ConvTranspose1d(2, 1, 3, 2, "same")]
    assert flops(encoder, decoder, (8, 1), 10) == 20 * (2 * 4 * 6 + 3 * 4 * 6)


def test_bytes():
    """38 weights, their gradients and two moments read and written, and 7 examples of 5 read."""
    model = sa.Autoencoder(sa.Sequential(sa.Dense(5, 3)), sa.Sequential(sa.Dense(3, 5)))
    found = floor.work(model, (5,), 7, 4)
    assert found.state == 4 * 4 * 38 and found.moved == 2 * found.state + 4 * 7 * 5
    batch = recipes.RECIPES["dense_vae"].work(2).moved - recipes.RECIPES["dense_vae"].work(1).moved
    assert batch == 784  # uint8


def test_loops_do_what_is_counted():
    """a = a x + x three times from a = x: 15/16 at x = 1/2, in each chain; every number twice."""
    chain = 15 / 16
    assert limits.multiply_adds(3, np.float32(0.5)) == pytest.approx(limits.CHAINS * chain)
    a = np.arange(5, dtype=np.float32)
    limits.passes(a, 2, np.float32(3))
    assert a.tolist() == [6, 7, 8, 9, 10]


@pytest.mark.parametrize("threads", [1, 2])
def test_rates(threads, monkeypatch):
    """So much done in so many seconds, on each thread."""
    monkeypatch.setattr(limits, "SECONDS", 0.001)
    assert min(limits.sgemm(threads), limits.fma(threads), limits.bandwidth(threads, 999)) > 0
    clock = iter(range(1000))
    monkeypatch.setattr(limits.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(limits, "SECONDS", 2)
    if threads == 1:
        assert limits.together(1, lambda thread: (lambda: None, 3e9)) == 3 * 1 / 2
