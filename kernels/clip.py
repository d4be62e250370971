"""The norm of a step's gradient, kept below a bound through the one number that scales it.

With G (S, n), c as the optimisers read them (adam.py), over the parameters that are trained, cut
into pieces b:

    q_b = sum over i in piece b of (sum_s G_s,i)^2       in float64                     (1)
    norm = c sqrt(sum_b q_b)                                                            (2)
    c <- c min(1, bound / norm)                                                         (3)

A norm that is not finite is left as it is, so that the step is found and not hidden. Source:
Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", 2013,
Algorithm 1.
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.shards import PIECE, sum_shards


def squares(q, G, start, stop):
    """q (B,) float64 <- G (S, n), the part start:stop in B pieces of equal length."""
    g = sum(G[1:, start:stop], start=G[0, start:stop]).astype(np.float64)
    length = -(-len(g) // len(q))
    for b in range(len(q)):
        q[b] = np.sum(g[b * length : (b + 1) * length] ** 2)  # (1)


@jit
def _squares(q, G, start, stop):
    length = -(-(stop - start) // q.shape[0])
    total = np.empty(PIECE, G.dtype)
    for b in range(q.shape[0]):
        q[b] = 0.0
        end = min(start + (b + 1) * length, stop)
        for first in range(start + b * length, end, PIECE):
            last = min(first + PIECE, end)
            g = sum_shards(total, G, first, last)
            piece = 0.0
            for i in range(last - first):
                piece += np.float64(g[i]) * np.float64(g[i])
            q[b] += piece  # (1)


def _squares_cuda(gpu, q, G, start, stop):
    gpu.blocks("squares", q.shape[0], q, G, q.shape[0], *G.shape, start, stop)  # (1)


def clip(row, q, bound):
    """row (j,), c first, is scaled, q (B,)."""
    norm = float(row[0]) * math.sqrt(q.sum())  # (2)
    if bound < norm < math.inf:
        row[0] *= bound / norm  # (3)


def _clip_cuda(gpu, row, q, bound):
    gpu.blocks("clip", 1, row, q, bound, q.shape[0])  # (2) (3)


SQUARES = Kernel(squares, _squares, _squares_cuda)
CLIP = Kernel(clip, None, _clip_cuda)
