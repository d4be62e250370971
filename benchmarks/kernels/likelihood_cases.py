"""The kernels of likelihoods whose last axis means something: grey images, a series, labels, words."""

import math

import numpy as np

from benchmarks.kernels.case import RNG, Case, Maker, array, size


def learned_gaussian(N: int, P: int, C: int) -> Maker:
    def make(key: str) -> Case:
        nll, da, a, x = array(N), array(N, P, 2 * C), array(N, P, 2 * C), array(N, P, C)
        return Case(f"{N}x{P}x{C}", [(nll, da, a, x, 2 * math.log(1e-3))], size(nll, da, a, x))

    return make


def categorical(N: int, P: int, C: int) -> Maker:
    def make(key: str) -> Case:
        nll, da, a, x = array(N), array(N, P, C), array(N, P, C), array(N, P, C)
        x[...] = np.eye(C, dtype=np.float32)[RNG.integers(0, C, (N, P))]
        return Case(f"{N}x{P}x{C}", [(nll, da, a, x)], size(nll, da, a, x))

    return make


CASES = {
    "learned_gaussian.LEARNED_GAUSSIAN_NLL": [
        learned_gaussian(128, 784, 1),
        learned_gaussian(128, 1, 140),
    ],
    "categorical.CATEGORICAL_NLL": [categorical(128, 1, 10), categorical(128, 20, 256)],
}
