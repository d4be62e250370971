"""vae_mnist.py: how the KL is weighed, how many samples, which bound; tiny, on the stand-in."""

import json
import warnings

import pytest
import vae_mnist
from examples.helpers import metrics, played

import scratchae

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_data")]


def test_warm_up_and_free_bits(tmp_path):
    """Four steps an epoch: beta is 0, 1/8, 1/4, 3/8 of --beta, then on to it."""
    options = "--beta-warmup 2 --beta 2 --free-bits 0.05 --samples 2"
    run = played(vae_mnist, tmp_path, *options.split())
    assert run.status == 0
    assert [record["beta"] for record in metrics(tmp_path)] == [0.75, 1.75]
    model = scratchae.load(tmp_path / "weights.safetensors")
    objective = model.objective
    assert type(objective) is scratchae.FreeBits and objective.samples == 2
    assert objective.floor == 0.05 and objective.beta(9) == 2.0
    count = metrics(tmp_path)[-1]["test_above_floor"]
    assert f", {count:.0f} dimensions above the floor)" in run.last
    assert "test ELBO -" in run.last and "FreeBits" in "".join(run.printed)
    what = vae_mnist.words(run.drawn[0].options)
    assert what == (
        "dense VAE, 20 latent dimensions, grey pixels, beta = 2, beta from 0 over 2 epochs, free "
        "bits 0.05 nats, K = 2"
    )
    assert json.loads((tmp_path / "config.json").read_text())["free_bits"] == 0.05


@pytest.mark.parametrize("estimator", ["iwae", "stl", "dreg"])
@pytest.mark.parametrize("samples", [None, 3])
def test_an_estimator(estimator, samples, tmp_path):
    options = ["--estimator", estimator, "--latent-dim", "2", "--binarize", "dynamic"]
    options += ["--samples", str(samples)] if samples else []
    run = played(vae_mnist, tmp_path, *options)
    assert run.status == 0
    objective = scratchae.load(tmp_path / "weights.safetensors").objective
    assert type(objective).__name__.lower() == estimator and objective.samples == (samples or 5)
    last = metrics(tmp_path)[-1]
    assert f"test bound of {samples or 5} samples {-last['test_loss']:.2f} nats" in run.last
    assert "beta" not in last and last["test_penalty"] < 0
    assert (tmp_path / "manifold.png").exists()


def test_the_elbo_without_options_is_a_vae(tmp_path):
    run = played(vae_mnist, tmp_path)
    objective = scratchae.load(tmp_path / "weights.safetensors").objective
    assert type(objective) is scratchae.ELBO and (objective.beta, objective.samples) == (1.0, 1)
    what = vae_mnist.words(run.drawn[0].options)
    assert what == "dense VAE, 20 latent dimensions, grey pixels"


def test_a_warm_up_that_is_longer_than_the_run_is_told(tmp_path, capsys):
    """As a sentence, without the place in a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", scratchae.ScheduleWarning)
        assert played(vae_mnist, tmp_path, "--beta-warmup", "3").status == 0
    (line,) = (one for one in capsys.readouterr().err.splitlines() if "schedule" in one)
    assert line.startswith("vae_mnist: the schedule of ELBO(beta) ends after 12 steps")


def test_a_warning_of_another_library_keeps_its_place(tmp_path, monkeypatch):
    def deprecated(run):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(vae_mnist, "train", deprecated)
    with pytest.warns(DeprecationWarning, match="old") as told:
        vae_mnist.main(["--smoke", "--out", str(tmp_path)])
    assert told[0].filename == __file__
