"""A long series and its windows: cut it for a model, and bring the windows' scores back to its
points.

Window k of a series of T points holds the points k step, ..., k step + length - 1, and is the k-th
of

    N = floor((T - length) / step) + 1                                                          (1)
    K(t) = {k : k step <= t < k step + length, k < N}       the windows that contain point t    (2)
    s(t) = mean, or max, of s_k over K(t);  NaN where K(t) is empty                             (3)

where a window has one score s_k, or a score s_k(t - k step) for each of its points. One that is
NaN is none: its window is left out of K(t).

K(t) is empty for the last points where step does not divide T - length, and between windows where
step is larger than length. Source: Malhotra et al., "LSTM-based encoder-decoder for multi-sensor
anomaly detection", 2016, section 2 (windows).
"""

from typing import Any

import numpy as np

from .. import checks
from .thresholds import as_numbers, warn


def windows(series: Any, length: int, step: int = 1) -> np.ndarray:
    """A series (T,) or (T, C) -> its windows (N, length, C), a copy, C = 1 for one of rank 1.

    What is true of points is brought to windows likewise:
    windows(is_anomaly, length).any(axis=(1, 2)). Raises ValueError for another rank and for a
    series shorter than a window, TypeError for a masked array. Source: the module, (1).
    """
    series = checks.as_array(series, "the series")
    checks.sizes("the series", series, "T" if series.ndim == 1 else "T C")
    count, length, step = _count(len(series), length, step)
    every = np.lib.stride_tricks.sliding_window_view(
        series.reshape(len(series), -1), length, axis=0
    )
    # (N, C, length) -> (N, length, C)
    return np.ascontiguousarray(every[: count * step : step].transpose(0, 2, 1))


def points(scores: Any, n: int, length: int, step: int = 1, highest: bool = False) -> np.ndarray:
    """Scores of the windows of a series of n points, (N,) or (N, length) -> scores (n,) float64 of
    its points.

    With one score a window, one bad hour blames all of a window's points; with a score for each of
    its points, each is blamed for its own error. No model takes a gap, so of windows w
    (N, length, 1) those with one have no score:

        whole = np.isfinite(w).all(axis=(1, 2))
        scores = np.full(w.shape[:2], np.nan)
        scores[whole] = np.abs(model.reconstruct(w[whole]) - w[whole])[:, :, 0]

    Of C channels take .mean(axis=2) or .max(axis=2). The mean over the windows that contain a
    point, or the highest; a score that is NaN counts as none. Warns (DetectionWarning) where
    points lie in no window that has a score, and are NaN. Raises ValueError where that series has
    another number of windows, for a series shorter than a window, and for scores that are no
    numbers, or have no mean, TypeError for a masked array. Source: the module, (2) and (3).
    """
    checks.flag("highest", highest)
    n = checks.positive("n", n)
    count, length, step = _count(n, length, step)
    s = as_numbers(scores, "the scores")
    if s.shape not in ((count,), (count, length)):
        raise ValueError(
            f"the scores have shape {s.shape}, but {n} points have {count} windows of {length}, "
            f"{step} apart: give one score for each, ({count},), or for each of its points, "
            f"({count}, {length})"
        )
    if not highest and (s == -np.inf).any() and (s == np.inf).any():
        raise ValueError("the scores hold inf and -inf, which have no mean: take highest=True")
    s = np.broadcast_to(s.reshape(count, -1), (count, length))
    none, known = -np.inf if highest else 0.0, ~np.isnan(s)
    s = np.where(known, s, none)
    starts, covered, total = step * np.arange(count), np.zeros(n, np.int64), np.full(n, none)
    for j in range(length):  # every window's j-th point, all of them different
        at = starts + j  # (N,)  # (2)
        covered[at] += known[:, j]
        total[at] = np.maximum(total[at], s[:, j]) if highest else total[at] + s[:, j]  # (3)
    missing = np.flatnonzero(covered == 0)
    if len(missing):
        first = missing[0]
        warn(
            f"{len(missing)} of {n} points lie in no window with a score, the first at {first}: "
            "theirs is nan"
        )
    total[missing] = np.nan
    return total if highest else total / np.maximum(covered, 1)  # (3)


def _count(T: int, length: int, step: int) -> tuple[int, int, int]:
    """The number of windows, their length and step, checked."""
    length, step = checks.positive("length", length), checks.positive("step", step)
    if length > T:
        raise ValueError(f"a window of {length} does not fit into {T} points: give more points")
    return (T - length) // step + 1, length, step  # (1)
