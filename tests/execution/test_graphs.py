"""Training on the GPU: graphs against eager launches, the GPU against the CPU, losses heard of
late, memory."""

import signal
import threading

import numpy as np
import pytest
from execution import graph_claims as claims
from execution.graph_models import conv, dense, rows, small, values

import scratchae as sa
from scratchae.backend.cuda import backend as cupy_module


@pytest.mark.parametrize(
    "make, batch, n", [(dense, 32, 32 * 25), (conv, 8, 8 * 25)], ids=["dense", "conv"]
)
def test_a_hundred_losses_are_those_of_the_cpu(gpu, monkeypatch, make, batch, n, tolerance):
    claims.a_hundred_losses_are_those_of_the_cpu(gpu, monkeypatch, make, batch, n, tolerance)


def test_the_schedule_is_not_frozen(gpu, tolerance):
    claims.the_schedule_is_not_frozen(gpu, tolerance)


def test_noise_is_drawn_anew_each_epoch(gpu):
    claims.noise_is_drawn_anew_each_epoch(gpu)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_loss_that_is_not_finite_names_its_step_and_leaves_the_step_before(gpu, recorded):
    claims.a_loss_that_is_not_finite_names_its_step_and_leaves_the_step_before(gpu, recorded)


def test_a_stop_within_an_epoch_counts_what_was_done(gpu):
    claims.a_stop_within_an_epoch_counts_what_was_done(gpu)


def test_data_that_stays_on_the_host_gives_the_same_bits(gpu, monkeypatch):
    claims.data_that_stays_on_the_host_gives_the_same_bits(gpu, monkeypatch)


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize(
    "optimizer", [sa.Adam, sa.SGD, sa.Adagrad, sa.Adadelta, sa.RMSProp, sa.AdamW]
)
def test_a_graph_has_the_bits_of_its_launches(gpu, shards, optimizer):
    found = []
    for recorded in (True, False):
        model = small(sa.get_backend(gpu, graph=recorded))
        options = {"epochs": 4, "batch_size": 32, "shards": shards, "validation": rows(40)}
        history = sa.fit(model, rows(), optimizer(1e-2), **options)
        found.append(
            (values(model), [r["test_loss"] for r in history.records], history["train_loss"])
        )
    for graphs, launches in zip(*found, strict=True):
        np.testing.assert_array_equal(graphs, launches)


def test_a_graph_for_each_size_of_batch(gpu, monkeypatch):
    """The first step of a size runs as it is, the second is recorded, the others replay."""
    recorded = []
    capture = cupy_module.CupyBackend.capture

    def watched(self, body):
        recorded.append(body)
        return capture(self, body)

    monkeypatch.setattr(cupy_module.CupyBackend, "capture", watched)
    model = small(gpu)
    sa.fit(model, rows(), sa.Adam(), epochs=5, batch_size=32, validation=rows(8))
    assert len(recorded) == 3  # 32 and 26 rows of training, 8 of validation


def test_an_interrupt_ends_after_the_step_under_way(gpu):
    model, steps = small(gpu), []

    def interrupt(_, history):
        steps.append(history.optimizer.t)
        signal.raise_signal(signal.SIGINT)

    history = sa.fit(model, rows(), sa.Adam(), epochs=5, batch_size=32, callbacks=[interrupt])
    assert history.interrupted and len(history) == 1 and steps == [3]


def test_two_models_side_by_side(gpu):
    """Two models, each on a thread and a stream of its own, train as they would alone."""

    def train(model):
        sa.fit(model, rows(), sa.Adam(1e-2), epochs=3, batch_size=16)

    alone = [small(gpu, beta=beta) for beta in (0.5, 2.0)]
    together = [small(gpu, beta=beta) for beta in (0.5, 2.0)]
    for model in alone:
        train(model)
    threads = [threading.Thread(target=train, args=(model,)) for model in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(values(one), values(other))


def test_evaluation_is_that_of_the_cpu(gpu, tolerance):
    found = [
        sa.evaluate(small(backend, "float64"), rows(), batch_size=32, shards=1)
        for backend in (gpu, "numpy")
    ]
    assert found[0] == pytest.approx(found[1], rel=tolerance("loss"))
