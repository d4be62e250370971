"""The examples as a reader runs them, tiny: what they write, what they say, how they end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import autoencoder_fashion
import common
import conditional_mnist
import numpy as np
import pytest
import vae_mnist
from examples.helpers import STAND_IN, metrics, nameless, played, tiny, watch
from runs import Run

import scratchae
from scratchae import datasets
from scratchae.training.progress import Progress

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_data")]
ALWAYS = {"config.json", "metrics.jsonl", "weights.safetensors", "reconstructions.png", "loss.png"}
SAMPLES, PLANE = {"samples.png"}, {"latent.png", "manifold.png"}
TERMS = {"epoch", "train_loss", "train_reconstruction", "test_loss", "test_reconstruction"}
TERMS |= {"seconds", "examples_per_second", "dataset", "backend"}
KL = {"train_kl", "test_kl", "train_penalty", "test_penalty", "beta"}


RUNS = {
    "dense": (vae_mnist, ["--latent-dim", "2", "--gif", "--beta", "0.5"]),
    "reference": (vae_mnist, ["--latent-dim", "2", "--beta", "0.5", "--backend", "reference"]),
    "conv": (
        vae_mnist,
        ["--arch", "conv", "--latent-dim", "3", "--binarize", "dynamic", "--dataset", "strokes"],
    ),
    "autoencoder": (autoencoder_fashion, []),
    "conditional": (conditional_mnist, ["--prior", "label"]),
}


@pytest.fixture(scope="module")
def runs(no_data, tmp_path_factory):
    """Each run of the table once."""
    return {
        name: played(example, tmp_path_factory.mktemp(name), *options)
        for name, (example, options) in RUNS.items()
    }


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("dense", SAMPLES | PLANE | {"samples.gif"}),
        ("reference", SAMPLES | PLANE),
        ("conv", SAMPLES),
        ("autoencoder", set()),
        ("conditional", SAMPLES | {"styles.png", "rewritten.png"}),
    ],
)
def test_files(runs, name, more):
    assert runs[name].status == 0
    assert {path.name for path in runs[name].out.iterdir()} == ALWAYS | more
    assert set(runs[name].titles) == {
        file for file in ALWAYS | more if file.endswith(("png", "gif"))
    }


@pytest.mark.parametrize("name", RUNS)
def test_metrics(runs, name, tolerance):
    records = metrics(runs[name].out)
    more = {"test_mse"} if name == "autoencoder" else KL
    assert [set(record) for record in records] == 2 * [TERMS | more]
    assert [record["epoch"] for record in records] == [1, 2]
    for r in records:
        assert r["dataset"] == "strokes" and r["backend"] == (
            "reference" if name == "reference" else "numpy"
        )
        for loss, prefix in (("test_loss", "test_"), ("train_loss", "train_")):
            parts = sum(r.get(prefix + part, 0) for part in ("reconstruction", "kl", "penalty"))
            assert r[loss] == pytest.approx(parts, rel=tolerance("loss"))
        if name == "autoencoder":
            assert r["test_mse"] == pytest.approx(r["test_loss"] / 784, rel=tolerance("loss"))


@pytest.mark.parametrize("name", RUNS)
def test_config_and_weights(runs, name, tolerance):
    config = json.loads((runs[name].out / "config.json").read_text())
    assert None not in {
        config[key] for key in ("epochs", "batch_size", "lr", "seed", "shards", "backend")
    }
    assert config["dataset"] == "strokes" and {"scratchae", "numpy", "numba"} <= set(
        config["versions"]
    )
    model = scratchae.load(runs[name].out / "weights.safetensors")
    assert config["parameters"] == sum(view.size for view in model.parameters.views().values())
    _, test = datasets.load("strokes", binarize=config.get("binarize", "none"))
    test = scratchae.Labelled(test, 10) if name == "conditional" else test
    again = scratchae.evaluate(
        model, test, batch_size=config["batch_size"], shards=config["shards"]
    )
    assert again["loss"] == pytest.approx(
        metrics(runs[name].out)[-1]["test_loss"], rel=tolerance("loss", "float32")
    )


def same_losses(out, other, tolerance):
    for ours, oracle in zip(metrics(out), metrics(other), strict=True):
        for key in ours.keys() & (KL | TERMS) - {
            "seconds",
            "examples_per_second",
            "dataset",
            "backend",
        }:
            assert ours[key] == pytest.approx(
                oracle[key], rel=tolerance("trajectory", "float32")
            ), key


def test_backends_give_the_same_losses(runs, tolerance):
    same_losses(runs["dense"].out, runs["reference"].out, tolerance)


def test_a_gpu_gives_the_same_losses_and_files(runs, gpu, tmp_path, tolerance):
    example, options = RUNS["dense"]
    assert tiny(example, tmp_path, *options, "--backend", gpu) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        path.name for path in runs["dense"].out.iterdir()
    }
    assert {record["backend"] for record in metrics(tmp_path)} == {gpu}
    same_losses(tmp_path, runs["dense"].out, tolerance)


def test_the_seed_drives_weights_order_and_noise(tmp_path, monkeypatch):
    seen = []

    def fit(model, *_, seed, **__):
        seen.append((seed, model.parameters.values.copy()))
        raise KeyboardInterrupt

    monkeypatch.setattr(scratchae, "fit", fit)
    for seed in ("0", "1"):
        with pytest.raises(SystemExit):
            tiny(vae_mnist, tmp_path, "--seed", seed)
    assert [seed for seed, _ in seen] == [0, 1]
    assert not np.array_equal(seen[0][1], seen[1][1])


def test_the_stand_in_is_named_everywhere(runs):
    for name, run in runs.items():
        assert nameless(run.titles) == []
        asked = {"conv": None, "autoencoder": "fashion_mnist"}.get(name, "mnist")
        notices = [line for line in run.printed if "stand-in" in line]
        assert len(notices) == (asked is not None)
        assert all(line.startswith(f"{asked} is") for line in notices)
        assert json.loads((run.out / "config.json").read_text()).get("stand_in_for") == asked
        assert run.printed[-1].startswith(f"{STAND_IN}, after 2 epochs: test ")
        assert run.printed[-1].endswith(f"pictures in {run.out}")
    film = [f"{STAND_IN}: samples from the prior, epoch {n}" for n in range(3)]
    assert runs["dense"].titles["samples.gif"] == film


def test_a_picture_without_a_name_is_seen(tmp_path, monkeypatch):
    titles = {}
    watch(monkeypatch, titles)
    monkeypatch.setattr(Run, "labels", lambda self, picture: (picture, ""))
    tiny(autoencoder_fashion, tmp_path)
    assert nameless(titles) == ["test images, reconstructed", "learning curves"]


def test_the_closing_line_gives_the_numbers(runs):
    last = metrics(runs["dense"].out)[-1]
    elbo = f"test ELBO {-last['test_reconstruction'] - last['test_kl']:.2f} nats per example"
    parts = f"(reconstruction {last['test_reconstruction']:.2f}, KL {last['test_kl']:.2f})"
    assert f"{elbo} {parts}" in runs["dense"].printed[-1]
    assert (
        f"test MSE {metrics(runs['autoencoder'].out)[-1]['test_mse']:.5f}"
        in runs["autoencoder"].printed[-1]
    )


@pytest.mark.parametrize(
    ("arch", "recipe", "parameters"),
    [
        (
            "dense",
            {"latent_dim": 20, "batch_size": 128, "lr": 1e-3, "binarize": "none", "epochs": 10},
            652_824,
        ),
        (
            "conv",
            {"latent_dim": 2, "batch_size": 32, "lr": 1e-4, "binarize": "threshold", "epochs": 10},
            69_989,
        ),
    ],
)
def test_recipes(arch, recipe, parameters, tmp_path, monkeypatch):
    monkeypatch.setattr(common, "load", lambda *_: (None, None))
    options = vae_mnist.parser().parse_args(["--arch", arch, "--out", str(tmp_path)])
    run = vae_mnist.prepare(options)
    config = json.loads((tmp_path / "config.json").read_text())
    assert {key: config[key] for key in recipe} == recipe
    assert config["parameters"] == parameters  # as PyTorch and Keras count them
    bias = run.model.parameters.view("decoder.0.b")
    assert np.any(bias) == (arch == "dense")  # PyTorch draws biases, Glorot's recipe has them zero


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--backend cupy", "cupy"),
        ("--backend abacus", "abacus"),
        ("--strict-data", "train-images-idx3-ubyte.gz"),
        ("--data-dir no-such-folder", "no-such-folder"),
        ("--dataset cifar", "cifar"),
        ("--arch deep", "deep"),
        ("--latent-dim -3", "-3"),
        ("--latent-dim 0", "0"),
        ("--batch-size 1.5", "1.5"),
        ("--epochs 0", "0"),
        ("--shards none", "none"),
        ("--lr -1", "--lr is -1.0"),
        ("--lr nan", "--lr is nan"),
        ("--lr 1e-60", "--lr is 1e-60"),
        ("--beta -0.5", "-0.5"),
        ("--beta-warmup 0", "--beta-warmup"),
        ("--beta-warmup 1 --beta 0", "--beta-warmup rises to --beta, which is 0"),
        ("--free-bits 0.1 --beta 0", "--free-bits weighs by --beta, which is 0"),
        ("--free-bits -1", "FreeBits(floor) is -1.0"),
        ("--free-bits 1 --estimator iwae", "--free-bits weighs the KL of the ELBO"),
        ("--beta 2 --estimator stl", "--beta weighs the KL of the ELBO"),
        ("--beta-warmup 1 --estimator dreg", "which --estimator dreg has not"),
        ("--samples 0", "--samples"),
        ("--estimator best", "best"),
        ("--seed -1", "-1"),
        ("--out=", "--out: '' is given"),
        ("--binarize twice", "twice"),
        ("--colour", "--colour"),
    ],
)
def test_user_errors_are_one_sentence(options, words, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    with pytest.raises(SystemExit) as ended:
        tiny(vae_mnist, tmp_path / "out", *options.split())
    sentence = capsys.readouterr().err
    assert ended.value.code == 2 and sentence.startswith("vae_mnist: ") and words in sentence
    assert sentence.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_bad_output_folder_is_found_before_training(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(scratchae, "fit", None)
    with pytest.raises(SystemExit) as ended:
        tiny(autoencoder_fashion, tmp_path / "file")
    assert (
        ended.value.code == 2 and "cannot be written to (File exists)" in capsys.readouterr().err
    )
    assert (tmp_path / "file").read_text() == "mine"


def test_a_loss_that_blows_up_ends_in_a_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended, np.errstate(all="ignore"):
        tiny(vae_mnist, tmp_path, "--lr", "1e30", "--threads", "1")
    assert ended.value.code == 2 and "learning rate" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(tmp_path, monkeypatch):
    def broken(run):
        raise ValueError("not the user's")

    monkeypatch.setattr(vae_mnist, "draw", broken)
    with pytest.raises(ValueError, match="not the user's"):
        tiny(vae_mnist, tmp_path)


def test_interrupted_after_an_epoch(tmp_path, capsys, monkeypatch):
    keep = Run._record

    def interrupted(self, model, history):
        keep(self, model, history)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Run, "_record", interrupted)
    assert tiny(autoencoder_fashion, tmp_path) == 130
    assert {path.name for path in tmp_path.iterdir()} == ALWAYS and len(metrics(tmp_path)) == 1
    assert "interrupted: 1 of 2 epochs" in capsys.readouterr().out


def test_interrupted_before_an_epoch_ended(tmp_path, capsys, monkeypatch):
    step = Progress.step

    def interrupted(self, loss):
        step(self, loss)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Progress, "step", interrupted)
    with pytest.raises(SystemExit) as ended:
        tiny(vae_mnist, tmp_path)
    assert ended.value.code == 130
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "metrics.jsonl"}
    assert "interrupted before an epoch was finished" in capsys.readouterr().err


def test_as_a_script(tmp_path):
    command = [sys.executable, EXAMPLES / "vae_mnist.py", "--backend", "abacus"]
    env = os.environ | {"PYTHONPATH": str(EXAMPLES.parent)}  # installed or not
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith(
        "vae_mnist: there is no backend 'abacus'"
    )
    assert list(tmp_path.iterdir()) == []
