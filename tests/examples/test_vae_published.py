"""Two published VAEs, tiny, on the stand-in: what each trains on, what it keeps, what it says."""

import json
import signal
from types import SimpleNamespace

import common
import numpy as np
import pytest
import vae_published
from examples.helpers import STAND_IN, metrics, nameless, played, tiny
from runs import Run

import scratchae
from scratchae import Images, datasets
from scratchae.evaluation import log_likelihood

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_data")]
ALWAYS = {"config.json", "metrics.jsonl", "weights.safetensors"}
ALWAYS |= {"reconstructions.png", "loss.png", "samples.png"}
PLANE = {"latent.png", "manifold.png"}
MEASURED = {"test_log_p", "test_log_p_error", "test_ess", "test_samples", "best_epoch"}
TRAIN, TEST = common.SMOKE_IMAGES
HELD = TRAIN // 6


@pytest.fixture(scope="module")
def keras(no_data, tmp_path_factory):
    return played(vae_published, tmp_path_factory.mktemp("keras"))


@pytest.fixture(scope="module")
def pythae(no_data, tmp_path_factory):
    """A run whose rate is thirtyfold after its first epoch, which stays the best."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vae_published, "MILESTONES", (1,))
        patch.setattr(vae_published, "DECAY", 30.0)
        return played(vae_published, tmp_path_factory.mktemp("pythae"), "--recipe", "pythae")


def test_keras_trains_on_all_images_and_holds_none_out(keras):
    (run,) = keras.drawn
    assert keras.status == 0 and {path.name for path in keras.out.iterdir()} == ALWAYS | PLANE
    assert len(run.train) == TRAIN + TEST and run.optimizer.eps == 1e-7
    np.testing.assert_array_equal(run.train.pixels[TRAIN:], run.test.pixels)
    assert f"all {TRAIN + TEST} images are trained on, the test images among them" in keras.printed
    first, last = metrics(keras.out)
    assert [name for name in last if name.startswith(("test_", "validation_"))] == []
    assert last["train_loss"] < first["train_loss"]


def test_keras_shows_no_image_as_one_it_was_not_trained_on(keras):
    words = f"{STAND_IN}, after 2 epochs: training loss {metrics(keras.out)[-1]['train_loss']:.2f}"
    assert keras.last.startswith(words) and "the test images among these" in keras.last
    assert nameless(keras.titles) == []
    assert [title for titles in keras.titles.values() for title in titles if "test" in title] == []
    assert "trained on the test images too" in keras.drawn[0].what


def test_keras_counts_the_units_that_are_above_0_for_any_image(keras):
    (run,) = keras.drawn
    model = scratchae.load(keras.out / "weights.safetensors")
    counted = SimpleNamespace(model=model, codes=run.codes)
    lives = vae_published.live_units(counted)
    assert metrics(keras.out)[-1]["live_units"] == lives > 0
    assert keras.last.split("; ")[0].endswith(f"among these, {lives} of 16 units live")
    W, V, b = np.zeros((7 * 7 * 64, 16)), np.zeros((16, 4)), np.repeat([1.0, -1.0, 0.0], [9, 5, 2])
    W[:, 15], V[15, 0] = 1, 1  # mu_1 is the last unit
    weights = {"encoder.3.W": W, "encoder.3.b": b, "encoder.4.W": V, "encoder.4.b": np.zeros(4)}
    model.weights.update(weights)
    sums = model.encode(run.test.values())[0][:, 0]
    b[15] = -np.median(sums)  # above 0 for half of the images
    model.weights["encoder.3.b"] = b
    assert sums.min() < sums.max() and vae_published.live_units(counted) == 9 + 1


def prepared(monkeypatch, out, *options):
    """A run that is not trained, on as many images as MNIST has, of one pixel each."""
    blank = Images(np.zeros((60_000, 1), np.uint8), np.zeros(60_000, np.uint8), "dynamic")
    monkeypatch.setattr(common, "load", lambda *_: (blank, datasets.take(blank, slice(10_000))))
    given = vae_published.parser().parse_args(["--out", str(out), *options])
    return vae_published.prepare(given)


def test_keras_first_weights_of_mu_and_logvar_are_those_of_two_layers(monkeypatch, tmp_path):
    """Uniform up to Glorot's sqrt(6 / (16 + 2)), of which 320 draws come within 1 %."""
    widest, bound = 0.0, np.sqrt(6 / (16 + 2))
    for seed in "01234":
        run = prepared(monkeypatch, tmp_path / seed, "--seed", seed)
        widest = max(widest, np.abs(run.model.weights["encoder.4.W"]).max())
    assert 0.99 * bound < widest <= bound * (1 + 1e-6)


def test_pythae_keeps_the_best_epoch_on_the_validation_images(pythae):
    assert pythae.status == 0 and {path.name for path in pythae.out.iterdir()} == ALWAYS
    assert nameless(pythae.titles) == []
    first, last = metrics(pythae.out)
    assert first["validation_loss"] < last["validation_loss"] and "test_loss" not in last
    assert not MEASURED & first.keys() and last.keys() >= MEASURED
    assert last["best_epoch"] == 1 and last["test_samples"] == 50 and 1 <= last["test_ess"] <= 50
    found = f"test log p(x) {last['test_log_p']:.2f} +- {last['test_log_p_error']:.2f} nats per"
    words = f"{STAND_IN}, after 2 epochs, weights of epoch 1: {found} example by 50 samples"
    assert pythae.last.startswith(words)
    assert f", validation ELBO {-first['validation_loss']:.2f} nats" in pythae.last


def test_pythaes_numbers_are_those_of_the_weights_it_leaves(pythae, tolerance):
    (run,) = pythae.drawn
    model = scratchae.load(pythae.out / "weights.safetensors")
    assert model.objective.epoch == 1
    np.testing.assert_array_equal(model.parameters.values, run.model.parameters.values)
    first, last = metrics(pythae.out)
    again = log_likelihood(model, run.test, 50, progress=False)
    assert last["test_log_p"] == pytest.approx(again.mean, rel=1e-9)
    config = json.loads((pythae.out / "config.json").read_text())
    how = {name: config[name] for name in ("batch_size", "shards")}
    terms = scratchae.evaluate(model, run.held, **how)
    assert first["validation_loss"] == pytest.approx(
        terms["loss"], rel=tolerance("loss", "float32")
    )


def test_pythae_parts_the_images_and_draws_their_pixels_once(pythae):
    (run,) = pythae.drawn
    assert (len(run.train), len(run.held), len(run.test)) == (TRAIN - HELD, HELD, TEST)
    train, test = datasets.load("strokes")
    for part, grey in (
        (run.train, train.pixels[:-HELD]),
        (run.held, train.pixels[-HELD:]),
        (run.test, test.pixels),
    ):
        assert part.binarize == "none" and set(np.unique(part.pixels)) == {0, 255}
        assert np.all(part.pixels[grey == 0] == 0) and np.all(part.pixels[grey == 255] == 255)
    labels = np.concatenate([run.train.labels, run.held.labels])
    np.testing.assert_array_equal(labels, train.labels)
    assert f"pixels are drawn once; the last {HELD} training images are for validation" in (
        pythae.printed
    )


def test_a_pixel_is_ink_with_its_grey_value_as_probability():
    grey = Images(np.full((1500, 28, 28, 1), 51, np.uint8), binarize="dynamic")  # 1/5
    drawn = vae_published.drawn_once(grey).pixels
    np.testing.assert_array_equal(drawn, vae_published.drawn_once(grey).pixels)
    sigma = np.sqrt(0.2 * 0.8 / drawn.size)
    assert (drawn == 255).mean() == pytest.approx(0.2, abs=4 * sigma)
    assert len(np.unique(drawn.reshape(len(drawn), -1), axis=0)) == len(drawn)


@pytest.mark.parametrize(
    ("recipe", "rest"),
    [
        ("keras", {"epochs": 30, "batch_size": 128, "lr": 1e-3, "parameters": 69_076 + 65_089}),
        (
            "pythae",
            {"epochs": 1000, "batch_size": 100, "lr": 1e-3, "test_samples": 200}
            | {"parameters": 785 * 400 + 401 * 80 + 41 * 400 + 401 * 784},
        ),
    ],
)
def test_recipes(recipe, rest, monkeypatch, tmp_path):
    """keras' parameters are those that it prints for its encoder and decoder."""
    run = prepared(monkeypatch, tmp_path, "--recipe", recipe)
    config = json.loads((tmp_path / "config.json").read_text())
    assert {name: config[name] for name in rest} == rest
    if recipe == "pythae":
        lr, epoch = run.optimizer.lr, 500
        for k, after in enumerate((200, 350, 500, 750)):
            assert lr(epoch * after) == pytest.approx(1e-3 * 10 ** (-k / 5))
            assert lr(epoch * after + 1) == pytest.approx(1e-3 * 10 ** (-(k + 1) / 5))
        assert lr(epoch * 1000) == lr(epoch * 750 + 1)


def test_an_interrupted_run_has_its_best_weights_and_measures_nothing(tmp_path, monkeypatch):
    keep = Run._record

    def interrupted(self, model, history):
        keep(self, model, history)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Run, "_record", interrupted)
    run = played(vae_published, tmp_path, "--recipe", "pythae")
    (record,) = metrics(tmp_path)
    assert run.status == 130 and not MEASURED & record.keys()
    words = "interrupted after 1 epoch, weights of epoch 1: validation ELBO"
    assert f"{words} {-record['validation_loss']:.2f} nats per example; " in run.last


def test_an_interrupt_of_the_measurement_costs_no_picture(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(vae_published, "log_likelihood", interrupted)
    run = played(vae_published, tmp_path, "--recipe", "pythae")
    assert run.status == 130 and {path.name for path in tmp_path.iterdir()} == ALWAYS
    assert not MEASURED & metrics(tmp_path)[-1].keys() and ": validation ELBO -" in run.last


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--recipe torch", "torch"),
        ("--test-samples 5", "--test-samples is for --recipe pythae"),
        ("--recipe pythae --test-samples 0", "'0' is given"),
        ("--strict-data", "train-images-idx3-ubyte.gz"),
        ("--lr -1", "--lr is -1.0"),
    ],
)
def test_user_errors_are_one_sentence(options, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        tiny(vae_published, tmp_path, *options.split())
    sentence = capsys.readouterr().err
    assert ended.value.code == 2 and sentence.startswith("vae_published: ") and words in sentence
    assert sentence.count("\n") == 1 and not list(tmp_path.iterdir())
