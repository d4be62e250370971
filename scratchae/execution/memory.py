"""Whether a batch fits into the GPU's memory, and which one would: foretold, before anything is made."""

from typing import Any

from ..backend.base import in_words
from .counting import CountingBackend

FEED = 3  # arrays like a batch that a feed makes: x, its noise, and rows that are staged
STATE = 2  # vectors like the parameters that an optimiser keeps


def bytes_needed(model: Any, batch_size: int, shards: int) -> int:
    """Bytes that training takes for batches (N,): gradients, an optimiser's state, each shard's buffers and feed.

    Source: counting.py."""
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
    """Raise MemoryError, with a batch size that fits, where batches (N,) of the model do not fit into free memory.

    Source: counting.py."""
    free = model.backend.free()
    if bytes_needed(model, batch_size, shards) <= free:
        return
    fits, too_many = 0, batch_size
    while too_many - fits > 1:
        half = (fits + too_many) // 2
        fits, too_many = (
            (half, too_many) if bytes_needed(model, half, shards) <= free else (fits, half)
        )
    advice = (
        f"a batch of {fits:,} would"
        if fits
        else "not even a batch of 1 would: make the model smaller"
    )
    raise MemoryError(
        f"a batch of {batch_size:,} does not fit into the GPU's memory: the model needs "
        f"{in_words(bytes_needed(model, batch_size, shards))} for it, and {in_words(free)} are free; {advice}"
    )
