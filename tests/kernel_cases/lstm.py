"""Cases of the kernels of recurrent layers, for test_spellings.py.

A case: (rng, dtype, N, D, K, key) -> outs, ins, constants. D is the number of units, K that of
steps. What a kernel must overwrite is 77 on entry.
"""

import numpy as np

from scratchae.kernels.lstm import scratch_size

HARD = (0.0, 50.0, -50.0, 100.0, -100.0)


def easy(rng, dtype, *shape):
    return rng.normal(size=shape).astype(dtype)


def hard(rng, dtype, *shape):
    x = rng.normal(size=shape)
    return np.where(rng.random(shape) < 0.3, rng.choice(HARD, shape), x).astype(dtype)


def garbage(dtype, *shape):
    return np.full(shape, 77, dtype)


def through_time(rng, dtype, N, D, K, key):
    """K steps from a state that is not 0."""
    c, h = (np.concatenate([easy(rng, dtype, 1, N, D), garbage(dtype, K, N, D)]) for _ in range(2))
    ins = [hard(rng, dtype, K, N, 4 * D), easy(rng, dtype, D, 4 * D) / 4, easy(rng, dtype, 4 * D)]
    return [garbage(dtype, K, 4, N, D), c, h], ins, [garbage(dtype, scratch_size(N, D))]


def through_time_gradient(rng, dtype, N, D, K, key):
    """Gates as they come out of the forward pass, open, shut and between; dy of every step or of
    the last one."""
    gates = np.tanh(hard(rng, dtype, K, 4, N, D) / 2)
    gates[:, [0, 1, 3]] = (1 + gates[:, [0, 1, 3]]) / 2
    outs = [garbage(dtype, K, N, 4 * D), easy(rng, dtype, K if rng.random() < 0.5 else 1, N, D)]
    ins = [gates.astype(dtype), easy(rng, dtype, 1 + K, N, D), easy(rng, dtype, D, 4 * D) / 4]
    return outs, ins, [garbage(dtype, scratch_size(N, D))]


def swap(rng, dtype, N, D, K, key):
    return [garbage(dtype, K, N, D)], [easy(rng, dtype, N, K, D)], []


CASES = {
    "lstm.THROUGH_TIME": through_time,
    "lstm.THROUGH_TIME_GRADIENT": through_time_gradient,
    "swap.SWAP": swap,
}
