"""Where the K samples of an example stand, so that a sum over few points is the mean over their
noise.

The Gauss-Hermite rule has M nodes eps_i of weights w_i. Where a loss is linear in each sample, all
K of them stand at one node. Otherwise they stand at K nodes in any order; as a loss is the same in
each order, every choice of K nodes, one of them taken several times or not, is one point,

    W = K! / (c_1! ... c_M!) prod_k w_ik       c_i: how often node i is among the K     (1)

of which there are comb(M + K - 1, K), so that the more samples there are the fewer nodes are
taken. Source: Abramowitz and Stegun, "Handbook of mathematical functions", 1964, 25.4.46
(Gauss-Hermite).
"""

import math
from collections import Counter
from itertools import combinations_with_replacement

import numpy as np

from .grids import pairs

NODES = {1: 40, 2: 20}  # in each of D dimensions
LEAST, MOST = 8, 2100  # nodes in each dimension, points


class Points:
    """Nodes eps (M, D) of weights w (M,), and at each of P points the nodes (P, K) of the samples,
    with the weights W (P,).

    apart: whether the samples stand at nodes of their own. Raises ValueError for more samples than
    ``most``. Source: the module."""

    def __init__(self, D: int, K: int, apart: bool):
        self.K, self.apart = K, apart and K > 1
        n = fitting(D, K) if self.apart else NODES[D]
        one, w = np.polynomial.hermite_e.hermegauss(n)
        self.eps = pairs([one] * D)
        self.w = pairs([w / w.sum()] * D).prod(axis=1)
        if self.apart:
            self.nodes = np.array(list(combinations_with_replacement(range(n**D), K)))
            orders = [_orders(row) for row in self.nodes.tolist()]
            self.W = orders * self.w[self.nodes].prod(axis=1)  # (1)
        else:
            self.nodes, self.W = np.repeat(np.arange(n**D)[:, None], K, axis=1), self.w


def fitting(D: int, K: int) -> int:
    """The most nodes in each of D dimensions that make at most MOST points; 0 if LEAST are too
    many. Source: the module."""
    fit = (n for n in range(NODES[D], LEAST - 1, -1) if math.comb(n**D + K - 1, K) <= MOST)
    return next(fit, 0)


def _orders(row: list[int]) -> int:
    """In how many orders the same nodes (K,) stand."""
    return math.factorial(len(row)) // math.prod(map(math.factorial, Counter(row).values()))


def log_sum(a: np.ndarray) -> np.ndarray:
    """log of the sum of exp(a) over the last axis: (..., K) -> (...). Source: a definition."""
    top = a.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):  # inf - inf is NaN
        return np.log(np.exp(a - top).sum(axis=-1)) + top[..., 0]
