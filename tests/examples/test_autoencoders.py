"""The plain, denoising, sparse and convolutional autoencoders of the examples, tiny."""

import json
import signal

import autoencoder_fashion
import conv_autoencoder_mnist
import denoise_fashion
import numpy as np
import pytest
import sparse_mnist
from examples.helpers import STAND_IN, metrics, nameless, played, stand_ins, tiny
from runs import Run

import scratchae
from scratchae import datasets

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_data")]
ALWAYS = {"config.json", "metrics.jsonl", "weights.safetensors", "loss.png"}
PAIRS, ROWS = {"reconstructions.png"}, {"denoised.png"}
SPARSE = PAIRS | {"codes.png", "weights.png", "plain"}
ACTIVITY = {"test_bce", "code_activity", "active_share"}
RUNS = {
    "keras": (autoencoder_fashion, "--arch keras", PAIRS, {"test_bce"}),
    "deep": (autoencoder_fashion, "--arch deep", PAIRS, {"test_bce"}),
    "gaussian": (denoise_fashion, "", ROWS, {"test_mse"}),
    "masking": (denoise_fashion, "--corruption masking --noise 0.4", ROWS, {"test_mse"}),
    "salt-and-pepper": (denoise_fashion, "--corruption salt-and-pepper", ROWS, {"test_mse"}),
    "l1": (sparse_mnist, "--weight 5", SPARSE, ACTIVITY),
    "student": (sparse_mnist, "--penalty student --backend reference", SPARSE, ACTIVITY),
    "kl": (sparse_mnist, "--penalty kl", SPARSE, ACTIVITY),
    "conv": (conv_autoencoder_mnist, "--dataset strokes", PAIRS, {"test_bce"}),
    "conv denoiser": (conv_autoencoder_mnist, "--noise 0.4 --start {conv}", ROWS, {"test_bce"}),
}


@pytest.fixture(scope="module")
def runs(no_data, tmp_path_factory):
    """Each run of the table once; the denoiser starts where the run before it ended."""
    done = {}
    for name, (example, options, _, _) in RUNS.items():
        start = done["conv"].out / "weights.safetensors" if "{conv}" in options else None
        done[name] = played(
            example, tmp_path_factory.mktemp("run"), *options.format(conv=start).split()
        )
    return done


@pytest.mark.parametrize("name", RUNS)
def test_files_and_metrics(runs, name, tolerance):
    run, (_, _, files, more) = runs[name], RUNS[name]
    assert run.status == 0
    assert {path.name for path in run.out.iterdir()} == ALWAYS | files
    assert nameless(run.titles) == []
    asked = "fashion_mnist" if RUNS[name][0] is denoise_fashion else "mnist"
    asked = None if "strokes" in RUNS[name][1] else asked
    assert stand_ins(run.out) == {("strokes", asked)}
    records = metrics(run.out)
    assert [record["epoch"] for record in records] == [1, 2]
    for record in records:
        assert more <= set(record)
        (mean,) = more & {"test_mse", "test_bce"}
        assert record[mean] == pytest.approx(
            record["test_reconstruction"] / 784, rel=tolerance("loss")
        )


@pytest.mark.parametrize("name", RUNS)
def test_closing_line(runs, name):
    last, record = runs[name].last, metrics(runs[name].out)[-1]
    digits = 4 if "code_activity" in record else 5
    word = "MSE" if "test_mse" in record else "BCE"
    assert last.startswith(f"{STAND_IN}, after 2 epochs: test {word} ")
    assert f"{record[f'test_{word.lower()}']:.{digits}f} per pixel" in last
    assert last.endswith(f"pictures in {runs[name].out}")


@pytest.mark.parametrize(
    ("example", "options", "recipe", "parameters"),
    [
        (
            autoencoder_fashion,
            "",
            {"dataset": "fashion_mnist", "epochs": 10, "batch_size": 32},
            101_200,
        ),
        (
            autoencoder_fashion,
            "--arch keras",
            {"dataset": "mnist", "epochs": 50, "batch_size": 256},
            50_992,
        ),
        (
            autoencoder_fashion,
            "--arch deep",
            {"dataset": "mnist", "epochs": 100, "batch_size": 256},
            222_384,
        ),
        (
            denoise_fashion,
            "",
            {"dataset": "fashion_mnist", "epochs": 10, "batch_size": 32, "noise": 0.2},
            3_217,
        ),
        (
            sparse_mnist,
            "",
            {"dataset": "mnist", "epochs": 100, "batch_size": 256, "weight": 0.5},
            50_992,
        ),
        (
            conv_autoencoder_mnist,
            "",
            {"dataset": "mnist", "epochs": 50, "batch_size": 128},
            28_353,
        ),
        (conv_autoencoder_mnist, "--noise 0.4", {"epochs": 100, "batch_size": 128}, 28_353),
    ],
)
def test_recipes(example, options, recipe, parameters, tmp_path, monkeypatch):
    monkeypatch.setattr("common.load", lambda *_: datasets.load("strokes"))
    example.prepare(example.parser().parse_args([*options.split(), "--out", str(tmp_path)]))
    config = json.loads((tmp_path / "config.json").read_text())
    assert {key: config[key] for key in recipe} == recipe and config["lr"] == 1e-3
    assert config["parameters"] == parameters  # as Keras counts them


@pytest.mark.parametrize("name", ["gaussian", "masking", "salt-and-pepper"])
def test_the_noise_shown_is_the_noise_measured(runs, name, monkeypatch):
    monkeypatch.setattr("common.ENCODE", 100)  # blocks that do not divide the test images
    model = scratchae.load(runs[name].out / "weights.safetensors")
    noise, (_, test) = model.encoder.layers[0], datasets.load("strokes")
    x = test.values(slice(None))
    noisy = denoise_fashion.corrupted(noise, test, 0, 0, len(test))
    assert noisy.min() >= 0 and noisy.max() <= 1
    mse = np.square(model.reconstruct(noisy) - x, dtype=np.float64).mean()
    assert mse == pytest.approx(metrics(runs[name].out)[-1]["test_mse"], rel=1e-5)
    before = np.square(noisy - x, dtype=np.float64).mean()
    assert denoise_fashion.noisy_mse(noise, test, 0) == pytest.approx(before, rel=1e-6)
    assert f"from {before:.5f} of the noisy images" in runs[name].last


@pytest.mark.parametrize("start", ["mean", "zero"])
def test_the_denoiser_starts_as_dark_as_the_images_or_grey(start, tmp_path):
    options = ["--out", str(tmp_path)] + ["--last-bias", "zero"] * (start == "zero")
    run, _ = denoise_fashion.prepare(denoise_fashion.parser().parse_args(options))
    empty = run.model.decode(np.zeros((1, 7, 7, 8), np.float32))
    assert empty == pytest.approx(
        run.train.pixels.mean() / 255 if start == "mean" else 0.5, rel=1e-5
    )


def test_the_plain_run_is_beside_the_sparse_one(runs):
    sparse, plain = metrics(runs["l1"].out)[-1], metrics(runs["l1"].out / "plain")[-1]
    assert "test_penalty" in sparse and "test_penalty" not in plain
    assert sparse["code_activity"] < plain["code_activity"]
    assert {path.name for path in (runs["l1"].out / "plain").iterdir()} == ALWAYS | {"weights.png"}


def test_the_activity_is_that_of_the_codes(runs):
    model, (_, test) = (
        scratchae.load(runs["l1"].out / "weights.safetensors"),
        datasets.load("strokes"),
    )
    h, record = model.encode(test.values(slice(None))), metrics(runs["l1"].out)[-1]
    assert record["code_activity"] == pytest.approx(h.mean(), rel=1e-5)
    assert record["active_share"] == pytest.approx((h > h.max(axis=0) / 10).mean(), abs=1e-3)


def test_an_interrupted_plain_run_is_the_last(tmp_path, capsys, monkeypatch):
    record = Run._record

    def interrupted(self, model, history):
        record(self, model, history)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Run, "_record", interrupted)
    assert tiny(sparse_mnist, tmp_path) == 130
    assert not (tmp_path / "weights.safetensors").exists()
    assert scratchae.load(tmp_path / "plain" / "weights.safetensors").objective.epoch == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("plain")


@pytest.mark.filterwarnings("ignore::scratchae.WideCode")
def test_a_warm_start_is_where_the_other_run_ended(runs, tmp_path, monkeypatch):
    clean, seen = runs["conv"].out / "weights.safetensors", []

    def fit(run, callbacks):
        seen.append(run.model.parameters.values.copy())
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "fit", fit)
    with pytest.raises(SystemExit):
        tiny(conv_autoencoder_mnist, tmp_path, "--noise", "0.4", "--start", str(clean))
    np.testing.assert_array_equal(seen[0], scratchae.load(clean).parameters.values)


@pytest.mark.parametrize(
    ("example", "options", "words"),
    [
        (autoencoder_fashion, "--arch wide", "wide"),
        (denoise_fashion, "--noise -1", "-1"),
        (denoise_fashion, "--corruption masking --noise 1", "Masking(p)"),
        (denoise_fashion, "--corruption rain", "rain"),
        (sparse_mnist, "--weight -1", "-1"),
        (sparse_mnist, "--penalty l2", "l2"),
        (conv_autoencoder_mnist, "--noise -1", "-1"),
        (conv_autoencoder_mnist, "--start nowhere", "nowhere"),
        (conv_autoencoder_mnist, "--start {keras}", "give the weights of this example"),
        (conv_autoencoder_mnist, "--start {out}", "give another --out"),
    ],
)
def test_user_errors_are_one_sentence(runs, example, options, words, tmp_path, capsys):
    options = options.format(
        keras=runs["keras"].out / "weights.safetensors", out=tmp_path / "weights.safetensors"
    )
    with pytest.raises(SystemExit) as ended:
        tiny(example, tmp_path, *options.split())
    sentence = capsys.readouterr().err
    assert (
        ended.value.code == 2 and sentence.startswith(f"{example.EXAMPLE}: ") and words in sentence
    )
    assert sentence.count("\n") == 1 and list(tmp_path.iterdir()) == []
