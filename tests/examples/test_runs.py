"""The folder of a run: whose it is, what stays in it, and that what was trained outlives what ends
a run."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from options import Parser, fill
from runs import Run

import scratchae
from scratchae import Adam, Autoencoder, Dense, SquaredError, Values

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

OURS = {"config.json", "metrics.jsonl"}
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


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# --- whose it is ---


def test_a_folder_is_one_runs_at_a_time_until_its_process_ends(tmp_path):
    code = (
        "import sys, test_runs; run = test_runs.start(sys.argv[1]); run.beside('plain', "
        "run.model, run.optimizer, ''); print(1, flush=True); sys.stdin.read(1)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    paths = os.pathsep.join(map(str, (EXAMPLES.parent, EXAMPLES, Path(__file__).parent)))
    env = os.environ | {"PYTHONPATH": paths}
    child = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
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


@pytest.mark.parametrize(
    "name", ["config.json", "metrics.jsonl", "weights.safetensors", "loss.png", "samples.gif"]
)
@pytest.mark.parametrize(
    "config", [None, "", "mine", "[]", "null", '{"versions": 1}', '{"versions": {"numpy": "2"}}']
)
def test_what_no_run_wrote_is_not_lost(name, config, tmp_path):
    (tmp_path / name).write_text("mine")
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    before = contents(tmp_path)
    with pytest.raises(
        ValueError, match=r"--out is '.*', whose .*\.\w+ no earlier run left: give another folder$"
    ):
        start(tmp_path)
    assert contents(tmp_path) == before


def test_what_an_earlier_run_wrote_is_set_aside_and_all_else_stays(tmp_path):
    start(tmp_path, "--seed", "1")
    others = {"log.txt": b"mine", "done.json": b"{}", "plain/notes": b"mine"}
    old = ("metrics.jsonl", "weights.safetensors", "loss.png", "samples.gif")
    (tmp_path / "plain").mkdir()
    for name in (*old, *others):
        (tmp_path / name).write_bytes(others.get(name, b"old"))
    start(tmp_path, "--seed", "2")
    found = contents(tmp_path)
    assert found.keys() == OURS | others.keys() | {f"earlier/{n}" for n in {*OURS, *old}}
    assert {name: found[name] for name in others} == others
    assert all(found[f"earlier/{name}"] == b"old" for name in old)
    seeds = [json.loads(found[f"{folder}config.json"])["seed"] for folder in ("", "earlier/")]
    assert found["metrics.jsonl"] == b"" and seeds == [2, 1]


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
    assert set(contents(tmp_path)) == OURS | {"weights.safetensors"}  # and no part of them
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
