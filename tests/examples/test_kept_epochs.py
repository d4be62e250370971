"""Which epoch's weights a run keeps, and what data it is judged by."""

import json

import numpy as np
import pytest
from examples.test_runs import finished, start

import scratchae
from scratchae import Adam, EarlyStopping, Values, schedules

pytestmark = pytest.mark.slow


def test_weights_of_the_best_epoch_are_saved_when_it_comes(tmp_path, capsys):
    """Of three epochs of two steps the third spoils what the second has reached."""
    run, seen = start(tmp_path), []
    run.optimizer = Adam(schedules.Steps(1e-3, 1e4, (4,)))
    run.fit([lambda model, history: seen.append(finished(tmp_path))], best=EarlyStopping(9))
    assert seen == [1, 2, 2] and len(run.history) == 3
    (tmp_path / "weights.safetensors").unlink()  # and are saved once more when the run ends
    assert run.close(lambda record: "") == 0
    assert "lines, after 3 epochs, weights of epoch 2: " in capsys.readouterr().out
    saved = scratchae.load(tmp_path / "weights.safetensors")
    assert (saved.objective.epoch, saved.optimizer.t) == (2, 4)
    np.testing.assert_array_equal(saved.parameters.values, run.model.parameters.values)
    loss = scratchae.evaluate(saved, run.test)["loss"]
    assert loss == pytest.approx(run.history["test_loss"][1]) == min(run.history["test_loss"])


def test_what_is_scored_may_be_other_data_than_the_test_data(tmp_path):
    run = start(tmp_path)
    run.held = Values(1 - run.test.x)
    run.fit()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    found = [json.loads(line)["validation_loss"] for line in lines]
    assert found == run.history["test_loss"] and "test_loss" not in lines[-1]
    assert found[-1] == pytest.approx(scratchae.evaluate(run.model, run.held)["loss"])


def test_a_run_beside_is_judged_by_the_same_data(tmp_path):
    run = start(tmp_path)
    run.held = None
    beside = run.beside("plain", run.model, Adam(1e-3), "plain")
    beside.fit()
    assert "test_loss" not in beside.history.records[-1] and beside.history["train_loss"]
