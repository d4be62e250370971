"""How a batch is cut: into shards, which decide the bits, and a vector into parts, which do
not."""

import math
import os
from typing import Any

import numpy as np

from ..checks import positive

GRAIN = 32  # parameters: parts of the flat vector start on multiples of 128 bytes
PART = 1 << 18  # parameters of a part, where there are more than shards: half a millisecond
LEAST = 15_000_000  # multiply-adds forward for which a further shard, on its thread, pays
HELD = 16_000_000  # bytes of a gradient that stay near until they are summed
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


def shards_of(model: Any, batch_size: int, shards: int | None = None) -> int:
    """The number of shards for batches up to (N,): as asked, or the backend's for so many rows, if
    each has enough to do; at most one a row.

    Raises ValueError for what is no whole number of at least 1. Source:
    docs/decisions/0002-shards.md."""
    if shards is None:
        work = multiply_adds(model)
        most = model.backend.default_shards(batch_size * model.objective.K)
        most = 1 if _large_matrices(model, work) else most
        shards = max(1, min(most, batch_size * work // LEAST))
    return min(positive("shards", shards), batch_size)


def _large_matrices(model: Any, work: int) -> bool:
    """Whether a second gradient would leave the cache and threads have slices of products to
    share: large weights, each of which meets one number of an example. work: as multiply_adds."""
    large = model.parameters.size * model.backend.dtype.itemsize > HELD
    return large and work <= 2 * model.objective.K * model.parameters.size


def multiply_adds(model: Any) -> int:
    """About how many multiply-adds an example takes forward: each weight of a matrix, a layer's
    own or that of the one it is tied to, meets every pixel or step, on the side where there are
    more of them, and every sample behind the latent."""
    objective, declared = model.objective, model.parameters.declared
    behind, found = {name for name, _ in objective.behind()}, 0
    names = {id(layer): name for name, layer in objective.leaves()}
    for name, layer in objective.leaves():
        owner = names.get(id(getattr(layer, "of", layer)), name)
        shapes = (shape for key, (shape, _) in declared.items() if key.startswith(f"{owner}."))
        weights = sum(math.prod(shape) for shape in shapes if len(shape) > 1)
        places = max(math.prod(shape[:-1]) for shape in _ends(layer))
        found += weights * places * (objective.K if name in behind else 1)
    return found


def _ends(layer: Any) -> list[Any]:
    """The shapes of a row behind a layer and, where it keeps that, before it."""
    shape = getattr(layer, "shape", None)
    return [layer.output, shape] if isinstance(shape, (tuple, list)) else [layer.output]


def threads_of(threads: int | None) -> int:
    """The number of threads: the machine's cores, or as asked. Raises as ``shards_of``."""
    return positive("threads", (os.cpu_count() or 1) if threads is None else threads)


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
