"""Whether a likelihood is a distribution: its mass is one, mean is its mean, sample draws from it.

No gradient check can see a constant that is missing in nll. With p(x) = exp(-nll), nats, for one a
and rows of two values x = (x_0, x_1),

    Z = int p(x) dx = 1,                       a sum where x takes few values           (1)
    m = int x p(x) dx / Z                      is what mean(a) is to give               (2)
    V = int (x - m)^2 p(x) dx / Z              and higher moments likewise              (3)

Where x is taken, and how the integral is refined, stands in grids.py. The verdict is "does not
settle", neither right nor wrong, where two refinements differ by more than 1e-4, where mass beyond
the grid may count (tails as far as those of Cauchy), where a moment is infinite, or where n draws
tell it to no better than 5 %. So the integral cannot judge a p with a jump or a spike inside its
support, with a pole at a bound other than 0, or with a bound that neither check nor draws near 0
tell: let check refuse what lies outside. Of n draws u = (x - m) / sqrt(V) is to have mean 0 and
variance 1, and of u_0 u_1 the mean that p gives it (moments.py).

Source: the definitions of a density and of its moments (1 to 3); grids.py.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from ..backend import Backend
from ..likelihoods import Likelihood
from ..randomness import OUTPUTS, Draws
from . import grids
from .measure import TOLERANCE, Row, probe
from .moments import mean_row

Shape = tuple[int, ...]
Density = Callable[[np.ndarray], np.ndarray]
DRAWS = 2**20  # rows; an error of 1 % in the variance is then 10 standard errors
LOOK = 2**15  # rows that are drawn to see which values x takes
SETTLED = 1e-4  # what refinements may differ by, in units of what is integrated
KNOWN = 0.05  # standard error of a mean of draws, and doubt of a fourth moment, that tell enough
UNSETTLED = "does not settle"
TESTS = 6  # means that are judged for one likelihood


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
    likelihood: Likelihood, shape: Shape, backend: Backend, n: int = DRAWS
) -> list[Row]:
    """The mass over two values along each axis of data (N, *shape), then mean and sample.

    Source: the module, (1) to (3)."""
    looked = [_Looked(likelihood, small, backend) for small in small_shapes(shape)]
    found, last = [each.mass() for each in looked], looked[-1]
    if not likelihood.is_distribution:
        return found
    return [*found, last.mean(), *last.sample(n), *last.between()]


def _drawn(likelihood: Likelihood, a: np.ndarray, n: int) -> np.ndarray:
    """x (n, *shape) ~ p(x | a)."""
    rows = np.ascontiguousarray(np.broadcast_to(a, (n, *a.shape[1:])))
    return np.asarray(likelihood.sample(rows, Draws(0, OUTPUTS)), np.float64)


def _grid(likelihood: Likelihood, a: np.ndarray, shape: Shape, density: Density) -> grids.Grid:
    """Where p(x | a) is to be summed or integrated; density: x (M, *shape) -> p (M,)."""
    mean, D = np.asarray(likelihood.mean(a), np.float64).ravel(), math.prod(shape)
    if not likelihood.is_distribution:
        return grids.line(shape, mean if len(mean) == D else np.zeros(D), np.ones(D))
    x = _drawn(likelihood, a, LOOK).reshape(LOOK, -1)
    values, accepts = [np.unique(column) for column in x.T], partial(_accepts, likelihood)
    if max(map(len, values)) <= grids.FEW:
        return grids.few(accepts, shape, values, LOOK)
    low, high = grids.bounds(accepts, shape, x)
    near_0, near_1 = x.min() < 1e-3 * np.median(x, axis=0).min(), 1 - x.max() < 1e-3
    if x.min() >= 0 and x.max() <= 1 and (near_0 or near_1):
        low, high = max(low, 0.0), min(high, 1.0)
    elif x.min() >= 0 and low < 0 and (near_0 or not density(-x.reshape(LOOK, *shape)).any()):
        low = 0.0
    if math.isfinite(low) and math.isfinite(high):
        return grids.interval(shape, low, high)
    if math.isfinite(low):
        return grids.half(shape, low, x)
    if math.isfinite(high):
        mirrored = grids.half(shape, -high, -x)
        return replace(mirrored, x=-mirrored.x)
    first, middle, third = np.quantile(x, (0.25, 0.5, 0.75), axis=0)
    inside = len(mean) == D and (x.min(axis=0) < mean).all()
    inside = inside and (mean < x.max(axis=0)).all()
    return grids.line(shape, mean if inside else middle, third - first)


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
        self.grid = _grid(self.likelihood, self.a, shape, self._density)
        self.p = self._density(self.grid.x, self.grid.log_w)  # (M,), weights included
        with np.errstate(all="ignore"):
            self.Z = float(self.grid.w @ self.p)  # (1)
            self.share = self.grid.w * self.p / self.Z  # (M,): what a sum over p weighs
        self.points = self.grid.x.reshape(len(self.p), -1)  # (M, D)
        self.m = self.share @ self.points  # (2)
        self.V = self.share @ (self.points - self.m) ** 2  # (3)

    def _density(
        self, x: np.ndarray, log_w: np.ndarray | float = 0.0, unit: float = 1.0
    ) -> np.ndarray:
        """p w (M,) at x (M, *shape), 0 where nll is not a number; unit: of nll, in nats."""
        self.likelihood.bind(self.backend, len(x), self.shape)
        rows = np.ascontiguousarray(np.broadcast_to(self.a, (len(x), *self.a.shape[1:])))
        a, x = self.backend.asarray(rows), self.backend.asarray(x)
        with np.errstate(all="ignore"):  # x may leave what the likelihood has numbers for
            p = np.exp(log_w - unit * self.backend.to_host(self.likelihood.forward(a, x)))
        return np.where(np.isnan(p), 0.0, p)

    def mass(self) -> Row:
        """Whether Z is one."""
        grid, error = self.grid, abs(self.Z - 1)
        what, doubt = f"{grid.what} over x {self.shape}", grid.doubt(self.p)
        if doubt <= SETTLED and error <= TOLERANCE + grid.unseen + 2 * doubt:
            return Row(what, error, "right")
        if not self.likelihood.is_distribution:
            note = f"an error, no distribution, as it cannot draw: {self._mass_told()}"
            return Row(what, error, "no density", note)
        # what is off by far more than all refinements differ by is off
        if self.Z > 0 and error > TOLERANCE + grid.unseen + 10 * grid.most(self.p):
            return Row(what, error, "wrong", self._mass_told())
        return Row(what, error, UNSETTLED, self._mass_told())

    def _mass_told(self) -> str:
        Z, most = self.Z, self.grid.most(self.p)
        if not (Z > 0 and 10 * most < abs(Z - 1)):
            say = f"the mass is {Z:.4g}, give or take {most:.2g}"
            return f"quadrature does not settle: {say}, neither right nor wrong"
        bits = self._density(self.grid.x, self.grid.log_w, math.log(2))
        if abs(self.grid.w @ bits - 1) < TOLERANCE:
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
        error = np.abs(claimed - self.m) / size  # (2)
        i = int(np.argmax(np.nan_to_num(error, nan=np.inf)))
        away = self.points[:, i] - self.m[i]
        finite = self.doubts(self.grid.doubt, away**2, size[i] ** 2) <= KNOWN
        # a mass that is not settled makes no mean right, not even one right by symmetry
        both = (self.doubts(self.grid.doubt, f, size[i]) for f in (away, size[i] + 0 * away))
        doubt = float(np.max(list(both)))
        slack = TOLERANCE + 100 * self.grid.unseen
        if finite and doubt <= SETTLED and error[i] <= slack + 2 * doubt:
            return Row("mean", float(error[i]), "right")
        if not (finite and error[i] > slack + 10 * self.doubts(self.grid.most, away, size[i])):
            return Row(
                "mean", float(error[i]), UNSETTLED, "moments of p: infinite, or p too sharp"
            )
        note = f"mean(a) is {claimed[i]:.6g} where that of p is {self.m[i]:.6g}"
        return Row("mean", float(error[i]), "wrong", note)

    def doubts(self, doubt: Callable[[np.ndarray], float], f: np.ndarray, size: float) -> float:
        """How far the mean over p of f (M,) may be from settled, in units of size."""
        with np.errstate(all="ignore"):
            return float(doubt(self.p * f) / np.float64(abs(self.Z) * size))

    def sample(self, draws: int) -> list[Row]:
        """Whether draws have the moments of p."""
        s = np.sqrt(np.where(self.V > 0, self.V, 1))
        one = self.V / (s * s)  # 1, or 0 where x is a constant
        drawn = _drawn(self.likelihood, self.a, draws).reshape(draws, -1)
        with np.errstate(all="ignore"):
            u, of_p = (drawn - self.m) / s, (self.points - self.m) / s
            spread = self.share @ of_p**4 - one  # (3)
            second = float(np.max([self.doubts(self.grid.doubt, v, 1.0) for v in (of_p**2).T]))
            powers = zip((of_p**4).T, spread, strict=True)
            fourth = float(
                np.max([second, *(self.doubts(self.grid.doubt, v, 1.0 + k) for v, k in powers)])
            )
        rows = [
            self._moment("mean", u.mean(axis=0), one, draws, second),
            self._moment("variance", (u * u).mean(axis=0) - one, spread, draws, fourth),
        ]
        if u.shape[1] == 2:
            both = of_p.prod(axis=1)
            r, square = self.share @ both, self.share @ both**2  # (3)
            off = u.prod(axis=1).mean() - r
            rows.append(self._moment("both values", off, square - r * r, draws, second))
        return rows

    def _moment(self, what: str, off: np.ndarray, v: np.ndarray, draws: int, doubt: float) -> Row:
        """A row of ``sample``: means off (k,) of draws, of variance v (k,) each."""
        what, error = f"sample, {what}", float(np.max(np.abs(off)))
        if not doubt <= KNOWN or not np.sqrt(np.max(np.maximum(v, 0)) / draws) <= KNOWN:
            note = "a moment of p: infinite, or too far in the tails for so many draws"
            return Row(what, error, UNSETTLED, note)
        return mean_row(what, off, v, draws, TESTS)

    def between(self) -> list[Row]:
        """What a likelihood of few values is for those between them, if it takes them."""
        grid, what = grids.interval(self.shape), "grey x, between 0 and 1"
        binary = self.grid.what == "sum" and set(self.points.ravel()) == {0.0, 1.0}
        if not binary or not _accepts(self.likelihood, grid.x):
            return []
        Z = float(grid.w @ self._density(grid.x, grid.log_w))  # (1)
        note = f"mass {Z:.4g}, a cross-entropy there: the ELBO bounds nothing"
        return [Row(what, abs(Z - 1), "no density", note)]
