"""The bug museum, of importance weights: famous bugs of IWAE and of log p(x), planted here, each
caught by a proof with a name. The proofs are those of importance_claims.py.
"""

import math
from functools import partial

import numpy as np
import pytest
from proofs import importance_claims as claims
from proofs.exhibits import exhibit

from scratchae import IWAE, STL, DReG
from scratchae.evaluation import likelihood
from scratchae.execution.threads import ThreadRunner
from scratchae.kernels import importance
from scratchae.kernels.kernel import Kernel


def weigh(monkeypatch, wrong):
    """Other weights and bounds in the place of the kernel's: wrong(w, bound, nll, r)."""
    kernel = Kernel(wrong)
    return lambda: monkeypatch.setattr("scratchae.objectives.iwae.IMPORTANCE_WEIGHTS", kernel)


def rows(w, bound):
    """w as (N, K), a view."""
    return w.reshape(len(bound), -1)


def exact_posterior(tolerance, kind=IWAE):
    return partial(claims.the_exact_posterior_gives_log_p_in_every_draw, kind, "numpy", tolerance)


SLOPE = partial(claims.the_gradient_is_the_slope_of_the_loss, "numpy")


def test_log_K_forgotten(monkeypatch, tolerance):
    """log sum w in the place of log mean w: "tighter" by log K than log p(x) itself. Source: scvi
    #13.

    Its gradient is right, so a gradient check sees nothing."""

    def wrong(w, bound, nll, r):
        importance.importance_weights(w, bound, nll, r)
        bound -= math.log(rows(w, bound).shape[1])

    exhibit(exact_posterior(tolerance), weigh(monkeypatch, wrong))
    SLOPE()
    with pytest.raises(AssertionError):
        claims.more_samples_come_closer_to_log_p("numpy")


def test_log_K_forgotten_in_log_p(monkeypatch, tolerance):
    """The same in the evaluation: 5,000 samples are worth 8.5 nats."""
    result = likelihood._Run.result

    def wrong(self):
        found = result(self)
        each = found.each + math.log(self.samples)
        return likelihood.LogLikelihood(each, found.ess, self.samples)

    plant = partial(monkeypatch.setattr, likelihood._Run, "result", wrong)
    exhibit(partial(claims.log_p_is_exact_of_every_row, 60, tolerance), plant)


def test_logsumexp_of_the_nll(monkeypatch):
    """log mean exp(nll + r) in the place of -log mean exp(-nll - r). Source: CategoricalNF #2.

    Value and gradient agree, and it is a bound, which more samples make worse."""

    def wrong(w, bound, nll, r):
        importance.importance_weights(w, bound, -nll, -r)
        bound *= -1

    exhibit(partial(claims.more_samples_come_closer_to_log_p, "numpy"), weigh(monkeypatch, wrong))
    SLOPE()


def test_the_closed_form_of_the_kl_inside_the_weights(monkeypatch, tolerance):
    """Each sample's log q - log p is replaced by its mean, the KL. Source: PyTorch-VAE #34."""

    def wrong(w, bound, nll, r):
        mean = r.reshape(len(bound), -1).mean(axis=1, keepdims=True)
        every = np.broadcast_to(mean, (len(bound), len(r) // len(bound))).reshape(-1)
        importance.importance_weights(w, bound, nll, every)

    exhibit(exact_posterior(tolerance), weigh(monkeypatch, wrong))


def test_the_last_batch_alone(monkeypatch, tolerance):
    """The estimate of a data set is that of its last batch. Source: scvi #1032."""
    result = likelihood._Run.result

    def wrong(self):
        found = result(self)
        first = (self.N - 1) // self.G * self.G
        return likelihood.LogLikelihood(found.each[first:], found.ess[first:], self.samples)

    plant = partial(monkeypatch.setattr, likelihood._Run, "result", wrong)
    exhibit(partial(claims.log_p_is_exact_of_every_row, 60, tolerance), plant)


def test_the_last_batch_alone_in_evaluate(monkeypatch):
    def wrong(self, feeds, n, batch_size):
        every = np.arange(n, dtype=np.uint32)
        return self.forward(feeds, every[(n - 1) // batch_size * batch_size :])

    plant = partial(monkeypatch.setattr, ThreadRunner, "measure", wrong)
    exhibit(claims.evaluate_is_the_mean_of_every_row, plant)


def test_samples_beyond_whole_batches(monkeypatch, tolerance):
    """n samples in batches of b are b (n // b), and b where n <= b, but the mean is over n.
    Source: pythae's get_nll.

    For multiples of b nothing is to be found."""
    init = likelihood._Run.__init__

    def wrong(self, *args):
        init(self, *args)
        self.pieces = max(1, self.samples // likelihood.SAMPLES)

    plant = partial(monkeypatch.setattr, likelihood._Run, "__init__", wrong)
    exhibit(partial(claims.log_p_is_exact_of_every_row, 99, tolerance), plant)
    claims.log_p_is_exact_of_every_row(100, tolerance)


def test_the_weights_of_the_worst_sample(monkeypatch, tolerance):
    """softmax(nll + r): the least likely sample has the largest weight.

    Where the posterior is exact all weights are equal, and nothing is to be found."""

    def wrong(w, bound, nll, r):
        importance.importance_weights(w, bound, -nll, -r)
        importance.importance_weights(np.empty_like(w), bound, nll, r)

    exhibit(SLOPE, weigh(monkeypatch, wrong))
    exact_posterior(tolerance)()


def test_weights_that_are_no_constants(monkeypatch):
    """The gradient of sum_k w_k (nll_k + r_k) with w_k as a function too. Source: PyTorch-VAE
    #34."""

    def wrong(w, bound, nll, r):
        importance.importance_weights(w, bound, nll, r)
        cost, w = rows(nll + r, bound), rows(w, bound)
        w *= 1 - cost + (w * cost).sum(axis=1, keepdims=True)

    exhibit(SLOPE, weigh(monkeypatch, wrong))


MEAN_SLOPE = claims.the_mean_gradient_is_the_slope_of_the_mean_loss


def test_qs_parameters_detached_in_iwae(monkeypatch):
    """log q's own derivative by mu and logvar is left out of IWAE, as in STL: a bias for K > 1.

    For K = 1 the mean is right, and nothing is to be found but more noise or less."""
    plant = partial(monkeypatch.setattr, IWAE, "backward", STL.backward)
    exhibit(partial(MEAN_SLOPE, IWAE, 2), plant)
    MEAN_SLOPE(IWAE, 1)


def test_z_detached_with_q(monkeypatch):
    """DReG detaches log q and not z; with z as well the encoder learns nothing, as mmvae #4
    asks."""

    def wrong(self, total):
        path = self.latent.path
        self.latent.path = lambda dz, w: 0 * path(dz, w)
        DREG(self, total)
        self.latent.path = path

    DREG = DReG.backward
    plant = partial(monkeypatch.setattr, DReG, "backward", wrong)
    exhibit(partial(MEAN_SLOPE, DReG, 2), plant)


def test_dreg_with_the_weights_of_iwae(monkeypatch):
    """w in the place of w^2 on the path: STL, which is biased for K > 1."""
    plant = partial(monkeypatch.setattr, DReG, "backward", STL.backward)
    exhibit(partial(MEAN_SLOPE, DReG, 2), plant)
    MEAN_SLOPE(DReG, 1)
