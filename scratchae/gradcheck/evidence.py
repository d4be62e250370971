"""log p(x) of one or two latent numbers, whatever the decoder, by quadrature.

    log p(x) = log of int p(x, z) dz           the trapezoid rule on a box              (1)

The box holds the prior at first, and shrinks to what lies within 40 nats of the largest. How far
(1) is from settled shows where every other point is left out, so that the step is twice as long.

Source: Trefethen and Weideman, "The exponentially convergent trapezoidal rule", 2014, section 5.
"""

import math
from collections.abc import Callable

import numpy as np

from .grids import pairs

POINTS = {1: 257, 2: 65}  # of the trapezoid rule in each of D dimensions
EDGE = 9.0  # of the first box, in deviations of the prior: its mass outside is 2e-19
DEEP = 40.0  # nats below the largest: exp(-40) = 4e-18


def log_evidence(
    log_joint: Callable[[np.ndarray], np.ndarray], mean: np.ndarray, deviation: np.ndarray
) -> tuple[float, float]:
    """log p(x), and the same with twice the step; NaN where log_joint, (M, D) -> (M,), is. mean,
    deviation: (D,), of the prior. Source: the module, (1)."""
    D = len(mean)
    low, high, k = mean - EDGE * deviation, mean + EDGE * deviation, POINTS[D]
    while True:
        axes = [np.linspace(a, b, k) for a, b in zip(low, high, strict=True)]
        step = (high - low) / (k - 1)
        log = log_joint(pairs(axes))
        if not np.isfinite(log.max()):
            return math.nan, math.nan
        kept = pairs(axes)[log > log.max() - DEEP]
        before, low, high = high - low, kept.min(axis=0) - step, kept.max(axis=0) + step
        if (high - low > 0.8 * before).all():
            break
    every_other = (pairs([np.arange(k)] * D) % 2 == 0).all(axis=1)
    volume = float(np.log(step).sum())
    fine = np.log(np.exp(log - log.max()).sum()) + log.max() + volume  # (1)
    coarse = np.log(np.exp(log[every_other] - log.max()).sum()) + log.max() + volume  # (1)
    return float(fine), float(coarse + D * math.log(2))
