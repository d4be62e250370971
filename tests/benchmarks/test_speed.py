"""The benchmarks of speed: they run, they count right, they refuse another model."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="needs PyTorch, the other contestant")
from benchmarks.shared import measure, recipes, torch_recipes
from benchmarks.shared.floor import Work
from benchmarks.shared.processes import ROOT
from benchmarks.shared.torch_images import Layout
from benchmarks.speed import compare_torch, cores


def started(script, cwd, *more):
    """What a tiny run of a command, with more options, writes, started from another folder."""
    command = [sys.executable, ROOT / "benchmarks" / script, "--smoke", "--json", "out.json"]
    command += more
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads((cwd / "out.json").read_text())


def test_compare_torch(tmp_path):
    rows = started("speed/compare_torch.py", tmp_path)
    assert [(row["recipe"], row["batch"]) for row in rows] == [("dense_vae", 16), ("tf_cvae", 32)]
    assert [len(row["torch_ms"]) for row in rows] == [2, 4]
    assert all(min(row["ours_ms"], row["floor_ms"], *row["torch_ms"].values()) > 0 for row in rows)


def test_models_that_are_drawn(tmp_path, capsys):
    out = tmp_path / "out.json"
    assert compare_torch.main(["--random", "2", "--seed", "4", "--smoke", "--json", str(out)]) == 0
    rows, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert [row["recipe"] for row in rows] == ["random 4 0", "random 4 1"]
    assert all(row["ratio"] and f"\n{row['model']} " in printed for row in rows)
    assert printed.splitlines()[-1].startswith("threads 1, 2 models: worst ")


def test_what_the_table_of_drawn_models_ends_with():
    def row(threads, model, ratio):
        return {"threads": threads, "model": model, "ratio": ratio}

    ones = [row(1, "a", 1.5), row(1, "b", 0.5), row(1, "c", 1.1), row(1, "d", 0.9)]
    rows = [*ones, row(2, "a", 2.0), row(2, "b", None)]
    assert compare_torch.verdict(rows) == [
        "threads 1, 4 models: worst 0.50x (b), median 1.00x, below 1: 50%",
        "threads 2, 1 models: worst 2.00x (a), median 2.00x, below 1: 0%",
    ]


@pytest.mark.parametrize("options", [["--random", "0"], ["--seed", "-1"], ["--random", "x"]])
def test_options_that_are_no_numbers(options, capsys):
    with pytest.raises(SystemExit) as refused:
        compare_torch.main(options)
    assert refused.value.code == 2 and "give one" in capsys.readouterr().err


def test_drawn_models_and_named_ones_are_not_asked_for_at_once(capsys):
    with pytest.raises(SystemExit) as refused:
        compare_torch.main(["--random", "3", "--only", "ecg"])
    assert refused.value.code == 2 and "not allowed with argument" in capsys.readouterr().err


@pytest.mark.parametrize(("moved", "floor_ms", "limit"), [(1e9, 20, "flops"), (6e9, 30, "bytes")])
def test_the_floor_and_the_medians_of_a_race(moved, floor_ms, limit):
    """4 GFLOP at a median of 200 GFLOP/s take 20 ms, 6 GB at 200 GB/s 30; 3 interruptions in 2
    steps of 50 ms."""

    def answers(*ms):
        return [{"ms": [t], "interruptions": 3} for t in ms]

    rates = [{"fma": rate, "sgemm": rate / 2, "gbs": rate} for rate in (200, 100, 400)]
    found = {"ours": answers(40, 50, 60), "eager": answers(200, 100, 120), "limits": rates}
    row = compare_torch.row(2, Work(4_000_000_000, 10, moved), found)
    assert row["floor_ms"] == floor_ms and row["limit"] == limit
    assert row["floor_ratio"] == 50 / floor_ms and row["ratio"] == 2.4
    assert row["spread"] == [2, 5] and row["interruptions"] == pytest.approx(30)


LARGE = 700_000  # numbers of the weights: above dense_vae


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", recipes.RECIPES)
def test_the_models_are_the_same_and_a_wrong_tensor_is_seen(name):
    """W or R wrong by 0.1 %, b by 0.001, one tensor after the other; two of large models."""
    recipe = recipes.find(name)
    N = 4 if recipe.images else 9  # of 9 images PyTorch's bias gradient is off by 1.2e-4 with AVX2
    model, ours = recipes.build(recipe), recipes.first_step(recipe, N)
    examples, eps = recipes.examples(recipe, N), recipes.noise(model, N)

    def told(last=False):
        layout = Layout.of(model, last)
        theirs, data = torch_recipes.build(model, layout), layout.tensor(examples)
        step = torch_recipes.first_step(theirs, data, eps, layout)
        return measure.difference(ours, step, compare_torch.ALLOWED)

    assert not any(told(order["last"]) for order in recipe.orders(("eager",)).values())
    tensors = list(model.weights.items())
    large = sum(values.size for _, values in tensors) > LARGE
    for tensor, values in tensors[: 2 if large else None]:
        model.weights[tensor] = values + 1e-3 if tensor.endswith("b") else values * 1.001
        assert told(), tensor
        model.weights[tensor] = values


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("number", range(6))
def test_drawn_models_are_the_same(number):
    """Of every kind; the loss sees weights that are wrong by 1 %."""
    recipe, N = recipes.find(f"random 5 {number}"), 9
    model, ours = recipes.build(recipe), recipes.first_step(recipe, N)
    data, eps = recipes.examples(recipe, N), recipes.noise(model, N)

    def told(last):
        layout = Layout.of(model, last)
        theirs = torch_recipes.build(model, layout)
        step = torch_recipes.first_step(theirs, layout.tensor(data), eps, layout)
        return measure.difference(ours, step, compare_torch.ALLOWED)

    lasts = [order["last"] for order in recipe.orders(("eager",)).values()]
    assert [told(last) for last in lasts] == [None] * len(lasts)
    for tensor, values in model.weights.items():
        model.weights[tensor] = values * 1.01
    assert all(told(last) for last in lasts)


def test_main_job(tmp_path):
    result = started("speed/main_job.py", tmp_path)
    start, jobs = result["starts"]["dense"], result["jobs"]
    assert 0 < start["cold_first_step"] < start["cold_first_epoch"]
    assert jobs["ratio"] == jobs["ours"]["seconds"] / jobs["theirs"]["seconds"]
    assert all(jobs[who]["test_loss"] < 544 for who in ("ours", "theirs"))  # 784 log 2


def test_cores(tmp_path):
    result = started("speed/cores.py", tmp_path, "--only", "dense_vae", "--shards", "2", "4")
    for row, shards in zip(result["rows"], (2, 4), strict=True):
        # a step is a round of shards and one of parts of the update
        assert row["shards"] == shards and row["tasks"] == 2 * shards
        assert row["gradients"] == 2 * 4 * shards * 652_896 / 1e6  # parameters, aligned
        assert 0 < row["serial"] < row["on_8"] <= row["ms"]["1"]


def test_a_round_on_more_cores():
    """Whole tasks are shared, a hand-off costs, and short tasks stay with one thread."""
    assert cores.on(8, 0.8, 4, 0.001) == pytest.approx(0.2 + 0.003)
    assert cores.on(2, 0.9, 3, 0.001) == pytest.approx(0.6 + 0.001)
    assert cores.on(8, 0.8, 1, 0.001) == 0.8
    assert cores.on(8, 0.01, 8, 0.004) == 0.01  # hand-offs would take longer
    assert cores.on(8, 8 * cores.pool.HANDOFF, 8, 0.0) == 8 * cores.pool.HANDOFF
