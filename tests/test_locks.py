"""A child that is forked while another thread holds a lock finds it open."""

import os
import threading

import numpy as np
import pytest

import scratchae as sa
from scratchae.locks import Lock

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def ended(pid, seconds=20):
    """The status of a child, or None where it hangs; it is killed then."""
    done = threading.Event()
    status = []

    def wait():
        status.append(os.waitpid(pid, 0)[1])
        done.set()

    threading.Thread(target=wait, daemon=True).start()
    if not done.wait(seconds):
        os.kill(pid, 9)
        return None
    return status[0]


def forked(work):
    """The status of a child that does this work."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return ended(pid)


def test_a_lock_that_was_held():
    lock = Lock()
    with lock:
        assert not lock.acquire(blocking=False)
        assert forked(lambda: lock.__enter__()) == 0
        assert not lock.acquire(blocking=False)  # the parent's is as it was
    assert lock.acquire(blocking=False)


def test_a_child_leaves_a_lock_that_its_parent_holds():
    """As where a callback of ``fit`` forks, and the child leaves by sys.exit."""
    lock = Lock()

    def leave():
        lock.__exit__()
        assert lock.acquire(blocking=False)

    with lock:
        assert forked(leave) == 0


@pytest.mark.parametrize("tries", [3])
def test_a_child_encodes_while_its_parent_did(tries):
    model = sa.Autoencoder(sa.Sequential(sa.Dense(64, 8)), sa.Sequential(sa.Dense(8, 64))).build(
        64
    )
    x = np.random.default_rng(0).normal(size=(4000, 64)).astype(np.float32)
    model.encode(x)
    stop = threading.Event()

    def encode():
        while not stop.is_set():
            model.encode(x)

    thread = threading.Thread(target=encode)
    thread.start()
    try:
        assert [forked(lambda: model.encode(x[:10])) for _ in range(tries)] == [0] * tries
    finally:
        stop.set()
        thread.join()


def test_a_child_trains_a_model_that_its_parent_trains():
    """Its copy of the model is free: nobody in the child trains it."""
    model, inside, leave = sa.Autoencoder(sa.Dense(6, 2), sa.Dense(2, 6)).build(6), *events()
    x = np.ones((8, 6), np.float32)

    def hold(model, history):
        inside.set()
        leave.wait(20)

    def train(callbacks=None):
        sa.fit(model, x, sa.Adam(), epochs=1, callbacks=callbacks, progress=False)

    thread = threading.Thread(target=train, args=(hold,))
    thread.start()
    inside.wait(20)
    status = forked(train)
    leave.set()
    thread.join()
    assert status == 0


def events():
    return threading.Event(), threading.Event()
