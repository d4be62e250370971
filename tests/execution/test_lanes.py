"""Threads lent to the large products of a shard: how many, when they end, and that a child which a
callback forks does not wait for them."""

import os
import threading
import time
from contextlib import suppress
from queue import SimpleQueue

import numpy as np
import pytest

import scratchae as sa
from scratchae.backend.numpy import MOST
from scratchae.execution import pool
from scratchae.execution.threads import ThreadRunner

X = np.random.default_rng(0).random((40, 600))


def wide():
    """An autoencoder of large products, by the numbers that ``shared`` sets."""
    parts = sa.Dense(600, 300, "tanh"), sa.Dense(300, 600)
    return sa.Autoencoder(*parts, sa.SquaredError()).build(600, dtype="float64")


@pytest.fixture(autouse=True)
def shared(monkeypatch):
    """Smaller products are large, and handed out however short they are."""
    monkeypatch.setattr("scratchae.backend.numpy.SLICE", 10_000)
    monkeypatch.setattr(pool, "HANDOFF", 0.0)
    monkeypatch.setattr(pool, "TRIALS", 0)


def test_no_more_threads_are_made_than_have_work():
    """One for each shard, the caller among them, and for each shard as many as a product has
    slices."""
    before = threading.active_count()
    with ThreadRunner(wide(), 40, shards=2, threads=3 * MOST):
        assert threading.active_count() - before == 1 + 2 * (MOST - 1)
    with ThreadRunner(wide(), 40, shards=2, threads=3):  # none is left over
        assert threading.active_count() - before == 1
    assert threading.active_count() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_of_a_callback_multiplies_by_itself():
    """The threads that were lent are not in it."""
    model, status = wide(), []

    def fork(model, history):
        child = os.fork()
        if child == 0:
            try:
                model.reconstruct(X)
                os._exit(0)
            finally:
                os._exit(1)
        waited = threading.Timer(20, os.kill, (child, 9))
        waited.start()
        status.append(os.waitpid(child, 0)[1])
        waited.cancel()

    sa.fit(model, X, sa.Adam(), epochs=1, shards=1, threads=2, callbacks=fork, progress=False)
    assert status == [0]


def test_who_is_interrupted_leaves_while_another_multiplies(monkeypatch):
    """As by a second Ctrl-C: the caller does not wait for the other shard, whose products still
    have their threads."""
    inside, left = threading.Event(), threading.Event()

    class Interrupted(SimpleQueue):
        def get(self, *arguments):
            if threading.current_thread() is caller:
                left.set()
                raise KeyboardInterrupt
            return super().get(*arguments)

    def train():
        with ThreadRunner(wide(), 40, shards=2, threads=4) as runner:

            def shard(s):
                if threading.current_thread() is caller:
                    inside.wait(20)
                    return
                inside.set()
                left.wait(20)
                time.sleep(0.2)  # the caller ends the threads meanwhile
                runner._lanes[s].each("product", lambda i: None, 2)

            runner._each("shards", shard, 2)

    def run():
        with suppress(KeyboardInterrupt):
            train()

    caller = threading.Thread(target=run, daemon=True)
    monkeypatch.setattr(pool, "SimpleQueue", Interrupted)
    caller.start()
    caller.join(20)
    assert left.is_set() and not caller.is_alive()
