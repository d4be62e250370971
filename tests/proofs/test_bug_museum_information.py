"""The bug museum, mutual information: famous bugs, planted, each caught by a proof with a name."""

import math

import numpy as np
import pytest
from proofs.exhibits import exhibit

from scratchae.evaluation import information


def the_information_of_normal_codes():
    """mu ~ N(0, 1), sigma = 1/2: q(z) = N(0, 5/4), so that MI = log(5) / 2, and KL(q(z), p(z))."""
    mu = np.random.default_rng(0).normal(size=(1000, 1))
    logvar = np.full_like(mu, math.log(0.25))
    kl = float((mu**2 + 0.25 - 1 - logvar).mean() / 2)
    mi = float(information.surplus(mu, logvar).mean())
    assert (kl - mi) + mi == pytest.approx(kl)  # whatever mi is: the sum proves nothing
    assert mi == pytest.approx(math.log(5) / 2, abs=0.1)
    assert kl - mi == pytest.approx((1.25 - 1 - math.log(1.25)) / 2, abs=0.1)


def surplus(N, without_own=False, of=lambda logvar: np.exp(logvar / 2)):
    """As information.surplus, with another N, without the code's own term, or another sigma."""

    def wrong(mu, logvar, seed=0):
        sigma = of(logvar)
        z = mu + np.exp(logvar / 2) * np.random.default_rng(seed + 1).normal(size=mu.shape)
        log_q = -(((z[:, None] - mu) / sigma) ** 2 / 2 + np.log(sigma)).sum(axis=2)
        own = np.diag(log_q).copy()
        if without_own:
            np.fill_diagonal(log_q, -np.inf)
        return own - np.logaddexp.reduce(log_q, axis=1) + math.log(N)

    return wrong


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(surplus(1), id="log N forgotten, so MI is negative"),
        pytest.param(surplus(1000, of=np.exp), id="the variance for sigma"),
    ],
)
def test_negative_mutual_information(monkeypatch, wrong):
    """Source: vae-lagging #8, "my MI is negative"; bjlkeng sandbox #10, sigma for the variance."""
    monkeypatch.setattr(information, "surplus", surplus(1000))  # the same by another way
    the_information_of_normal_codes()
    monkeypatch.undo()
    exhibit(
        the_information_of_normal_codes,
        lambda: monkeypatch.setattr(information, "surplus", wrong),
    )


def far_codes_show_no_more_than_log_N():
    """20 codes that lie apart: exactly log 20."""
    mu = 100.0 * np.arange(20)[:, None]
    found = information.surplus(mu, np.zeros_like(mu))
    assert found == pytest.approx(np.full(20, math.log(20)))


def test_a_code_left_out_of_its_own_mixture(monkeypatch):
    """MI then has no bound: thousands of nats where log N = 3 is the most that N codes can show.

    Source: leave-one-out estimates, whose log q(z) is that of the other codes."""
    exhibit(
        far_codes_show_no_more_than_log_N,
        lambda: monkeypatch.setattr(information, "surplus", surplus(19, without_own=True)),
    )
