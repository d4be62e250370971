"""The weight of each term of the KL where it depends on the KL of the whole batch: free bits and a
capacity.

kl (N, J) has J terms an example, in nats. Free bits take them in G groups of J / G neighbours.
Over the batch, all shards of it, with beta (J,) and s_g in place 3 + g of total (3 + G,), behind
the count N, the sum of nll and that of kl,

    s_g = sum_n sum_{j in g} kl_nj                                                      (1)
    w_j = beta_j if s_g / N > floor, else 0;   j in g                                   (2)

A capacity C, with row = (gamma, C) and S, the sum of all kl, in place 2 of total, has one for all:

    w_j = gamma sign(S / N - C)                                                         (3)

(2) is the slope of N beta max(floor, s_g / N) by kl_nj, (3) that of N gamma |S / N - C|, as all
gradients here are of sums over the batch; at the kink both are 0. Sums are float64.

Source: Kingma et al., "Improved variational inference with inverse autoregressive flow", 2016, eq.
15 (1, 2); Burgess et al., "Understanding disentangling in beta-VAE", 2018, eq. 8 (3).
"""

import numpy as np

from .kernel import Kernel

KL, GROUPS = 2, 3  # places in total


def group_sums(s, kl):
    """s (G,) float64 <- kl (N, J)."""
    s[...] = kl.reshape(len(kl), len(s), -1).sum(axis=(0, 2), dtype=np.float64)  # (1)


def free_bits(w, total, beta, floor):
    """w (J,) <- total (3 + G,) float64, beta (J,)."""
    rates = total[GROUPS:] / total[0]
    size = len(w) // len(rates)
    w[...] = beta * np.repeat(np.heaviside(rates - floor, 0.0), size)  # (2)


def capacity(w, total, row):
    """w (J,) <- total (k,) float64, row (2,)."""
    w[...] = row[0] * np.sign(total[KL] / total[0] - row[1])  # (3)


def _group_sums_cuda(gpu, s, kl):
    (N, J), (G,) = kl.shape, s.shape
    gpu.columns("group_sums", G, s, kl, N, G, J // G)  # (1)


def _free_bits_cuda(gpu, w, total, beta, floor):
    J, G = w.shape[0], total.shape[0] - GROUPS
    gpu.each("free_bits", J, w, total, beta, floor, J, J // G)  # (2)


def _capacity_cuda(gpu, w, total, row):
    gpu.each("capacity", w.shape[0], w, total, row, w.shape[0])  # (3)


GROUP_SUMS = Kernel(group_sums, None, _group_sums_cuda)
FREE_BITS = Kernel(free_bits, None, _free_bits_cuda)
CAPACITY = Kernel(capacity, None, _capacity_cuda)
