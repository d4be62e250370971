"""The GPU's benchmark on an emulated GPU, PyTorch on the CPU: the times mean nothing."""

import json

import pytest

from benchmarks.gpu import gpu as bench
from benchmarks.shared import measure, recipes


@pytest.fixture
def children(children, monkeypatch):
    """PyTorch runs on the CPU where the emulator stands for a GPU."""
    import cupy

    pytest.importorskip("torch", reason="needs PyTorch")
    if not hasattr(cupy, "__version__"):
        monkeypatch.setattr(bench, "DEVICE", "cpu")


def test_smoke(children, tmp_path, capsys):
    out = tmp_path / "gpu.json"
    status = bench.main(["--smoke", "--precision", "float32", "--json", str(out)])
    printed, result = capsys.readouterr().out, json.loads(out.read_text())
    assert status == 0 and result["complaints"] == [], printed
    for section in bench.TABLES:
        assert result[section] and f"\n{section}\n" in printed
    assert [row["product"] for row in result["products"]][:2] == ["8x16 @ 16x4", "16x8' @ 8x4"]
    for row in result["products"]:
        assert row["tflops"] == pytest.approx(row["flops"] / row["us"] / 1e6)
        assert row["off_by"] < 1e-5
    for row in result["graphs"]:
        assert row["same"] == row["losses"] == 2 * bench.SMOKE_STEPS
    assert [len(row["torch_ms"]) for row in result["recipes"]] == [1, 2]
    (job,) = result["job"]
    assert 0 < job["first_epoch_s"] < job["training_s"] < job["total_s"] and job["test_loss"] < 544


def options(*given):
    return bench.parser().parse_args(given)


@pytest.fixture
def late(monkeypatch):
    """A budget of 10 s, all of them over."""
    budget = bench.Budget(10)
    monkeypatch.setattr(bench.time, "monotonic", lambda: budget.ends)
    return budget


def test_the_batches_are_those_that_were_given():
    def batches(section, *given):
        found = bench.specs(section, options("--precision", "tf32", "--only", "lstm", *given))
        return [spec["batch"] for spec in found]

    assert batches("recipes") == [32, 256]
    assert batches("recipes", "--batches", "7", "9", "7") == [7, 9]
    assert batches("graphs", "--batches", "7", "9") == [7]
    assert batches("recipes", "--smoke") == [bench.SMOKE_BATCH]
    (spec,) = bench.specs("graphs", options("--only", "lstm", "--batches", "1000"))
    assert spec["examples"] == spec["steps"] * 1000


def test_what_does_not_fit_is_told_and_nothing_of_it_begun(late, monkeypatch, capsys):
    monkeypatch.setattr(bench, "Child", None)
    o, complain = options("--only", "ecg", "lstm", "--batches", "7", "--precision", "tf32"), []
    for section in bench.TABLES:
        assert list(bench.rows(section, o, True, complain, late)) == []
    told = ["launches", "products tf32", "graphs ecg, batch 7", "graphs lstm, batch 7"]
    told += ["recipes ecg, batch 7, tf32", "recipes lstm, batch 7, tf32", "job tf32"]
    assert late.left_out == [f"{name}: left out, since the 10 s are over" for name in told]
    assert capsys.readouterr().out.splitlines() == late.left_out and complain == []


def test_a_budget_leaves_a_minute_for_what_is_under_way(late, monkeypatch):
    assert late.patience() == bench.GRACE
    monkeypatch.setattr(bench.time, "monotonic", lambda: late.ends - 9)
    assert late.patience() == bench.GRACE + 9 and not late.leaves_out("x")
    unlimited = bench.Budget(None)
    assert unlimited.patience() == bench.PATIENCE and not unlimited.leaves_out("x")
    assert late.left_out == unlimited.left_out == []


def test_rounds_end_with_the_time_but_one_is_run():
    calls = []
    for over, rounds in ((lambda: True, 1), (lambda: len(calls) > 3, 3), (lambda: False, 7)):
        calls.clear()
        found = measure.alternate({"a": lambda: calls.append("a"), "b": int}, 7, over=over)
        assert [len(answers) for answers in found.values()] == [rounds] * 2, rounds


def test_modes_that_are_left_out_are_not_asked():
    asked = {mode: (None, {}) for mode in ("eager", "graph")}
    told = []
    assert measure.ready(asked, {}, {}, None, lambda name: not told.append(name)) == {}
    assert told == ["eager", "graph"]


def test_another_model_does_not_race(children, monkeypatch, capsys):
    monkeypatch.setitem(bench.ALLOWED, "float32", {"loss": -1.0})
    options = ["--smoke", "--sections", "recipes", "--only", "ecg", "--precision", "float32"]
    assert bench.main(options) == 1
    printed = capsys.readouterr().out
    assert "ecg, batch 4, float32, eager contiguous: not the same model" in printed
    assert printed.splitlines()[-1].split()[4:7] == ["-"] * 3


@pytest.mark.parametrize("name", recipes.PUBLISHED)
def test_the_first_step_is_that_of_the_cpu(gpu, name):
    recipe = recipes.RECIPES[name]
    cpu, device = recipes.first_step(recipe, 3), recipes.first_step(recipe, 3, gpu)
    assert measure.difference(cpu, device, bench.ALLOWED["float32"]) is None
