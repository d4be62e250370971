"""Cases of the kernels of penalties."""

import numpy as np


def of_rows(rng, dtype, N, D, K, key):
    return [np.full(N, 77, dtype)], [rng.normal(size=(N, D)).astype(dtype)], []


def gradient(rng, dtype, N, D, K, key):
    """dh and h, with zeros in h, where |h| has its kink."""
    dh, h = (rng.normal(size=(N, D)).astype(dtype) for _ in range(2))
    h[rng.random(h.shape) < 0.2] = 0
    return [np.full((N, D), 77, dtype)], [dh, h], [0.7]


def sum_units(rng, dtype, N, D, K, key):
    return [np.full(D, 77.0)], [rng.random((N, D)).astype(dtype)], []


def rate_gradient(rng, dtype, N, D, K, key):
    """total: a count, K - 1 other sums, and the mean activities times the count, some at an end or
    close to it.

    The count is a power of two, so that no spelling of the division rounds what is close to an
    end.
    """
    total = np.concatenate([[32.0], rng.random(K - 1), 32 * rng.uniform(0.2, 0.8, D + 1)])
    for i, rate in enumerate((1.0, 1e-33, 0.9e-30, 2e-30, 1 - 3e-16, 1 - 1e-15), 1):
        total[K + i : K + D : 9] = 32 * rate
    return (
        [np.full((N, D), 77, dtype)],
        [rng.normal(size=(N, D)).astype(dtype), total],
        [0.7, 0.3, K],
    )


CASES = {
    "penalties.L1": of_rows,
    "penalties.L1_GRADIENT": gradient,
    "penalties.STUDENT_T": of_rows,
    "penalties.STUDENT_T_GRADIENT": gradient,
    "penalties.SUM_UNITS": sum_units,
    "penalties.RATE_GRADIENT": rate_gradient,
}
