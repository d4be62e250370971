"""The kernels of penalties against their own values."""

import numpy as np

from scratchae.backend import Array, Backend
from scratchae.gradcheck.measure import Report, judge, probe
from scratchae.kernels.contraction import (
    CONTRACTION,
    CONTRACTION_GRADIENT,
    CONTRACTION_WEIGHTS,
    SQUARED_COLUMNS,
    SQUARED_SLOPES,
)
from scratchae.kernels.kernel import Kernel
from scratchae.kernels.penalties import (
    L1,
    L1_GRADIENT,
    RATE_GRADIENT,
    STUDENT_T,
    STUDENT_T_GRADIENT,
    SUM_UNITS,
)

N, D, W, RHO = 5, 4, 0.7, 0.3


def of_rows(kernel: Kernel, gradient: Kernel, backend: Backend) -> Report:
    """h (N, D) through the values (N,), summed, with weight W. Source: kernels/penalties.py
    (1) and (2)."""
    before = probe((N, D), 70)

    def value(h: np.ndarray) -> float:
        v = backend.asarray(np.full(N, np.nan))
        backend.op(kernel)(v, backend.asarray(h))
        return W * backend.to_host(v).sum()

    def slope(h: np.ndarray, _: np.ndarray) -> np.ndarray:
        out, dh = (backend.asarray(a) for a in (np.full((N, D), np.nan), before))
        backend.op(gradient)(out, dh, backend.asarray(h), W)
        return backend.to_host(out) - before

    return Report(kernel.name, [judge("h", value, slope, probe((N, D), 71))])


def rate(backend: Backend) -> Report:
    """h (N, D) through N W KL of the target rate from the mean activities. Source: as above,
    (3) and (4)."""
    before = probe((N, D), 72)

    def total(h: np.ndarray) -> np.ndarray:
        s = backend.zeros((D,), np.float64)
        backend.op(SUM_UNITS)(s, backend.asarray(h))
        return np.concatenate([[N, 0.0], backend.to_host(s)])

    def value(h: np.ndarray) -> float:
        mean = total(h)[2:] / N
        kl = RHO * np.log(RHO / mean) + (1 - RHO) * np.log((1 - RHO) / (1 - mean))
        return float(N * W * kl.sum())

    def slope(h: np.ndarray, _: np.ndarray) -> np.ndarray:
        out, dh, sums = (backend.asarray(a) for a in (np.full((N, D), np.nan), before, total(h)))
        backend.op(RATE_GRADIENT)(out, dh, sums, W, RHO, 2)
        return backend.to_host(out) - before

    return Report("sum_units", [judge("h", value, slope, 0.5 + 0.4 * np.tanh(probe((N, D), 73)))])


def contraction(backend: Backend) -> Report:
    """h (N, D) and V (I, D) through the squared norms (N,), summed, weight W. Source:
    kernels/contraction.py."""
    before, h, V, b = (
        probe((N, D), 75),
        0.5 + 0.4 * np.tanh(probe((N, D), 76)),
        probe((3, D), 77),
        1.0,
    )

    def columns(V: np.ndarray) -> Array:
        q = backend.zeros((D,), np.float64)
        backend.op(SQUARED_COLUMNS)(q, backend.asarray(V))
        return q

    def value(h: np.ndarray, V: np.ndarray) -> float:
        v = backend.asarray(np.full(N, np.nan))
        backend.op(CONTRACTION)(v, backend.asarray(h), columns(V), b)
        return float(W * backend.to_host(v).sum())

    def through_h(h: np.ndarray, _: np.ndarray) -> np.ndarray:
        out, dh = (backend.asarray(a) for a in (np.full((N, D), np.nan), before))
        backend.op(CONTRACTION_GRADIENT)(out, dh, backend.asarray(h), columns(V), W, b)
        return backend.to_host(out) - before

    def through_weights(V: np.ndarray, _: np.ndarray) -> np.ndarray:
        c, dV = backend.zeros((D,), np.float64), backend.asarray(np.ones_like(V))
        backend.op(SQUARED_SLOPES)(c, backend.asarray(h), b)
        backend.op(CONTRACTION_WEIGHTS)(dV, backend.asarray(V), c, W)
        return backend.to_host(dV) - 1

    rows = [
        judge("h", lambda h: value(h, V), through_h, h),
        judge("V", lambda V: value(h, V), through_weights, V),
    ]
    return Report("contraction", rows)


PAIRS = ((L1, L1_GRADIENT), (STUDENT_T, STUDENT_T_GRADIENT))
CONTRACTIONS = (
    SQUARED_COLUMNS,
    CONTRACTION,
    CONTRACTION_GRADIENT,
    SQUARED_SLOPES,
    CONTRACTION_WEIGHTS,
)
