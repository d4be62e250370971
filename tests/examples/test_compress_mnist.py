"""compress_mnist.py: a file that gives the images back, beside other files, and its last line."""

import gzip
import json
import re
import shutil
import signal

import compress_mnist
import numpy as np
import pytest
from examples.helpers import STAND_IN, metrics, nameless, played, tiny

import scratchae as sa
from scratchae import coding

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_data")]
FILES = {"config.json", "metrics.jsonl", "weights.safetensors", "images.scratchae"}
PICTURES = {"loss.png", "sizes.png", "costs.png"}


@pytest.fixture(scope="module")
def run(no_data, tmp_path_factory):
    return played(compress_mnist, tmp_path_factory.mktemp("compressed"))


@pytest.fixture(scope="module")
def grey(no_data, tmp_path_factory):
    return played(compress_mnist, tmp_path_factory.mktemp("grey"), "--binarize", "none")


def rows(printed):
    """The table: {word: (bytes, bits a pixel)}."""
    found = (re.fullmatch(r"(\S.*?) +([\d,]+) +(\d\.\d{4})", line) for line in printed)
    return {m[1]: (int(m[2].replace(",", "")), float(m[3])) for m in found if m}


def test_files_and_pictures(run):
    assert run.status == 0
    assert {path.name for path in run.out.iterdir()} == FILES | PICTURES
    assert set(run.titles) == PICTURES and nameless(run.titles) == []


def test_the_last_line_says_lossless(run):
    size = (run.out / "images.scratchae").stat().st_size
    there = f"{run.out / 'images.scratchae'}, {size:,} bytes"
    assert run.last == f"lossless: all 256 images came back from {there}"


def test_the_file_holds_the_images(run):
    model = sa.load(run.out / "weights.safetensors")
    data = (run.out / "images.scratchae").read_bytes()
    (done,) = run.drawn[:1]
    np.testing.assert_array_equal(coding.decompress(model, data), done.test.values())
    assert coding.header(data)["count"] == 256


def test_the_table_is_right(run):
    table = rows(run.printed)
    assert set(table) == {"a bit a pixel", "PNG", "gzip", "bz2", "-ELBO", "bits-back"}
    assert table["a bit a pixel"] == (256 * 98, 1.0)
    for size, bits in table.values():
        assert bits == pytest.approx(8 * size / (256 * 784), abs=1e-4)
    assert table["bits-back"][0] == (run.out / "images.scratchae").stat().st_size
    last = metrics(run.out)[-1]
    assert last["bits_per_pixel"] == pytest.approx(table["bits-back"][1], abs=1e-4)
    bound = (last["test_reconstruction"] + last["test_kl"]) * 256 / np.log(2) / 8
    assert table["-ELBO"][0] == pytest.approx(bound, rel=1e-4)
    assert last["over_elbo"] == pytest.approx(table["bits-back"][0] / bound - 1, abs=1e-3)


def test_greys_come_back_too(grey):
    assert grey.status == 0 and grey.last.startswith("lossless: all 256 images")
    model = sa.load(grey.out / "weights.safetensors")
    data, (done,) = (grey.out / "images.scratchae").read_bytes(), grey.drawn[:1]
    x = coding.decompress(model, data)
    np.testing.assert_array_equal(np.rint(255 * x), done.test.pixels)
    assert len(np.unique(x)) > 200 and coding.header(data)["given"] == "uint8"
    table = rows(grey.printed)
    assert set(table) == {"a byte a pixel", "PNG", "gzip", "bz2", "-ELBO", "bits-back"}
    assert table["a byte a pixel"] == (256 * 784, 8.0)
    assert table["bits-back"][0] == len(data)
    assert abs(table["bits-back"][0] / table["-ELBO"][0] - 1) < 0.01
    pixels = done.test.pixels
    assert table["gzip"][0] == len(gzip.compress(pixels.tobytes(), 9))
    assert compress_mnist.others(pixels / np.float32(255))["PNG"] == table["PNG"][0]


@pytest.mark.parametrize("binarize", ["none", "dynamic"])
def test_the_pictures_bits_are_the_negative_elbo(binarize, run, grey):
    """By other draws of z, of 256 images."""
    done = {"none": grey, "dynamic": run}[binarize].drawn[0]
    pixels, code = compress_mnist.pictures.image_bits(done.model, done.test)
    terms = sa.evaluate(done.model, done.test)
    nats = np.log(2) * np.array([pixels.mean(), code.mean()])
    assert nats[0] == pytest.approx(terms["reconstruction"], rel=0.01)
    assert nats[1] == pytest.approx(terms["kl"], rel=1e-5)


def test_the_red_of_a_pixel_is_its_share_of_what_is_full():
    x, cost = (
        np.array([0, 1, 0, 0.5]).reshape(1, 2, 2, 1),
        np.array([0, 0, 6, 99]).reshape(1, 2, 2, 1),
    )
    found = compress_mnist.pictures._coloured(x, cost / 12).reshape(4, 3)
    np.testing.assert_allclose(found, [[1] * 3, [0.84] * 3, [0.85, 0.5, 0.5], [0.7, 0, 0]])


def test_greys_are_not_for_a_model_of_black_and_white(run, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        weights = str(run.out / "weights.safetensors")
        tiny(compress_mnist, tmp_path / "out", "--model", weights, "--binarize", "none")
    sentence = capsys.readouterr().err
    assert ended.value.code == 2 and "only 0 and 1 can be coded" in sentence
    assert sentence.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_share_has_its_side():
    sides = {0.0123: "1.23% above -ELBO", -0.0018: "0.18% below -ELBO"}
    assert {over: compress_mnist.beside(over) for over in sides} == sides


def test_the_stand_in_is_named(run):
    config = json.loads((run.out / "config.json").read_text())
    assert config["dataset"] == "strokes" and config["stand_in_for"] == "mnist"
    assert any(line.startswith(f"{STAND_IN}, after 2 epochs: test ELBO") for line in run.printed)


def test_a_saved_model_compresses_without_training(run, tmp_path, monkeypatch):
    monkeypatch.setattr(sa, "fit", None)
    weights = str(run.out / "weights.safetensors")
    again = played(compress_mnist, tmp_path / "out", "--model", weights)
    assert again.status == 0 and again.last.startswith("lossless: all 256 images")
    assert {path.name for path in again.out.iterdir()} == FILES | PICTURES - {"loss.png"}
    same = [(out / "images.scratchae").read_bytes() for out in (run.out, again.out)]
    assert same[0] == same[1] and rows(again.printed) == rows(run.printed)
    assert nameless(again.titles) == []
    lines = {"bits_per_pixel", "over_elbo", "dataset", "backend"}
    assert [line.keys() for line in metrics(again.out)] == [lines]
    config = json.loads((again.out / "config.json").read_text())
    assert config["model"] == weights and not {"epochs", "lr", "batch_size", "seed"} & set(config)
    third = played(compress_mnist, again.out, "--model", weights)  # over an earlier run
    assert third.status == 0 and metrics(third.out) == metrics(again.out / "earlier" / "1")


@pytest.mark.parametrize("option", ["--epochs 5", "--lr 7", "--batch-size 3", "--seed 9"])
def test_options_of_a_training_are_refused_where_there_is_none(option, run, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        tiny(compress_mnist, tmp_path / "out", "--model", "weights", *option.split())
    sentence = capsys.readouterr().err
    assert ended.value.code == 2 and sentence.startswith(f"compress_mnist: {option.split()[0]} is")
    assert sentence.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_lost_pixel_is_status_1(run, tmp_path, monkeypatch):
    right = coding.decompress

    def wrong(model, data):
        x = right(model, data)
        x[200, 3, 4] = 1 - x[200, 3, 4]
        return x

    monkeypatch.setattr(coding, "decompress", wrong)
    lost = played(compress_mnist, tmp_path, "--model", str(run.out / "weights.safetensors"))
    assert lost.status == 1 and lost.last.startswith("NOT LOSSLESS: not all 256 images")


def test_a_folder_that_goes_during_training_costs_nothing(tmp_path, monkeypatch):
    """Made again with all that belongs in it; where it cannot be, the rest is said."""
    fit, out = sa.fit, tmp_path / "out"

    def removed(*arguments, **named):
        history = fit(*arguments, **named)
        shutil.rmtree(out)
        if blocked:
            out.write_text("mine")
        return history

    monkeypatch.setattr(sa, "fit", removed)
    for blocked in (False, True):
        again = played(compress_mnist, out)
        assert again.status == blocked and again.last.startswith("lossless: all 256 images")
        assert ("from memory" in again.last) == blocked
        assert blocked or {path.name for path in out.iterdir()} == FILES | PICTURES


@pytest.mark.parametrize("trains", [True, False])
def test_one_interrupt_ends_the_coding_and_costs_nothing_else(run, trains, tmp_path, monkeypatch):
    def interrupted(*arguments, **named):
        signal.raise_signal(signal.SIGINT)

    more = () if trains else ("--model", str(run.out / "weights.safetensors"))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(coding, "decompress", interrupted)
    try:
        ended = played(compress_mnist, tmp_path, *more)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.status == 130
    words = "interrupted: the size of the compressed images was not measured"
    assert words in ended.printed and "lossless" not in "".join(ended.printed)
    assert {"config.json", "metrics.jsonl", "weights.safetensors"} <= {
        path.name for path in ended.out.iterdir()
    }
    assert sa.load(ended.out / "weights.safetensors").latent.dimensions == 40
    if trains:
        first, last = metrics(ended.out)
        assert last["epoch"] == 2 > first["epoch"] and "bits_per_pixel" not in last
        assert ", after 2 epochs: test ELBO" in ended.last and "bits a pixel" not in ended.last
    else:
        assert ended.last == words


def test_a_model_that_cannot_compress(tmp_path, capsys):
    model = sa.Autoencoder(sa.Dense(5, 2), sa.Dense(2, 5)).build(5)
    sa.save(model, tmp_path / "model")
    small = sa.VAE(sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2)).build(5)
    sa.save(small, tmp_path / "small")
    for name, words in (
        ("model", "a VAE is expected"),
        ("small", "(5,)"),
        ("none", "there is no file"),
    ):
        with pytest.raises(SystemExit) as ended:
            tiny(compress_mnist, tmp_path / "out", "--model", str(tmp_path / name))
        sentence = capsys.readouterr().err
        assert ended.value.code == 2 and words in sentence and sentence.count("\n") == 1
    assert not (tmp_path / "out").exists()
