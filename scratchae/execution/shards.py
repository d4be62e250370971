"""How a batch is cut: into shards, which decide the bits, and a vector into parts, which do
not."""

import os
from typing import Any

import numpy as np

from ..checks import positive

GRAIN = 32  # parameters: parts of the flat vector start on multiples of 128 bytes
CACHE = 6_000_000  # bytes of activations and their gradients that stay near until they are read
PASSES = 6  # times that a further block goes through as many bytes as the weights have


def blocks_of(activations: int, weights: int) -> int:
    """How many blocks a shard takes, from the bytes of its activations with their gradients, and
    of the weights.

    So many that a block stays in the cache, but each further one reads W twice, for a and for dx,
    writes the product x^T da, and reads it and dW and writes dW to add them: 6 times the bytes of
    the weights. What it saves is that many bytes of activations, which otherwise come from memory
    a second time: no more blocks than these bytes pay for. Source:
    docs/decisions/0003-blocks.md."""
    return min(-(-activations // CACHE), 1 + activations // (PASSES * max(weights, 1)))


def shards_of(backend: Any, batch_size: int, shards: int | None, samples: int = 1) -> int:
    """The number of shards for batches up to (N,), of so many samples an example: the backend's
    own, or as asked, at most one a row.

    Raises ValueError for what is no whole number of at least 1. Source:
    docs/decisions/0002-shards.md."""
    asked = backend.default_shards(batch_size * samples) if shards is None else shards
    return min(positive("shards", asked), batch_size)


def threads_of(threads: int | None, shards: int) -> int:
    """The number of threads: the machine's cores, or as asked, at most one a shard. Raises as
    ``shards_of``."""
    return min(positive("threads", (os.cpu_count() or 1) if threads is None else threads), shards)


def cut(rows: np.ndarray, parts: int) -> list[np.ndarray]:
    """(N,) -> at most that many parts of equal length, the last perhaps shorter."""
    size = -(-len(rows) // parts)
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def batches(n: int, batch_size: int) -> list[int]:
    """The sizes of the batches of n examples."""
    return [min(batch_size, n - i) for i in range(0, n, batch_size)]


def parts_of(slices: list[slice], parts: int) -> list[slice]:
    """Slices of a vector, cut further so that each is at most a part of the longest way: one task
    each."""
    n = max((s.stop for s in slices), default=0)
    step = max(1, -(-n // (parts * GRAIN))) * GRAIN
    return [slice(i, min(i + step, s.stop)) for s in slices for i in range(s.start, s.stop, step)]
