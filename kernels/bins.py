"""A Gaussian over bins: how much of N(mu, sigma^2) lies below each edge.

    F_dc = Phi((e_c - mu_d) / sigma_d),   Phi(u) = erfc(-u / sqrt(2)) / 2               (1)

    F_dc = 0 or 1 where |e_c - mu_d| > 8 sigma_d: it is, to 1e-15                       (2)

GAUSSIAN_BELOW is the loop. The tables that are made of F must be the same to the bit in encoder
and decoder, so the same loop serves both, on the host whatever the backend.

Source: Abramowitz and Stegun, "Handbook of mathematical functions", 1964, 26.2.29 (1).
"""

import math

import numpy as np

from .machine.compile import jit

FAR = 8.0


def gaussian_below(below, mu, sigma, edges):
    """below (D, C - 1) <- mu, sigma (D,), edges (C - 1,), all float64."""
    u = (edges - mu[:, None]) / sigma[:, None]
    u = np.where(np.abs(u) > FAR, np.copysign(np.inf, u), u)  # (2)
    below[...] = np.vectorize(math.erfc, otypes=[float])(-u / math.sqrt(2)) / 2  # (1)


@jit
def _gaussian_below(below, mu, sigma, edges):
    for d in range(mu.size):
        for c in range(edges.size):
            u = (edges[c] - mu[d]) / sigma[d]
            if u < -FAR:
                below[d, c] = 0.0  # (2)
            elif u > FAR:
                below[d, c] = 1.0  # (2)
            else:
                below[d, c] = math.erfc(-u / math.sqrt(2.0)) / 2  # (1)


GAUSSIAN_BELOW = _gaussian_below
