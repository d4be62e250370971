"""The sums over a batch that a loss is made of, in one launch.

    total_0 = N                                the count of examples                    (1)
    total_j = sum of all of term j             j = 1 ... k, k at most 3, in float64     (2)

A term has a row an example, (N,) or (N, D), such as the kl, or one for each of K samples of it, (N
K,), such as the nll. The last one has a row an example and tells the count.
"""

import numpy as np

from .kernel import Kernel

MOST = 3  # terms


def sums(total, *terms):
    """total (k + 1,) float64 <- k terms, each (N,), (N, D) or (N K,), the last no (N K,)."""
    total[0] = len(terms[-1])  # (1)
    for j, term in enumerate(terms, start=1):
        total[j] = term.sum(dtype=np.float64)  # (2)


def _sums_cuda(gpu, total, *terms):
    padded = terms + terms[:1] * (MOST - len(terms))
    sizes = (terms[-1].shape[0], len(terms), *(term.size for term in padded))
    gpu.blocks("sums", len(terms), total, *padded, *sizes)  # (1) (2)


SUMS = Kernel(sums, None, _sums_cuda)
