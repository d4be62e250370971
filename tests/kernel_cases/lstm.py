"""Cases of the kernels of recurrent layers: D is the number of units, K that of steps."""

import numpy as np

from kernel_cases.draws import easy, garbage, hard
from scratchae.kernels.lstm import scratch_size


def through_time(rng, dtype, N, D, K, key):
    """K steps from a state that is not 0."""
    c, h = (
        np.concatenate([easy(rng, dtype, (1, N, D)), garbage(dtype, K, N, D)]) for _ in range(2)
    )
    ins = [
        hard(rng, dtype, (K, N, 4 * D)),
        easy(rng, dtype, (D, 4 * D)) / 4,
        easy(rng, dtype, 4 * D),
    ]
    return (
        [garbage(dtype, K, 4, N, D), c, h],
        ins,
        [garbage(dtype, scratch_size(N, D, np.dtype(dtype).itemsize))],
    )


def through_time_gradient(rng, dtype, N, D, K, key):
    """Gates as they come out of the forward pass, open, shut and between; dy of every step or of
    the last one."""
    gates = np.tanh(hard(rng, dtype, (K, 4, N, D)) / 2)
    gates[:, [0, 1, 3]] = (1 + gates[:, [0, 1, 3]]) / 2
    steps = K if rng.random() < 0.5 else 1
    outs = [garbage(dtype, K, N, 4 * D), easy(rng, dtype, (steps, N, D))]
    ins = [gates.astype(dtype), easy(rng, dtype, (1 + K, N, D)), easy(rng, dtype, (D, 4 * D)) / 4]
    return outs, ins, [garbage(dtype, scratch_size(N, D, np.dtype(dtype).itemsize))]


def swap(rng, dtype, N, D, K, key):
    return [garbage(dtype, K, N, D)], [easy(rng, dtype, (N, K, D))], []


CASES = {
    "lstm.THROUGH_TIME": through_time,
    "lstm.THROUGH_TIME_GRADIENT": through_time_gradient,
    "swap.SWAP": swap,
}
