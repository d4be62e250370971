"""Cases of the kernels of recurrent layers, for test_spellings.py.

A case: (rng, dtype, N, D, K, key) -> outs, ins, constants. D is the number of units, K that of steps. What a kernel
must overwrite is 77 on entry.
"""

import numpy as np

HARD = (0.0, 50.0, -50.0, 100.0, -100.0)


def easy(rng, dtype, *shape):
    return rng.normal(size=shape).astype(dtype)


def hard(rng, dtype, *shape):
    x = rng.normal(size=shape)
    return np.where(rng.random(shape) < 0.3, rng.choice(HARD, shape), x).astype(dtype)


def garbage(dtype, *shape):
    return np.full(shape, 77, dtype)


def lstm_gates(rng, dtype, N, D, K, key):
    outs = [hard(rng, dtype, N, 4 * D), garbage(dtype, N, D), garbage(dtype, N, D)]
    return outs, [easy(rng, dtype, N, 4 * D), easy(rng, dtype, 4 * D), easy(rng, dtype, N, D)], []


def lstm_gradient(rng, dtype, N, D, K, key):
    """Gates as they come out of the forward pass, open, shut and between."""
    gates = np.tanh(hard(rng, dtype, N, 4, D) / 2)
    gates[:, [0, 1, 3]] = (1 + gates[:, [0, 1, 3]]) / 2
    outs = [garbage(dtype, N, 4 * D), garbage(dtype, N, D)]
    dh, dc, c, before = (easy(rng, dtype, N, D) for _ in range(4))
    return outs, [dh, dc, gates.reshape(N, 4 * D).astype(dtype), c, before], []


def swap(rng, dtype, N, D, K, key):
    return [garbage(dtype, K, N, D)], [easy(rng, dtype, N, K, D)], []


CASES = {"lstm.LSTM_GATES": lstm_gates, "lstm.LSTM_GRADIENT": lstm_gradient, "swap.SWAP": swap}
