"""One step: what a replica is handed for it, and how it is reported: its sums, its terms, and
whether they are finite."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)  # of arrays
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


def batch(feed: Any, rows: Any, clock: Any, replica: Any) -> Any:
    """The rows (N,) at that clock (4,) -> x (N, ...); the replica is handed the noise, and what
    the rows are given beside x. Source: datasets/sources.py."""
    x = filled(feed, rows, clock, replica)
    replica.draw(rows, clock)
    return x


def filled(feed: Any, rows: Any, clock: Any, replica: Any) -> Any:
    """As ``batch``, without the noise: (N,) -> x (N, ...). Source: datasets/sources.py."""
    x = feed.fill(rows, clock)
    if (c := getattr(feed, "c", None)) is not None:
        replica.give(c)
    target, seen = getattr(feed, "target", None), getattr(feed, "seen", None)
    for name, beside in (("target", target), ("seen", seen)):
        if beside is not None and beside.shape != x.shape:
            raise ValueError(
                f"a feed leaves in {name} an array of shape {beside.shape}, but x has {x.shape}: "
                "make one like x for each batch"
            )
    replica.aim(target, seen)
    return x


def judged(objective: Any, t: int, total: np.ndarray, sums: bool, kept: bool = True) -> Step:
    """Step t, whose total (k,) is known, and whether its sums are finite: the one place where a
    loss is computed and judged."""
    objective.t = t
    terms = objective.loss(total)
    finite = bool(sums and math.isfinite(terms["loss"]))
    return Step(t, total, terms, finite, finite or kept)
