"""How a claimed gradient is judged: differences along random lines, kinks told from errors, a
report.

A backward pass, handed dy, claims the gradient g of the number F = <f(x), dy>. On a line through x

    F(t) = <f(x + t d), dy>,   d = s n,   n ~ N(0, I),   s = max(rms of x, 0.01)        (1)

the slope must be F'(0) = <g, d>. With steps of t to both sides it is measured as

    D(h) = (F(h) - F(-h)) / 2h                central difference, error O(h^2)          (2)
    R(h) = (4 D(h/2) - D(h)) / 3              extrapolated, error O(h^4)                (3)
    B(h) = (F(h) - 2 F(0) + F(-h)) / h        slope to the right less that to the left  (4)
    E(h) = |D(h) - D(h/2)| + |B(h) - 2 B(h/2)|     how far R(h) can be trusted          (5)

and R is taken at the first h of 1e-2 ... 1e-7 where E is below 3e-7 max(s |g|, |R|, 1e-2 |y|
|dy|). Where F is smooth E goes with h^2. A kink, a jump J of the slope at t = tau h, adds J tau /
2 + J |1 - 3 tau| to E if tau < 1/2, and at most 2/3 of that to the error of R: so a kink between
the steps is never measured across, h shrinks until it lies outside, and a line that still finds
none is replaced by another. Over m = 4 lines,

    e = rms(R_k - <g, d_k>) / S                                                         (6)
    S = max(s |g|, rms(R_k), 1e-5 |y| |dy|)                                             (7)

Since n has the covariance I, the mean square in (6) is on average s^2 |g - true|^2: an error
counts as what it is, the share of the gradient that is wrong. Four lines all but orthogonal to it
are rare: the chance that an error shows as less than 1/100 of itself is 2e-8 (with one line 8e-3).
Right code shows 1e-14 to 1e-9, a planted 0.1 % error about 1e-3, and e <= 1e-6 is "right". The
last term of (7), with y at x or one step away, judges a gradient that is zero, or lost beside the
value, absolutely; the note then says so.

If no line settles, x lies on a kink or a jump. B then stays (kink) or grows (jump) as h shrinks.
On a kink, in each element, a slope between those of the two sides is a fair choice and any other
is "wrong"; and a kink excuses nothing else, so the gradient is measured again beside it, and that
is the error reported.

Source: Nocedal and Wright, "Numerical optimization", 2006, section 8.1 (2); Richardson, "The
approximate arithmetical solution by finite differences", 1911 (3); Clarke, "Optimization and
nonsmooth analysis", 1983, section 2.1 (the slopes at a kink).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import randomness

TOLERANCE = 1e-6
SETTLED = 3e-7
FLOOR, TRUST = 1e-5, 1e-2  # in units of |y| |dy|
STEPS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
LINES, TRIES = 4, 12
BESIDE = 0.01  # how far beside a kink, in units of s
NAMED = 4096  # up to so many elements are differentiated one by one, to name the one at fault

Function = Callable[[np.ndarray], Any]
Gradient = Callable[[np.ndarray, np.ndarray], Any]


@dataclass(frozen=True)
class Row:
    """One gradient: what, error e, "right", "wrong" or "kink", a note. Source: the module."""

    what: str
    error: float
    verdict: str
    note: str = ""


@dataclass(frozen=True)
class Report:
    """The gradients of one thing as a small table: str(report); ``ok`` tells whether none is
    wrong. Source: the module."""

    title: str
    rows: list[Row] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no verdict is "wrong"."""
        return all(row.verdict != "wrong" for row in self.rows)

    def __str__(self) -> str:
        cells = [("what", "relative error", "verdict", "")]
        cells += [(row.what, f"{row.error:.1e}", row.verdict, row.note) for row in self.rows]
        wide = [max(len(line[i]) for line in cells) for i in range(3)]
        lines = [
            f"{a:<{wide[0]}}  {b:>{wide[1]}}  {c:<{wide[2]}}  {d}".rstrip() for a, b, c, d in cells
        ]
        return "\n".join([self.title, lines[0], "-" * (sum(wide) + 4), *lines[1:]])


def probe(shape: tuple[int, ...], number: int) -> np.ndarray:
    """Standard normal draws of that shape, the same for the same number. Source: kernels/philox.py
    (6)."""
    flat = randomness.normal((1, math.prod(shape)), 0, randomness.PROBE, number)
    return flat.reshape(shape)


def rms(a: Any) -> float:
    """The root of the mean square of a, any shape; 0 if it is empty."""
    return float(np.sqrt(np.mean(np.square(a)))) if np.size(a) else 0.0


def judge(what: str, f: Function, gradient: Gradient, x: np.ndarray) -> Row:
    """Hold gradient(x, dy) -> dx like x against differences of f: x (any shape) -> y, in float64.

    Raises TypeError where f computes in another precision. Source: the module, (1) to (7).
    """
    with np.errstate(all="ignore"):  # a step may leave the domain of f, and is then not taken
        return _judge(what, _Claim(f, gradient, np.array(x, dtype=np.float64)))


def _judge(what: str, claim: "_Claim") -> Row:
    if claim.fault:
        return Row(what, math.inf, "wrong", claim.fault)
    error = claim.error()
    if error is None:
        return _on_a_kink(what, claim)
    right = error <= TOLERANCE
    return Row(
        what, error, "right" if right else "wrong", claim.lost() if right else claim.worst()
    )


def _on_a_kink(what: str, claim: "_Claim") -> Row:
    if not 0.5 < claim.bend_ratio() < 2:
        note = "no step settles it: a jump, an infinite slope, or rounding (float32 inside?)"
        return Row(what, math.inf, "wrong", note)
    where, fair = claim.kink()
    beside = _Claim(claim.f, claim.gradient, claim.x + BESIDE * claim.s * probe(claim.x.shape, 1))
    error = None if beside.fault else beside.error()
    if error is None:
        return Row(
            what,
            math.inf,
            "wrong",
            f"{where}, and nothing settles beside it {beside.fault}".rstrip(),
        )
    if error > TOLERANCE:
        return Row(what, error, "wrong", f"{where}; beside it {beside.worst()}")
    return Row(what, error, "kink" if fair else "wrong", f"{where}; right beside it")


class _Claim:
    """f at x, the gradient that is claimed there, and what differences say."""

    def __init__(self, f: Function, gradient: Gradient, x: np.ndarray):
        self.f, self.gradient, self.x = f, gradient, x
        y = np.asarray(f(x.copy()))
        if y.dtype.kind in "fc" and y.dtype != np.float64:
            raise TypeError(
                f"f gives {y.dtype}, but differences need float64: compute in float64, for this "
                "check"
            )
        self.s = max(rms(x), 0.01)  # (1)
        self.dy = probe(y.shape, 0) if y.ndim else np.ones(())
        self.F0 = float(np.vdot(y, self.dy))
        g = np.asarray(gradient(x.copy(), self.dy.copy()), dtype=np.float64)
        # since y may be zero by chance, at a minimum
        aside = np.nan_to_num(f(x + STEPS[0] * self.line(0)[0]))
        self.value = float(np.linalg.norm(self.dy) * max(np.linalg.norm(y), np.linalg.norm(aside)))
        self.fault = self._fault(g)
        if not self.fault:
            self.g = g
            self.size = self.s * float(np.linalg.norm(g))
            self.scale = max(self.size, FLOOR * self.value)  # (7)

    def F(self, x: np.ndarray) -> float:
        return float(np.vdot(self.f(x), self.dy))

    def _fault(self, g: np.ndarray) -> str:
        """What is wrong before anything is measured."""
        if not math.isfinite(self.F0):
            return f"the value is {self.F0}"
        if g.shape == (0,):  # what the bench makes of None
            return "there is no gradient: give one, and not None"
        if g.shape != self.x.shape:
            return f"the gradient has shape {g.shape}, but x has {self.x.shape}"
        if not np.isfinite(g).all():
            return "the gradient is not finite (or not written everywhere)"
        if abs(self.F(self.x.copy()) - self.F0) > 1e-12 * self.value:
            return "two calls at the same x differ: noise must be drawn once, before both passes"
        return ""

    def line(self, k: int) -> tuple[np.ndarray, Callable[[float], float]]:
        d = self.s * probe(self.x.shape, 2 + k)  # (1)
        return d, lambda t: self.F(self.x + t * d)  # (1)

    def error(self) -> float | None:
        """e, or None where too few lines settle."""
        measured, claimed = [], []
        for k in range(TRIES):
            d, F = self.line(k)
            R = settled_slope(F, self.F0, max(self.size, TRUST * self.value))
            if R is not None:
                measured.append(R)
                claimed.append(float(np.vdot(self.g, d)))
            if len(measured) == LINES:
                scale = max(self.scale, rms(measured))  # (7)
                return rms(np.subtract(measured, claimed)) / (scale or 1.0)  # (6)
        return None

    def lost(self) -> str:
        """A word on a gradient that (7) judges absolutely."""
        if self.size >= self.scale > 0:
            return ""
        return f"{'tiny beside the value' if self.size else 'zero'}: judged absolutely"

    def bend_ratio(self) -> float:
        """B at the last step over B at the one before: 1 on a kink, 10 on a jump, 1/10 where F is
        smooth."""
        B = np.empty((2, LINES))
        for k in range(LINES):
            _, F = self.line(k)
            B[:, k] = [(F(h) - 2 * self.F0 + F(-h)) / h for h in STEPS[-2:]]  # (4)
        return rms(B[1]) / (rms(B[0]) or 1.0)

    def sides(self, h: float) -> tuple[np.ndarray, np.ndarray]:
        """The slopes to the left and to the right along each element of x, like x."""
        left, right = np.empty(self.x.shape), np.empty(self.x.shape)
        for i in range(self.x.size):
            step = np.zeros(self.x.shape)
            step.flat[i] = h * self.s
            left.flat[i] = (self.F0 - self.F(self.x - step)) / (h * self.s)
            right.flat[i] = (self.F(self.x + step) - self.F0) / (h * self.s)
        return left, right

    def worst(self) -> str:
        """The element whose gradient is furthest from its difference."""
        if self.x.size > NAMED:
            return ""
        left, right = self.sides(1e-5)
        measured = (left + right) / 2  # (2)
        i = _largest(np.abs(measured - self.g))
        return f"furthest off at {[*i]}: claimed {self.g[i]:.6g}, measured {measured[i]:.6g}"

    def kink(self) -> tuple[str, bool]:
        """The element along which the sides differ most; whether no slope claimed is outside its
        two sides."""
        if self.x.size > NAMED:
            return "kink", True
        left, right = self.sides(STEPS[-2])
        slack = 1e-4 * np.abs([self.g, left, right]).max()
        outside = np.maximum(np.minimum(left, right) - self.g, self.g - np.maximum(left, right))
        fair = bool(outside.max() <= slack)
        i = _largest(np.abs(right - left) if fair else outside)
        here = f"at {[*i]}, x = {self.x[i]:.4g}: slopes {left[i]:.4g} and {right[i]:.4g}"
        return (
            f"kink {here}" if fair else f"on a kink, but {here}, and {self.g[i]:.4g} is claimed",
            fair,
        )


def settled_slope(F: Callable[[float], float], F0: float, scale: float) -> float | None:
    """F'(0) from differences, or None where no step settles; scalars, scale is that of F'."""
    for h in STEPS:
        ahead, behind, near_ahead, near_behind = F(h), F(-h), F(h / 2), F(-h / 2)
        D, D_half = (ahead - behind) / (2 * h), (near_ahead - near_behind) / h  # (2)
        R = (4 * D_half - D) / 3  # (3)
        B = (ahead - 2 * F0 + behind) / h  # (4)
        B_half = (near_ahead - 2 * F0 + near_behind) / (h / 2)  # (4)
        E = abs(D - D_half) + abs(B - 2 * B_half)  # (5)
        if max(scale, abs(R)) * SETTLED >= E:
            return R
    return None


def _largest(a: np.ndarray) -> tuple[int, ...]:
    return tuple(int(n) for n in np.unravel_index(np.argmax(a), a.shape))
