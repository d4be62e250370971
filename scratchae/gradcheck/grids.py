"""Where a density p(x) of one or two values is summed or integrated.

Few values that x takes are summed over. Otherwise the integral is the trapezoid rule of step h in
t_0 and t_1, where the bounds of x, that check accepts or draws keep, say which x(t) is:

    x = c + s sinh t                           x on the line, far tails included        (1)
    x = l + (u - l) / (1 + exp(-pi sinh t))    x between l and u                        (2)
    x = l + exp(c + s (t - exp(-t)))           x above l, small x included              (3)

and (3) of -x where there is an upper bound alone.

A smooth p that dies at the ends leaves next to no error; a kink at c = mean(a) in (1) leaves one
of h^2, which R(h) = (4 Z(h) - Z(2h)) / 3 takes off. Beyond the ends of t, where p(x) is a power of
x in (1), the mass is about 1 / h times the weight of the last point.

Source: Trefethen and Weideman, "The exponentially convergent trapezoidal rule", 2014, sections 5
and 14 (1 to 3); Richardson, "The approximate arithmetical solution by finite differences", 1911.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Shape = tuple[int, ...]
Accepts = Callable[[np.ndarray], bool]  # x (1, *shape)
Axis = tuple[np.ndarray, np.ndarray]  # x (k,), log dx/dt (k,)
FEW = 500  # so many different values are summed over, more are a continuum
# t from, to, in so many steps, a multiple of 4: sinh 8 = 1490, pi sinh 3.13 = 36, exp(6.4) = 602
LINE, UNIT, HALF = (-8.0, 8.0, 160), (-3.13, 3.13, 160), (-6.4, 24.0, 200)
FAR = 1e6  # in units of the spread of draws: a value that only bounds forbid
HALVINGS = 200  # of the stretch in which a bound lies


@dataclass(frozen=True)
class Grid:
    """Points x (M, *shape), log_w (M,) of the weights of Z(h), and what these are multiplied by
    (M,): w for R(h), w_coarse for R(2h), w_end for the mass beyond the ends of t.

    Functions f (M,) on it hold the weight exp(log_w), since near a pole a density overflows.
    what: a sum or an integral; unseen: the mass that may lie outside. Source: the module."""

    x: np.ndarray
    log_w: np.ndarray
    w: np.ndarray
    w_coarse: np.ndarray
    w_end: np.ndarray
    what: str
    unseen: float = 0.0

    def doubt(self, f: np.ndarray) -> float:
        """How far the sum or integral of f (M,) may be from settled. Source: the module."""
        fine, plain, coarse, end = self._all(f)
        # a smooth f: Z(h) and Z(2h) agree; a kink: R(h) and R(2h) do
        return float(min(abs(fine - coarse), 3 * abs(fine - plain)) + end)

    def most(self, f: np.ndarray) -> float:
        """The largest disagreement of all refinements on f (M,). Source: the module."""
        fine, plain, coarse, end = self._all(f)
        return float(max(abs(fine - coarse), 3 * abs(fine - plain)) + end)

    def _all(self, f: np.ndarray) -> tuple[float, float, float, float]:
        with np.errstate(all="ignore"):
            return self.w @ f, f.sum(), self.w_coarse @ f, self.w_end @ np.abs(f)


def few(accepts: Accepts, shape: Shape, values: list[np.ndarray], looked: int) -> Grid:
    """All pairs of the values (k_d,) drawn, and of those between and beyond them that x can be;
    looked: of how many draws. Source: a sum."""
    gaps = [np.diff(v).min() for v in values if len(v) > 1]
    step = float(min(gaps)) if gaps else 1.0
    ranges = [_steps(accepts, shape, v, step) for v in values]
    x = pairs([v for v, _ in ranges]).reshape(-1, *shape)
    x = x[[accepts(row[None]) for row in x]]
    # of n draws all lie below a mass of 21 / n with the probability 1e-9
    unseen = 42 / looked if len(values[0]) > 2 and any(more for _, more in ranges) else 0.0
    one = np.ones(len(x))
    return Grid(x, 0 * one, one, one, 0 * one, "sum", unseen)


def _steps(accepts: Accepts, shape: Shape, v: np.ndarray, step: float) -> tuple[np.ndarray, bool]:
    """Values v (k,) drawn, those of equal steps between them, and those beyond as far as check
    takes them; whether it takes more than FEW."""
    k = (v - v[0]) / step
    if k[-1] >= FEW or np.abs(k - np.round(k)).max() > 1e-3:
        return v, accepts(np.full((1, *shape), v[-1] + 1))

    def beyond(last: float, way: int) -> int | None:
        more = (
            n for n in range(FEW) if not accepts(np.full((1, *shape), last + way * step * (n + 1)))
        )
        return next(more, None)

    below, above = beyond(v[0], -1), beyond(v[-1], 1)
    index = np.arange(-(below or 0), round(k[-1]) + (above or 0) + 1)
    return v[0] + step * index, below is None or above is None


def bounds(accepts: Accepts, shape: Shape, x: np.ndarray) -> tuple[float, float]:
    """The lowest and the highest value that every value of x may have, infinite where there is
    none; x: draws (n, D). Source: bisection."""
    middle, spread = float(np.median(x)), float(np.ptp(x)) or 1.0

    def can(value: float) -> bool:
        return accepts(np.full((1, *shape), value))

    if not can(middle):  # values depend on each other
        return -math.inf, math.inf
    return tuple(_bound(can, middle, s * spread) for s in (-1, 1))  # type: ignore[return-value]


def _bound(can: Callable[[float], bool], inside: float, spread: float) -> float:
    outside = inside + FAR * spread
    if can(outside):
        return math.copysign(math.inf, spread)
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if can(middle) else (inside, middle)
    return 0.0 if abs(inside) < 1e-12 * abs(spread) else inside


def line(shape: Shape, centre: np.ndarray, scale: np.ndarray) -> Grid:
    """x on the line, about centre (D,) in units of scale (D,). Source: the module, (1)."""
    t = _even(LINE)
    axes = [
        (c + s * np.sinh(t), np.log(s * np.cosh(t))) for c, s in zip(centre, scale, strict=True)
    ]  # (1)
    return _product(shape, t, axes)


def interval(shape: Shape, low: float = 0.0, high: float = 1.0) -> Grid:
    """x between low and high. Source: the module, (2)."""
    t, size = _even(UNIT), high - low
    v = math.pi * np.sinh(t)
    x = np.clip(low + size / (1 + np.exp(-v)), low, high)  # (2)
    log_slope = np.log(size * math.pi * np.cosh(t)) - 2 * np.log(2 * np.cosh(v / 2))
    return _product(shape, t, [(x, log_slope)] * math.prod(shape))


def half(shape: Shape, low: float, draws: np.ndarray) -> Grid:
    """x above low, where the draws (n, D) of it lie. Source: the module, (3)."""
    t, axes = _even(HALF), []
    log = np.log(np.maximum(draws - low, np.finfo(float).tiny))
    for below, above in np.quantile(log, (0.25, 0.75), axis=0).T:
        s = min(1.0, above - below) or 1.0
        log_away = above + s * (t - np.exp(-t))  # (3)
        axes.append((low + np.exp(log_away), log_away + np.log(s * (1 + np.exp(-t)))))
    return _product(shape, t, axes)


def _even(of: tuple[float, float, int]) -> np.ndarray:
    return np.linspace(of[0], of[1], of[2] + 1)


def _product(shape: Shape, t: np.ndarray, axes: list[Axis]) -> Grid:
    """All pairs of points x (k,) of the axes, weighed by the product of h dx/dt."""
    h, index = t[1] - t[0], np.arange(len(t))

    def every(n: int) -> np.ndarray:
        return pairs([n * (index % n == 0) for _ in axes]).prod(axis=1)

    Z2, Z4 = every(2), every(4)
    log_w = pairs([math.log(h) + log_slope for _, log_slope in axes]).sum(axis=1)
    last = pairs([(index == 0) | (index == len(t) - 1) for _ in axes]).any(axis=1)
    x = pairs([x for x, _ in axes]).reshape(-1, *shape)
    return Grid(x, log_w, (4 - Z2) / 3, (4 * Z2 - Z4) / 3, last / h, "integral")


def pairs(values: list[np.ndarray]) -> np.ndarray:
    """D arrays (k_d,) -> (k_0 k_1 ..., D): every combination of one of each. Source: a product."""
    return np.stack([v.ravel() for v in np.meshgrid(*values, indexing="ij")], axis=1)
