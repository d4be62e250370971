"""One BLAS thread for the whole process while anything multiplies: bits do not depend on who else
does."""

import os
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import scratchae as sa
from scratchae.backend import blas
from scratchae.backend.blas import one_blas_thread


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def wide(seed=0):
    """Large enough for a BLAS with two threads to share its products."""
    encoder, decoder = sa.Sequential(sa.Dense(300, 200)), sa.Sequential(sa.Dense(200, 300))
    return sa.Autoencoder(encoder, decoder).build(300, seed=seed)


X = np.random.default_rng(0).normal(size=(600, 300)).astype(np.float32)


@pytest.fixture
def two():
    """Two BLAS threads, wherever the tests run."""
    with threadpool_limits(2, "blas"):
        if 2 not in blas_threads():
            pytest.skip("this BLAS has one thread")
        yield blas_threads()


@contextmanager
def held_by_another_thread():
    """Another thread is within the limit; what is given lets it out, and waits for that."""
    inside, leave = threading.Event(), threading.Event()

    def multiply():
        with one_blas_thread():
            inside.set()
            leave.wait(10)

    def let_out():
        leave.set()
        thread.join()

    thread = threading.Thread(target=multiply)
    thread.start()
    inside.wait(10)
    yield let_out
    let_out()


def test_the_last_one_lifts_the_limit(two):
    """Not in the order of a stack: the first one leaves first."""
    with held_by_another_thread() as let_out, one_blas_thread():
        let_out()
        assert set(blas_threads()) == {1}
    assert blas_threads() == two


def test_it_may_be_entered_again(two):
    with one_blas_thread():
        with one_blas_thread():
            pass
        assert set(blas_threads()) == {1}
    assert blas_threads() == two


def test_it_is_lifted_after_an_error(two):
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        _ = 1 / 0
    assert blas_threads() == two


def digest(model):
    return model.parameters.values.tobytes()


def test_overlapping_fits_have_the_bits_of_one_alone(two):
    def train(model, epochs):
        sa.fit(model, X, sa.Adam(1e-3), epochs=epochs, batch_size=200, progress=False)

    alone, long, short = wide(1), wide(1), wide(2)
    train(alone, 6)
    other = threading.Thread(target=train, args=(short, 1))
    other.start()
    train(long, 6)
    other.join()
    assert digest(long) == digest(alone)
    assert blas_threads() == two


def test_many_evaluations_at_once(two):
    """As of a server: whoever ends first lifts nothing that another one needs."""
    model, threads, found = wide(), [], []
    due = sa.evaluate(model, X)["loss"]
    for n in (600, 60, 300, 600):
        task = threading.Thread(target=lambda n=n: found.append((n, sa.evaluate(model, X[:n]))))
        threads.append(task)
        task.start()
    for task in threads:
        task.join()
    assert [terms["loss"] for n, terms in found if n == 600] == [due, due]
    assert blas_threads() == two


@pytest.mark.parametrize(
    "verb",
    [
        lambda m: m.encode(X),
        lambda m: m.decode(m.encode(X)),
        lambda m: m.reconstruct(X),
        lambda m: sa.by_hand(sa.Dense(300, 200), (300,))(X),
        lambda m: sa.evaluate(m, X)["loss"],
    ],
)
def test_the_number_of_blas_threads_changes_no_bit(verb):
    results = []
    for n in (1, 2):
        with threadpool_limits(n, "blas"):
            results.append(np.asarray(verb(wide())).tobytes())
    assert results[0] == results[1]


def test_initial_weights_that_are_made_by_products():
    drawn = []
    for n in (1, 2):
        with threadpool_limits(n, "blas"):
            layer = sa.Dense(300, 300, init=sa.initializers.orthogonal)
            drawn.append(sa.by_hand(layer, (300,)).W.tobytes())
    assert drawn[0] == drawn[1]


def test_a_detector_flags_nothing_that_it_learnt_its_maximum_from():
    from scratchae.detection import Detector, Maximum

    model = wide()
    with threadpool_limits(2, "blas"):
        detector = Detector(model, rule=Maximum()).fit(X)
    with threadpool_limits(1, "blas"):
        assert not detector.flags(X).any()


class Large(sa.Values):
    """Data whose buffers do not fit into memory."""

    def feed(self, backend, rows):
        raise MemoryError("no memory for a buffer")


def test_it_is_lifted_where_a_feed_cannot_be_made(two):
    model, others = wide(), threading.active_count()
    with pytest.raises(MemoryError, match="no memory for a buffer"):
        sa.fit(model, Large(X), sa.Adam(), epochs=1, shards=2, threads=2, progress=False)
    assert blas_threads() == two and threading.active_count() == others
    sa.fit(model, X, sa.Adam(), epochs=1, progress=False)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_waits_until_the_limit_is_set_or_lifted(two, monkeypatch):
    """A child that found it half done would keep one BLAS thread for good."""
    half, set_numbers = threading.Event(), blas._set

    def slowly(numbers):
        set_numbers(numbers)
        half.set()
        time.sleep(0.2)

    def multiply():
        with one_blas_thread():
            pass

    monkeypatch.setattr(blas, "_set", slowly)
    thread = threading.Thread(target=multiply)
    thread.start()
    half.wait(10)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if blas_threads() == two else 1)
    _, status = os.waitpid(pid, 0)
    thread.join()
    assert status == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_has_its_own_limit(two):
    """Forked while another thread multiplies: nobody in the child would ever lift the limit."""
    with held_by_another_thread():
        pid = os.fork()
        if pid == 0:
            os._exit(0 if blas_threads() == two else 1)
        _, status = os.waitpid(pid, 0)
    assert status == 0
