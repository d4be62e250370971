"""One step of training as it is reported: its sums, its terms, and whether they are finite."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Step:
    """total (k,), the sums over the batch, the count first; terms in nats per example, "loss"
    first.

    finite: whether the step was taken; a step whose loss or sums are not finite is not. kept:
    whether the parameters are those before it. Source: objectives/base.py."""

    t: int
    total: np.ndarray
    terms: dict[str, float]
    finite: bool
    kept: bool


def judged(objective: Any, t: int, total: np.ndarray, kept: bool = True) -> Step:
    """Step t, whose total (k,) is known: the one place where a loss is computed and judged."""
    objective.t = t
    terms = objective.loss(total)
    finite = bool(np.isfinite(terms["loss"]) and np.isfinite(total).all())
    return Step(t, total, terms, finite, finite or kept)
