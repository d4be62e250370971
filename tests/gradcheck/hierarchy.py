"""The kernels of two stochastic layers against the ratio and the terms that they are gradients
of."""

import numpy as np

from scratchae.backend import Array, Backend
from scratchae.gradcheck.measure import Report, judge, probe
from scratchae.kernels.hierarchy import (
    CONDITIONAL_GRADIENT,
    CONDITIONAL_RATIO,
    LAYER_TERMS,
    LAYER_WEIGHTS,
    LOWER_GRADIENT,
)
from scratchae.kernels.kernel import Kernel

N, K, D = 3, 4, 2
RATIOS = CONDITIONAL_RATIO, CONDITIONAL_GRADIENT, LOWER_GRADIENT
TERMS = LAYER_TERMS, LAYER_WEIGHTS


def _call(
    backend: Backend, kernel: Kernel, shapes: tuple[tuple[int, ...], ...], *given: np.ndarray | int
) -> list[np.ndarray]:
    outs: list[Array] = [backend.asarray(np.full(shape, np.nan)) for shape in shapes]
    arrays = [backend.asarray(a) if isinstance(a, np.ndarray) else a for a in given]
    backend.op(kernel)(*outs, *arrays)
    return [backend.to_host(out) for out in outs]


def ratio(backend: Backend) -> Report:
    """p, and h through z and r1, where what comes down from above is a slope by z too."""
    h, eps, p = probe((N, 2 * D), 90), probe((N * K, D), 91), probe((N * K, 2 * D), 92)
    w, dz, dz_up = probe((N * K,), 93), probe((N * K, D), 94), probe((N * K, D), 95)

    def z_of(h: np.ndarray) -> np.ndarray:
        mu, logvar = np.repeat(h[:, :D], K, axis=0), np.repeat(h[:, D:], K, axis=0)
        return mu + np.exp(logvar / 2) * eps

    def both(h: np.ndarray, p: np.ndarray) -> list[np.ndarray]:
        return _call(backend, CONDITIONAL_RATIO, ((N * K,), (N * K, D)), z_of(h), p, h, eps)

    def dp(p: np.ndarray) -> np.ndarray:
        v = both(h, p)[1]
        return _call(backend, CONDITIONAL_GRADIENT, ((N * K, 2 * D),), v, p, w)[0]

    def by_h(h: np.ndarray) -> float:
        return float(((dz + dz_up) * z_of(h)).sum() + w @ both(h, p)[0])

    def dh(h: np.ndarray, _: np.ndarray) -> np.ndarray:
        v = both(h, p)[1]
        (dp,) = _call(backend, CONDITIONAL_GRADIENT, ((N * K, 2 * D),), v, p, w)
        return _call(backend, LOWER_GRADIENT, ((N, 2 * D),), dz, dz_up, dp, h, eps, w)[0]

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
        r, kl = _call(backend, LAYER_TERMS, ((N * K,), (N, 2)), r1, r2)
        assert np.array_equal(r, r1 + r2)
        return float((kl @ weight).sum())

    w1, w2 = _call(backend, LAYER_WEIGHTS, ((N * K,), (N * K,)), weight, K)
    return Report(
        "layer_terms",
        [
            judge("r1", lambda r1: kl(r1, r2), lambda *_: w1, r1),
            judge("r2", lambda r2: kl(r1, r2), lambda *_: w2, r2),
        ],
    )
