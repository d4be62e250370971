"""Whether a batch fits into the GPU's memory, and which one would: foretold, before anything is made."""

from typing import Any

from ..backend.size import size
from .counting import Ledger

FEED = 3  # arrays like a batch that a feed makes: x, its noise, and rows that are staged
STATE = 2  # vectors like the parameters that an optimiser keeps


def need(model: Any, batch_size: int, shards: int) -> int:
    """Bytes that training takes for batches (N,): gradients, an optimiser's state, each shard's buffers and feed.

    Source: counting.py."""
    ledger = Ledger(model.backend)
    for _ in range(STATE):
        ledger.empty((model.parameters.size,))
    ledger.empty((shards, model.parameters.size))
    rows = -(-batch_size // shards)
    for _ in range(shards):
        objective = model.parts()
        objective.attach(model.parameters.views(), {})
        objective.bind(ledger, rows)
        for _ in range(FEED):
            ledger.empty((rows, *objective.shape))
    return ledger.bytes


def require_room(model: Any, batch_size: int, shards: int) -> None:
    """Raise MemoryError, with a batch size that fits, where batches (N,) of the model do not fit into free memory.

    Source: counting.py."""
    free = model.backend.free()
    if need(model, batch_size, shards) <= free:
        return
    fits, too_many = 0, batch_size
    while too_many - fits > 1:
        half = (fits + too_many) // 2
        fits, too_many = (half, too_many) if need(model, half, shards) <= free else (fits, half)
    advice = f"a batch of {fits:,} would" if fits else "not even a batch of 1 would: make the model smaller"
    raise MemoryError(
        f"a batch of {batch_size:,} does not fit into the GPU's memory: the model needs "
        f"{size(need(model, batch_size, shards))} for it, and {size(free)} are free; {advice}"
    )
