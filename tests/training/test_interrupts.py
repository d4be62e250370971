"""Ctrl-C: a run ends after the step under way, and what handled it before handles it again."""

import signal

import numpy as np
import pytest
from training.runs import Watched, fit, interrupt, rows, vae, values


@pytest.fixture
def handler():
    """What Ctrl-C does before, and must do again."""
    # a job in the background ignores Ctrl-C
    outer = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.getsignal(signal.SIGINT)
    yield before
    assert signal.getsignal(signal.SIGINT) is before
    signal.signal(signal.SIGINT, outer)


def test_ctrl_c_between_epochs(handler):
    model, other = vae(), vae()
    history = fit(model, epochs=9, callbacks=[interrupt])
    assert history.interrupted and history["epoch"] == [1]
    fit(other, epochs=1)
    np.testing.assert_array_equal(values(model), values(other))
    assert fit(model, optimizer=history.optimizer)["epoch"] == [2, 3]


def test_ctrl_c_ends_after_the_step_under_way(handler):
    def when(batches):
        if len(batches) == 5:  # the second batch of the second epoch
            interrupt()

    model = vae()
    history = fit(model, Watched(rows(), when), epochs=9, shards=1)
    assert history.interrupted and history["epoch"] == [1]  # half an epoch is no record
    assert history.optimizer.t == 5 and history.optimizer.epoch == 1
    assert np.isfinite(values(model)).all()


def test_a_second_ctrl_c_does_not_wait(handler):
    with pytest.raises(KeyboardInterrupt):
        fit(vae(), callbacks=[interrupt, interrupt])


def test_an_error_of_a_callback_comes_out(handler):
    with pytest.raises(ZeroDivisionError):
        fit(vae(), callbacks=[lambda *_: 1 / 0])


def test_a_handler_of_the_callers_own_is_given_back():
    def own(*_):
        raise AssertionError("fit is to catch this one")

    before = signal.signal(signal.SIGINT, own)
    try:
        assert fit(vae(), callbacks=[interrupt]).interrupted
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)
