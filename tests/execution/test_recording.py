"""Training on the GPU, misused: batches too large, numbers changed under a graph, steps that
cannot be recorded."""

import threading

import numpy as np
import pytest
from execution import graph_claims as claims
from execution.graph_models import dense, pixels, rows, small, values

import scratchae as sa
from scratchae import optim
from scratchae.backend.cuda import backend as cupy_module
from scratchae.backend.cuda import launch as gpu_module
from scratchae.execution import graphs as graph
from scratchae.execution import memory as room_module

MIB = 1 << 20


def with_free(monkeypatch, n):
    monkeypatch.setattr(cupy_module.CupyBackend, "free", lambda self: n)


def test_a_batch_that_does_not_fit_says_which_would(gpu, monkeypatch):
    model, optimizer = small(gpu), sa.Adam()
    with_free(monkeypatch, 100_000)
    with pytest.raises(
        MemoryError, match=r"needs .* for it, and 97\.7 KiB are free; a batch of"
    ) as caught:
        sa.fit(model, np.zeros((100_000, 6), np.float32), optimizer, epochs=1, batch_size=100_000)
    fits = int(str(caught.value).split("a batch of ")[-1].split()[0].replace(",", ""))
    room_module.require_memory(model, fits, 1)
    with pytest.raises(MemoryError):
        room_module.require_memory(model, fits + 1, 1)
    assert optimizer.owner is None
    with_free(monkeypatch, 100)
    with pytest.raises(MemoryError, match="not even a batch of 1 would: make the model smaller"):
        room_module.require_memory(model, 2, 1)


def test_the_batch_that_is_named_does_fit(gpu, monkeypatch):
    """All that a training allocates is within what was foretold, but for orders and rings of some
    KiB."""
    taken, empty = [], cupy_module.CupyBackend.empty

    def counted(self, shape, dtype=None):
        out = empty(self, shape, dtype)
        taken.append(-(-out.nbytes // 512) * 512)
        return out

    model = dense(gpu)
    monkeypatch.setattr(cupy_module.CupyBackend, "empty", counted)
    monkeypatch.setattr(cupy_module, "RESIDENT", 0.0)
    sa.fit(model, pixels(), sa.Adam(), epochs=1, batch_size=16, shards=2)
    assert (
        abs(room_module.bytes_needed(model, 16, 2) - sum(taken))
        < 64 * 1024
        < model.parameters.values.nbytes
    )


def test_out_of_memory_is_a_sentence(gpu):
    backend = sa.get_backend(gpu)
    with pytest.raises(
        MemoryError, match=r"an array of shape \(1099511627776,\) takes 4,096.0 GiB of GPU memory"
    ):
        backend.empty((1 << 40,))


def test_a_full_gpu_is_a_sentence_at_the_door(gpu, monkeypatch):
    monkeypatch.setattr(gpu_module, "PARTIALS", 1 << 37)
    with pytest.raises(MemoryError, match=r"takes 1,024\.0 GiB of GPU memory"):
        sa.get_backend(gpu)


def test_encode_takes_fewer_rows_where_memory_is_short(gpu, monkeypatch):
    model, x = small(gpu), rows(300)
    expected, replica, asked = model.reconstruct(x), sa.VAE.replica, []

    def short(self, n, grads=None):
        asked.append(n)
        if n > 40:
            raise MemoryError
        return replica(self, n, grads)

    monkeypatch.setattr(sa.VAE, "replica", short)
    model._inference = None
    np.testing.assert_array_equal(model.reconstruct(x), expected)
    assert asked == [256, 128, 64, 32]


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
    with pytest.raises(NotImplementedError, match=r"Optimizer does not say per_step\(t, count\)"):
        optim.Optimizer().per_step(1, 1.0)


def test_steps_count_whose_losses_nobody_has_read(gpu):
    """An exception in the middle of a ring: t is the number of steps that the parameters have
    seen."""
    model = small(gpu)
    with graph.GraphRunner(model, 1) as runner:
        optimizer = sa.Adam()
        optimizer.start(model.parameters)
        steps = runner.steps(
            runner.feeds(sa.Values(rows(100))), np.arange(100, dtype=np.uint32), 1, optimizer, bool
        )
        for _ in range(10):
            next(steps)
        steps.close()
    assert optimizer.t == graph.RING


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


class Scale(sa.Dense):
    """A user's layer that reads its weights as it is bound, and asks for memory in a step."""

    careless = False

    def bind(self, backend, rows, need_dx):
        super().bind(backend, rows, need_dx)
        self.backend, self.size = backend, self.W.shape

    def forward(self, x):
        if self.careless:
            self.spare = self.backend.empty(self.size)
        return super().forward(x)


def test_a_step_that_cannot_be_recorded_is_a_sentence(gpu):
    layer = Scale(6, 4)
    model = sa.VAE(layer, sa.Dense(2, 6), sa.Gaussian(2)).build(6, backend=gpu)
    sa.fit(model, rows(), sa.Adam(), epochs=2, batch_size=32)
    model.objective.encoder.careless = True
    with pytest.raises(
        RuntimeError, match=r"a step cannot be recorded .*: forward and backward must not allocate"
    ):
        sa.fit(model, rows(), sa.Adam(), epochs=2, batch_size=32)
    sa.fit(model, rows(), sa.Adam(), epochs=1, batch_size=128)  # one step, which is not recorded


def test_arrays_of_the_host_and_large_ones_are_refused(gpu, monkeypatch):
    backend = sa.get_backend(gpu)
    by_hand = sa.by_hand(sa.Dense(3, 2), 3, backend=backend)
    by_hand(np.zeros((4, 3)))
    layer = by_hand.part
    words = (
        r"matmul\(a\) is a numpy.ndarray, but backend 'cupy' computes on CuPy arrays: bring "
        r"it to the GPU"
    )
    with pytest.raises(TypeError, match=words):
        layer.forward(np.zeros((4, 3), np.float32))
    with pytest.raises(
        TypeError, match="is an array of float64, but float32 in C order is expected"
    ):
        layer.forward(backend.asarray(np.zeros((4, 3)), "float64"))
    x = backend.asarray(np.zeros((4, 3), np.float32))
    monkeypatch.setattr(gpu_module, "LARGEST", 10)
    with pytest.raises(
        ValueError, match=r"matmul\(a\) has more than 10 elements: take fewer rows"
    ):
        layer.forward(x)


def test_products_of_a_batch_of_matrices(gpu, rng, tolerance):
    backend = sa.get_backend(gpu, "float64")
    a, b = rng.normal(size=(4, 3, 5)), rng.normal(size=(4, 5, 2))
    out = backend.zeros((4, 3, 2))
    for times in (1, 2):
        backend.matmul(backend.asarray(a), backend.asarray(b), out=out, add=times == 2)
        np.testing.assert_allclose(backend.to_host(out), times * (a @ b), rtol=tolerance("kernel"))


def test_a_product_over_nothing_is_zero(gpu):
    backend = sa.get_backend(gpu)
    out = backend.asarray(np.ones((2, 3)))
    backend.matmul(backend.empty((2, 0)), backend.empty((0, 3)), out=out)
    assert not backend.to_host(out).any()


def test_a_stride_far_beyond_the_image(backend, tolerance):
    """2^31 - 1 and more: the loops run over the strides that are inside."""
    for stride in (2**31 - 1, 10**30):
        encoder = sa.Sequential(sa.MaxPool2d(2, stride), sa.Flatten(), sa.Dense(1, 2))
        model = sa.Autoencoder(encoder, sa.Sequential(sa.Dense(2, 16), sa.Reshape(4, 4, 1)))
        model.build((4, 4, 1), backend=backend, dtype="float64", seed=0)
        data = np.random.default_rng(0).random((8, 4, 4, 1))
        history = sa.fit(model, data, sa.SGD(1e-2), epochs=2, batch_size=4)
        assert np.isfinite(history["train_loss"]).all()
