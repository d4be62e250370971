"""What is claimed of training on the GPU and is asked twice: of the code as it is, where it holds,
and of the code with an error planted (proofs/test_gpu_mutants.py), where it must not.
"""

import gc
import threading
from contextlib import suppress

import numpy as np
import pytest
from execution.graph_models import dense, pixels, rows, small, values

import scratchae as sa
from scratchae.backend.cuda import backend as cupy_module
from scratchae.execution import graphs as graph
from scratchae.execution import recording
from scratchae.execution.threads import ThreadRunner


def per_step(monkeypatch, model, data, batch_size, epochs):
    """The loss of each step."""
    losses, kind = [], graph.GraphRunner if model.backend.name == "cupy" else ThreadRunner
    steps = kind.steps

    def watched(self, *arguments):
        for step in steps(self, *arguments):
            losses.append(step.terms["loss"])
            yield step

    monkeypatch.setattr(kind, "steps", watched)
    sa.fit(model, data, sa.Adam(1e-3), epochs=epochs, batch_size=batch_size, shards=1)
    return np.array(losses)


def a_hundred_losses_are_those_of_the_cpu(gpu, monkeypatch, make, batch, n, tolerance):
    data = pixels(n)
    ours, cpu = (
        per_step(monkeypatch, make(backend), data, batch, 4) for backend in (gpu, "numpy")
    )
    assert ours.shape == (100,)
    np.testing.assert_allclose(ours, cpu, rtol=tolerance("trajectory", "float32"))


def the_schedule_is_not_frozen(gpu, tolerance):
    """A learning rate that a callback changes, and the step count of Adam, reach the steps that
    replay."""

    def halve(model, history):
        history.optimizer.lr /= 2

    found = []
    for backend in (gpu, "numpy"):
        model = small(backend, "float64")
        optimizer = sa.Adam(0.1)
        sa.fit(model, rows(), optimizer, epochs=6, batch_size=32, shards=1, callbacks=[halve])
        assert optimizer.t == 18
        found.append(values(model))
    np.testing.assert_allclose(*found, rtol=tolerance("layer"), atol=tolerance("layer"))


def noise_is_drawn_anew_each_epoch(gpu):
    model = small(gpu)
    # nothing moves but the noise
    history = sa.fit(model, rows(), sa.SGD(1e-30), epochs=4, batch_size=32)
    assert len(set(history["train_loss"])) == 4


def a_loss_that_is_not_finite_names_its_step_and_leaves_the_step_before(gpu, recorded):
    """Step 40 meets the row that overflows; the host hears of it when the ring is read."""
    data = rows(100)
    where = int(sa.randomness.permutation(100, 0, 1)[39])
    data[where] = 3e38
    found = []
    for backend in (sa.get_backend(gpu, graph=recorded), "numpy"):
        model = sa.Autoencoder(sa.Dense(6, 3, "tanh"), sa.Dense(3, 6)).build(
            6, backend=backend, seed=1
        )
        optimizer = sa.Adam()
        words = r"at step 40 \(epoch 1\).*are those before that step"
        with pytest.warns(sa.ScaleWarning), pytest.raises(sa.NonFiniteLoss, match=words):
            sa.fit(model, data, optimizer, epochs=3, batch_size=1, shards=1)
        assert optimizer.t == 39
        found.append(values(model))
    np.testing.assert_allclose(*found, atol=1e-5)
    assert np.isfinite(found[0]).all()


def a_stop_within_an_epoch_counts_what_was_done(gpu):
    model, data = small(gpu), rows(300)
    with graph.GraphRunner(model, 1) as runner:
        optimizer, stopped = sa.Adam(), iter([False] * 99 + [True])
        optimizer.start(model.parameters)
        feeds = runner.feeds(sa.Values(data))
        totals = list(
            runner.steps(
                feeds, np.arange(300, dtype=np.uint32), 1, optimizer, lambda: next(stopped)
            )
        )
    assert len(totals) == optimizer.t == 100
    assert all(step.total[0] == 1 for step in totals)


def the_gpu_has_work_while_the_host_reads(gpu, monkeypatch):
    """When the host is handed a step, the half of the ring after it has been launched, and while
    it launches it waits for nothing but the half before."""
    model, n, launched, copies = small(gpu), 300, [], []
    run, to_host = recording.Recorder.run, cupy_module.CupyBackend.to_host
    monkeypatch.setattr(
        recording.Recorder, "run", lambda *given: launched.append(1) or run(*given)
    )
    monkeypatch.setattr(
        cupy_module.CupyBackend, "to_host", lambda *given: copies.append(1) or to_host(*given)
    )
    with graph.GraphRunner(model, 1) as runner:
        optimizer = sa.Adam()
        optimizer.start(model.parameters)
        feeds = runner.feeds(sa.Values(rows(n)))
        steps = runner.steps(feeds, np.arange(n, dtype=np.uint32), 1, optimizer, bool)
        for i, step in enumerate(steps):
            assert step.t == i + 1
            assert len(launched) == min(n, (i // graph.READ + 2) * graph.READ)
            assert not copies
    assert len(copies) == 1  # of the state, when all is done


def data_that_stays_on_the_host_gives_the_same_bits(gpu, monkeypatch):
    found = []
    for share in (1.0, 0.0):
        monkeypatch.setattr(cupy_module, "RESIDENT", share)
        for data in (pixels(), sa.Images(pixels().pixels)):
            model = dense(gpu, width=7, D=2)
            sa.fit(model, data, sa.Adam(), epochs=3, batch_size=32, shards=2, validation=pixels(5))
            found.append(values(model))
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[3])


class Cycle:
    """Garbage that only the collector finds, holding a backend with its cuBLAS handle."""

    def __init__(self, backend):
        self.backend, self.itself = backend, self


def a_data_set_is_copied_once_for_all_shards(gpu, monkeypatch):
    copies, share = [], cupy_module.CupyBackend.share

    def counted(self, a):
        copies.append(a.shape)
        return share(self, a)

    monkeypatch.setattr(cupy_module.CupyBackend, "share", counted)
    sa.fit(small(gpu), rows(), sa.Adam(), epochs=1, batch_size=32, shards=4, validation=rows(8))
    assert copies == [(90, 6), (8, 6)]


def no_garbage_is_collected_while_a_step_is_recorded(gpu):
    backend, before = sa.get_backend(gpu), gc.get_threshold()
    gc.collect()
    gc.set_threshold(1_000_000)
    Cycle(sa.get_backend(gpu))

    def body():
        gc.set_threshold(1)
        return [[] for _ in range(1000)]

    try:
        backend.capture(body).launch(backend.stream)
    finally:
        gc.set_threshold(*before)
    assert gc.isenabled()


def a_model_waits_while_a_step_is_recorded(gpu):
    model, drawn = small(gpu), []

    def sample():
        with suppress(RuntimeError):
            drawn.append(model.sample(3))

    thread = threading.Thread(target=sample, daemon=True)

    def body():
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()

    model.backend.capture(body)
    thread.join()
    np.testing.assert_array_equal(drawn, [model.sample(3)])
