"""What a benchmark counts, where a wrong number would not be noticed: flops, bytes, medians."""

import sys
from pathlib import Path

import numpy as np
import pytest

import scratchae as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.kernels import cases
from benchmarks.published import recipes as published
from benchmarks.shared import measure, recipes


def flops(encoder, decoder, shape, batch):
    model = sa.Autoencoder(sa.Sequential(*encoder), sa.Sequential(*decoder)).build(shape)
    return recipes.flops(model, batch)


def test_flops_of_dense_layers():
    """2 passes through 5x3, no input gradient there; 3 through 3x5; 2 operations each, 7 rows."""
    assert flops([sa.Dense(5, 3)], [sa.Dense(3, 5)], 5, 7) == 7 * 2 * (2 * 15 + 3 * 15)


def test_flops_of_convolutions():
    """8x8x1 -> 4x4x2, 18 weights used 16 times; back the same; then 8x8, 9 weights, 64 times."""
    encoder = [sa.GaussianNoise(0.1), sa.Conv2d(1, 2, 3, 2, "same")]
    decoder = [sa.ConvTranspose2d(2, 1, 3, 2, "same", "relu"), sa.Conv2d(1, 1, 3, 1, "same")]
    expected = 2 * (2 * 16 * 18 + 3 * 16 * 18 + 3 * 64 * 9)
    assert flops(encoder, decoder, (8, 8, 1), 10) == 10 * expected


def test_flops_of_lstms():
    """7 steps: W of 1x12 in 2 passes, R of 3x12 in 3; then W of 3x20, R of 5x20 and 5x1 in 3."""
    decoder = [sa.Repeat(7), sa.LSTM(3, 5, True), sa.Conv1d(5, 1, 1)]
    expected = 7 * 2 * (2 * 12 + 3 * 36 + 3 * 60 + 3 * 100 + 3 * 5)
    assert flops([sa.LSTM(1, 3, False)], decoder, (7, 1), 9) == 9 * expected


def test_every_kernel_has_a_case_that_is_a_right_call():
    for name, kernel in cases.collected().items():
        for make in cases.makers(name):
            case = make(name.rpartition(".")[2])
            assert case.moved > 0 and case.flops >= 0
            kernel.definition(*case.calls[0])


def test_bytes_and_arithmetic_of_a_gather_and_a_convolution():
    gather = cases.makers("batch.GATHER_GREY")[0]("GATHER_GREY")
    assert gather.moved == 128 * 784 * (4 + 1) + 4 * 128 and gather.flops == 0
    conv = cases.makers("convolution.CONV")[0]("CONV")
    x, W = conv.calls[0][1], conv.calls[0][2]
    a = conv.calls[0][0]
    assert conv.flops == 2 * a.size * W[..., 0].size and x.ndim == 4


@pytest.mark.parametrize(
    "ours, higher, right", [(0.5, False, True), (0.7, False, False), (0.5, True, False)]
)
def test_what_is_reached(ours, higher, right):
    assert published.reached({"bar": 0.6, "higher": higher}, ours) is right
    assert published.reached({}, ours) is None


def test_a_race_is_judged_by_medians():
    ours = [[2.0, 2.0, 9.0], [2.0, 1.0, 3.0]]
    theirs = {"eager": [[4.0, 4.0, 4.0], [5.0, 4.0, 4.0]], "other": [[8.0, 8.0], [8.0, 8.0]]}
    found = measure.summary(ours, theirs)
    numbers = [v for v in found.values() if isinstance(v, float)]
    assert np.isfinite(numbers).all() and any(v == pytest.approx(2.0) for v in numbers)
