"""Daily: a generated series that rises every morning and falls every evening, and what may go
wrong with it.

A value every five minutes, t = 0, 1, ...; d is the day and tau the points since its midnight, 288
d + tau = t; S is the logistic function and e is N(0, 1), each one its own. Days 5 and 6 of a week
are its weekend:

    day(t) = S((tau - r) / STEEP) - S((tau - f) / STEEP),   r = RISE + MOVE e,
    f = FALL + MOVE e                                                                           (1)
    a = HEIGHT (1 + VARY e),   on weekends times WEEKEND                     how high day d is  (2)
    l_d+1 = KEEP l_d + DRIFT e,   l_0 = 0,
            and evenly from midnight to midnight the drift of the level                         (3)
    x(t) = BASE + l(t) + a day(t) + NOISE e_t                                                   (4)

The test series is spoilt every other day, from its second on: each kind in its turn, in an order
that is drawn, for the points from start to stop, which are drawn too (v is -1, 0 or 1, s is -1 or
1):

    flat      x(t) - a day(t)                r - 3 STEEP to f + 3 STEEP: the day does not come  (5)
    dip       x(t) - a day(t)                two hours of the day                               (6)
    shift     x(t) + s SHIFT HEIGHT          six hours, anywhere in the day, as the next two    (7)
    spikes    x(t) + v_t SPIKE HEIGHT        two hours, v = 0 at half of the points             (8)
    noise     x(t) + LOUD NOISE e'_t         four hours                                         (9)

Source: Lavin and Ahmad, "Evaluating real-time anomaly detection algorithms - the Numenta anomaly
benchmark", 2015 (the series "art_daily", of which these are the form and the interval); Chandola,
Banerjee, Kumar, "Anomaly detection: a survey", 2009, section 2.2
(point, contextual and collective anomalies).
"""

from dataclasses import dataclass

import numpy as np

from ... import randomness
from .sizes import size

__all__ = ["KINDS", "POINTS", "Event", "Series", "load"]

NAME = "daily (generated)"
POINTS = 288  # of a day: one every five minutes
KINDS = ("flat", "dip", "shift", "spikes", "noise")
HOURS = {"dip": 2, "shift": 6, "spikes": 2, "noise": 4}
RISE, FALL, STEEP, MOVE = 96, 228, 6, 4  # points: 8:00, 19:00, half an hour, 20 minutes
BASE, HEIGHT, VARY, WEEKEND, NOISE = 20, 60, 0.05, 0.75, 2
KEEP, DRIFT = 0.7, 2
SHIFT, SPIKE, LOUD = 0.35, 0.5, 7


@dataclass(frozen=True)
class Event:
    """What went wrong, one of KINDS, from start to stop - 1. Source: the module, (5) on."""

    kind: str
    start: int
    stop: int


@dataclass(frozen=True, eq=False)  # of arrays
class Series:
    """Values x (T,) float32, whether each point is an anomaly (T,) bool, and the events that make
    it one.

    Source: the module.
    """

    x: np.ndarray
    is_anomaly: np.ndarray
    events: tuple[Event, ...] = ()
    name: str = NAME


def load(train_days: int = 42, test_days: int = 14, seed: int = 0) -> tuple[Series, Series]:
    """A normal series (T,) to train on and another with anomalies, T = 288 train_days and 288
    test_days.

    A function of the seed: a shorter series is the beginning of a longer one, and the two have no
    draw in common. Raises ValueError for fewer than one day, or two of the test series, for more
    than 2^32, and for a seed outside [0, 2^64). Source: the equations of this file.
    """
    size("train_days", train_days)
    if size("test_days", test_days) < 2:
        raise ValueError("test_days is 1, but the first anomaly is on day 2: give at least 2")
    x, _, _ = _days(train_days, seed, epoch=0)
    normal = Series(x.sum(axis=0).ravel().astype(np.float32), np.zeros(x[0].size, bool))
    return normal, _spoilt(*_days(test_days, seed, epoch=2), seed, epoch=4)


def _days(n: int, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n days -> level with noise, and rise, (2, n, 288), whose sum they are; when they rise and
    fall, (n,)."""
    e = randomness.normal((n, 4), seed, randomness.SHAPES, epoch)
    noise = randomness.normal((n, POINTS), seed, randomness.SHAPES, epoch + 1)
    tau = np.arange(POINTS)
    r, f = RISE + MOVE * e[:, 0], FALL + MOVE * e[:, 1]  # (n,)  # (1)
    # (n, 288)
    day = _logistic((tau - r[:, None]) / STEEP) - _logistic((tau - f[:, None]) / STEEP)  # (1)
    a = HEIGHT * (1 + VARY * e[:, 2]) * np.where(np.arange(n) % 7 >= 5, WEEKEND, 1)  # (n,)  # (2)
    level = np.zeros(n + 1)
    for d in range(n):
        level[d + 1] = KEEP * level[d] + DRIFT * e[d, 3]  # (3)
    drift = level[:-1, None] + np.diff(level)[:, None] * tau / POINTS  # (n, 288)  # (3)
    return np.stack([BASE + drift + NOISE * noise, a[:, None] * day]), r, f  # (4)


def _spoilt(x: np.ndarray, r: np.ndarray, f: np.ndarray, seed: int, epoch: int) -> Series:
    """Level and rise (2, n, 288), each day's r and f (n,) -> their sum with its anomalies."""
    n = len(r)
    u = randomness.uniform((n, 2), seed, randomness.SHAPES, epoch)  # when it begins, and its sign
    kinds = np.argsort(randomness.uniform((1, len(KINDS)), seed, randomness.SHAPES, epoch + 1)[0])
    v = randomness.uniform((n, POINTS), seed, randomness.SHAPES, epoch + 2)
    loud = randomness.normal((n, POINTS), seed, randomness.SHAPES, epoch + 3)
    sums, is_anomaly, events = x.sum(axis=0), np.zeros((n, POINTS), bool), []
    for i, d in enumerate(range(1, n, 2)):
        kind = KINDS[kinds[i % len(KINDS)]]
        start, stop = _stretch(kind, r[d], f[d], u[d, 0])
        changes = {
            "flat": -x[1, d],  # (5)
            "dip": -x[1, d],  # (6)
            "shift": np.full(POINTS, np.where(u[d, 1] < 0.5, -1, 1) * SHIFT * HEIGHT),  # (7)
            "spikes": np.select([v[d] < 0.25, v[d] < 0.5], [-1, 1]) * SPIKE * HEIGHT,  # (8)
            "noise": LOUD * NOISE * loud[d],  # (9)
        }
        sums[d, start:stop] += changes[kind][start:stop]
        is_anomaly[d, start:stop] = True
        events.append(Event(kind, d * POINTS + start, d * POINTS + stop))
    return Series(sums.ravel().astype(np.float32), is_anomaly.ravel(), tuple(events))


def _stretch(kind: str, r: float, f: float, u: float) -> tuple[int, int]:
    """The points of a day, from start to stop, that an anomaly spoils."""
    if kind == "flat":
        return round(r - 3 * STEEP), round(f + 3 * STEEP)  # (5)
    length = HOURS[kind] * POINTS // 24
    first, last = (round(r + 3 * STEEP), round(f - 3 * STEEP)) if kind == "dip" else (0, POINTS)
    start = first + int(u * (last - first - length))  # (6) (7) (8) (9)
    return start, start + length


def _logistic(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))
