"""The example of the likelihoods: its errors are those of its draws, its bounds of its weights."""

import math
import re
import signal

import grey
import likelihoods_mnist
import numpy as np
import pytest
from examples.helpers import STAND_IN, metrics, nameless, played, stand_ins, tiny
from runs import Run

import scratchae as sa
from scratchae import datasets, evaluate, load
from scratchae.plots import frame

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_data")]
ONE = {"config.json", "metrics.jsonl", "weights.safetensors", "loss.png"}
BOTH = {"reconstructions.png", "samples.png"}
OF_SIGMA = {"sigma", "rmse", "rmse_test", "kl", "elbo"}


@pytest.fixture(scope="module")
def sigmas(no_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("sigmas")
    return played(likelihoods_mnist, out, "--sigmas", "1", "0.1")


@pytest.fixture(scope="module")
def of_grey(no_data, tmp_path_factory):
    return played(likelihoods_mnist, tmp_path_factory.mktemp("grey"), "--compare", "grey")


def test_files(sigmas, of_grey):
    for run, others, more in (
        (sigmas, {"sigma_0.1", "sigma_1"}, {"sigma.png"}),
        (of_grey, {"Bernoulli"}, set()),
    ):
        assert run.status == 0 and nameless(run.titles) == []
        assert {path.name for path in run.out.iterdir()} == ONE | BOTH | others | more
        assert all({path.name for path in (run.out / name).iterdir()} == ONE for name in others)
        assert stand_ins(run.out) == {("strokes", "mnist")}


@pytest.mark.parametrize("sigma", [0.02, 0.3, 1.0])
def test_the_error_behind_a_likelihood(sigma, rng):
    """By the log density of a thousand images, whose error is known."""
    x = rng.normal(size=(1000, 784))
    a = x + sigma / 2 * rng.normal(size=x.shape)
    nll = -float(sa.GaussianLikelihood(sigma).log_prob(x, a).mean())
    error = math.sqrt(((x - a) ** 2).mean())
    assert likelihoods_mnist.rmse(nll, sigma) == pytest.approx(error, rel=1e-10)


def test_the_numbers_of_each_sigma(sigmas):
    """By draws of z of our own, 20 an image: 256 test images of 784 pixels."""
    images = datasets.load("strokes")
    rng, last = np.random.default_rng(3), {}
    for name in ("", "sigma_0.1", "sigma_1"):
        model = load(sigmas.out / name / "weights.safetensors")
        last[name] = metrics(sigmas.out / name)[-1]
        assert last[name].keys() >= OF_SIGMA
        for key, part in zip(("rmse", "rmse_test"), images, strict=True):
            mu, logvar = model.encode(part)
            squares = [
                np.square(part.values() - model.decode(mu + np.exp(logvar / 2) * eps)).mean()
                for eps in rng.normal(size=(20, *mu.shape))
            ]
            assert last[name][key] == pytest.approx(math.sqrt(np.mean(squares)), rel=2e-3)
        terms = evaluate(model, images[1])
        assert last[name]["elbo"] == pytest.approx(-terms["loss"], rel=1e-6)
        assert last[name]["kl"] == pytest.approx(terms["kl"], rel=1e-6)
    ours, low, high = last.values()
    assert (low["sigma"], high["sigma"]) == (0.1, 1.0)
    assert ours["sigma"] == load(sigmas.out / "weights.safetensors").likelihood.sigma()
    assert ours["sigma_off"] == pytest.approx(abs(ours["sigma"] - ours["rmse"]) / ours["rmse"])
    best = max((low, high), key=lambda row: row["elbo"])
    assert ours["above_fixed"] == pytest.approx(ours["elbo"] - best["elbo"])
    assert ours["best_fixed"] == best["sigma"] == 1.0


def test_the_table_and_the_last_line(sigmas):
    rows = [re.fullmatch(r"(sigma \S+) +(\S+) +\S+ +\S+ +\S+ +(\S+)", t) for t in sigmas.printed]
    rows = [match.groups() for match in rows if match]
    assert [row[0] for row in rows] == ["sigma learned", "sigma 0.1", "sigma 1"]
    last = metrics(sigmas.out)[-1]
    assert rows[0][1:] == (f"{last['sigma']:.4f}", f"{last['elbo']:.2f}")
    assert sigmas.last.startswith(f"{STAND_IN}, after 2 epochs: sigma {last['sigma']:.4f}, ")
    assert (
        f"test ELBO {last['elbo']:.2f} nats per example, {last['above_fixed']:+.2f}" in sigmas.last
    )


def test_the_curve_has_the_learned_sigma_on_it(monkeypatch):
    monkeypatch.setattr(frame, "DPI", frame.DPI // 4)
    ends = [dict(sigma=s, rmse=0.1 + s / 9, rmse_test=0.12 + s / 9, elbo=-s) for s in (0.05, 1.0)]
    learned = {"sigma": 0.1125, "rmse": 0.1125, "rmse_test": 0.13, "elbo": 600.0}
    figure = likelihoods_mnist.pictures.by_sigma(learned, ends, "title", "note")
    figure.canvas.draw()
    left, right = figure.axes
    assert left.lines[1].get_xydata().tolist() == [[0.1125, 600.0]]
    assert right.lines[2].get_xydata().tolist() == [[0.1125, 0.1125]]
    sigma, error = (
        right.lines[3].get_xydata().T
    )  # sigma on a log axis, so that no line is straight
    assert np.array_equal(sigma, error) and np.diff(np.log(sigma)).max() < 0.1
    assert sigma.min() < 0.1125 < sigma.max()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height


def test_grey_pixels_are_spread_over_their_steps():
    images = datasets.load("strokes")[0]
    x = grey.dequantised(images, 0)
    u = 256 * x.x.astype(np.float64) - images.pixels
    assert u.min() >= 0 and u.max() <= 1 and x.x.dtype == np.float32
    assert abs(u.mean() - 1 / 2) < 5 / math.sqrt(12 * u.size)
    assert abs(u.var() - 1 / 12) < 5 / math.sqrt(180 * u.size)
    assert np.array_equal(x.labels, images.labels) and x.name == STAND_IN
    again, other = grey.dequantised(images, 0), grey.dequantised(images, 1)
    assert np.array_equal(x.x, again.x) and not np.array_equal(x.x, other.x)


def test_the_parameter_of_a_mean():
    a = np.array([-6, -2, -0.01, 0, 1e-3, 3, 6.0], np.float32)
    means = sa.ContinuousBernoulli().mean(grey.of_mean(a))
    np.testing.assert_allclose(means, 1 / (1 + np.exp(-a.astype(np.float64))), rtol=1e-5)
    ends = sa.ContinuousBernoulli().mean(grey.of_mean(np.array([-40.0, 40.0])))
    np.testing.assert_allclose(ends, [1 / 512, 511 / 512], rtol=1e-6)


def test_both_start_at_the_mean_of_each_pixel(tmp_path):
    options = ["--smoke", "--compare", "grey", "--out", str(tmp_path)]
    every = likelihoods_mnist.prepare(likelihoods_mnist.parser().parse_args(options))
    for run, off in zip(every.values(), (0.06, 1e-6), strict=True):
        bias = run.model.weights["decoder.1.b"].reshape(28, 28, 1)
        means = run.train.x.mean(axis=0, dtype=np.float64)
        np.testing.assert_allclose(run.model.likelihood.mean(bias), means, atol=off)


def test_all_are_scored_by_the_continuous_bernoulli(of_grey):
    """By the draws of the example, all of them at once; and by those of ``evaluate``, roughly."""
    x, density = grey.dequantised(datasets.load("strokes")[1], 1).x, sa.ContinuousBernoulli()
    eps = np.random.default_rng(0).standard_normal((256, 20), np.float32)
    last, theirs = (metrics(of_grey.out / name)[-1] for name in ("", "Bernoulli"))
    for name, record, key, natural in (
        ("", last, "elbo", np.asarray),
        ("Bernoulli", theirs, "elbo", np.asarray),
        ("Bernoulli", theirs, "elbo_by_means", grey.of_mean),
    ):
        model = load(of_grey.out / name / "weights.safetensors")
        mu, logvar = model.encode(x)
        kl = (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2
        a = natural(model.decoder_output(mu + np.exp(logvar / 2) * eps))
        elbo = np.mean(density.log_prob(x, a) - kl)
        assert record[key] == pytest.approx(elbo, rel=1e-6)
    assert isinstance(model.likelihood, sa.Bernoulli)
    assert last["above_bernoulli"] == pytest.approx(last["elbo"] - theirs["elbo"])
    assert last["above_means"] == pytest.approx(last["elbo"] - theirs["elbo_by_means"])
    assert last["elbo"] == pytest.approx(-last["test_loss"], rel=0.1)
    words = f"test ELBO {last['elbo']:.2f} nats per example, {last['above_bernoulli']:+.2f}"
    assert (
        words in of_grey.last and f"{last['above_means']:+.2f} against its means" in of_grey.last
    )
    rows = [re.fullmatch(r"(.*Bernoulli) {2,}(.+\S) +(\S+)", line) for line in of_grey.printed]
    found = [float(match[3]) for match in rows if match]
    assert found == [round(e, 2) for e in (last["elbo"], theirs["elbo"], theirs["elbo_by_means"])]


def test_an_interrupted_run_has_no_comparison(tmp_path, monkeypatch):
    keep = Run._record

    def interrupted(self, model, history):
        keep(self, model, history)
        if self.out.name == "sigma_0.1":
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Run, "_record", interrupted)
    assert tiny(likelihoods_mnist, tmp_path, "--sigmas", "0.1", "1") == 130
    assert "elbo" not in metrics(tmp_path)[-1] and len(metrics(tmp_path / "sigma_0.1")) == 1
    assert not (tmp_path / "sigma.png").exists() and metrics(tmp_path / "sigma_1") == []


def test_an_interrupted_comparison_keeps_the_weights(tmp_path, monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(grey, "bound", interrupted)
    assert tiny(likelihoods_mnist, tmp_path, "--compare", "grey") == 130
    assert {path.name for path in tmp_path.iterdir()} == ONE | {"Bernoulli"}
    assert "interrupted: what they are compared by was not measured" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--sigmas 0", "sigma) is 0.0"),
        ("--sigmas 0.1 -1", "sigma) is -1.0"),
        ("--sigmas", "--sigmas"),
        ("--sigmas one", "one"),
        ("--compare grey --sigmas 0.1", "--sigmas are of --compare sigma"),
        ("--compare all", "all"),
    ],
)
def test_user_errors_are_one_sentence(options, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        tiny(likelihoods_mnist, tmp_path / "out", *options.split())
    sentence = capsys.readouterr().err
    assert ended.value.code == 2 and sentence.startswith("likelihoods_mnist: ")
    assert words in sentence and sentence.count("\n") == 1 and not (tmp_path / "out").exists()
