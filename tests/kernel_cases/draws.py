"""Arrays that the cases of kernels are made of."""

import numpy as np

HARD = (0.0, 50.0, -50.0, 100.0, -100.0)


def hard(rng, dtype, shape, most=100.0):
    """Standard normal, with 0, +-50 and +-100 strewn in."""
    x = rng.normal(size=shape)
    values = [v for v in HARD if abs(v) <= most]
    return np.where(rng.random(shape) < 0.3, rng.choice(values, shape), x).astype(dtype)


def easy(rng, dtype, shape):
    return rng.normal(size=shape).astype(dtype)


def garbage(dtype, *shape):
    """What must be overwritten."""
    return np.full(shape, 77, dtype)
