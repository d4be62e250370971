"""Mutual information and the aggregate posterior, against closed forms and quadrature."""

import math

import numpy as np
import pytest

from scratchae.evaluation.information import (
    distance_of_moments,
    mutual_information,
    surplus,
)

STANDARD_ERRORS = 5.0  # of the mean over codes


def standard_error(found):
    return found.std() / math.sqrt(len(found))


def test_codes_that_are_all_one_tell_nothing(rng):
    mu, logvar = rng.normal(size=(2, 1, 5))
    found = surplus(np.repeat(mu, 70, axis=0), np.repeat(logvar, 70, axis=0))
    assert abs(found).max() < 1e-13 and mutual_information(found) == 0


def test_codes_far_apart_tell_log_N(rng):
    N = 70  # no whole number of blocks
    mu = 100.0 * np.arange(N)[:, None] * rng.choice([-1, 1], (N, 3))
    found = surplus(mu, rng.normal(size=mu.shape))
    assert found == pytest.approx(np.full(N, math.log(N)), abs=1e-12)
    assert mutual_information(found) <= math.log(N)


def test_two_groups_of_codes_tell_which(rng):
    """log 2, and what is within a group is no information."""
    mu = np.where(np.arange(400) % 2, 50.0, -50.0)[:, None]
    assert mutual_information(surplus(mu, np.zeros_like(mu))) == pytest.approx(math.log(2))


@pytest.mark.parametrize("seed", range(3))
def test_a_normal_aggregate_has_a_closed_form(seed):
    """mu ~ N(0, A), sigma one for all: MI = 1/2 sum log(1 + A_d / sigma_d^2), and (3) is the KL of
    N(0, A + sigma^2)."""
    rng, N = np.random.default_rng(seed), 3000
    A, variance = np.array([0.8, 0.5, 0.0]), np.array([0.3, 0.5, 1.0])
    mu = rng.normal(size=(N, 3)) * np.sqrt(A)
    logvar = np.broadcast_to(np.log(variance), mu.shape)
    found, S = surplus(mu, logvar, seed), A + variance
    exact = np.log(S / variance).sum() / 2
    # N codes show up to (e^MI - 1) / N less, the chi-square of their mixture
    allowed = STANDARD_ERRORS * standard_error(found) + math.expm1(exact) / N
    assert abs(mutual_information(found) - exact) < allowed
    assert distance_of_moments(mu, logvar) == pytest.approx(
        (S - 1 - np.log(S)).sum() / 2, abs=STANDARD_ERRORS * math.sqrt(3 / N)
    )


def test_the_moments_are_those_of_the_mixture(rng):
    """(5) for a correlated normal aggregate: half of -log det of the correlation is its share."""
    L = np.array([[1.0, 0.0], [0.8, 0.6]])
    u = rng.normal(size=(500, 2))
    u = (u - u.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(u.T, bias=True))).T
    mu, variance = u @ L.T + 2.0, 1e-6  # exact moments: mean 2, covariance L L^T
    S = L @ L.T + variance * np.eye(2)
    exact = (np.trace(S) + 8 - 2 - math.log(np.linalg.det(S))) / 2
    assert distance_of_moments(mu, np.full(mu.shape, math.log(variance))) == pytest.approx(exact)


def test_a_mixture_against_quadrature(rng):
    """D = 1, three kinds of codes: MI and both bounds of the KL of the aggregate."""
    centres, logvars = np.array([-2.0, 0.5, 2.0]), np.array([-2.0, 0.0, -1.0])
    N = 3000
    kinds = np.arange(N) % 3
    mu, logvar = centres[kinds, None], logvars[kinds, None]
    z = np.linspace(-12, 12, 200_001)[:, None]
    log_q = -((z - centres) ** 2) / np.exp(logvars) / 2 - (logvars + math.log(2 * math.pi)) / 2
    each = np.exp(log_q)
    q, p = each.mean(axis=1), np.exp(-(z[:, 0] ** 2) / 2) / math.sqrt(2 * math.pi)
    exact = np.trapezoid((each * (log_q - np.log(q)[:, None])).mean(axis=1), z[:, 0])
    far = np.trapezoid(q * np.log(q / p), z[:, 0])
    found = surplus(mu, logvar)
    assert abs(found.mean() - exact) < STANDARD_ERRORS * standard_error(found)
    kl = (mu**2 + np.exp(logvar) - 1 - logvar).mean() / 2
    assert kl - exact == pytest.approx(far, rel=1e-9)  # (3)
    assert 0 < distance_of_moments(mu, logvar) < far  # (5)


def test_an_estimate_is_cut_at_0_and_never_above_log_N():
    assert mutual_information(np.array([-0.5, 0.2])) == 0
    assert mutual_information(np.full(4, 9.0)) == math.log(4)
    assert mutual_information(np.array([0.5, 0.7]), 0.55) == 0.55  # nor above the KL


@pytest.mark.parametrize("value", [-100.0, 100.0])
def test_log_variances_of_100_are_finite(rng, value):
    mu = rng.normal(size=(20, 2))
    logvar = np.full_like(mu, value)
    found = surplus(mu, logvar)
    assert np.isfinite(found).all() and np.isfinite(distance_of_moments(mu, logvar))
    expected = math.log(20) if value < 0 else 0.0
    assert mutual_information(found) == pytest.approx(expected, abs=1e-9)


def test_a_seed_is_a_draw(rng):
    mu = rng.normal(size=(50, 2))
    one, again, other = (surplus(mu, 0 * mu, seed) for seed in (1, 1, 2))
    assert (one == again).all() and (one != other).any()
