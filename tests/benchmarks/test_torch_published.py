"""PyTorch on the recipes in doubt, tiny."""

import sys
from pathlib import Path

import numpy as np
import pytest

from scratchae.detection import MeanStd

pytest.importorskip("torch", reason="needs PyTorch, which trains here: pip install torch")
sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "benchmarks")]

import torch  # noqa: E402
import torch_published  # noqa: E402


@pytest.mark.parametrize(("recipe", "lines"), [("ecg", 3), ("denoiser", 1)])
def test_smoke(recipe, lines, capsys):
    assert torch_published.main([recipe, "--smoke"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == lines
    assert 0 < float(printed[-1].split()[2 if recipe == "ecg" else 4].strip(",")) < 1


def test_weights_are_glorots_and_the_threshold_is_mean_and_deviation():
    layer = torch_published.glorot(torch.nn.Linear(200, 100))
    bound = (6 / 300) ** 0.5
    assert 0.99 * bound < layer.weight.abs().max() <= bound and (layer.bias == 0).all()
    scores = np.random.default_rng(0).random(50)
    assert torch_published.threshold(scores) == pytest.approx(MeanStd(1)(scores))


def test_padding_is_that_of_the_library():
    """Down by 2: one row of zeros behind, none before; up by 2: twice the size."""
    x = torch.ones(1, 1, 8, 8)
    down, up = torch_published.Padded(1, 1, 2), torch_published.Padded(1, 1, 2, up=True)
    torch.nn.init.ones_(down.layer.weight)
    y = down(x)
    assert y.shape == (1, 1, 4, 4) and up(y).shape == (1, 1, 8, 8)
    assert y[0, 0, 0, 0] == 9 and y[0, 0, 3, 3] == 4
