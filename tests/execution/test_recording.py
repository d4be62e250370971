"""Steps that are recorded on the GPU: numbers that change under a graph, garbage, other threads,
and steps that cannot be recorded."""

import gc
import threading
from contextlib import nullcontext, suppress

import emulator
import numpy as np
import pytest
from execution import graph_claims as claims
from execution.graph_models import rows, small, values

import scratchae as sa
from scratchae.backend.cuda import launch
from scratchae.execution import graphs as graph
from scratchae.execution.clipping import all_finite
from scratchae.training.epochs import Epochs


@pytest.mark.parametrize(
    "optimizer, name",
    [(sa.SGD, "momentum"), (sa.Adam, "beta1"), (sa.AdamW, "weight_decay"), (sa.RMSProp, "rho")],
)
def test_a_number_that_a_callback_changes_is_recorded_anew(gpu, optimizer, name):
    def change(model, history):
        setattr(history.optimizer, name, 0.5)

    found = []
    for backend in (gpu, "numpy"):
        model = small(backend, "float64")
        sa.fit(
            model, rows(), optimizer(1e-2), epochs=5, batch_size=16, shards=1, callbacks=[change]
        )
        found.append(values(model))
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-9)


def test_an_optimiser_with_a_tick_of_its_own_is_refused(gpu):
    class Warm(sa.Adam):
        def tick(self, total): ...

    with pytest.raises(
        TypeError, match="Warm has a tick of its own, which a GPU's recorded steps do not call"
    ):
        sa.fit(small(gpu), rows(), Warm(), epochs=1)


def test_steps_count_whose_losses_nobody_has_read(gpu):
    """An exception in the middle of a ring: t is the number of steps that the parameters have
    seen."""
    model, n = small(gpu), 200
    with graph.GraphRunner(model, 1) as runner:
        optimizer = sa.Adam()
        optimizer.start(model.parameters)
        steps = runner.steps(
            runner.feeds(sa.Values(rows(n))), np.arange(n, dtype=np.uint32), 1, optimizer, bool
        )
        for _ in range(10):
            next(steps)
        steps.close()
    assert optimizer.t == 2 * graph.READ < n


def test_the_gpu_has_work_while_the_host_reads(gpu, monkeypatch):
    claims.the_gpu_has_work_while_the_host_reads(gpu, monkeypatch)


def test_the_host_draws_the_next_order_while_the_gpu_works(gpu, monkeypatch):
    """And looks whether parameters and state are finite without a copy of them."""
    model, drawn, steps, copied = small(gpu), {}, [], []
    permutation, to_host = sa.randomness.permutation, type(model.backend).to_host

    def watched(n, seed, epoch):
        drawn[epoch] = len(steps)
        return permutation(n, seed, epoch)

    def copying(self, a):
        copied.append(a.size)
        return to_host(self, a)

    monkeypatch.setattr(sa.randomness, "permutation", watched)
    monkeypatch.setattr(type(model.backend), "to_host", copying)
    optimizer = sa.Adam()
    options = {"batch_size": 1, "shards": None, "threads": None, "seed": 0, "clip": None}
    source = sa.Values(rows(150))
    with Epochs(model, optimizer, source, None, **options, watched=False) as epochs:
        for _ in range(3):
            for step in epochs.steps(lambda: False):
                steps.append(step)
            assert epochs.record() is not None
    assert drawn == {1: 0, 2: 0, 3: 150, 4: 300}
    assert model.parameters.size not in copied


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_vector_is_found_not_finite_where_it_lies(backend, dtype):
    backend = sa.get_backend(backend, dtype)
    for n in (1, 7, 100_000):
        host = np.full(n, np.finfo(dtype).max / n / 4, dtype)  # whose squares overflow in float64
        for bad in (None, np.nan, np.inf, -np.inf):
            if bad is not None:
                host[n // 2] = bad
            assert all_finite(backend, backend.asarray(host, dtype)) == (bad is None)


def test_a_loss_that_overflows_from_finite_sums_does_not_claim_too_much(gpu):
    model = small(gpu, "float64", beta=1e38)
    b = model.parameters.view("encoder.1.b")
    # mu, so that kl is some 1e280, and logvar
    model.backend.write(b, np.repeat([1e140, 0], b.shape[0] // 2))
    with pytest.raises(
        sa.NonFiniteLoss, match=r"at step \d \(epoch 1\).*include the steps taken after it"
    ):
        sa.fit(model, rows(), sa.SGD(1e-30), epochs=1, batch_size=1)


def test_sizes_below_one(gpu):
    for name in ("shards", "threads"):
        with pytest.raises(ValueError, match=f"{name} is 0"):
            sa.fit(small(gpu), rows(), sa.Adam(), epochs=1, **{name: 0})


def test_a_data_set_is_copied_once_for_all_shards(gpu, monkeypatch):
    claims.a_data_set_is_copied_once_for_all_shards(gpu, monkeypatch)


def test_no_garbage_is_collected_while_a_step_is_recorded(gpu):
    claims.no_garbage_is_collected_while_a_step_is_recorded(gpu)


def test_a_model_waits_while_a_step_is_recorded(gpu):
    claims.a_model_waits_while_a_step_is_recorded(gpu)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_model_is_used_while_it_is_trained(gpu, recorded):
    """Another thread samples; neither sees the other."""
    model, alone = (small(sa.get_backend(gpu, graph=recorded)) for _ in range(2))
    errors, ended = [], threading.Event()

    def sample():
        try:
            while not ended.is_set():
                assert model.sample(3).shape == (3, 6)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=sample)
    thread.start()
    for m in (model, alone):
        sa.fit(m, rows(), sa.Adam(1e-2), epochs=4, batch_size=16)
    ended.set()
    thread.join()
    assert errors == []
    np.testing.assert_array_equal(values(model), values(alone))


class Careless(sa.Dense):
    """A user's layer that does in a step what cannot be recorded."""

    does = None

    def bind(self, backend, rows, need_dx):
        super().bind(backend, rows, need_dx)
        self.backend = backend

    def forward(self, x):
        if self.does is not None:
            self.spare = self.does(self.backend, x)
        return super().forward(x)


def untyped_launch(backend, x):
    """What CuPy says of a launch, it says as another class of error."""
    raise backend.cupy.cuda.driver.CUDADriverError(900)


REFUSED = {
    "memory": lambda backend, x: backend.empty(x.shape),
    "memory of CuPy": lambda backend, x: backend.cupy.empty(x.shape, x.dtype),
    "a copy": lambda backend, x: backend.asarray(np.ones(3)),
    "a copy to the host": lambda backend, x: backend.to_host(x),
    "a copy by CuPy": lambda backend, x: x.get(),
    "a wait": lambda backend, x: backend.stream.synchronize(),
    "a launch that the driver refuses": untyped_launch,
}


@pytest.fixture
def pool(gpu):
    """CuPy's pool with many free blocks of any size, the emulator's too: they hold sevens."""
    import cupy

    pooled = emulator.pooled() if not hasattr(cupy, "__version__") else nullcontext()
    with pooled:
        yield


def backend_works(gpu):
    backend = sa.get_backend(gpu)
    return backend.to_host(backend.asarray(np.ones(3))).all()


def test_the_memory_of_a_backend_that_is_gone_is_used_again(gpu, pool):
    """Its own parts go back to the GPU; what its arrays leave later, the next backend has."""
    import cupy

    blocks, free = cupy.get_default_memory_pool(), cupy.cuda.runtime.memGetInfo

    def train():
        model = small(gpu)
        sa.fit(model, rows(), sa.Adam(), epochs=1, batch_size=32)
        return model.backend.asarray(np.ones(1 << 20))

    gc.collect()
    backend, before = sa.get_backend(gpu), blocks.free_bytes()
    del backend
    gc.collect()
    assert blocks.free_bytes() <= before
    left = []
    for _ in range(3):
        array = train()  # outlives its backend
        gc.collect()
        del array
        assert backend_works(gpu)
        left.append(free()[0])
    assert left[1] == left[2]


def test_a_stream_outlives_what_the_collector_ends_with_it(gpu, monkeypatch):
    """It ends the parts of a cycle in any order, what another part has just put aside too."""
    monkeypatch.setattr(launch, "STREAMS", [])  # so that the stream is younger than its backend
    claims.Cycle(sa.get_backend(gpu))
    gc.collect()
    assert backend_works(gpu)


def spare_blocks(backend):
    made = [backend.asarray(np.full(4**i, 7.0)) for i in range(1, 9) for _ in range(8)]
    assert len(made) == 64


@pytest.mark.parametrize("name", REFUSED)
def test_a_step_that_cannot_be_recorded_is_a_sentence(gpu, pool, name):
    """Also where CuPy has memory at hand, which it hands out without asking CUDA."""
    layer = Careless(6, 4)
    model = sa.VAE(layer, sa.Dense(2, 6), sa.Gaussian(2)).build(6, backend=gpu)
    sa.fit(model, rows(), sa.Adam(), epochs=2, batch_size=32)
    if name != "a launch that the driver refuses":  # anything else runs as it is
        model.objective.encoder.does = REFUSED[name]
        sa.fit(model, rows(), sa.Adam(), epochs=1, batch_size=128)  # one step, unrecorded
    spare_blocks(model.backend)
    model.objective.encoder.does = lambda backend, x: (
        REFUSED[name](backend, x) if backend.stream.is_capturing() else None
    )
    words = r"a step cannot be recorded \(.+\): forward and backward must not allocate"
    with pytest.raises(RuntimeError, match=words):
        sa.fit(model, rows(), sa.Adam(), epochs=2, batch_size=32)
    model.objective.encoder.does = None
    sa.fit(model, rows(), sa.Adam(), epochs=2, batch_size=32)


def test_no_replay_writes_to_memory_of_others(gpu, pool):
    """What a recorded step hands back to CuPy's pool, the next array gets."""
    layer = Careless(6, 4)
    model = sa.VAE(layer, sa.Dense(2, 6), sa.Gaussian(2)).build(6, backend=gpu)
    spare_blocks(model.backend)
    kept = []

    def takes(backend, x):
        backend.zeros(x.shape)  # and gives it back

    def epoch_ends(model, history):
        kept.append(model.backend.asarray(np.full((32, 6), 7.0)))

    model.objective.encoder.does = takes
    with suppress(RuntimeError):
        sa.fit(model, rows(96), sa.Adam(), epochs=4, batch_size=32, callbacks=[epoch_ends])
    for array in kept:
        assert (model.backend.to_host(array) == 7).all()


def test_another_thread_may_take_memory_while_a_step_is_recorded(gpu):
    backend, made = sa.get_backend(gpu), []

    def body():
        thread = threading.Thread(target=lambda: made.append(backend.empty((3,))))
        thread.start()
        thread.join()

    backend.capture(body)
    assert made[0].shape == (3,)
