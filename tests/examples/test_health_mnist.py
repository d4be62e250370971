"""The example of the health report: both pages are there, and the second says what ails."""

import signal
from types import SimpleNamespace

import health_mnist
import pytest
from examples.helpers import STAND_IN, metrics, nameless, played, stand_ins

from scratchae import evaluation, load

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_data")]
ONE = {"config.json", "metrics.jsonl", "weights.safetensors", "health.txt", "health.png"}
FILES = ONE | {"ill", "reconstructions.png", "samples.png"}


@pytest.mark.parametrize("ill", sorted(health_mnist.ILLS))
def test_both_are_examined(tmp_path, ill):
    run = played(health_mnist, tmp_path / "run", "--ill", ill)
    assert run.status == 0 and {path.name for path in run.out.iterdir()} == FILES
    assert {path.name for path in (run.out / "ill").iterdir()} == ONE
    assert stand_ins(run.out) == {("strokes", "mnist")} and nameless(run.titles) == []
    pages = [(folder / "health.txt").read_text() for folder in (run.out, run.out / "ill")]
    assert all(f"200 examples of {STAND_IN}" in page for page in pages)
    printed = "\n".join(run.printed)
    assert all(page.strip() in printed for page in pages)
    assert health_mnist.ILLS[ill] in pages[1] and health_mnist.ILLS[ill] not in pages[0]
    last = metrics(run.out)[-1]
    assert run.last.startswith(f"{STAND_IN}, after 2 epochs: test loss {last['test_loss']:.2f}")


@pytest.mark.parametrize("which", [1, 2])
def test_one_interrupt_ends_a_report_and_costs_nothing_else(which, tmp_path, monkeypatch):
    calls = []

    def interrupted(*arguments, **named):
        calls.append(arguments)
        if len(calls) == which:
            signal.raise_signal(signal.SIGINT)
        return evaluation.health(*arguments, **named)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(health_mnist, "evaluation", SimpleNamespace(health=interrupted))
    try:
        run = played(health_mnist, tmp_path / "run")
    finally:
        signal.signal(signal.SIGINT, before)
    assert run.status == 130 and "interrupted: the health was not measured" in run.printed
    kept = {"config.json", "metrics.jsonl", "weights.safetensors"}
    out = run.out if which == 1 else run.out / "ill"
    assert {path.name for path in out.iterdir()} - {"ill"} == kept
    assert len(metrics(out)) == 2 and load(out / "weights.safetensors").latent.dimensions == 20
    assert (run.out / "health.txt").exists() == (which == 2)
    assert run.last.startswith(f"{STAND_IN}, after 2 epochs: test loss")


def test_the_page_is_that_of_the_saved_model(tmp_path):
    run = played(health_mnist, tmp_path / "run")
    well, sick = run.drawn
    for one in (well, sick):
        model = load(one.out / "weights.safetensors")
        report = evaluation.health(model, one.test, **health_mnist.HOW[True], progress=False)
        page = (one.out / "health.txt").read_text()
        assert page == f"{one.what}\n{report}\n"
    assert "sigma = 1" not in sick.what and sick.model.beta == 20


def test_a_gaussian_of_sigma_1_is_told_to_be_too_wide(tmp_path):
    run = played(health_mnist, tmp_path / "run", "--ill", "sigma")
    page = " ".join((run.out / "ill" / "health.txt").read_text().split())
    assert "LOOK likelihood x is off the mean" in page and "too much noise" in page
