"""An estimate, before anything is allocated, of whether a batch fits into GPU memory and, if not,
which does."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend.base import Array, Backend, Table, in_words

GRAIN = 512  # bytes: what CuPy's memory pool hands out multiples of
FEED = 3  # arrays like a batch that a feed makes: x, its noise, and rows that are staged
STATE = 2  # vectors like the parameters that an optimiser keeps


class CountingBackend:
    """A stand-in backend that allocates nothing: each array is a zero-stride view of one number,
    and the bytes it would need are added up in ``bytes``.

    like: the backend it stands for. Shapes: those asked for."""

    def __init__(self, like: Backend):
        self.name, self.spelling, self.dtype = like.name, like.spelling, like.dtype
        self.bytes = 0
        self.default_shards = like.default_shards

    def empty(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """An array of that shape, which takes no memory; what it would take is added up."""
        dtype = np.dtype(dtype or self.dtype)
        self.bytes += -(-math.prod(shape) * dtype.itemsize // GRAIN) * GRAIN
        return np.lib.stride_tricks.as_strided(np.zeros((), dtype), shape, (0,) * len(shape))

    def zeros(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """As ``empty``, any shape."""
        return self.empty(shape, dtype)

    def asarray(self, a: Any, dtype: Any = None) -> Array:
        """As ``empty``, of the shape of a."""
        return self.empty(np.shape(a), dtype)

    def share(self, a: np.ndarray) -> Array:
        """As ``empty``, of the shape and dtype of a."""
        return self.empty(a.shape, a.dtype)

    def table(self, a: np.ndarray, rows: int) -> Table:
        """The rows (rows, D) of one step."""
        return Table(self.empty((rows, *a.shape[1:]), a.dtype))

    def write(self, out: Array, values: Any) -> None:
        """Nothing is kept, whatever the shape."""

    def to_host(self, a: Array) -> np.ndarray:
        """It holds no values to read, whatever the shape."""
        raise TypeError("a CountingBackend only counts memory: it holds no values")

    def op(self, kernel: Any) -> Callable[..., None]:
        """A kernel that cannot be run, whatever its shapes."""
        return self.matmul

    def matmul(self, *_: Any, **__: Any) -> None:
        """Nothing is computed, whatever the shapes."""
        raise TypeError("a CountingBackend only counts memory: it computes nothing")


def bytes_needed(model: Any, batch_size: int, shards: int) -> int:
    """Bytes that training takes for batches (N,): gradients, an optimiser's state, each shard's
    buffers and feed.

    Source: CountingBackend."""
    counting = CountingBackend(model.backend)
    for _ in range(STATE):
        counting.empty((model.parameters.size,))
    counting.empty((shards, model.parameters.size))
    rows = -(-batch_size // shards)
    for _ in range(shards):
        objective = model.parts()
        objective.attach(model.parameters.views(), {})
        objective.bind(counting, rows)
        for _ in range(FEED):
            counting.empty((rows, *objective.shape))
    return counting.bytes


def require_memory(model: Any, batch_size: int, shards: int) -> None:
    """Raise MemoryError, with a batch size that fits, where batches (N,) of the model do not fit
    into free memory.

    Source: CountingBackend."""
    free = model.backend.free()
    if bytes_needed(model, batch_size, shards) <= free:
        return
    fits, too_many = 0, batch_size
    while too_many - fits > 1:
        half = (fits + too_many) // 2
        if bytes_needed(model, half, shards) <= free:
            fits = half
        else:
            too_many = half
    advice = (
        f"a batch of {fits:,} would"
        if fits
        else "not even a batch of 1 would: make the model smaller"
    )
    raise MemoryError(
        f"a batch of {batch_size:,} does not fit into the GPU's memory: the model needs "
        f"{in_words(bytes_needed(model, batch_size, shards))} for it, and {in_words(free)} are "
        f"free; {advice}"
    )
