"""One step of training after another, where nobody looks on: what changes between steps, kept
beside the arrays.

On a GPU the launches of a step are recorded once and replayed. Their scalars and addresses are
frozen then, so what changes from step to step lies in device memory and is changed by a launch,
the one between forward and backward. With the sums of S shards over their rows, the count first, t
steps done, and R places in a ring:

    total = sum_s sums_s                       added in shard order                     (1)
    ring[t mod R] = total                      read by the host later            (2)
    halted <- 1 if it was 1, or if any of total is not finite                           (3)
    row = schedule[t],   but row_0 = 0 if halted                                        (4)
    t <- t + 1                                                                          (5)

A row of schedule holds what an optimiser reads in its step t + 1, c = 1 / count first; c = 0 says
that no step is taken. So the parameters stay as the step before the bad loss left them, however
late the host hears of it.

Source: CUDA's programming guide, "CUDA graphs"; the division of duties is that of
scratchae/execution/threads.py.
"""

import numpy as np

from .kernel import Kernel


def advance(ring, total, row, state, sums, schedule):
    """ring (R, k), total (k,), row (j,), state (2,) int32 = (t, halted) <- sums (S, k),
    schedule (any, j)."""
    t, halted = state.tolist()
    total[...] = sum(sums[1:], start=sums[0])  # (1)
    ring[t % len(ring)] = total  # (2)
    halted = halted or not np.isfinite(total).all()  # (3)
    row[...] = schedule[t]  # (4)
    if halted:
        row[0] = 0  # (4)
    state[...] = (t + 1, halted)  # (3) (5)


def _advance_cuda(gpu, ring, total, row, state, sums, schedule):
    sizes = (*ring.shape, row.shape[0], sums.shape[0])
    gpu.blocks(
        "advance_step", 1, ring, total, row, state, sums, schedule, *sizes
    )  # (1) (2) (3) (4) (5)


ADVANCE = Kernel(advance, None, _advance_cuda)
