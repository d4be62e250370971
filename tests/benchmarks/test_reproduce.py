"""The command that reproduces published numbers: what it runs, keeps, writes and says."""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "examples")]

import published  # noqa: E402
import reproduce  # noqa: E402

WANTED = {"name", "source", "metric", "published", "ours", "seeds", "seconds", "commit"}


class Fake(reproduce.Bench):
    """A Bench whose runs take no time: the number of each is 0.001 (10 + seed), but for those that are to fail."""

    def __init__(self, folder, fails=()):
        super().__init__(folder / "runs", folder / "docs", quick=False)
        self.fails, self.ran = fails, []

    def run(self, name, seed):
        self.ran.append((name, seed))
        if name in self.fails:
            raise reproduce.Failed(f"{name} has no luck")
        out = self.folder(name, seed)
        out.mkdir(parents=True, exist_ok=True)
        record = {"test_mse": (10 + seed) / 1000, "test_bce": (10 + seed) / 1000}
        (out / "metrics.jsonl").write_text(json.dumps({"test_mse": 9}) + "\n" + json.dumps(record) + "\n")
        return 1.5


def objects(bench):
    return json.loads((bench.results / "results.json").read_text())


def test_rows_are_written_kept_and_run_again_when_they_are_asked_otherwise(tmp_path, monkeypatch, capsys):
    bench = Fake(tmp_path)
    assert reproduce.reproduce(bench, ["keras", "fashion"]) == 1  # .011 is above fashion's bar
    assert bench.ran == [("keras", 0), ("keras", 1), ("keras", 2), ("fashion", 0), ("fashion", 1), ("fashion", 2)]
    first, second = objects(bench)  # in the order of the recipes
    assert first.keys() >= WANTED and first["name"] == "fashion" and second["name"] == "keras"
    assert first["ours"] == pytest.approx(0.011) and first["each"] == [0.010, 0.011, 0.012]
    assert first["seeds"] == [0, 1, 2] and first["seconds"] == 4.5 and first["commit"]
    assert first["reached"] is False and second["reached"] is True
    page = (bench.results / "results.md").read_text()
    assert (
        "| fashion | test MSE per pixel | .0088 | .0110 (.0100 to .0120) | <= .0091, **missed** | 0 to 2 |" in page
    )
    assert "not reached: fashion, test MSE per pixel" in capsys.readouterr().out

    again = Fake(tmp_path)
    assert reproduce.reproduce(again, ["keras", "fashion"]) == 1 and again.ran == []
    assert "keras: kept" in capsys.readouterr().out
    monkeypatch.setitem(published.RECIPES, "fashion", replace(published.RECIPES["fashion"], seeds=(5,)))
    reproduce.reproduce(again, ["keras", "fashion"])
    assert again.ran == [("fashion", 5)]
    assert [row["each"] for row in objects(again)] == [[0.015], second["each"]]


def test_a_failure_is_a_sentence_and_the_others_are_run(tmp_path, capsys):
    bench = Fake(tmp_path, fails=("fashion",))
    assert reproduce.reproduce(bench, ["fashion", "keras"]) == 1
    assert [row["name"] for row in objects(bench)] == ["keras"]
    printed = capsys.readouterr()
    assert printed.err == "fashion has no luck\n" and "not reached: fashion has no luck" in printed.out


def test_a_recipe_starts_from_the_weights_of_another(tmp_path, monkeypatch):
    commands = []

    class Done:
        returncode = 0

    def note(command, **how):
        commands.append(" ".join(command[1:]))
        out = Path(command[-1])
        (out / "weights.safetensors").write_text("")
        return Done()

    monkeypatch.setattr(reproduce.subprocess, "run", note)
    bench = reproduce.Bench(tmp_path, tmp_path, quick=False)
    bench.run("conv_denoiser", 0)
    clean, noisy = commands
    assert "--start" not in clean and "--strict-data" in clean and clean.endswith(str(tmp_path / "conv" / "0"))
    assert f"--start {tmp_path / 'conv' / '0' / 'weights.safetensors'}" in noisy and "--noise 0.4" in noisy


def test_quick_runs_and_their_numbers(tmp_path):
    bench = reproduce.Bench(tmp_path / "runs", tmp_path / "results", quick=True)
    assert reproduce.reproduce(bench, ["ecg", "sparse"]) == 0  # tiny runs may miss their bars
    rows = objects(bench)
    assert [row["name"] for row in rows] == ["ecg"] * 3 + ["sparse"] * 2
    assert all(row["ours"] > 0 and len(row["seeds"]) == 1 for row in rows)


def test_an_example_that_fails_gives_its_last_words(tmp_path, monkeypatch):
    wrong = replace(published.RECIPES["fashion"], command="autoencoder_fashion.py --lr -1")
    monkeypatch.setitem(published.RECIPES, "fashion", wrong)
    bench = reproduce.Bench(tmp_path, tmp_path, quick=True)
    with pytest.raises(reproduce.Failed, match=r"fashion, seed 0, ended with status 2: autoencoder_fashion: .*-1"):
        bench.run("fashion", 0)


@pytest.mark.parametrize("name", published.RECIPES)
def test_recipes_are_runs_of_the_examples(name):
    """Options that the example has, and no other than the recipe's own: the defaults are the recipe."""
    recipe = published.RECIPES[name]
    script, *options = recipe.command.split()
    example = importlib.import_module(script.removesuffix(".py"))
    parsed = example.parser().parse_args(options)
    assert (parsed.epochs, parsed.batch_size, parsed.lr, parsed.dataset) == (None,) * 4
    assert recipe.start is None or recipe.start in published.RECIPES


def test_bars():
    up, down = (published.Metric("", published.last("x"), None, 0.5, higher) for higher in (True, False))
    assert [reproduce.reached(up, v) for v in (0.4, 0.5, 0.6)] == [False, True, True]
    assert [reproduce.reached(down, v) for v in (0.4, 0.5, 0.6)] == [True, True, False]
    assert reproduce.reached(replace(up, bar=None), 0.4) is None


def test_shown_numbers():
    assert [reproduce.short(v) for v in (None, 0.00881, 1.0003, 105.66, -156.7)] == [
        *("-", ".0088", "1.0003", "105.66", "-156.70")
    ]


def test_damaged_results_are_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reproduce, "FULL", (tmp_path / "runs", tmp_path))
    (tmp_path / "results.json").write_text("[{")
    with pytest.raises(SystemExit) as ended:
        reproduce.main(["--only", "fashion"])
    sentence = capsys.readouterr().err
    assert ended.value.code == 2 and "results.json is no JSON" in sentence and sentence.count("\n") == 1
