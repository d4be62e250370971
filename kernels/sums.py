"""The sums over a batch that a loss is made of, in one launch.

    total_0 = N                                the count of rows                        (1)
    total_j = sum of all of term j             j = 1 ... k, k at most 3, in float64     (2)

A term has one row an example, (N,) or (N, D): the nll, the kl. The first one tells the count.
"""

import numpy as np

from .kernel import Kernel

MOST = 3  # terms


def sums(total, *terms):
    """total (k + 1,) float64 <- k terms, each (N,) or (N, D)."""
    total[0] = len(terms[0])  # (1)
    for j, term in enumerate(terms, start=1):
        total[j] = term.sum(dtype=np.float64)  # (2)


def _sums_cuda(gpu, total, *terms):
    padded = terms + terms[:1] * (MOST - len(terms))
    sizes = (terms[0].shape[0], len(terms), *(term.size for term in padded))
    gpu.blocks("sums", len(terms), total, *padded, *sizes)  # (1) (2)


SUMS = Kernel(sums, None, _sums_cuda)
