"""The benchmarks of speed: they run, they count right, they refuse another model."""

import json
import subprocess
import sys

import pytest

import scratchae as sa

pytest.importorskip("torch", reason="needs PyTorch, the other contestant")
from benchmarks.shared import measure, recipes, torch_recipes
from benchmarks.shared.processes import ROOT
from benchmarks.speed import compare_torch


def started(script, cwd):
    """What a tiny run of a command writes, started from another folder."""
    command = [sys.executable, ROOT / "benchmarks" / script, "--smoke", "--json", "out.json"]
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads((cwd / "out.json").read_text())


def test_compare_torch(tmp_path):
    rows = started("speed/compare_torch.py", tmp_path)
    assert [(row["recipe"], row["batch"]) for row in rows] == [("dense_vae", 16), ("tf_cvae", 32)]
    assert [len(row["torch_ms"]) for row in rows] == [2, 4]
    assert all(min(row["ours_ms"], row["gflops"], *row["torch_ms"].values()) > 0 for row in rows)


def test_the_floor_and_the_medians_of_a_race():
    """4 GFLOP at a median of 200 GFLOP/s take 20 ms; 3 interruptions in 2 steps of 50 ms."""

    def answers(*ms):
        return [{"ms": [t], "interruptions": 3} for t in ms]

    rates = [{"gflops": rate} for rate in (200, 100, 400)]
    found = {"ours": answers(40, 50, 60), "eager": answers(200, 100, 120), "sgemm": rates}
    row = compare_torch.row(2, 4_000_000_000, found)
    assert row["floor_ms"] == 20 and row["floor_ratio"] == 2.5 and row["ratio"] == 2.4
    assert row["spread"] == [2, 5] and row["interruptions"] == pytest.approx(30)


def flops(encoder, decoder, shape, batch):
    model = sa.Autoencoder(sa.Sequential(*encoder), sa.Sequential(*decoder)).build(shape)
    return recipes.flops(model, batch)


def test_flops():
    """Passes times weights times uses, 2 operations each; no input gradient in the first layer."""
    assert flops([sa.Dense(5, 3)], [sa.Dense(3, 5)], 5, 7) == 7 * 2 * (2 * 15 + 3 * 15)
    encoder = [sa.GaussianNoise(0.1), sa.Conv2d(1, 2, 3, 2, "same")]
    decoder = [sa.ConvTranspose2d(2, 1, 3, 2, "same", "relu"), sa.Conv2d(1, 1, 3, 1, "same")]
    assert flops(encoder, decoder, (8, 8, 1), 10) == 20 * (2 * 16 * 18 + 3 * 16 * 18 + 3 * 64 * 9)
    encoder, decoder = [sa.LSTM(1, 3, False)], [sa.Repeat(7), sa.LSTM(3, 5, True)]
    expected = 9 * 7 * 2 * (2 * 12 + 3 * 36 + 3 * 60 + 3 * 100 + 3 * 5)
    assert flops(encoder, [*decoder, sa.Conv1d(5, 1, 1)], (7, 1), 9) == expected


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_the_models_are_the_same_and_a_wrong_tensor_is_seen(name):
    """W or R wrong by 0.1 %, b by 0.001, one tensor after the other."""
    recipe, N = recipes.RECIPES[name], 9
    model, ours = recipes.build(recipe), recipes.first_step(recipe, N)
    examples, eps = recipes.examples(recipe, N), recipes.noise(model, N)

    def told(last=False):
        data = torch_recipes.tensor(examples, last)
        step = torch_recipes.first_step(torch_recipes.build(model, last), data, eps, last)
        return measure.difference(ours, step, compare_torch.ALLOWED)

    assert not any(told(order["last"]) for order in recipe.orders(("eager",)).values())
    for tensor, values in model.weights.items():
        model.weights[tensor] = values + 1e-3 if tensor.endswith("b") else values * 1.001
        assert told(), tensor
        model.weights[tensor] = values


def test_main_job(tmp_path):
    result = started("speed/main_job.py", tmp_path)
    start, jobs = result["starts"]["dense"], result["jobs"]
    assert 0 < start["cold_first_step"] < start["cold_first_epoch"]
    assert jobs["ratio"] == jobs["ours"]["seconds"] / jobs["theirs"]["seconds"]
    assert all(jobs[who]["test_loss"] < 544 for who in ("ours", "theirs"))  # 784 log 2
