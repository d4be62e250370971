"""Famous ways to get a GPU wrong, planted here one by one, each caught by a test with a name.

As in the bug museum, a test runs on the code as it is, the bug is planted, and the same test must
fail. The tests are those of execution/graph_claims.py, or stand here.
"""

import inspect
from contextlib import nullcontext
from functools import partial

import emulator
import numpy as np
import pytest
from execution import graph_claims as claims
from execution.graph_models import conv, rows, small, values

import scratchae as sa
from scratchae.backend.cuda import backend as cupy_backend
from scratchae.backend.cuda import cublas
from scratchae.backend.cuda import source as cuda
from scratchae.backend.cuda.launch import Gpu
from scratchae.backend.cuda.staging import StagedTable
from scratchae.execution import graphs as graph
from scratchae.execution import recording
from scratchae.kernels.activation import ACTIVATION_GRADIENT
from scratchae.kernels.bernoulli import BERNOULLI_NLL
from scratchae.kernels.patches import COL2IM, IM2COL
from scratchae.kernels.philox import NORMAL, UNIFORM

SEEN = (
    AssertionError,
    RuntimeError,
    TypeError,
    sa.NonFiniteLoss,
)  # comparisons, the emulator, the stand-in, NaN


@pytest.fixture
def needs_the_emulator(gpu, request):
    """Plants that only the emulator can survive, and instruments that only it has."""
    if "emulated" not in request.node.name:
        pytest.skip("needs the emulator: on a GPU such a bug may hang or spoil the device")


def on_gpu(kernel, *arguments, dtype="float32", outs=1):
    """The outputs of a kernel from host arrays, on the host; NaN before."""
    backend = sa.get_backend("cupy", dtype)
    there = [backend.asarray(a, a.dtype) if isinstance(a, np.ndarray) else a for a in arguments]
    backend.op(kernel)(*there)
    return [backend.to_host(a) for a in there[:outs]]


def reductions_do_not_depend_on_the_order_of_threads():
    rng = np.random.default_rng(0)
    a, x = rng.normal(size=(20, 300)).astype("f4"), rng.random((20, 300)).astype("f4")
    found = []
    for seed in range(4):
        with emulator.order(seed):
            nll = on_gpu(BERNOULLI_NLL, np.empty(20, "f4"), np.empty_like(a), a, x)[0]
            db = on_gpu(
                ACTIVATION_GRADIENT["tanh"],
                np.empty_like(a),
                np.empty(300, "f4"),
                a,
                x,
                False,
                outs=2,
            )[1]
        found.append(np.concatenate([nll, db]))
        assert np.isfinite(found[-1]).all()
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def nothing_beside_an_array_is_written():
    """The last block of four words has three places left in a row of seven."""
    on_gpu(UNIFORM, np.empty((1, 7), "f4"), np.zeros(1, np.uint32), np.zeros(4, np.uint32), 0)
    emulator.check_guards()


def against_the_definition(kernel, *arguments, outs=1):
    expected = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    kernel.definition(*expected)
    for a, right in zip(on_gpu(kernel, *arguments, outs=outs), expected, strict=False):
        np.testing.assert_allclose(a, right, atol=1e-5)


def patches_are_added_where_they_came_from():
    cols = np.random.default_rng(0).normal(size=(2, 3, 4, 3, 2, 2)).astype("f4")
    against_the_definition(COL2IM, np.empty((2, 6, 5, 2), "f4"), cols, 2, 1, 1, 0)


def four_channels_at_once_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    x, cols = rng.normal(size=(2, 5, 4, 8)).astype("f4"), (2, 2, 2, 3, 2, 8)
    against_the_definition(IM2COL, np.empty(cols, "f4"), x, 2, 2, 1, 0)
    cols = rng.normal(size=cols).astype("f4")
    against_the_definition(COL2IM, np.empty_like(x), cols, 2, 2, 1, 0)


def draws_are_those_of_the_definition():
    rows, clock = np.arange(3, dtype=np.uint32), np.array([5, 6, 7, 8], np.uint32)
    against_the_definition(NORMAL, np.empty((3, 9), "f4"), rows, clock, 2)


def rows_of_fewer_pixels_than_threads():
    rng = np.random.default_rng(0)
    a, x = rng.normal(size=(5, 7)).astype("f4"), rng.random((5, 7)).astype("f4")
    against_the_definition(BERNOULLI_NLL, np.empty(5, "f4"), np.empty_like(a), a, x, outs=2)


def products_of_all_kinds():
    """(I, K) (K, J), each operand upright or lying, over NaN and added."""
    rng, backend = np.random.default_rng(0), sa.get_backend("cupy", "float64")
    host = [rng.normal(size=shape) for shape in ((3, 5), (5, 4), (5, 3), (4, 5))]
    a, b, at, bt = (backend.asarray(h) for h in host)
    right = host[0] @ host[1]
    for left, other, expected in (
        (a, b, right),
        (at.T, b, host[2].T @ host[1]),
        (a, bt.T, host[0] @ host[3].T),
        (at.T, bt.T, host[2].T @ host[3].T),
    ):
        out = backend.empty((3, 4))
        for times in (1, 2):
            backend.matmul(left, other, out=out, add=times == 2)
            np.testing.assert_allclose(backend.to_host(out), times * expected, rtol=1e-12)


def a_step_like_that_of_the_cpu(shards=1):
    found = []
    for backend in ("cupy", "numpy"):
        model = small(backend, "float64")
        sa.fit(model, rows(), sa.Adam(1e-2), epochs=4, batch_size=32, shards=shards)
        found.append(values(model))
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-9)


def text(file, before, after, count=1):
    """Plant a change in the text of a .cu file."""

    def plant(monkeypatch):
        whole = cuda.texts()[file]
        assert whole.count(before) >= count, f"{file} no longer has {before!r}"
        monkeypatch.setitem(cuda.texts(), file, whole.replace(before, after))

    return plant


def swapped_transpose(monkeypatch):
    stored = cublas._stored
    monkeypatch.setattr(cublas, "_stored", lambda a: (1 - stored(a)[0], stored(a)[1]))


def leading_dimension_of_the_other_axis(monkeypatch):
    stored = cublas._stored
    monkeypatch.setattr(cublas, "_stored", lambda a: (stored(a)[0], sum(a.shape) - stored(a)[1]))


def always_adding(monkeypatch):
    matmul = cublas.Cublas.matmul
    monkeypatch.setattr(
        cublas.Cublas, "matmul", lambda self, a, b, out, add: matmul(self, a, b, out, True)
    )


def workspace_before_the_stream(monkeypatch):
    init = cublas.Cublas.__init__

    def late(self, dtype, stream, workspace, tf32):
        init(self, dtype, stream, workspace, tf32)
        self._call("cublasSetStream_v2", self.handle, cublas.ctypes.c_void_p(stream))

    monkeypatch.setattr(cublas.Cublas, "__init__", late)


def python_numbers_as_they_are(monkeypatch):
    argument = Gpu._argument
    monkeypatch.setattr(
        Gpu,
        "_argument",
        lambda self, f, kind, name, v: argument(self, f, kind, name, v) if "*" in kind else v,
    )


def learning_rate_of_the_first_epoch(monkeypatch):
    begin, first = graph.DeviceEpoch.begin, {}

    def frozen(self, order, schedule):
        begin(self, order, first.setdefault((id(self), schedule.shape), schedule))

    monkeypatch.setattr(graph.DeviceEpoch, "begin", frozen)


def clock_of_the_first_epoch(monkeypatch):
    set_clock, seen = graph.GraphRunner.set_clock, []

    def frozen(self, clock):
        set_clock(self, (seen.append(clock) or seen)[0])

    monkeypatch.setattr(graph.GraphRunner, "set_clock", frozen)


def host_read_inside_the_step(monkeypatch):
    backward = graph.GraphRunner._backward

    def reading(self, N):
        self.backend.to_host(self.total)
        backward(self, N)

    monkeypatch.setattr(graph.GraphRunner, "_backward", reading)


def memory_taken_inside_the_step(monkeypatch):
    backward = graph.GraphRunner._backward

    def taking(self, N):
        self.kept = self.backend.empty((N,))
        backward(self, N)

    monkeypatch.setattr(graph.GraphRunner, "_backward", taking)


def garbage_collected_while_recording(monkeypatch):
    monkeypatch.setattr(cupy_backend, "_no_garbage_collection", nullcontext)


def encode_while_recording(monkeypatch):
    monkeypatch.setattr(cupy_backend, "RECORDING", nullcontext())


def a_table_for_each_shard(monkeypatch):
    monkeypatch.setattr(cupy_backend.CupyBackend, "sharing", nullcontext)


def buffer_refilled_too_early(monkeypatch):
    class Never:
        def synchronize(self): ...
        def record(self, stream): ...

    init = StagedTable.__init__

    def careless(self, *arguments):
        init(self, *arguments)
        self.copied = [Never(), Never()]

    monkeypatch.setattr(StagedTable, "__init__", careless)


def ring_read_too_rarely(monkeypatch):
    begin = graph.DeviceEpoch.begin

    def small(self, order, schedule):
        begin(self, order, schedule)
        self.ring.places = self.ring.places[: graph.READ + 1]

    monkeypatch.setattr(graph.DeviceEpoch, "begin", small)


def half_read_before_it_has_arrived(monkeypatch):
    monkeypatch.setattr(
        recording.Ring, "read", lambda self, half, count: self.host[half, :count].copy()
    )


MUTANTS = {
    "no barrier between the halves": (
        text(
            "device.cu", "        __syncthreads();\n        if (t < half)", "        if (t < half)"
        ),
        reductions_do_not_depend_on_the_order_of_threads,
    ),
    "no barrier before the next sum": (
        text(
            "device.cu",
            "    __syncthreads();  // the sums of the call before have been read\n",
            "",
        ),
        reductions_do_not_depend_on_the_order_of_threads,
    ),
    "a barrier that some threads miss": (
        text(
            "bernoulli.cu",
            "        total = block_sum(total);",
            "        if (int(threadIdx.x) < D) total = block_sum(total);",
        ),
        rows_of_fewer_pixels_than_threads,
    ),
    "a store one beyond the end": (
        text("philox.cu", "j < d.count; ++j", "j <= d.count; ++j"),
        nothing_beside_an_array_is_written,
    ),
    "a grid that is not walked": (
        text("device.cu", "i += gridDim.x * THREADS", "i += 1u << 30"),
        partial(
            claims.a_hundred_losses_are_those_of_the_cpu,
            "cupy",
            make=conv,
            batch=8,
            n=200,
        ),
    ),
    "col2im one patch too far": (
        text("patches.cu", "p < P && 0 <= q", "p <= P && 0 <= q"),
        patches_are_added_where_they_came_from,
    ),
    "three of four channels": (
        text("device.cu", "i < 4; ++i)\n        a.n[i]", "i < 3; ++i)\n        a.n[i]"),
        four_channels_at_once_are_those_of_the_definition,
    ),
    "four channels of the row above the image": (
        text("patches.cu", "bool inside = 0 <= h", "bool inside = -1 <= h"),
        four_channels_at_once_are_those_of_the_definition,
    ),
    "the key of Philox stands still": (
        text("philox.cu", "k1 += W1;", "k1 += 0;"),
        draws_are_those_of_the_definition,
    ),
    "the first shard for all": (
        text("device.cu", "G[s * n + i]", "G[i]"),
        partial(a_step_like_that_of_the_cpu, shards=3),
    ),
    "the step count never advances": (
        text("step.cu", "state[0] = steps + 1;", "state[0] = steps;"),
        a_step_like_that_of_the_cpu,
    ),
    "a halt that is forgotten": (
        text("step.cu", " || before;", " || before > 1;"),
        partial(
            claims.a_loss_that_is_not_finite_names_its_step_and_leaves_the_step_before,
            "cupy",
            recorded=True,
        ),
    ),
    "the same batch at every step": (
        text("batch.cu", "state[0] * batch + first", "first"),
        a_step_like_that_of_the_cpu,
    ),
    "operands transposed the other way": (swapped_transpose, products_of_all_kinds),
    "a wrong leading dimension": (leading_dimension_of_the_other_axis, products_of_all_kinds),
    "a product added to garbage": (always_adding, products_of_all_kinds),
    "workspace set before the stream": (workspace_before_the_stream, a_step_like_that_of_the_cpu),
    "a Python number as an argument": (python_numbers_as_they_are, a_step_like_that_of_the_cpu),
    "a learning rate frozen in the graph": (
        learning_rate_of_the_first_epoch,
        claims.the_schedule_is_not_frozen,
    ),
    "noise frozen in the graph": (
        clock_of_the_first_epoch,
        claims.noise_is_drawn_anew_each_epoch,
    ),
    "the host reads inside the step": (host_read_inside_the_step, a_step_like_that_of_the_cpu),
    "memory is taken inside the step": (memory_taken_inside_the_step, a_step_like_that_of_the_cpu),
    "garbage is collected while recording": (
        garbage_collected_while_recording,
        claims.no_garbage_is_collected_while_a_step_is_recorded,
    ),
    "a model is used while its step is recorded": (
        encode_while_recording,
        claims.a_model_waits_while_a_step_is_recorded,
    ),
    "a data set copied for each shard": (
        a_table_for_each_shard,
        claims.a_data_set_is_copied_once_for_all_shards,
    ),
    "a pinned buffer refilled too early": (
        buffer_refilled_too_early,
        claims.data_that_stays_on_the_host_gives_the_same_bits,
    ),
    "a half of the ring that has not arrived": (
        half_read_before_it_has_arrived,
        claims.a_stop_within_an_epoch_counts_what_was_done,
    ),
    "a ring that is too small": (
        ring_read_too_rarely,
        claims.a_stop_within_an_epoch_counts_what_was_done,
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_caught(name, gpu, needs_the_emulator, monkeypatch, tolerance):
    plant, test = MUTANTS[name]
    given = {"gpu": gpu, "monkeypatch": monkeypatch, "tolerance": tolerance}
    wanted = inspect.signature(test).parameters
    run = partial(test, **{key: value for key, value in given.items() if key in wanted})
    run()
    plant(monkeypatch)
    with pytest.raises(SEEN):
        run()
