"""A step of any layer allocates nothing, on the host and on the GPU."""

import copy
import tracemalloc
from contextlib import contextmanager

import pytest
from layers.contract import CASE, CASES, bound, step

from scratchae.layers import (
    LSTM,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    GaussianNoise,
    MaxPool2d,
    Repeat,
    Reshape,
    SaltAndPepper,
    Sequential,
    Upsample2d,
)

LARGE = {
    "Dense": (Dense(256, 256, "relu"), (256,)),
    "Conv2d": (Conv2d(16, 128, 3, activation="relu"), (8, 8, 16)),
    "ConvTranspose2d": (ConvTranspose2d(16, 128, 3, activation="relu"), (6, 6, 16)),
    "MaxPool2d": (MaxPool2d(3, 2, "same"), (12, 12, 16)),
    "Upsample2d": (Upsample2d(2), (6, 6, 16)),
    "Conv1d": (Conv1d(16, 64, 3, activation="relu"), (32, 16)),
    "Repeat": (Repeat(8), (256,)),
    "GaussianNoise": (GaussianNoise(0.5, (0, 1)), (256,)),
    "SaltAndPepper": (SaltAndPepper(0.5), (256,)),
    "LSTM": (LSTM(16, 64, True), (6, 16)),
    "LSTM last": (LSTM(16, 64, False), (6, 16)),
    "Sequential": (Sequential(Flatten(), Dense(256, 256, "tanh"), Reshape(16, 16, 1)), (16, 16)),
}
SMALL = 32 * 1024  # bytes; every batch, weight and block of patches of LARGE is larger


def peak(case, dtype, monkeypatch):
    """How many bytes a step allocates at once, after the first."""
    monkeypatch.setitem(
        CASES, "large", (*LARGE[case], copy.deepcopy(LARGE[case][0]).declare(LARGE[case][1])[0])
    )
    b = bound("large", dtype=dtype, rows=128)
    b.layer.draw(b.rows, b.clock), b.layer.forward(b.x), b.layer.backward(b.dy)
    tracemalloc.start()
    try:
        b.layer.draw(b.rows, b.clock), b.layer.forward(b.x), b.layer.backward(b.dy)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("case", LARGE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_allocates_nothing(case, dtype, monkeypatch):
    assert peak(case, dtype, monkeypatch) < SMALL


def test_an_allocation_is_seen(monkeypatch):
    forward = Dense.forward
    monkeypatch.setattr(Dense, "forward", lambda self, x: forward(self, x.copy()))
    assert peak("Dense", "float32", monkeypatch) > SMALL


@contextmanager
def no_new_memory(b):
    """Within it, the GPU gives out no array."""

    def refuse(*_):
        raise AssertionError("a step allocates memory on the GPU")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(b.backend.cupy, "empty", refuse)
        patched.setattr(b.backend, "empty", refuse)
        yield


@CASE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_allocates_nothing_on_the_gpu(case, dtype, gpu):
    b = bound(case, gpu, dtype)
    step(b)
    with no_new_memory(b):
        step(b), step(b, slice(4))


def test_an_allocation_on_the_gpu_is_seen(gpu, monkeypatch):
    b, forward = bound("Dense relu", gpu), Dense.forward
    monkeypatch.setattr(
        Dense, "forward", lambda self, x: forward(self, b.backend.asarray(b.host(x)))
    )
    step(b)
    with no_new_memory(b), pytest.raises(AssertionError, match="allocates memory on the GPU"):
        step(b)
