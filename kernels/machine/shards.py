"""The sum of the gradients of all shards, a piece at a time, for the optimiser that reads it at
once.

    g = sum_s G_s                              added in shard order

One shard after the other, so that each loop has few arrays and can be vectorised; a piece stays in
the first cache between them.
"""

from .compile import jit

PIECE = 2048  # parameters


@jit
def sum_shards(total, G, first, last):
    """G (S, n), total (PIECE,), scratch -> the sum over shards (last - first,), G[0]'s own where S
    = 1."""
    g = G[0, first:last]
    for s in range(1, G.shape[0]):
        G_s = G[s, first:last]
        for i in range(last - first):
            total[i] = g[i] + G_s[i]
        g = total[: last - first]
    return g
