"""The pool: every task once, results in order, errors after all have ended, short tasks alone."""

import threading
import time

import pytest

from scratchae.execution import pool
from scratchae.execution.pool import ThreadPool


@pytest.fixture
def at_once(monkeypatch):
    """Tasks are handed out from the first call on, however short they are."""
    monkeypatch.setattr(pool, "TRIALS", 0)


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_every_task_once_and_results_in_order(size, n, at_once):
    with ThreadPool(size) as hands:
        for _ in range(20):
            ran = []
            assert hands.each("work", lambda i, ran=ran: ran.append(i) or i * i, n) == [
                i * i for i in range(n)
            ]
            assert sorted(ran) == list(range(n))


def test_tasks_run_at_the_same_time(at_once):
    """Each waits for the other, which one thread could never do."""
    both = threading.Barrier(2)
    with ThreadPool(2) as hands:
        assert len(hands.each("meet", lambda i: both.wait(timeout=10), 2)) == 2


def test_an_error_comes_out_after_all_have_ended(at_once):
    with ThreadPool(4) as hands:
        for bad in range(4):
            ended = []

            def task(i, bad=bad, ended=ended):
                time.sleep(0.001 * i)
                ended.append(i)
                if i >= bad:
                    raise RuntimeError(f"task {i} failed")

            # the first of those that did
            with pytest.raises(RuntimeError, match=f"task {bad} failed"):
                hands.each("work", task, 4)
            assert sorted(ended) == [0, 1, 2, 3]
        assert hands.each("work", lambda i: i, 4) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_would_end_a_thread_comes_out_too(kind, at_once):
    """Whichever thread it struck; the pool goes on afterwards."""
    both = threading.Barrier(2)

    def task(i):
        both.wait(timeout=10)
        if threading.current_thread() is not threading.main_thread():
            raise kind

    with ThreadPool(2) as hands:
        with pytest.raises(kind):
            hands.each("work", task, 2)
        assert hands.each("work", lambda i: i, 4) == [0, 1, 2, 3]


@pytest.mark.parametrize("seconds, together", [(0.0, False), (0.002, True)])
def test_only_tasks_that_are_long_enough_are_handed_out(seconds, together):
    names = set()

    def task(i):
        names.add(threading.current_thread().name)
        time.sleep(seconds)

    with ThreadPool(2) as hands:
        for _ in range(pool.TRIALS):
            hands.each("work", task, 2)
        assert len(names) == 1  # the trials run alone
        for _ in range(20):
            hands.each("work", task, 2)
    assert (len(names) == 2) == together


def test_threads_end_also_after_an_error():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), ThreadPool(3) as hands:
        hands.each("work", lambda i: 1 / 0, 3)
    assert threading.active_count() == before
