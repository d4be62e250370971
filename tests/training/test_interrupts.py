"""Ctrl-C: a run ends after the step under way, and what handled it before handles it again."""

import signal

import numpy as np
import pytest
from training.runs import Watched, fit, interrupt, rows, vae, values

SIGNALS = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


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
    assert history.optimizer.t == 5 and model.objective.epoch == 1
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


@pytest.fixture
def handled():
    """What each signal does is given back after the test."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in SIGNALS}
    yield
    for name, handler in before.items():
        if handler is not None:
            signal.signal(getattr(signal, name), handler)


def raising(number):
    return lambda model, history: signal.raise_signal(number)


@pytest.mark.parametrize("name", SIGNALS[1:])
def test_what_asks_a_program_to_end_ends_the_run(handled, name):
    """As a scheduler sends before it kills, and a terminal that is closed."""
    number = getattr(signal, name)
    signal.signal(number, signal.SIG_DFL)
    history = fit(vae(), epochs=9, callbacks=[raising(number)])
    assert history["epoch"] == [1] and history.interrupted and history.signal == number
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.parametrize("name", SIGNALS)
def test_an_ignored_signal_stays_ignored(handled, name):
    """A job in the background is handed a SIGINT that is ignored, and is to run on."""
    number = getattr(signal, name)
    signal.signal(number, signal.SIG_IGN)
    history = fit(vae(), epochs=3, callbacks=[raising(number)])
    assert len(history) == 3 and not history.interrupted and history.signal is None
    assert signal.getsignal(number) is signal.SIG_IGN


@pytest.mark.parametrize("name", SIGNALS[1:])
def test_a_programs_own_handler_is_left_alone(handled, name):
    number, heard = getattr(signal, name), []
    signal.signal(number, lambda *_: heard.append(name))
    history = fit(vae(), epochs=2, callbacks=[raising(number)])
    assert len(history) == 2 and not history.interrupted and heard == [name] * 2


def test_a_handler_that_python_did_not_set(handled, monkeypatch):
    """A program written in C, with Python in it: getsignal says None, which signal refuses."""
    set_again = []
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda *pair: set_again.append(pair))
    assert len(fit(vae(), epochs=1)) == 1 and set_again == []


def test_the_first_signal_counts(handled):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    history = fit(vae(), epochs=9, callbacks=[raising(signal.SIGINT)])
    assert history.signal == signal.SIGINT
    assert not fit(vae(), epochs=1).interrupted


@pytest.mark.parametrize("name", SIGNALS)
def test_a_run_within_a_callback_of_another(handled, name):
    """Both end: who asks a program to end does not mean the innermost run alone."""
    number, inner, probe = getattr(signal, name), [], vae()
    handler = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
    signal.signal(number, handler)

    def train_another(model, history):
        inner.append(
            fit(probe, epochs=3, callbacks=[raising(number)] if len(history) == 2 else None)
        )

    outer = fit(vae(), epochs=6, callbacks=[train_another])
    assert [one.interrupted for one in inner] == [False, True] and len(inner[1]) == 1
    assert outer.signal == number and len(outer) == 2
    assert signal.getsignal(number) is handler
