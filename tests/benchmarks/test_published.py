"""The command that reproduces published numbers: what it runs, keeps, judges and writes."""

import importlib
import json
import sys

import pytest

from benchmarks.published import reproduce
from benchmarks.published.recipes import RECIPES, reached, read
from benchmarks.shared.processes import ROOT

sys.path.insert(0, str(ROOT / "examples"))


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A Bench whose runs take no time: errors of 0.001 (10 + seed); commands: what they were."""

    def finished(name, command, env, log):
        bench.commands.append(" ".join(map(str, command[1:-2])))
        assert env["PYTHONPATH"].startswith(str(ROOT)) and command[0].is_file()
        error = (10 + int(command[command.index("--seed") + 1])) / 1000
        record = {"test_mse": error, "test_bce": error}
        (log.parent / "metrics.jsonl").write_text(f'{{"test_mse": 9}}\n{json.dumps(record)}\n')
        return 1.5

    monkeypatch.setattr(reproduce, "finished", finished)
    monkeypatch.setattr(reproduce, "commit", lambda: "abcdefg")
    bench = reproduce.Bench(tmp_path / "runs", tmp_path / "docs", quick=False)
    bench.commands = []
    return bench


def test_rows_are_written_judged_kept_and_run_again(bench, monkeypatch, capsys):
    assert reproduce.reproduce(bench, ["keras", "fashion"]) == 1  # .011 is above fashion's bar
    first, second = json.loads((bench.results / "results.json").read_text())
    assert (first["name"], first["reached"], second["reached"]) == ("fashion", False, True)
    assert first["ours"] == pytest.approx(0.011) and first["each"] == [0.010, 0.011, 0.012]
    assert (first["seeds"], first["seconds"], first["commit"]) == ([0, 1, 2], 4.5, "abcdefg")
    page = (bench.results / "results.md").read_text()
    assert "| .00880 | .01100 (.01000 to .01200) | <= .00910, **missed** | 0 to 2 |" in page
    assert "not reached: fashion, test MSE per pixel" in capsys.readouterr().out
    monkeypatch.setitem(bench.seeds, "keras", [5])
    monkeypatch.setitem(RECIPES["fashion"]["metrics"][0], "bar", 0.02)
    assert reproduce.reproduce(bench, ["keras", "fashion"]) == 0 and len(bench.commands) == 7


def test_a_condition_is_one_cell_of_the_table():
    row = {"name": "n", "metric": "p(x|y)", "ours": 1.0, "each": [1.0], "seeds": [0], "bar": None}
    row |= {"published": None, "reached": None, "higher": False, "seconds": 2.0}
    assert reproduce.line(row) == r"| n | p(x\|y) | - | 1.0000 | - | 0 | 2 |"


def test_a_run_of_this_commit_is_not_repeated(bench):
    for commit, runs in (("abcdefg", 2), ("abcdefg", 2), ("1234567", 4), ("1234567-dirty", 6)):
        bench.commit, bench.trained = commit, {}
        bench.run("conv_denoiser", 0)
        assert len(bench.commands) == runs
    clean, noisy = bench.commands[:2]
    assert clean == "--seed 0 --strict-data" and f"--start {bench.runs}/conv/0/weights" in noisy


def test_quick_runs(tmp_path):
    bench = reproduce.Bench(tmp_path / "runs", tmp_path / "docs", quick=True)
    assert reproduce.reproduce(bench, ["ecg", "sparse"]) == 0  # tiny runs may miss their bars
    rows = json.loads((bench.results / "results.json").read_text())
    assert [row["name"] for row in rows] == ["ecg"] * 3 + ["sparse"] * 2
    assert all(row["ours"] > 0 and len(row["seeds"]) == 1 for row in rows)


def test_recipes_are_runs_of_the_examples():
    """Options that the example has, and no other: but for the schedule, the defaults are the
    recipe."""
    for recipe in RECIPES.values():
        script, *options = recipe["command"].split()
        o = importlib.import_module(script.removesuffix(".py")).parser().parse_args(options)
        assert (o.batch_size, o.dataset) == (None, None)


def test_numbers_are_read_and_judged(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "metrics.jsonl").write_text('{}\n{"test_loss": 105.5, "code_activity": 2.0}\n')
    (tmp_path / "plain" / "metrics.jsonl").write_text('{"code_activity": 8.0}\n')
    metrics = [m for name in ("tf_cvae", "sparse") for m in RECIPES[name]["metrics"]]
    assert [read(metric, tmp_path) for metric in metrics] == [-105.5, 105.5 / 784, 0.25]
    up, down = {"bar": 0.5, "higher": True}, {"bar": 0.5}
    assert [reached(m, 0.4) for m in (up, down, {})] == [False, True, None]
    shown = [reproduce.short(v) for v in (None, 0, 0.00881, 1.0003, 105.66, -156.7)]
    assert shown == ["-", "0", ".00881", "1.0003", "105.66", "-156.70"]


def test_a_gap_is_told_in_its_own_standard_errors(tmp_path):
    """log p(x) of the same images: what the images differ in is no part of the error."""
    ours, theirs = [-80.0, -100.0, -150.0, -90.0], [-81.0, -102.0, -153.0, -92.0]
    for name, each in (("b", ours), ("a", theirs)):
        (tmp_path / name / "0").mkdir(parents=True)
        (tmp_path / name / "0" / "log_p.txt").write_text("".join(f"{v}\n" for v in each))
    found = read({"above": "a"}, tmp_path / "b" / "0")  # gaps 1, 2, 3, 2
    assert found == pytest.approx(2 / ((2 / 3) ** 0.5 / 2))


def test_what_a_recipe_is_compared_with_is_run_too(bench, monkeypatch):
    metrics = [{"metric": "gap", "above": "fashion"}]
    monkeypatch.setitem(RECIPES, "keras", RECIPES["keras"] | {"metrics": metrics})
    with pytest.raises(reproduce.Failed, match="log_p"):
        bench.trained_rows("keras")
    assert len(bench.commands) == 2


@pytest.mark.parametrize(("recipe", "lines"), [("ecg", 3), ("denoiser", 1)])
def test_torch_published(recipe, lines, capsys):
    pytest.importorskip("torch", reason="needs PyTorch")
    torch_published = importlib.import_module("benchmarks.published.torch_published")
    assert torch_published.main([recipe, "--smoke"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == lines
