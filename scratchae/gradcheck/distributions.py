"""Whether a likelihood is a distribution: its mass is one, mean is its mean, sample draws from it.

No gradient check can see a constant that is missing in nll. With p(x) = exp(-nll), nats, for one a
and rows of two values x = (x_0, x_1),

    Z = int p(x) dx = 1,                       a sum where x takes few values           (1)
    m = int x p(x) dx / Z                      is what mean(a) is to give               (2)
    V = int (x - m)^2 p(x) dx / Z              and higher moments likewise              (3)

The integral is the trapezoid rule of step h in t_0 and t_1, where the values drawn say which:

    x = c + s sinh t                           x on the line, far tails included        (4)
    x = 1 / (1 + exp(-t))                      x between 0 and 1                        (5)
    x = s exp t                                x above 0                                (6)

A smooth p that dies at the ends leaves next to no error; a kink at c = mean(a) leaves one of h^2,
which (4 Z(h) - Z(2h)) / 3 takes off; what that changes says how far Z is settled. Of n draws u =
(x - m) / sqrt(V) is to have mean 0 and variance 1, and of u_0 u_1 the mean that p gives it
(moments.py).

Source: Trefethen and Weideman, "The exponentially convergent trapezoidal rule", 2014, sections 5
and 14 (4 to 6); Richardson, "The approximate arithmetical solution by finite differences", 1911.
"""

import copy
import math
from dataclasses import dataclass

import numpy as np

from ..backend import Backend
from ..likelihoods import Likelihood
from ..randomness import OUTPUTS, Draws
from .measure import TOLERANCE, Row, probe
from .moments import mean_row

Shape = tuple[int, ...]
DRAWS = 2**20  # rows; an error of 1 % in the variance is then 10 standard errors
LOOK = 2**15  # rows that are drawn to see which values x takes
FEW = 500  # so many different values are summed over, more are a continuum
# t from, to, in so many steps, a multiple of 4: sinh 8 = 1490, exp(-36) = 2e-16
LINE, UNIT, HALF = (-8.0, 8.0, 160), (-36.0, 36.0, 180), (-36.0, 6.0, 168)
UNSETTLED = 0.1  # |Z(h) - Z(2h)|, in units of Z, that tells nothing any more
TESTS = 6  # means that are judged for one likelihood


@dataclass(frozen=True)
class Grid:
    """Points x (M, *shape) with weights w (M,), and w_plain (M,), those of Z(h) alone.

    what: a sum or an integral; unseen: the mass that may lie outside. Source: the module."""

    x: np.ndarray
    w: np.ndarray
    w_plain: np.ndarray
    what: str
    unseen: float = 0.0


def small_shapes(shape: Shape) -> list[Shape]:
    """The shapes of two values along one axis of shape, for each axis; shape itself if that has no
    more values. Source: over two values one can integrate."""
    if math.prod(shape) <= 2:
        return [shape]
    ones = [1] * len(shape)
    return [(*ones[:i], 2, *ones[i + 1 :]) for i in range(len(shape))]


def mass_rows(likelihood: Likelihood, shape: Shape, backend: Backend) -> list[Row]:
    """The mass of p over two values along each axis of data (N, *shape). Source: the module,
    (1)."""
    return [_Looked(likelihood, small, backend).mass() for small in small_shapes(shape)]


def distribution_rows(
    likelihood: Likelihood, shape: Shape, backend: Backend, draws: int = DRAWS
) -> list[Row]:
    """The mass over two values along each axis of data (N, *shape), then mean and sample.

    Source: the module, (1) to (3)."""
    looked = [_Looked(likelihood, small, backend) for small in small_shapes(shape)]
    found, last = [each.mass() for each in looked], looked[-1]
    if not _draws(likelihood):
        return found
    return [*found, last.mean(), *last.sample(draws), *last.between()]


def _draws(likelihood: Likelihood) -> bool:
    """Whether it claims to be a distribution: it says how to draw x."""
    return type(likelihood).sample is not Likelihood.sample


def _drawn(likelihood: Likelihood, a: np.ndarray, n: int) -> np.ndarray:
    """x (n, *shape) ~ p(x | a)."""
    rows = np.ascontiguousarray(np.broadcast_to(a, (n, *a.shape[1:])))
    return np.asarray(likelihood.sample(rows, Draws(0, OUTPUTS)), np.float64)


def _grid(likelihood: Likelihood, a: np.ndarray, shape: Shape) -> Grid:
    """Where p(x | a) is to be summed or integrated."""
    mean, D = np.asarray(likelihood.mean(a), np.float64).ravel(), math.prod(shape)
    if not _draws(likelihood):
        return _line(shape, mean if len(mean) == D else np.zeros(D), np.ones(D))
    x = _drawn(likelihood, a, LOOK).reshape(LOOK, -1)
    values = [np.unique(column) for column in x.T]
    if max(map(len, values)) <= FEW:
        return _few(likelihood, shape, values)
    low, middle, high = np.quantile(x, (0.25, 0.5, 0.75), axis=0)
    near_0, near_1 = x.min() < 1e-3 * middle.min(), 1 - x.max() < 1e-3
    if x.min() >= 0 and x.max() <= 1 and (near_0 or near_1):
        return _unit(shape)
    if x.min() >= 0 and near_0:
        return _half(shape, middle)
    inside = len(mean) == D and (x.min(axis=0) < mean).all()
    inside = inside and (mean < x.max(axis=0)).all()
    return _line(shape, mean if inside else middle, high - low)


def _few(likelihood: Likelihood, shape: Shape, values: list[np.ndarray]) -> Grid:
    """All pairs of the values drawn, and of the whole numbers between them, that x can be."""
    whole = all((v == np.round(v)).all() and v[-1] - v[0] < FEW for v in values)
    values = [np.arange(v[0], v[-1] + 1) for v in values] if whole else values
    x = pairs(values).reshape(-1, *shape)
    x = x[[_accepts(likelihood, row[None]) for row in x]]
    beyond = np.stack([np.full(shape, v[-1] + 1) for v in values])
    # of n draws all lie below a mass of 21 / n with the probability 1e-9
    unseen = 0.0 if len(values[0]) <= 2 or not _accepts(likelihood, beyond) else 42 / LOOK
    return Grid(x, np.ones(len(x)), np.ones(len(x)), "sum", unseen)


def _line(shape: Shape, centre: np.ndarray, scale: np.ndarray) -> Grid:
    t = np.linspace(*LINE[:2], LINE[2] + 1)
    axes = [
        (c + s * np.sinh(t), s * np.cosh(t)) for c, s in zip(centre, scale, strict=True)
    ]  # (4)
    return _product(shape, t, axes)


def _unit(shape: Shape) -> Grid:
    t = np.linspace(*UNIT[:2], UNIT[2] + 1)
    axis = 1 / (1 + np.exp(-t)), (np.exp(t / 2) + np.exp(-t / 2)) ** -2  # (5)
    return _product(shape, t, [axis] * math.prod(shape))


def _half(shape: Shape, scale: np.ndarray) -> Grid:
    t = np.linspace(*HALF[:2], HALF[2] + 1)
    return _product(shape, t, [(s * np.exp(t), s * np.exp(t)) for s in scale])  # (6)


def _product(shape: Shape, t: np.ndarray, axes: list[tuple[np.ndarray, np.ndarray]]) -> Grid:
    """All pairs of points x (k,) of the axes, weighed by the product of h dx/dt (k,)."""
    h, even = t[1] - t[0], np.arange(len(t)) % 2 == 0
    plain = pairs([h * slope for _, slope in axes]).prod(axis=1)
    coarse = pairs([2 * h * slope * even for _, slope in axes]).prod(axis=1)
    x = pairs([x for x, _ in axes]).reshape(-1, *shape)
    return Grid(x, (4 * plain - coarse) / 3, plain, "integral")


def pairs(values: list[np.ndarray]) -> np.ndarray:
    """D arrays (k_d,) -> (k_0 k_1 ..., D): every combination of one of each. Source: a product."""
    return np.stack([v.ravel() for v in np.meshgrid(*values, indexing="ij")], axis=1)


def _accepts(likelihood: Likelihood, x: np.ndarray) -> bool:
    try:
        likelihood.check(x)
    except ValueError:
        return False
    return True


class _Looked:
    """p at the points of a grid, for one a and x of that small shape."""

    def __init__(self, likelihood: Likelihood, shape: Shape, backend: Backend):
        self.likelihood, self.shape, self.backend = copy.deepcopy(likelihood), shape, backend
        self.a = probe((1, *likelihood.parameters(shape)), 45)  # (1, ...), as a decoder might give
        self.grid = _grid(self.likelihood, self.a, shape)
        self.p = self._density(self.grid.x)
        with np.errstate(all="ignore"):
            self.Z = float(self.grid.w @ self.p)  # (1)
            self.share = self.grid.w * self.p / self.Z  # (M,): what a sum over p weighs
        self.points = self.grid.x.reshape(len(self.p), -1)  # (M, D)
        self.m = self.share @ self.points  # (2)
        self.V = self.share @ (self.points - self.m) ** 2  # (3)

    def _density(self, x: np.ndarray) -> np.ndarray:
        """p (M,) at x (M, *shape), 0 where nll is not a number."""
        self.likelihood.bind(self.backend, len(x), self.shape)
        rows = np.ascontiguousarray(np.broadcast_to(self.a, (len(x), *self.a.shape[1:])))
        a, x = self.backend.asarray(rows), self.backend.asarray(x)
        with np.errstate(all="ignore"):  # x may leave what the likelihood has numbers for
            p = np.exp(-self.backend.to_host(self.likelihood.forward(a, x)))
        return np.where(np.isnan(p), 0.0, p)

    def mass(self) -> Row:
        """Whether Z is one."""
        plain = float(self.grid.w_plain @ self.p)
        what, settled = f"{self.grid.what} over x {self.shape}", abs(self.Z - plain)
        error = abs(self.Z - 1)
        if error <= TOLERANCE + self.grid.unseen + 2 * settled and settled < UNSETTLED:
            return Row(what, error, "right")
        if _draws(self.likelihood):
            return Row(what, error, "wrong", self._mass_told(plain))
        note = f"an error, no distribution, as it cannot draw: {self._mass_told(plain)}"
        return Row(what, error, "no density", note)

    def _mass_told(self, plain: float) -> str:
        Z = self.Z
        if not abs(Z - plain) < UNSETTLED * Z:
            return f"quadrature does not settle: the mass is {Z:.4g} or {plain:.4g}"
        if abs(self.grid.w @ self.p ** math.log(2) - 1) < TOLERANCE:
            return f"mass {Z:.4g}, that of 2^-nll is 1: nll is in bits, so multiply it by log 2"
        where = " over the values that sample draws" if self.grid.what == "sum" else ""
        lacks = math.log(Z) / math.prod(self.shape)
        return f"mass {Z:.4g}{where}, nll lacks {lacks:.4g} nats a value"

    def mean(self) -> Row:
        """Whether mean(a) is the mean of p."""
        claimed = np.asarray(self.likelihood.mean(self.a), np.float64).ravel()
        if claimed.shape != self.m.shape:
            note = f"mean(a) has {claimed.size} values for x of {self.m.size}"
            return Row("mean", math.inf, "wrong", note)
        size = np.sqrt(self.V + self.m**2) + (self.V + self.m**2 == 0)
        plain = self.grid.w_plain * self.p
        settled = np.abs(plain @ self.points / plain.sum() - self.m) / size
        error = np.abs(claimed - self.m) / size  # (2)
        i = int(np.argmax(error))
        if error[i] <= TOLERANCE + 100 * self.grid.unseen + 2 * settled[i]:
            return Row("mean", float(error[i]), "right")
        note = f"mean(a) is {claimed[i]:.6g} where that of p is {self.m[i]:.6g}"
        return Row("mean", float(error[i]), "wrong", note)

    def sample(self, draws: int) -> list[Row]:
        """Whether draws have the moments of p."""
        s = np.sqrt(np.where(self.V > 0, self.V, 1))
        one = self.V / (s * s)  # 1, or 0 where x is a constant
        drawn = _drawn(self.likelihood, self.a, draws).reshape(draws, -1)
        u, of_p = (drawn - self.m) / s, (self.points - self.m) / s
        spread = self.share @ of_p**4 - one  # (3)
        rows = [
            mean_row("sample, mean", u.mean(axis=0), one, draws, TESTS),
            mean_row("sample, variance", (u * u).mean(axis=0) - one, spread, draws, TESTS),
        ]
        if u.shape[1] == 2:
            both = of_p.prod(axis=1)
            r, square = self.share @ both, self.share @ both**2  # (3)
            off = u.prod(axis=1).mean() - r
            rows.append(mean_row("sample, both values", off, square - r * r, draws, TESTS))
        return rows

    def between(self) -> list[Row]:
        """What a likelihood of few values is for those between them, if it takes them."""
        grid, what = _unit(self.shape), "grey x, between 0 and 1"
        binary = self.grid.what == "sum" and set(self.points.ravel()) == {0.0, 1.0}
        if not binary or not _accepts(self.likelihood, grid.x):
            return []
        Z = float(grid.w @ self._density(grid.x))  # (1)
        note = f"mass {Z:.4g}, a cross-entropy there: the ELBO bounds nothing"
        return [Row(what, abs(Z - 1), "no density", note)]
