"""Shards and threads: who computes may change the bits only where the design says so."""

import os
import threading
import tracemalloc

import numpy as np
import pytest
from blocks import held

import scratchae as sa
from scratchae.backend.numpy import NumpyBackend
from scratchae.execution.graphs import GraphRunner
from scratchae.execution.runner import runner_for
from scratchae.execution.shards import multiply_adds, shards_of
from scratchae.execution.threads import ThreadRunner

N = 21


@pytest.fixture(autouse=True)
def threads_at_once(monkeypatch):
    """Tasks go to the other threads from the first step on, however short they are."""
    monkeypatch.setattr("scratchae.execution.pool.TRIALS", 0)


def vae(backend="numpy", dtype="float64", beta=0.7):
    encoder = sa.Sequential(sa.Dense(6, 8, "relu"), sa.Dense(8, 4))
    decoder = sa.Sequential(sa.Dense(2, 8, "tanh"), sa.Dense(8, 6))
    return sa.VAE(encoder, decoder, sa.Gaussian(2), beta=beta).build(
        6, backend=backend, dtype=dtype, seed=1
    )


def images(n=N):
    pixels = np.random.default_rng(0).integers(0, 256, (n, 6)).astype(np.uint8)
    return sa.Images(pixels, binarize="dynamic")


def trained(backend="numpy", dtype="float64", epochs=2, n=N, **options):
    """The values after a run, and its losses."""
    model, data = vae(backend, dtype), images(n)
    history = sa.fit(
        model, data, sa.Adam(0.01), epochs=epochs, batch_size=8, validation=data, **options
    )
    return model.backend.to_host(model.parameters.values), np.array(
        [history["train_loss"], history["test_loss"]]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shards", [1, 3, 5])
def test_threads_never_change_a_bit(backend, dtype, shards):
    values, losses = trained(backend, dtype, shards=shards, threads=1)
    for threads in (2, 3):
        more, same = trained(backend, dtype, shards=shards, threads=threads)
        np.testing.assert_array_equal(more, values)
        np.testing.assert_array_equal(same, losses)


@pytest.mark.parametrize("dtype", [np.float64, pytest.param(np.float32, marks=pytest.mark.slow)])
def test_threads_never_change_a_bit_of_a_convolutional_model(dtype):
    """With rows in blocks, and work long enough for two threads to be in the loops at one time."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 12, 12, 1)).astype(np.uint8)
    values, names = [], set()
    for threads in (1, 2, 3):
        encoder = sa.Sequential(
            sa.Conv2d(1, 8, 3, 2, "same", "relu"), sa.Flatten(), sa.Dense(288, 4)
        )
        up = sa.ConvTranspose2d(8, 6, 3, 2, "same", "relu")
        decoder = sa.Sequential(
            sa.Dense(2, 288), sa.Reshape(6, 6, 8), up, sa.Conv2d(6, 1, 3, 1, "same")
        )
        model = sa.VAE(encoder, decoder, sa.Gaussian(2))
        model.build((12, 12, 1), dtype=dtype, seed=1)
        row, forward = model.objective.numbers() * np.dtype(dtype).itemsize, sa.Conv2d.forward

        def noted(layer, x, forward=forward):
            names.add(threading.current_thread().name)
            return forward(layer, x)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sa.Conv2d, "forward", noted)
            patch.setattr("scratchae.execution.threads.blocks_of", held(5 * row))
            sa.fit(
                model,
                sa.Images(pixels),
                sa.Adam(),
                epochs=2,
                batch_size=24,
                shards=3,
                threads=threads,
            )
        values.append(model.parameters.values.copy())
    assert len(names) > 1  # they did run on several threads
    np.testing.assert_array_equal(values[1], values[0])
    np.testing.assert_array_equal(values[2], values[0])


def test_threads_share_a_product_and_never_change_a_bit(monkeypatch):
    """One shard of large matrices, whose products are cut, as the update and the sum of squares
    for clip are; afterwards no thread is lent."""
    monkeypatch.setattr("scratchae.backend.numpy.SLICE", 10_000)
    monkeypatch.setattr("scratchae.execution.shards.HELD", 100_000)
    monkeypatch.setattr("scratchae.execution.shards.LEAST", 1000)
    monkeypatch.setattr("scratchae.execution.threads.PART", 50_000)
    monkeypatch.setattr("scratchae.execution.pool.HANDOFF", 0.0)
    x, values, names = np.random.default_rng(0).random((60, 600)), [], set()
    multiply = NumpyBackend._multiply

    def noted(*arguments):
        names.add(threading.current_thread().name)
        multiply(*arguments)

    monkeypatch.setattr(NumpyBackend, "_multiply", noted)
    for threads in (1, 2, 3):
        parts = sa.Dense(600, 300, "tanh"), sa.Dense(300, 600)
        model = sa.Autoencoder(*parts, sa.SquaredError()).build(600, dtype="float64")
        assert shards_of(model, 40) == 1
        sa.fit(model, x, sa.Adam(), epochs=4, batch_size=40, threads=threads, clip=0.5)
        values.append(model.parameters.values.copy())
        assert model.backend._scratch.lanes is None
    assert len(names) > 1
    np.testing.assert_array_equal(values[1], values[0])
    np.testing.assert_array_equal(values[2], values[0])


@pytest.mark.parametrize("shards", [2, 3, 5, 8, 50])
def test_shards_change_the_order_of_the_sums_only(backend, shards, tolerance):
    """Eight shards of a batch of 8, and of the last batch of 5: one row each, and three with
    none."""
    values, losses = trained(backend, shards=1)
    other, close = trained(backend, shards=shards, threads=2)
    np.testing.assert_allclose(other, values, atol=tolerance("layer"))
    np.testing.assert_allclose(close, losses, rtol=tolerance("layer"))


@pytest.mark.parametrize("dtype, claim", [("float64", "layer"), ("float32", "trajectory")])
def test_backends_give_the_same_losses(backend, dtype, claim, tolerance):
    found, reference = (
        trained(backend, dtype, epochs=5)[1],
        trained("reference", dtype, epochs=5)[1],
    )
    np.testing.assert_allclose(found, reference, rtol=tolerance(claim, dtype))


FILLS_GRADIENTS = (ThreadRunner, "gradients"), (GraphRunner, "_backward")


@pytest.mark.parametrize(
    "wrong", [lambda active: 2, lambda active: 3], ids=["one left out", "a stale one kept"]
)
def test_a_wrong_sum_over_shards_is_seen(backend, monkeypatch, wrong, tolerance):
    """The last batch has one row, and two of three shards have none: their gradients are old
    ones."""
    right, (kind, name) = trained(backend, shards=3, n=17)[0], FILLS_GRADIENTS[backend == "cupy"]
    fill = getattr(kind, name)

    def mutant(runner, *args):
        total = fill(runner, *args)
        runner.active = wrong(runner.active)
        return total

    monkeypatch.setattr(kind, name, mutant)
    assert np.abs(trained(backend, shards=3, n=17)[0] - right).max() > 1000 * tolerance("layer")


def test_the_sums_of_the_shards_add_to_those_of_the_batch(backend, tolerance):
    model, source = vae(backend), images()
    rows = np.arange(8, dtype=np.uint32)
    totals, sums = [], []
    for shards in (1, 3):
        with runner_for(model, 8, shards) as runner:
            totals.append(runner.gradients(runner.feeds(source), rows))
            sums.append(model.backend.to_host(runner.grads).sum(axis=0))
    assert totals[0].dtype == np.float64 and totals[0][0] == totals[1][0] == 8  # the count first
    np.testing.assert_allclose(totals[1], totals[0], rtol=tolerance("layer"))
    np.testing.assert_allclose(sums[1], sums[0], atol=tolerance("layer"))


def test_shards_come_from_the_batch_and_the_model_alone():
    """The backend's number, where each shard has enough to do."""
    default_shards = sa.get_backend().default_shards
    assert [default_shards(n) for n in (1, 31, 32, 128, 1023, 1024, 10_000)] == [
        1,
        1,
        2,
        2,
        2,
        4,
        4,
    ]
    small, wide = (
        sa.Autoencoder(sa.Dense(D, D // 2), sa.Dense(D // 2, D), sa.SquaredError()).build(D)
        for D in (8, 800)
    )
    assert [shards_of(small, n) for n in (1, 128, 10_000)] == [1, 1, 1]
    assert [shards_of(wide, n) for n in (1, 31, 46, 128, 1024)] == [1, 1, 1, 2, 4]
    assert [shards_of(small, n, 3) for n in (2, 128)] == [2, 3]
    code = sa.Dense(800, 400)
    tied = sa.Autoencoder(code, sa.Tied(code), sa.SquaredError()).build(800)
    assert multiply_adds(tied) == multiply_adds(wide)
    for shards, threads, expected in ((None, None, 1), (3, 8, 3), (100, 100, 8)):
        runner = ThreadRunner(vae(), 8, shards, threads)
        assert runner.shards == expected and runner.threads == (threads or os.cpu_count())


def test_parts_of_the_vector_come_from_the_model_alone():
    """The norm that clip bounds is a sum over parts: their number decides bits."""
    model = sa.Autoencoder(sa.Dense(900, 300), sa.Dense(300, 900), sa.SquaredError()).build(900)
    parts = [ThreadRunner(model, 8, threads=threads).parts for threads in (1, 2, 64)]
    assert len(parts[0]) == 2 and parts[1] == parts[2] == parts[0]
    assert len(ThreadRunner(vae(), 8, threads=64).parts) == 1


def test_on_a_gpu_a_batch_stays_whole(gpu):
    assert [sa.get_backend(gpu).default_shards(n) for n in (1, 32, 10_000)] == [1, 1, 1]
    for shards, expected in ((None, 1), (3, 3), (100, 8)):
        runner = runner_for(vae(gpu), 8, shards, threads=4)
        assert (type(runner), runner.shards, runner.threads) == (GraphRunner, expected, 1)


def test_parts_cover_the_vector_once():
    for shards in (1, 2, 3, 7):
        runner = ThreadRunner(vae(), 8, shards)
        covered = np.zeros(runner.values.size, int)
        for part in runner.parts:
            covered[part] += 1
            assert part.start % 32 == 0  # 128 bytes of float32
        assert (covered == 1).all()


def test_blocks_change_nothing_but_roundings(monkeypatch, backend, tolerance):
    """Rows of a shard one by one, by threes, all at once: the same sums and gradients."""
    if backend == "cupy":
        pytest.skip("blocks are for the caches of a CPU: a GPU takes a shard whole")
    totals, grads = [], []
    for rows_at_once in (1, 3, 1000):
        model = vae(backend)
        monkeypatch.setattr(
            "scratchae.execution.threads.blocks_of",
            held(rows_at_once * model.objective.numbers() * 8),
        )
        with ThreadRunner(model, 8, shards=2) as runner:
            # 4 rows as 2 and 2
            assert runner.block == min(rows_at_once, 2 if rows_at_once == 3 else 4)
            totals.append(runner.gradients(runner.feeds(images()), np.arange(8, dtype=np.uint32)))
            grads.append(runner.grads.copy())
    for total, grad in zip(totals[1:], grads[1:], strict=True):
        np.testing.assert_allclose(total, totals[0], rtol=tolerance("layer"))
        np.testing.assert_allclose(grad, grads[0], atol=tolerance("layer"))


def test_a_block_that_assigns_where_it_should_add_is_seen(monkeypatch, tolerance):
    model = vae()
    with ThreadRunner(model, 8, shards=1) as runner:
        runner.gradients(runner.feeds(images()), np.arange(8, dtype=np.uint32))
        right = runner.grads.copy()
    monkeypatch.setattr("scratchae.execution.threads.blocks_of", held(1))
    monkeypatch.setattr("scratchae.objectives.base.Objective.accumulate", lambda self, add: None)
    with ThreadRunner(model, 8, shards=1) as runner:
        runner.gradients(runner.feeds(images()), np.arange(8, dtype=np.uint32))
        assert np.abs(runner.grads - right).max() > 1000 * tolerance("layer")


def test_an_objective_that_reads_the_total_sees_all_rows_first(backend, monkeypatch):
    """It is handed the sums of the whole batch, and its rows are not cut into blocks."""
    model, seen = vae(backend), []
    monkeypatch.setattr("scratchae.execution.threads.blocks_of", held(1))
    monkeypatch.setattr("scratchae.objectives.ELBO.additive", False)
    monkeypatch.setattr(
        "scratchae.objectives.ELBO.backward", lambda self, total: seen.append(total)
    )
    with runner_for(model, 8, shards=2) as runner:
        total = runner.gradients(runner.feeds(images()), np.arange(8, dtype=np.uint32))
    assert getattr(runner, "block", runner.rows) == 4 and len(seen) == 2 and total[0] == 8
    assert all((model.backend.to_host(one) == total).all() for one in seen)


def test_threads_end_and_blas_is_given_back():
    from threadpoolctl import threadpool_info

    before, threads = [pool["num_threads"] for pool in threadpool_info()], threading.active_count()
    with ThreadRunner(vae(), 8, shards=4, threads=4) as runner:
        assert {
            pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
        } <= {1}
        runner.gradients(runner.feeds(images()), np.arange(8, dtype=np.uint32))
        assert threading.active_count() == threads + 3
    assert threading.active_count() == threads
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def bytes_of_a_step(threads):
    """The most that a step allocates at once, after the first, with batches and parameters beyond
    400 KiB."""
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(784, 160, "relu"), sa.Dense(160, 32))
    decoder = sa.Sequential(sa.Dense(16, 160, "relu"), sa.Dense(160, 784), sa.Reshape(28, 28, 1))
    model, optimizer = sa.VAE(encoder, decoder, sa.Gaussian(16)).build((28, 28, 1)), sa.Adam()
    optimizer.start(model.parameters)
    source = sa.Images(np.zeros((256, 28, 28, 1), np.uint8), binarize="dynamic")
    rows = np.arange(128, dtype=np.uint32)

    def step():
        runner.update(optimizer, runner.gradients(feeds, rows))

    with ThreadRunner(model, 128, shards=2, threads=threads) as runner:
        feeds = runner.feeds(source)
        for _ in range(2):
            step()
        tracemalloc.start()
        try:
            step()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_step_allocates_nothing_of_batch_or_parameter_size(threads):
    assert bytes_of_a_step(threads) < 64 * 1024


def test_a_step_that_allocates_is_seen(monkeypatch):
    adam = sa.Adam.update
    monkeypatch.setattr(
        sa.Adam, "update", lambda self, values, grads, part: adam(self, values, +grads, part)
    )
    assert bytes_of_a_step(1) > 64 * 1024


def made_in_an_epoch(backend):
    """How many arrays an epoch makes on the GPU, after the first, with batches of two sizes."""
    model, optimizer, made = vae(backend, None), sa.Adam(), []
    empty, order = backend.cupy.empty, np.arange(N, dtype=np.uint32)
    optimizer.start(model.parameters)

    def counted(*args):
        made.append(args)
        return empty(*args)

    with runner_for(model, 8, shards=3) as runner, pytest.MonkeyPatch.context() as patch:
        feeds = runner.feeds(images())
        patch.setattr(backend.cupy, "empty", counted)
        for _ in range(2):
            made.clear()
            assert len(list(runner.steps(feeds, order, 8, optimizer, lambda: False))) == 3
    return len(made)


@pytest.mark.parametrize("graph", [True, False])
def test_an_epoch_allocates_nothing_on_a_gpu(gpu, graph):
    assert made_in_an_epoch(sa.get_backend(gpu, graph=graph)) == 0


def test_an_epoch_that_allocates_on_a_gpu_is_seen(gpu, monkeypatch):
    adam = sa.Adam.update

    def update(self, values, grads, part):
        self.backend.empty(grads.shape)
        adam(self, values, grads, part)

    monkeypatch.setattr(sa.Adam, "update", update)
    assert made_in_an_epoch(sa.get_backend(gpu, graph=False)) == 3
