"""Cases of the kernels that weigh the KL by its sum over the batch."""

import numpy as np

from kernel_cases.draws import easy, garbage


def group_sums(rng, dtype, N, D, K, key):
    """D groups of K terms."""
    return [garbage("float64", D)], [easy(rng, dtype, (N, D * K))], []


def free_bits(rng, dtype, N, D, K, key):
    """Means on both sides of the floor, one on it and one just above it.

    The count is a power of two, so that no spelling of the division rounds what is at the floor.
    """
    rates = rng.uniform(0.1, 0.9, D)
    rates[::3], rates[1::5] = 0.5, 0.502
    total = np.concatenate([[32.0], rng.random(2), 32 * rates])
    return [garbage(dtype, D * K)], [total, easy(rng, dtype, D * K)], [0.5]


def capacity(rng, dtype, N, D, K, key):
    """A KL above C, below it or at it; other sums lie behind it."""
    total = np.array([32.0, rng.random(), 32 * rng.choice([0.25, 0.5, 0.75]), 1.0, 2.0])
    return [garbage(dtype, D)], [total, np.array([1.7, 0.5], dtype)], []


CASES = {
    "kl_weights.GROUP_SUMS": group_sums,
    "kl_weights.FREE_BITS": free_bits,
    "kl_weights.CAPACITY": capacity,
}
