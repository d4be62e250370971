"""The command that reproduces published numbers: what it runs, keeps, writes and says."""

import importlib
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "examples")]

import marks  # noqa: E402
import published  # noqa: E402
import reproduce  # noqa: E402
import results_page  # noqa: E402

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
        (out / "metrics.jsonl").write_text(
            json.dumps({"test_mse": 9}) + "\n" + json.dumps(record) + "\n"
        )
        return 1.5


class Children:
    """In place of subprocess: each leaves what a run leaves, after whatever is to happen meanwhile."""

    STDOUT = None

    def __init__(self, monkeypatch, meanwhile=lambda log: None):
        self.commands, self.envs, self.meanwhile, self.returncode = [], [], meanwhile, 0
        monkeypatch.setattr(reproduce, "subprocess", self)

    def run(self, command, env, stdout, stderr):
        self.commands.append(command)
        self.envs.append(env)
        self.meanwhile(stdout)
        for name in marks.LEFT:
            (Path(command[-1]) / name).write_text("")
        return self


def objects(bench):
    return json.loads((bench.results / "results.json").read_text())


def test_rows_are_written_kept_and_run_again_when_they_are_asked_otherwise(
    tmp_path, monkeypatch, capsys
):
    bench = Fake(tmp_path)
    assert reproduce.reproduce(bench, ["keras", "fashion"]) == 1  # .011 is above fashion's bar
    assert bench.ran == [
        ("keras", 0),
        ("keras", 1),
        ("keras", 2),
        ("fashion", 0),
        ("fashion", 1),
        ("fashion", 2),
    ]
    first, second = objects(bench)  # in the order of the recipes
    assert first.keys() >= WANTED and first["name"] == "fashion" and second["name"] == "keras"
    assert first["ours"] == pytest.approx(0.011) and first["each"] == [0.010, 0.011, 0.012]
    assert first["seeds"] == [0, 1, 2] and first["seconds"] == 4.5 and first["commit"]
    assert first["reached"] is False and second["reached"] is True
    page = (bench.results / "results.md").read_text()
    assert (
        "| fashion | test MSE per pixel | .00880 | .01100 (.01000 to .01200) | <= .00910, **missed** | 0 to 2 |"
        in page
    )
    assert "not reached: fashion, test MSE per pixel" in capsys.readouterr().out

    again = Fake(tmp_path)
    assert reproduce.reproduce(again, ["keras", "fashion"]) == 1 and again.ran == []
    assert "keras: kept" in capsys.readouterr().out
    monkeypatch.setitem(
        published.RECIPES, "fashion", replace(published.RECIPES["fashion"], seeds=(5,))
    )
    reproduce.reproduce(again, ["keras", "fashion"])
    assert again.ran == [("fashion", 5)]
    assert [row["each"] for row in objects(again)] == [[0.015], second["each"]]


def test_a_failure_is_a_sentence_and_the_others_are_run(tmp_path, capsys):
    bench = Fake(tmp_path, fails=("fashion",))
    assert reproduce.reproduce(bench, ["fashion", "keras"]) == 1
    assert [row["name"] for row in objects(bench)] == ["keras"]
    printed = capsys.readouterr()
    assert (
        printed.err == "fashion has no luck\n"
        and "not reached: fashion has no luck" in printed.out
    )


def test_a_recipe_starts_from_the_weights_of_another(tmp_path, monkeypatch):
    children = Children(monkeypatch)
    bench = reproduce.Bench(tmp_path, tmp_path, quick=False)
    bench.run("conv_denoiser", 0)
    clean, noisy = (" ".join(command[1:]) for command in children.commands)
    assert (
        "--start" not in clean
        and "--strict-data" in clean
        and clean.endswith(str(tmp_path / "conv" / "0"))
    )
    assert (
        f"--start {tmp_path / 'conv' / '0' / 'weights.safetensors'}" in noisy
        and "--noise 0.4" in noisy
    )


@pytest.mark.parametrize("quick", [True, False])
def test_a_recipe_that_another_starts_from_is_trained_once_per_command(
    quick, tmp_path, monkeypatch
):
    children = Children(monkeypatch)
    monkeypatch.setattr(reproduce, "commit", lambda: "abc-dirty")
    for _ in range(2):
        bench = reproduce.Bench(tmp_path, tmp_path, quick)
        assert bench.run("conv", 0) == bench.run("conv", 0)
        bench.run("conv_denoiser", 0)
    names = [Path(command[-1]).parent.name for command in children.commands]
    assert names == ["conv", "conv_denoiser"] * 2


def test_a_run_that_was_finished_is_not_repeated(tmp_path, monkeypatch):
    """Only one of the same command and commit, without changes, that ended well."""
    children = Children(monkeypatch)

    def run(commit, quick=False):
        monkeypatch.setattr(reproduce, "commit", lambda: commit)
        before = len(children.commands)
        assert reproduce.Bench(tmp_path, tmp_path, quick).run("fashion", 0) >= 0
        return len(children.commands) - before

    assert [run("abc"), run("abc"), run("def"), run("def"), run("abc")] == [1, 0, 1, 0, 1]
    assert [run("abc-dirty"), run("abc-dirty"), run(None), run(None), run("abc")] == [1] * 5
    assert [run("abc", quick=True), run("abc", quick=True), run("abc")] == [1] * 3
    children.returncode = 2
    with pytest.raises(reproduce.Failed, match="no word"):
        run("def")
    children.returncode = 0
    assert (
        run("abc") == 1
    )  # what failed, or was stopped, spoilt what was finished at another commit
    assert run("def") == 1


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"commit": "abc"}', '{"commit": "abc", "seconds": "x"}']
)
def test_a_damaged_mark_is_none(text, tmp_path):
    for name in marks.LEFT:
        (tmp_path / name).write_text("")
    (tmp_path / "done.json").write_text(text)
    mark = marks.Mark(tmp_path, {"commit": "abc"})
    assert mark.seconds() is None and mark.set(2.0) == mark.seconds() == 2.0


@pytest.mark.parametrize("gone", ["metrics.jsonl", "weights.safetensors"])
def test_what_is_gone_is_made_again(gone, tmp_path):
    for name in ("metrics.jsonl", "weights.safetensors"):
        (tmp_path / name).write_text("")
    mark = marks.Mark(tmp_path, {"commit": "abc"})
    assert mark.set(2.0) == mark.seconds() == 2.0
    (tmp_path / gone).unlink()
    assert mark.seconds() is None


def test_a_run_without_numbers_is_a_failure(tmp_path):
    class Odd(Fake):
        def run(self, name, seed):
            (self.folder(name, seed)).mkdir(parents=True, exist_ok=True)
            (self.folder(name, seed) / "metrics.jsonl").write_text(self.text)
            return 0.0

    for text, words in (
        ("", "IndexError"),
        ('{"loss": 1}', "KeyError"),
        ('{"tes', "JSON"),
        ('{"test_mse": NaN}', "nan"),
    ):
        bench = Odd(tmp_path)
        bench.text = text
        mark = marks.Mark(bench.folder("fashion", 0), {"commit": "abc"})
        mark.set(1.0)
        with pytest.raises(reproduce.Failed, match=f"fashion, seed 0, .*{words}"):
            bench.objects("fashion")
        assert mark.path.exists() == (words == "nan")  # what left no number is run again


def test_a_row_that_started_from_other_weights_is_run_again(tmp_path, monkeypatch):
    bench = Fake(tmp_path)
    reproduce.reproduce(bench, ["conv_denoiser"])
    monkeypatch.setitem(
        published.RECIPES,
        "conv_denoiser",
        replace(published.RECIPES["conv_denoiser"], start="fashion"),
    )
    reproduce.reproduce(bench, ["conv_denoiser"])
    assert bench.ran == [("conv_denoiser", 0)] * 2


def test_rows_that_are_not_asked_for_stay(tmp_path, monkeypatch):
    """Also those whose command has changed since, and whose bar was missed: that is no failure of this call."""
    bench = Fake(tmp_path)
    assert reproduce.reproduce(bench, ["fashion"]) == 1
    old = objects(bench)
    monkeypatch.setitem(
        published.RECIPES, "fashion", replace(published.RECIPES["fashion"], seeds=(5,))
    )
    assert reproduce.reproduce(bench, ["keras"]) == 0
    assert objects(bench)[:1] == old


def test_a_run_uses_this_checkout_and_is_alone(tmp_path, monkeypatch):
    def rival(log):
        log.write("at work\n")
        log.flush()
        with pytest.raises(
            reproduce.Failed, match="fashion, seed 0, is being trained by another process"
        ):
            other.run("fashion", 0)

    bench, other = (reproduce.Bench(tmp_path, tmp_path, quick=False) for _ in range(2))
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    children = Children(monkeypatch, rival)
    bench.run("fashion", 0)
    first, *_, last = children.envs[0]["PYTHONPATH"].split(os.pathsep)
    assert (first, last) == (str(ROOT), "elsewhere")
    assert (bench.folder("fashion", 0) / "log.txt").read_text() == "at work\n"


def test_a_log_holds_its_own_run_only(tmp_path, monkeypatch):
    bench = reproduce.Bench(tmp_path, tmp_path, quick=True)
    log = bench.folder("fashion", 0) / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("of an earlier one")
    Children(monkeypatch, lambda log: print("of this one", file=log))
    bench.run("fashion", 0)
    assert log.read_text() == "of this one\n"


def test_another_process_loses_no_row(tmp_path):
    class Beside(Fake):
        def objects(self, name):
            reproduce.reproduce(Fake(tmp_path), ["keras"])
            return super().objects(name)

    reproduce.reproduce(Beside(tmp_path), ["fashion"])
    assert [row["name"] for row in objects(Fake(tmp_path))] == ["fashion", "keras"]


def test_the_folder_of_results_is_tried_first(tmp_path):
    bench = Fake(tmp_path)
    (bench.results / "results.json").mkdir(parents=True)
    with pytest.raises(OSError):
        reproduce.reproduce(bench, ["fashion"])
    assert bench.ran == []


def test_the_commit(tmp_path, monkeypatch):
    """None outside a checkout of this project, and without git; the results themselves are no change."""
    monkeypatch.setattr(marks, "HERE", tmp_path)
    assert marks.commit() is None
    git = [
        "git",
        "-C",
        tmp_path,
        "-c",
        "user.name=n",
        "-c",
        "user.email=e",
        "-c",
        "init.defaultBranch=main",
    ]
    (tmp_path / "docs").mkdir()
    for name in ("file", "docs/results.json"):
        (tmp_path / name).write_text("1")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "One"]):
        subprocess.run([*git, *command], check=True)
    assert len(marks.commit()) == 7
    (tmp_path / "docs/results.json").write_text("2")
    assert len(marks.commit()) == 7
    (tmp_path / "file").write_text("2")
    assert marks.commit().endswith("-dirty")
    monkeypatch.setattr(marks, "HERE", tmp_path / "docs")
    assert marks.commit() is None
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(marks, "HERE", tmp_path)
    assert marks.commit() is None


def test_quick_runs_and_their_numbers(tmp_path):
    bench = reproduce.Bench(tmp_path / "runs", tmp_path / "results", quick=True)
    assert reproduce.reproduce(bench, ["ecg", "sparse"]) == 0  # tiny runs may miss their bars
    rows = objects(bench)
    assert [row["name"] for row in rows] == ["ecg"] * 3 + ["sparse"] * 2
    assert all(
        row["ours"] > 0 and len(row["seeds"]) == 1 and row["reached"] is None for row in rows
    )
    assert "missed" not in (bench.results / "results.md").read_text()


def test_an_example_that_fails_gives_its_last_words(tmp_path, monkeypatch):
    wrong = replace(published.RECIPES["fashion"], command="autoencoder_fashion.py --lr -1")
    monkeypatch.setitem(published.RECIPES, "fashion", wrong)
    bench = reproduce.Bench(tmp_path, tmp_path, quick=True)
    with pytest.raises(
        reproduce.Failed, match=r"fashion, seed 0, ended with status 2: autoencoder_fashion: .*-1"
    ):
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


METRICS = {
    "dense_vae": [105.5],
    "tf_cvae": [-105.5],
    "fashion": [0.02],
    "denoiser": [0.02],
    "denoiser_mean": [0.02],
    "ecg": [0.3, 0.4, 0.5],
    "ecg_more": [0.3, 0.4, 0.5],
    "ecg_better": [0.3, 0.6],
    "keras": [0.09],
    "sparse": [105.5 / 784, 0.25],
    "deep": [0.09],
    "conv": [0.09],
    "conv_denoiser": [0.09],
    "linear": [0.7, 0.8],
}


def test_each_number_is_read_from_its_column(tmp_path):
    """By hand, from a last line in which every column has a number of its own."""
    record = {"test_loss": 105.5, "test_mse": 0.02, "test_bce": 0.09, "code_activity": 2.0}
    record |= {"accuracy": 0.3, "precision": 0.4, "recall": 0.5, "auc": 0.6}
    record |= {"largest_angle": 0.7, "error_ratio": 0.8}
    (tmp_path / "plain").mkdir()
    (tmp_path / "metrics.jsonl").write_text("{}\n" + json.dumps(record) + "\n")
    (tmp_path / "plain" / "metrics.jsonl").write_text('{"code_activity": 8.0}\n')
    found = {
        name: [m.read(tmp_path) for m in recipe.metrics]
        for name, recipe in published.RECIPES.items()
    }
    assert found == METRICS


def test_bars():
    up, down = (
        published.Metric("", published.last("x"), None, 0.5, higher) for higher in (True, False)
    )
    assert [results_page.reached(up, v) for v in (0.4, 0.5, 0.6)] == [False, True, True]
    assert [results_page.reached(down, v) for v in (0.4, 0.5, 0.6)] == [True, True, False]
    assert results_page.reached(replace(up, bar=None), 0.4) is None


def test_shown_numbers():
    assert [results_page.short(v) for v in (None, 0.00881, 1.0003, 105.66, -156.7)] == [
        *("-", ".00881", "1.0003", "105.66", "-156.70")
    ]


def test_what_is_kept_is_told_in_the_words_of_today(tmp_path, monkeypatch):
    """Rows of recipes that are gone are left out; a bar that was moved is held against the old number."""
    bench = Fake(tmp_path)
    reproduce.reproduce(bench, ["fashion"])
    file = bench.results / "results.json"
    file.write_text(json.dumps([{"name": "gone", "metric": "m"}, *objects(bench)]))
    metric = replace(published.RECIPES["fashion"].metrics[0], bar=0.02)
    recipe = replace(published.RECIPES["fashion"], words="said better", metrics=(metric,))
    monkeypatch.setitem(published.RECIPES, "fashion", recipe)
    assert reproduce.reproduce(bench, ["fashion", "keras"]) == 0 and len(bench.ran) == 6
    first, _ = objects(bench)
    assert (first["recipe"], first["reached"], first["each"]) == (
        "said better",
        True,
        [0.010, 0.011, 0.012],
    )


def test_the_page_tells_a_trial_and_where_weights_come_from(tmp_path):
    bench = Fake(tmp_path)
    reproduce.reproduce(bench, ["conv_denoiser"])
    page, rows = (bench.results / "results.md").read_text(), objects(bench)
    assert "trial" not in page and results_page.TRIAL in results_page.page(rows, quick=True)
    assert (
        "`python examples/conv_autoencoder_mnist.py --noise 0.4 --start runs/reproduce/conv/0/weights"
        in page
    )
    for start, more in (
        (None, ""),
        ("conv", " --start runs/reproduce/conv/5/weights.safetensors"),
    ):
        other = results_page.page([rows[0] | {"seeds": [5], "start": start}], quick=False)
        assert f"`python examples/conv_autoencoder_mnist.py --noise 0.4 --seed 5{more}`" in other


def stored(**spoilt):
    """A results.json of one row of numbers."""
    row = {"name": "fashion", "metric": "m", "each": [1.0], "seeds": [0], "seconds": 1.0}
    return json.dumps([dict.fromkeys(reproduce.WRITTEN) | row | spoilt])


SPOILT = [
    *(
        {"seconds": None},
        {"seconds": math.inf},
        {"seeds": [0, 1]},
        {"each": []},
        {"each": [1.0, 2.0]},
    ),
    *({"each": [math.nan]}, {"each": [math.inf]}, {"each": [None]}),
]


def test_whole_results_are_read(tmp_path):
    (tmp_path / "results.json").write_text(stored())
    assert len(reproduce.Bench(tmp_path, tmp_path, quick=True).read()["fashion"]) == 1


@pytest.mark.parametrize(
    "text",
    ["[{", '{"name": 1}', "[1]", '[{"name": "fashion"}]', "null", *(stored(**s) for s in SPOILT)],
)
def test_damaged_results_are_one_sentence(text, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reproduce, "FULL", (tmp_path / "runs", tmp_path))
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(SystemExit) as ended:
        reproduce.main(["--only", "fashion"])
    sentence = capsys.readouterr().err
    assert (
        ended.value.code == 2
        and "results.json holds no results" in sentence
        and sentence.count("\n") == 1
    )
