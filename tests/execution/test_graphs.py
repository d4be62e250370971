"""Training on the GPU: graphs against eager launches, the GPU against the CPU, losses heard of
late, memory."""

import signal
import threading
from functools import cache

import numpy as np
import pytest

import scratchae as sa
from scratchae.backend.cuda import backend as cupy_module
from scratchae.datasets.generated import strokes
from scratchae.execution import graphs as graph
from scratchae.execution.threads import ThreadRunner

N = 90  # with batches of 32: 32, 32, 26


@cache
def digits(n=N):
    return strokes.load(n, 1)[0][0]


def pixels(n=N):
    return sa.Images(digits(n), binarize="dynamic")


def dense(backend, width=400, D=20, beta=1.0):
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(784, width, "relu"), sa.Dense(width, 2 * D))
    decoder = sa.Sequential(
        sa.Dense(D, width, "relu"), sa.Dense(width, 784), sa.Reshape(28, 28, 1)
    )
    return sa.VAE(encoder, decoder, sa.Gaussian(D), beta=beta).build(
        (28, 28, 1), backend=backend, seed=1
    )


def conv(backend, a=8, b=8):
    encoder = sa.Sequential(
        sa.Conv2d(1, a, 3, stride=2, activation="relu"),
        sa.Conv2d(a, b, 3, stride=2, activation="relu"),
        sa.Flatten(),
        sa.Dense(36 * b, 4),
    )
    decoder = sa.Sequential(
        sa.Dense(2, 49 * a, "relu"),
        sa.Reshape(7, 7, a),
        sa.ConvTranspose2d(a, b, 3, stride=2, padding="same", activation="relu"),
        sa.ConvTranspose2d(b, a, 3, stride=2, padding="same", activation="relu"),
        sa.ConvTranspose2d(a, 1, 3, padding="same"),
    )
    return sa.VAE(encoder, decoder, sa.Gaussian(2)).build((28, 28, 1), backend=backend, seed=1)


def small(backend, dtype="float32", beta=0.7):
    encoder, decoder = sa.Sequential(sa.Dense(6, 5, "tanh"), sa.Dense(5, 4)), sa.Dense(2, 6)
    return sa.VAE(encoder, decoder, sa.Gaussian(2), beta=beta).build(
        6, backend=backend, dtype=dtype, seed=1
    )


def rows(n=N):
    return np.random.default_rng(3).random((n, 6)).astype(np.float32)


def values(model):
    return model.backend.to_host(model.parameters.values)


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


@pytest.mark.parametrize(
    "make, batch, n", [(dense, 32, 32 * 25), (conv, 8, 8 * 25)], ids=["dense", "conv"]
)
def test_a_hundred_losses_are_those_of_the_cpu(gpu, monkeypatch, make, batch, n, tolerance):
    data = pixels(n)
    ours, cpu = (
        per_step(monkeypatch, make(backend), data, batch, 4) for backend in (gpu, "numpy")
    )
    assert ours.shape == (100,)
    np.testing.assert_allclose(ours, cpu, rtol=tolerance("trajectory", "float32"))


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


def test_the_schedule_is_not_frozen(gpu, tolerance):
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


def test_noise_is_drawn_anew_each_epoch(gpu):
    model = small(gpu)
    # nothing moves but the noise
    history = sa.fit(model, rows(), sa.SGD(1e-30), epochs=4, batch_size=32)
    assert len(set(history["train_loss"])) == 4


@pytest.mark.parametrize("recorded", [True, False])
def test_a_loss_that_is_not_finite_names_its_step_and_leaves_the_step_before(gpu, recorded):
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
        with pytest.raises(
            sa.NonFiniteLoss, match=r"at step 40 \(epoch 1\).*are those before that step"
        ):
            sa.fit(model, data, optimizer, epochs=3, batch_size=1, shards=1)
        assert optimizer.t == 39
        found.append(values(model))
    np.testing.assert_allclose(*found, atol=1e-5)
    assert np.isfinite(found[0]).all()


def test_an_interrupt_ends_after_the_step_under_way(gpu):
    model, steps = small(gpu), []

    def interrupt(_, history):
        steps.append(history.optimizer.t)
        signal.raise_signal(signal.SIGINT)

    history = sa.fit(model, rows(), sa.Adam(), epochs=5, batch_size=32, callbacks=[interrupt])
    assert history.interrupted and len(history) == 1 and steps == [3]


def test_a_stop_within_an_epoch_counts_what_was_done(gpu):
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


def test_data_that_stays_on_the_host_gives_the_same_bits(gpu, monkeypatch):
    found = []
    for share in (1.0, 0.0):
        monkeypatch.setattr(cupy_module, "RESIDENT", share)
        for data in (pixels(), sa.Images(pixels().pixels)):
            model = dense(gpu, width=7, D=2)
            sa.fit(model, data, sa.Adam(), epochs=3, batch_size=32, shards=2, validation=pixels(5))
            found.append(values(model))
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[3])


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
