"""The kernels of two stochastic layers against the ratio and the terms that they are gradients
of."""

import numpy as np
from gradcheck.calling import called

from scratchae.backend import Backend
from scratchae.gradcheck.measure import Report, judge, probe
from scratchae.kernels.hierarchy import (
    CONDITIONAL_GRADIENT,
    CONDITIONAL_RATIO,
    LAYER_TERMS,
    LAYER_WEIGHTS,
    LOWER_GRADIENT,
)

N, K, D = 3, 4, 2
RATIOS = CONDITIONAL_RATIO, CONDITIONAL_GRADIENT, LOWER_GRADIENT
TERMS = LAYER_TERMS, LAYER_WEIGHTS


def ratio(backend: Backend) -> Report:
    """p, and h through z and r1, where what comes down from above is a slope by z too."""
    h, eps, p = probe((N, 2 * D), 90), probe((N * K, D), 91), probe((N * K, 2 * D), 92)
    w, dz, dz_up = probe((N * K,), 93), probe((N * K, D), 94), probe((N * K, D), 95)

    def z_of(h: np.ndarray) -> np.ndarray:
        mu, logvar = np.repeat(h[:, :D], K, axis=0), np.repeat(h[:, D:], K, axis=0)
        return mu + np.exp(logvar / 2) * eps

    def both(h: np.ndarray, p: np.ndarray) -> list[np.ndarray]:
        return called(backend, CONDITIONAL_RATIO, ((N * K,), (N * K, D)), z_of(h), p, h, eps)

    def dp(p: np.ndarray) -> np.ndarray:
        v = both(h, p)[1]
        return called(backend, CONDITIONAL_GRADIENT, ((N * K, 2 * D),), v, p, w)[0]

    def by_h(h: np.ndarray) -> float:
        return float(((dz + dz_up) * z_of(h)).sum() + w @ both(h, p)[0])

    def dh(h: np.ndarray, _: np.ndarray) -> np.ndarray:
        v = both(h, p)[1]
        (dp,) = called(backend, CONDITIONAL_GRADIENT, ((N * K, 2 * D),), v, p, w)
        return called(backend, LOWER_GRADIENT, ((N, 2 * D),), dz, dz_up, dp, h, eps, w)[0]

    return Report(
        "conditional_ratio",
        [
            judge("p through r", lambda p: float(w @ both(h, p)[0]), lambda p, _: dp(p), p),
            judge("h through z and r", by_h, dh, h),
        ],
    )


def terms(backend: Backend) -> Report:
    """The terms of kl by the ratios, whose weights are those of the rows."""
    r1, r2, weight = probe((N * K,), 96), probe((N * K,), 97), probe((2,), 98)

    def kl(r1: np.ndarray, r2: np.ndarray) -> float:
        r, kl = called(backend, LAYER_TERMS, ((N * K,), (N, 2)), r1, r2)
        assert np.array_equal(r, r1 + r2)
        return float((kl @ weight).sum())

    w1, w2 = called(backend, LAYER_WEIGHTS, ((N * K,), (N * K,)), weight, K)
    return Report(
        "layer_terms",
        [
            judge("r1", lambda r1: kl(r1, r2), lambda *_: w1, r1),
            judge("r2", lambda r2: kl(r1, r2), lambda *_: w2, r2),
        ],
    )
