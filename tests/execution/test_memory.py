"""The GPU's memory: what a batch needs is foretold, and what does not fit is a sentence."""

import numpy as np
import pytest
from execution.graph_models import dense, pixels, rows, small

import scratchae as sa
from scratchae.backend.cuda import backend as cupy_module
from scratchae.backend.cuda import launch as gpu_module
from scratchae.execution import memory


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
    memory.require_memory(model, fits, 1)
    with pytest.raises(MemoryError):
        memory.require_memory(model, fits + 1, 1)
    assert optimizer.owner is None
    with_free(monkeypatch, 100)
    with pytest.raises(MemoryError, match="not even a batch of 1 would: make the model smaller"):
        memory.require_memory(model, 2, 1)


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
        abs(memory.bytes_needed(model, 16, 2) - sum(taken))
        < 64 * 1024
        < model.parameters.values.nbytes
    )


def test_out_of_memory_is_a_sentence(gpu):
    backend = sa.get_backend(gpu)
    with pytest.raises(
        MemoryError, match=r"an array of shape \(1099511627776,\) takes 4,096.0 GiB of GPU memory"
    ):
        backend.empty((1 << 40,))


def test_a_gpu_that_is_full_when_the_backend_is_made_is_a_sentence(gpu, monkeypatch):
    monkeypatch.setattr(gpu_module, "PARTIALS", 1 << 37)
    with pytest.raises(MemoryError, match=r"takes 1,024\.0 GiB of GPU memory"):
        sa.get_backend(gpu)


def test_encode_takes_fewer_rows_where_memory_is_short(gpu, monkeypatch):
    model, x = small(gpu), rows(300)
    expected, replica, asked = model.reconstruct(x), sa.VAE.replica, []

    def short(self, n, grads=None, samples=None):
        asked.append(n)
        if n > 40:
            raise MemoryError
        return replica(self, n, grads, samples)

    monkeypatch.setattr(sa.VAE, "replica", short)
    model._inference = None
    np.testing.assert_array_equal(model.reconstruct(x), expected)
    assert asked == [256, 128, 64, 32]
