"""check_likelihood where the density is hard to integrate: supports that check bounds, poles and
far tails are told right or "does not settle", never wrong."""

import math

import numpy as np
import pytest
from gradcheck.planting import wrong
from gradcheck.test_distributions import DRAWN, Exponential, Host

from scratchae.backend import get_backend
from scratchae.gradcheck import check_likelihood
from scratchae.gradcheck.distributions import distribution_rows

pytestmark = pytest.mark.slow

MASS = "integral over x (2,)"


def verdicts(report):
    return {row.what: row.verdict for row in report.rows}


class LogNormal(Host):
    """log x ~ N(a, sigma^2)."""

    def __init__(self, sigma):
        self.sigma = sigma

    def check(self, x):
        if not (x > 0).all():
            raise ValueError("x above 0 is expected")

    def value(self, a, x):
        r = (np.log(x) - a) / self.sigma
        return r * r / 2 + np.log(x * self.sigma) + math.log(2 * math.pi) / 2

    def slope(self, a, x):
        return (a - np.log(x)) / self.sigma**2

    def mean(self, a):
        return np.exp(a + self.sigma**2 / 2)

    def sample(self, a, noise):
        return np.exp(a + self.sigma * noise.normal(a.shape))


class LogNormalUnchecked(LogNormal):
    def check(self, x):
        pass


class Gamma(Host):
    """Of shape k and scale exp(a), for k below 1."""

    def __init__(self, k):
        self.k = k

    def check(self, x):
        if not (x > 0).all():
            raise ValueError("x above 0 is expected")

    def value(self, a, x):
        k = self.k
        return x * np.exp(-a) - (k - 1) * np.log(x) + k * a + math.lgamma(k)

    def slope(self, a, x):
        return self.k - x * np.exp(-a)

    def mean(self, a):
        return self.k * np.exp(a)

    def sample(self, a, noise):
        # Gamma(k) = Gamma(1 + k) U^(1 / k), and Gamma(1 + k) by quantiles on a fine grid
        t = np.exp(np.linspace(-14, 4, 20001))
        f = np.exp(-t + self.k * np.log(t)) * t
        F = np.cumsum(f)
        g = np.interp(noise.uniform(a.shape), F / F[-1], t)
        return np.exp(a) * g * noise.uniform(a.shape) ** (1 / self.k)


class Below(Exponential):
    """-x is exponential."""

    def check(self, x):
        if not (x <= 0).all():
            raise ValueError("x of at most 0 is expected")

    def value(self, a, x):
        return super().value(a, -x)

    def slope(self, a, x):
        return super().slope(a, -x)

    def mean(self, a):
        return -super().mean(a)

    def sample(self, a, noise):
        return -super().sample(a, noise)


class Cauchy(Host):
    def value(self, a, x):
        return np.log1p((x - a) ** 2) + math.log(math.pi)

    def slope(self, a, x):
        return 2 * (a - x) / (1 + (x - a) ** 2)

    def sample(self, a, noise):
        return a + np.tan(math.pi * (noise.uniform(a.shape) - 0.5))


class VonMises(Host):
    """exp(cos(x - a)) / (2 pi I_0(1)) on a circle; mean over x from -pi to pi by a sum."""

    def check(self, x):
        if not (np.abs(x) <= math.pi).all():
            raise ValueError("x from -pi to pi is expected")

    def value(self, a, x):
        return -np.cos(x - a) + math.log(2 * math.pi * np.i0(1.0))

    def slope(self, a, x):
        return -np.sin(x - a)

    def mean(self, a):
        x, w = np.polynomial.legendre.leggauss(60)
        p = np.exp(np.cos(math.pi * x - a[..., None])) / (2 * np.i0(1.0))
        return (math.pi * x * p) @ w

    def sample(self, a, noise):
        x = np.linspace(-math.pi, math.pi, 20001)
        F = np.cumsum(np.exp(np.cos(x)))
        F = (F - F[0]) / (F[-1] - F[0])
        drawn = a + np.interp(noise.uniform(a.shape), F, x)
        return (drawn + math.pi) % (2 * math.pi) - math.pi


@pytest.mark.parametrize(
    "likelihood",
    [
        LogNormal(1.0),
        LogNormalUnchecked(1.0),
        Gamma(0.3),
        Gamma(0.1),
        VonMises(),
        LogNormal(0.1),
        Below(),
    ],
)
def test_a_support_is_kept_to(likelihood):
    report = check_likelihood(likelihood, (2,))
    assert report.ok, str(report)
    found = verdicts(report)
    assert [found[what] for what in (MASS, "mean")] == ["right", "right"], str(report)
    assert {found[what] for what in DRAWN} == {"right"}, str(report)


@pytest.mark.parametrize("sigma", [1.5, 2.0])
def test_tails_too_far_for_draws(sigma):
    report = check_likelihood(LogNormal(sigma), (2,))
    found = verdicts(report)
    assert (report.ok, found[MASS], found["mean"]) == (True, "right", "right"), str(report)
    assert found["sample, variance"] == "does not settle", str(report)


def test_moments_that_are_infinite_do_not_settle():
    report = check_likelihood(Cauchy(), (2,))
    assert report.ok, str(report)
    found = verdicts(report)
    assert {found[what] for what in ("mean", *DRAWN)} == {"does not settle"}, str(report)


class Coarse(Exponential):
    """A step in x at twice the mean: no trapezoid rule settles on it."""

    def value(self, a, x):
        return super().value(a, x) + np.where(x > 2 * np.exp(a), 0.1, 0.0)


class LacksMass(LogNormal):
    def value(self, a, x):
        return super().value(a, x) + 0.01


class OffMean(Gamma):
    def mean(self, a):
        return 1.001 * super().mean(a)


class Median(LogNormal):
    def mean(self, a):
        return np.exp(a)


def test_errors_show_on_a_half_line():
    assert list(wrong(check_likelihood(LacksMass(1.0), (2,)))) == [MASS]
    assert list(wrong(check_likelihood(OffMean(0.3), (2,)))) == ["mean"]
    assert list(wrong(check_likelihood(Median(1.5), (2,)))) == ["mean"]


def test_a_coarse_quadrature_calls_no_mean_right():
    report = check_likelihood(Coarse(), (2,))
    assert verdicts(report)["mean"] != "right", str(report)


class Uniform(Host):
    """Between a - 1 and a + 1, which no check tells: its mean comes out by symmetry alone."""

    def value(self, a, x):
        return np.where(np.abs(x - a) <= 1, math.log(2), np.inf)

    def slope(self, a, x):
        return 0 * a

    def sample(self, a, noise):
        return a + 2 * noise.uniform(a.shape) - 1


def test_what_jumps_inside_the_grid_does_not_settle():
    rows = distribution_rows(Uniform(), (2,), get_backend("numpy", "float64"))
    assert {row.verdict for row in rows} == {"does not settle"}, rows
    assert "neither right nor wrong" in rows[0].note
