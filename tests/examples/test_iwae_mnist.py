"""The example of Burda et al.: one and two stochastic layers, its schedule and its start."""

import json
import signal
from itertools import pairwise

import common
import iwae_mnist
import numpy as np
import pytest
from examples.helpers import STAND_IN, metrics, nameless, played, tiny

import scratchae
from scratchae import datasets
from scratchae.evaluation import log_likelihood

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_data")]
FILES = {"config.json", "metrics.jsonl", "weights.safetensors"}
FILES |= {"reconstructions.png", "loss.png", "samples.png", "log_p.txt"}
MEASURED = {"test_log_p", "test_log_p_error", "test_ess", "test_samples"}
RUNS = {"one": "", "two": "--layers 2 --samples 3", "dreg": "--estimator dreg --samples 2"}
RUNS |= {"given": "--labels --samples 2"}


@pytest.fixture(scope="module")
def runs(no_data, tmp_path_factory):
    """Each run of the table once."""
    return {
        name: played(iwae_mnist, tmp_path_factory.mktemp(name), *options.split())
        for name, options in RUNS.items()
    }


@pytest.mark.parametrize("name", RUNS)
def test_what_a_run_leaves(runs, name):
    run = runs[name]
    assert run.status == 0 and {path.name for path in run.out.iterdir()} == FILES
    assert nameless(run.titles) == []
    first, last = metrics(run.out)
    assert not MEASURED & first.keys() and last.keys() >= MEASURED
    assert last["train_loss"] < first["train_loss"]
    assert ("active_units" in last) == (name != "given")
    words = f"test log p(x) {last['test_log_p']:.2f} +- {last['test_log_p_error']:.2f} nats per"
    assert run.last.startswith(f"{STAND_IN}, after 2 epochs: {words} example by 50 samples")
    assert -last["test_loss"] < last["test_log_p"] and 1 <= last["test_ess"] <= 50


@pytest.mark.parametrize("name", RUNS)
def test_the_figure_is_that_of_the_weights(runs, name):
    model = scratchae.load(runs[name].out / "weights.safetensors")
    _, test = datasets.load("strokes", binarize="dynamic")
    test = scratchae.Labelled(test, 10) if name == "given" else test
    again = log_likelihood(model, test, 50, progress=False)
    assert again.mean == pytest.approx(metrics(runs[name].out)[-1]["test_log_p"], rel=1e-9)
    np.testing.assert_allclose(np.loadtxt(runs[name].out / "log_p.txt"), again.each, rtol=1e-9)


def test_one_interrupt_ends_the_measurement_and_costs_nothing_else(tmp_path, monkeypatch):
    def interrupted(*arguments, **named):
        signal.raise_signal(signal.SIGINT)
        return log_likelihood(*arguments, **named)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(iwae_mnist, "log_likelihood", interrupted)
    try:
        run = played(iwae_mnist, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    assert run.status == 130
    assert {path.name for path in run.out.iterdir()} == FILES - {"log_p.txt"}
    first, last = metrics(run.out)
    assert not MEASURED & last.keys() and last["epoch"] == 2 > first["epoch"]
    assert "interrupted: log p(x) was not measured" in run.printed
    assert run.last.startswith(f"{STAND_IN}, after 2 epochs: test bound {-last['test_loss']:.2f}")


def test_the_networks(runs):
    """784-200-200-(50), 784-200-200-(100)-100-100-(50), as the paper counts them, and the label
    beside what each network of the third is handed."""

    def parameters(*networks):
        return sum((a + 1) * b for sizes in networks for a, b in pairwise(sizes))

    for name, D, inside in (
        ("one", 50, ()),
        ("two", 100, ((100, 100, 100, 100), (50, 100, 100, 200))),
        ("given", 100, ((10, 200, 200, 200),)),
    ):
        config = json.loads((runs[name].out / "config.json").read_text())
        c = 10 * (name == "given")
        ends = (784 + c, 200, 200, 2 * D), (D + c, 200, 200, 784)
        assert config["parameters"] == parameters(*ends, *inside)


def prepared(monkeypatch, tmp_path, *options, n=60_000):
    """A run that is not trained, on n images of one grey each."""
    train = scratchae.Images(np.full((n, 28, 28, 1), 51, np.uint8), binarize="dynamic")
    monkeypatch.setattr(common, "load", lambda *_: (train, train))
    given = iwae_mnist.parser().parse_args(["--out", str(tmp_path), *options])
    return iwae_mnist.prepare(given)


def test_the_full_schedule(monkeypatch, tmp_path):
    run = prepared(monkeypatch, tmp_path, "--full")
    assert run.options.epochs == 3280 and run.options.batch_size == 20
    lr, epoch, first = run.optimizer.lr, 3000, 0
    for i in range(8):
        for t in (epoch * first + 1, epoch * (first + 3**i)):
            assert lr(t) == pytest.approx(1e-3 * 10 ** (-i / 7), rel=1e-12)
        first += 3**i
    assert first == 3280 and run.optimizer.eps == 1e-4


def test_the_short_schedule_and_the_first_bias(monkeypatch, tmp_path):
    run = prepared(monkeypatch, tmp_path, "--epochs", "7", "--lr", "5e-4", n=100)
    assert run.optimizer.lr(1) == 5e-4
    assert run.optimizer.lr(7 * 5 + 1) == pytest.approx(1e-4)
    np.testing.assert_allclose(run.model.weights["decoder.2.b"], np.log(0.2 / 0.8), rtol=1e-5)


def test_a_run_goes_on_from_the_weights_of_another(runs, monkeypatch, tmp_path):
    start = runs["one"].out / "weights.safetensors"
    run = prepared(monkeypatch, tmp_path, "--samples", "50", "--start", str(start), n=100)
    theirs = scratchae.load(start).weights
    assert all(np.array_equal(run.model.weights[name], theirs[name]) for name in theirs)
    assert run.what == "IWAE, k = 50, from given weights"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--layers 3", "--layers"),
        ("--samples 0", "'0' is given"),
        ("--test-samples none", "none"),
        ("--estimator vae", "vae"),
        ("--layers 2 --estimator stl", "choose IWAE"),
        ("--layers 2 --estimator dreg", "choose IWAE"),
        ("--layers 2 --labels", "leave --layers 2 out"),
        ("--full --epochs 3", "leave --epochs out"),
        ("--start nowhere", "nowhere"),
        ("--start {two}", "give the weights of this example"),
        ("--start {out}", "give another --out"),
    ],
)
def test_user_errors_are_one_sentence(runs, options, words, tmp_path, capsys):
    two, out = (path / "weights.safetensors" for path in (runs["two"].out, tmp_path))
    with pytest.raises(SystemExit) as ended:
        tiny(iwae_mnist, tmp_path, *options.format(two=two, out=out).split())
    sentence = capsys.readouterr().err
    assert ended.value.code == 2 and sentence.startswith("iwae_mnist: ") and words in sentence
    assert sentence.count("\n") == 1 and not list(tmp_path.iterdir())
