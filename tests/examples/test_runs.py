"""The folder of a run: whose it is, what stays in it, and that what was trained outlives what ends
a run."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from examples.helpers import contents
from options import Parser, fill
from runs import Run

import scratchae
from scratchae import Adam, Autoencoder, Dense, SquaredError, Values
from scratchae.training.progress import Progress

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

OURS = {"config.json", "metrics.jsonl"}
FILES = OURS | {"weights.safetensors"}
HERE = Path(__file__).parent
PATHS = (EXAMPLES.parent, EXAMPLES, HERE.parent, HERE)
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, PATHS))}
RECIPE = {"dataset": "mnist", "epochs": 3, "batch_size": 8, "lr": 1e-3}


def model():
    return Autoencoder(Dense(4, 2), Dense(2, 4), SquaredError()).build(4)


def start(out, *options):
    """A run of the smallest model."""
    options = Parser("tiny", "").parse_args(["--out", str(out), *options])
    fill(options, RECIPE)
    data = Values(np.linspace(0, 1, 64, dtype=np.float32).reshape(16, 4), name="lines")
    return Run(options, model(), Adam(options.lr), (data, data), "tiny")


def carried_out(work):
    """The status that an example ends with whose work that is."""
    with pytest.raises(SystemExit) as ended:
        Parser("tiny", "").carry_out([], lambda options: None, work)
    return ended.value.code


# --- whose it is ---


def test_a_folder_is_one_runs_at_a_time_until_its_process_ends(tmp_path):
    code = (
        "import sys, test_runs; run = test_runs.start(sys.argv[1]); run.beside('plain', "
        "run.model, run.optimizer, ''); print(1, flush=True); sys.stdin.read(1)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    child = subprocess.Popen(
        command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        child.stdout.read(1)
        before = contents(tmp_path)
        assert set(before) == OURS | {f"plain/{name}" for name in OURS}
        for out in (tmp_path, tmp_path / "plain"):
            with pytest.raises(ValueError, match=f"'{out}', which another run is writing to"):
                start(out)
        assert contents(tmp_path) == before
        child.kill()
    start(tmp_path)
    start(tmp_path / "plain")


def test_without_locks_a_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on Windows
    assert start(tmp_path) and set(contents(tmp_path)) == OURS


# --- what an earlier run wrote ---


def marked(out, seed):
    """A finished run of that seed, and its files."""
    run = start(out, "--seed", str(seed))
    run.fit()
    run.loss()
    assert run.close(lambda record: "") == 0
    return {name: a for name, a in contents(out).items() if not name.startswith("earlier/")}


def below(found, place):
    """The files in that folder, by their names in it."""
    return {name.removeprefix(place): a for name, a in found.items() if name.startswith(place)}


def test_earlier_results_stay_until_an_epoch_is_saved_and_then_have_a_folder(tmp_path):
    old, seen = marked(tmp_path, 0), []
    assert set(old) == FILES | {"loss.png"}
    (tmp_path / "log.txt").write_text("mine")
    run = start(tmp_path, "--seed", "1")
    assert contents(tmp_path) == old | {"log.txt": b"mine"}
    run.fit([lambda model, history: seen.append(contents(tmp_path))])
    found = contents(tmp_path)
    assert set(found) == FILES | {"log.txt"} | {f"earlier/1/{name}" for name in old}
    assert below(seen[0], "earlier/1/") == below(found, "earlier/1/") == old
    assert json.loads(found["config.json"])["seed"] == 1
    assert len(found["metrics.jsonl"].splitlines()) == 3


def test_no_run_is_lost_to_a_third_and_a_fourth(tmp_path):
    runs = [marked(tmp_path, seed) for seed in range(4)]
    found = contents(tmp_path)
    assert len({files["weights.safetensors"] for files in runs}) == 4
    for n, files in enumerate(runs[:3], start=1):
        assert below(found, f"earlier/{n}/") == files
    assert {name: found[name] for name in runs[3]} == runs[3]


@pytest.mark.parametrize("second", [False, True])
def test_a_run_without_an_epoch_leaves_earlier_results_alone(
    second, tmp_path, ctrl_c, monkeypatch, capsys
):
    old = marked(tmp_path, 0)
    step = Progress.step

    def interrupted(self, loss):
        step(self, loss)
        ctrl_c()
        if second:
            ctrl_c()

    monkeypatch.setattr(Progress, "step", interrupted)
    assert carried_out(lambda _: start(tmp_path).fit()) == 130
    assert contents(tmp_path) == old
    assert second or "before an epoch was finished" in capsys.readouterr().err


def test_a_run_that_cannot_save_leaves_earlier_results_alone(tmp_path, monkeypatch, capsys):
    old = marked(tmp_path, 0)
    monkeypatch.setattr(scratchae, "save", full)
    run = start(tmp_path)
    run.fit()
    run.loss()
    assert run.close(lambda record: "") == 1 and contents(tmp_path) == old
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "[Errno 28] No space left on device. The run goes on.",
        f"the weights could not be written to {tmp_path}: none of this run are there",
    ]


# --- what cannot be written ---


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def at(epoch, then):
    """A callback that does something after that epoch."""
    return lambda model, history: then() if len(history) == epoch else None


def failing(function, *calls):
    """The function, of which these calls meet a full disk."""
    count = iter(range(1, 100))
    return lambda *a, **k: full() if next(count) in calls else function(*a, **k)


def lines_of(path):
    path.unlink()
    path.mkdir()


TROUBLE = {  # what happens after an epoch -> files that are lost, and metrics that are left
    "metrics.jsonl is a folder": (1, lambda out: lines_of(out / "metrics.jsonl"), 0),
    "config.json is a folder": (1, lambda out: lines_of(out / "config.json"), 1),
    "a picture is a folder": (1, lambda out: (out / "loss.png").mkdir(), 0),
    "all is removed": (1, shutil.rmtree, 0),
    "all is removed at the end": (3, shutil.rmtree, 0),
    "a file is in its place": (
        1,
        lambda out: (out.rename(f"{out}-away"), out.write_text("mine")),
        1,
    ),
}


@pytest.mark.parametrize("which", TROUBLE)
def test_what_cannot_be_written_costs_neither_training_nor_the_rest(which, tmp_path, capsys):
    epoch, happens, status = TROUBLE[which]
    out = tmp_path / "out"
    run = start(out)
    run.fit([at(epoch, lambda: happens(out))])
    run.loss()
    assert len(run.history) == 3 and run.close(lambda record: "it went well") == status
    said, told = capsys.readouterr()
    assert "it went well" in said and told.count("The run goes on.") <= 2
    if status == 0:
        np.testing.assert_array_equal(
            scratchae.load(out / "weights.safetensors").parameters.values,
            run.model.parameters.values,
        )


@pytest.mark.parametrize(
    "calls, saved, status",
    [([1], 3, 0), ([1, 2], 3, 0), ([3], 3, 0), ([3, 4], 2, 1), ([1, 2, 3, 4], 0, 1)],
)
def test_weights_are_tried_after_each_epoch(calls, saved, status, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scratchae, "save", failing(scratchae.save, *calls))
    run = start(tmp_path)
    run.fit()
    assert run.close(lambda record: "") == status and run.saved == saved
    told = capsys.readouterr().err
    assert told.count("No space left on device. The run goes on.") == 1
    if saved:
        assert scratchae.load(tmp_path / "weights.safetensors").objective.epoch == saved
        assert status == 0 or told.endswith("those of epoch 2 are there\n")
    else:
        assert set(contents(tmp_path)) == {"config.json", "metrics.jsonl"}


def test_the_status_is_that_of_the_run_beside_too(tmp_path, monkeypatch):
    run = start(tmp_path)
    beside = run.beside("plain", model(), Adam(1e-3), "plain")
    run.fit()
    monkeypatch.setattr(scratchae, "save", full)
    beside.fit()
    assert run.close(lambda record: "") == 1 and beside.close(lambda record: "") == 1


# --- what ends it ---


@pytest.fixture(autouse=True)
def ctrl_c():
    """SIGINT as in a terminal, wherever the tests are run; and no handler is left behind."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield partial(signal.raise_signal, signal.SIGINT)
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def after(function, then):
    """The function, after whose call something happens."""

    def call(*arguments, **named):
        result = function(*arguments, **named)
        then()
        return result

    return call


@pytest.mark.parametrize("second", ["in an epoch", "when fit is over"])
def test_a_second_interrupt_costs_no_weights(second, ctrl_c, tmp_path, monkeypatch):
    run = start(tmp_path)

    def first(model, history):
        ctrl_c()
        if second == "in an epoch":
            ctrl_c()

    if second == "when fit is over":
        monkeypatch.setattr(scratchae, "fit", after(scratchae.fit, ctrl_c))
    assert carried_out(lambda _: run.fit([first])) == 130
    assert set(contents(tmp_path)) == FILES  # and no part of them
    saved = scratchae.load(tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(saved.parameters.values, run.model.parameters.values)
    assert saved.objective.epoch == 1


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_loss_that_blows_up_costs_no_weights(epoch, tmp_path):
    run = start(tmp_path, "--lr", "1e-6")

    def spoil(model, history):
        model.parameters.view("encoder.b")[:] = 1e30

    if epoch == 1:
        spoil(run.model, None)
    with np.errstate(all="ignore"):
        assert carried_out(lambda _: run.fit([spoil])) == 2
    assert ("weights.safetensors" in contents(tmp_path)) == (epoch == 2)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == epoch - 1


def test_weights_are_saved_each_epoch_and_before_all_else(tmp_path):
    seen = []

    def look(model, history):
        saved = scratchae.load(tmp_path / "weights.safetensors")
        np.testing.assert_array_equal(saved.parameters.values, model.parameters.values)
        lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
        seen.append((saved.objective.epoch, saved.optimizer.t, len(lines)))

    start(tmp_path).fit([look])
    assert seen == [(1, 2, 0), (2, 4, 1), (3, 6, 2)]


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_second_interrupt_while_weights_are_saved_costs_none(
    epoch, ctrl_c, tmp_path, monkeypatch
):
    run, save = start(tmp_path), scratchae.save
    calls = []

    def interrupted(*a, **k):
        calls.append(a)
        if len(calls) == epoch:
            ctrl_c()
            ctrl_c()
        save(*a, **k)

    monkeypatch.setattr(scratchae, "save", interrupted)
    assert carried_out(lambda _: run.fit()) == 130
    assert set(contents(tmp_path)) == FILES
    assert scratchae.load(tmp_path / "weights.safetensors").objective.epoch == epoch


def test_pictures_weights_and_metrics_are_of_the_last_whole_epoch(tmp_path, ctrl_c, monkeypatch):
    run, step, steps = start(tmp_path), Progress.step, []

    def interrupted(self, loss):
        step(self, loss)
        steps.append(loss)
        if len(steps) == 3:  # of 2 an epoch
            ctrl_c()

    monkeypatch.setattr(Progress, "step", interrupted)
    run.fit()
    assert run.history.interrupted and run.close(lambda record: "") == 130
    saved = scratchae.load(tmp_path / "weights.safetensors")
    assert (saved.objective.epoch, saved.optimizer.t) == (1, 2) and run.optimizer.t == 3
    np.testing.assert_array_equal(saved.parameters.values, run.model.parameters.values)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("epoch", [0, 2])
def test_the_status_tells_the_signal(name, epoch, tmp_path, ctrl_c, monkeypatch):
    number = getattr(signal, name)
    run, step, steps = start(tmp_path), Progress.step, []

    def ended(self, loss):
        step(self, loss)
        steps.append(loss)
        if len(steps) == 2 * epoch + 1:
            signal.raise_signal(number)

    monkeypatch.setattr(Progress, "step", ended)
    if epoch:
        run.fit()
        status = run.close(lambda record: "")
    else:
        status = carried_out(lambda _: run.fit())
    assert status == 128 + number and len(run.history) == epoch


def finished(out):
    """The epochs of the weights in a folder of a run, which load; None for no weights."""
    path = out / "weights.safetensors"
    return scratchae.load(path).objective.epoch if path.exists() else None


def test_a_kill_at_any_moment_leaves_a_whole_epoch(tmp_path):
    """Ten runs into one folder, each killed; in the end the finished run is there, and all
    others."""
    code = (
        "import sys, test_runs; print(1, flush=True); "
        "test_runs.start(sys.argv[1], '--epochs', '9999').fit()"
    )
    marked(tmp_path, 0)
    moments, ends = random.Random(0), []
    for n in range(10):
        command = [sys.executable, "-c", code, str(tmp_path)]
        with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE) as child:
            child.stdout.read(1)
            time.sleep(moments.uniform(0.0, 0.6))
            child.kill()
        places = [tmp_path, *(tmp_path / "earlier").glob("*")]
        ends.append({place.name: finished(place) for place in places})
        before = ends[n - 1] if n else {}
        assert any(epochs == 3 for epochs in ends[n].values())  # the run that was finished
        assert sum(map(bool, ends[n].values())) >= sum(map(bool, before.values())), ends
        for line in (tmp_path / "metrics.jsonl").read_text().splitlines():
            json.loads(line)
