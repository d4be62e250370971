"""The bug museum of likelihoods: famous bugs, planted here, each caught by a proof with a name.

As test_bug_museum.py: the proof holds, the bug is planted, the proof fails; where a gradient check
does not see the bug, that is shown too.
"""

import math

import numpy as np
import pytest
from proofs.test_bug_museum import exhibit

import scratchae as sa
from scratchae.gradcheck import check_model
from scratchae.gradcheck.models import likelihood_gradients
from scratchae.kernels import continuous_bernoulli, discretised_logistic
from scratchae.kernels.errors import ABSOLUTE_ERROR
from scratchae.kernels.kernel import Kernel

X = np.random.default_rng(0).normal(size=(60, 5))


def the_density_integrates_to_one():
    """Of the continuous Bernoulli, near a = 0 and far from it, by 64 nodes of Gauss-Legendre."""
    t, w = np.polynomial.legendre.leggauss(64)
    p = sa.by_hand(sa.ContinuousBernoulli(), 1, backend="reference")
    for a in (0.0, 0.0035, 0.3, -0.45, 4.0, -30.0):
        x = (t[:, None] + 1) / 2
        mass = w @ np.exp(-p(np.full_like(x, a), x)) / 2
        assert abs(mass - 1) < 1e-9, a


def its_gradient_is_right(likelihood):
    rows = likelihood_gradients(likelihood, (2,), None, 3, sa.get_backend("reference", "float64"))
    assert all(row.verdict == "right" for row in rows)


def test_a_wrong_term_of_the_taylor_series(monkeypatch):
    """The second coefficient of the normaliser's series has another sign, that of its slope has
    not. Source: TensorFlow Probability #1511, #1512, where the KL became negative."""
    c = continuous_bernoulli.SERIES
    wrong = c[0], -c[1], *c[2:]
    exhibit(
        the_density_integrates_to_one,
        lambda: monkeypatch.setattr(continuous_bernoulli, "SERIES", wrong),
    )


def planted_a(change, slope):
    """A continuous Bernoulli whose A(a) is change(A, a) and whose A'(a) is slope(A', a)."""
    right = continuous_bernoulli.continuous_bernoulli_nll

    def nll(nll, da, a, x):
        rows = np.repeat(x, len(a) // len(x), axis=0)
        A, A1 = np.empty((len(a), a.shape[1])), np.empty_like(a)
        for d in range(a.shape[1]):  # A of each value: the nll of x = 0
            right(A[:, d], A1[:, d : d + 1], a[:, d : d + 1].copy(), np.zeros((len(a), 1)))
        nll[...] = (change(A, a) - rows * a).sum(axis=1)
        da[...] = slope(A1, a) - rows

    return Kernel(nll)


def test_a_band_cut_out_around_one_half(monkeypatch):
    """lambda = sigmoid(a) within .001 of 1/2 is taken for 1/2, where the normaliser is 2: exact at
    a = 0 alone, and a step at the band's edges. Source: the first implementations of the paper;
    the band that is left in PyTorch and TensorFlow Probability is bridged by a series."""

    def within(a):
        return np.abs(1 / (1 + np.exp(-a)) - 0.5) < 0.001

    kernel = planted_a(
        lambda A, a: np.where(within(a), np.logaddexp(0, a) - math.log(2), A),
        lambda A1, a: np.where(within(a), 1 / (1 + np.exp(-a)), A1),
    )
    exhibit(
        the_density_integrates_to_one,
        lambda: monkeypatch.setattr(sa.ContinuousBernoulli, "kernel", kernel),
    )
    its_gradient_is_right(sa.ContinuousBernoulli())


def test_a_clamped_lambda(monkeypatch):
    """The normaliser is that of lambda clamped to within 1e-7 of 0 and 1, x a is that of the logit
    as it is. Source: PyTorch #72525, where the KL becomes negative."""
    most = math.log(1e7)
    right = continuous_bernoulli.continuous_bernoulli_nll

    def at(a):
        A, A1 = np.empty(a.size), np.empty((a.size, 1))
        right(A, A1, np.clip(a, -most, most).reshape(-1, 1), np.zeros((a.size, 1)))
        return A.reshape(a.shape), A1.reshape(a.shape)

    kernel = planted_a(
        lambda A, a: at(a)[0], lambda A1, a: np.where(np.abs(a) < most, at(a)[1], 0)
    )
    exhibit(
        the_density_integrates_to_one,
        lambda: monkeypatch.setattr(sa.ContinuousBernoulli, "kernel", kernel),
    )
    its_gradient_is_right(sa.ContinuousBernoulli())


def a_mean_far_off_is_pulled_back():
    """By 1 / s, over the whole range and for any scale; and log s feels it too."""
    p = sa.by_hand(sa.DiscretisedLogistic(), 1, backend="reference")
    for log_s in (-3.0, -6.5, -8.0):
        s = 1 / 255 / 64 + math.exp(log_s)
        p(np.array([[0.9, log_s]]), np.array([[51 / 255]]))
        dmu, dlog_s = p.backward()[0]
        assert dmu == pytest.approx(1 / s, rel=1e-3), log_s
        off, share = 0.7 / s, math.exp(log_s) / s
        assert dlog_s == pytest.approx(share * (1 - off), rel=0.05), log_s


def test_a_probability_and_a_scale_that_are_clamped(monkeypatch):
    """max(P, 1e-12) and max(log s, -7). Source: PixelCNN++ and what was made of it.

    The clamps are in the gradient too, which is therefore right, and zero where a mean is far
    off."""
    right = discretised_logistic.discretised_logistic_nll

    def clamped(nll, da, a, x, *constants):
        C, K = x.shape[2], len(a) // len(x)
        a, x = a.copy(), np.repeat(x, K, axis=0)
        held = a[..., C:] < -7
        a[..., C:] = np.maximum(a[..., C:], -7)
        nll[...] = 0
        for p in range(x.shape[1]):
            for c in range(C):
                one, slope = np.empty(len(a)), np.empty((len(a), 1, 2))
                right(
                    one, slope, a[:, p : p + 1, [c, C + c]], x[:, p : p + 1, c : c + 1], *constants
                )
                slope *= (one < -math.log(1e-12))[:, None, None]
                nll += np.minimum(one, -math.log(1e-12))
                da[:, p, c], da[:, p, C + c] = slope[:, 0, 0], slope[:, 0, 1]
        da[..., C:][held] = 0

    exhibit(
        a_mean_far_off_is_pulled_back,
        lambda: monkeypatch.setattr(sa.DiscretisedLogistic, "kernel", Kernel(clamped)),
    )
    its_gradient_is_right(sa.DiscretisedLogistic(5))


def autoencoder(likelihood):
    return sa.Autoencoder(sa.Dense(5, 3), sa.Dense(3, 5), likelihood).build(5, seed=1)


def a_learned_sigma_is_the_error():
    """Of data that a decoder copies but for noise of .1, sigma ends below .2."""
    rng = np.random.default_rng(1)
    code = rng.normal(size=(200, 2))
    x = code @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(200, 5))
    encoder, decoder = sa.Dense(5, 2), sa.Dense(2, 5)
    model = sa.Autoencoder(encoder, decoder, sa.SharedGaussian()).build(5, seed=1)
    sa.fit(model, x, sa.Adam(2e-2), epochs=150, batch_size=50, progress=False)
    error = math.sqrt(((model.reconstruct(x) - x) ** 2).mean())
    loss = 5 / 2 * (math.log(2 * math.pi * error**2) + 1)
    assert sa.evaluate(model, x)["loss"] == pytest.approx(loss, abs=0.1)


def test_a_softplus_that_pins_sigma(monkeypatch):
    """sigma^2 = 1 + exp(logvar), so it is never below 1, however well the decoder does. Source:
    vamb #182, where it was 1 plus a softplus for years.

    The gradient is right, and so is the density, of another model."""
    exhibit(
        a_learned_sigma_is_the_error,
        lambda: monkeypatch.setattr(sa.SharedGaussian, "constants", lambda self, shape: (0.0,)),
    )
    assert check_model(autoencoder(sa.SharedGaussian()), X[:6]).ok


def an_example_has_its_own_likelihood():
    """log p(x | a) of an example is the same alone and among others."""
    likelihood, a = sa.SharedGaussian(0.5), 0 * X
    together = likelihood.log_prob(X, a)
    alone = [likelihood.log_prob(X[n : n + 1], a[:1])[0] for n in range(3)]
    np.testing.assert_allclose(together[:3], alone, rtol=1e-12)


def test_a_sigma_of_the_test_batch(monkeypatch):
    """What is measured has a sigma fitted to it first. Source: code of sigma-VAEs, whose optimal
    sigma is taken in evaluation as in training; OptimalGaussian has no log_prob for that
    reason."""

    def fitted(self, x, a):
        sigma = math.sqrt(((np.asarray(x) - a) ** 2).mean())
        return sa.GaussianLikelihood(sigma).log_prob(x, a)

    exhibit(
        an_example_has_its_own_likelihood,
        lambda: monkeypatch.setattr(sa.SharedGaussian, "log_prob", fitted),
    )


def no_sigma_is_better_than_the_optimal_one():
    """The loss is that of a Gaussian of the root mean square, and below that of any other."""
    model = autoencoder(sa.OptimalGaussian())
    sigma = model.likelihood.sigma(X, model.reconstruct(X))
    loss = sa.evaluate(model, X)["loss"]
    found = [
        sa.evaluate(autoencoder(sa.GaussianLikelihood(f * sigma)), X)["loss"]
        for f in (0.9, 1, 1.1)
    ]
    assert loss == pytest.approx(found[1], rel=1e-5) and loss < min(found[0], found[2])


def test_a_square_that_is_missing(monkeypatch):
    """sigma^2 is the mean of |a - x|. Source: eq. 5 of "Simple and effective VAE training with
    calibrated decoders", as its authors agree (sigma-vae-pytorch #1)."""
    exhibit(
        no_sigma_is_better_than_the_optimal_one,
        lambda: monkeypatch.setattr(sa.OptimalGaussian, "kernel", ABSOLUTE_ERROR),
    )
