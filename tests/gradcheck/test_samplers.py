"""check_sampler: the library's latent passes, and each planted error shows in its own line."""

import numpy as np
import pytest
from gradcheck.planting import spoiled, wrong

import scratchae as sa
from scratchae.gradcheck import check_latent, check_sampler
from scratchae.gradcheck.moments import ALARM, allowed
from scratchae.latents import gaussian

pytestmark = pytest.mark.slow

FEW = 2**18  # draws, for errors that are larger than 1 %


@pytest.mark.parametrize("D", [1, 2, 5, 40])
def test_the_latent_of_the_library(backend, D):
    report = check_sampler(sa.Gaussian(D), draws=FEW, backend=backend)
    assert report.ok and len(report.rows) == (8 if D > 1 else 7), str(report)
    assert report.title == "sampler of Gaussian"


def test_a_row_of_ones_own():
    """Also at the prior, where logvar is 0 and a sigma of exp(logvar) would be right."""
    for h in (np.zeros(6), np.array([3.0, -2.0, -6.0, 4.0])):
        assert check_sampler(sa.Gaussian(len(h) // 2), h, FEW).ok
    with pytest.raises(ValueError, match=r"rows of shape \(6,\), but Gaussian\(2\) takes"):
        check_sampler(sa.Gaussian(2), np.zeros(6))


class OneSpread(sa.Gaussian):
    """h is mu alone, sigma a number of the latent's."""

    def __init__(self, dimensions, sigma):
        self.dimensions, self.sigma = dimensions, sigma

    def check(self, shape):
        if shape != (self.dimensions,):
            raise ValueError(f"rows of shape {shape}, but ({self.dimensions},) is expected")

    def forward(self, h):
        return np.repeat(h, self.samples, axis=0) + self.sigma * self.eps[: len(h) * self.samples]


def test_a_latent_that_is_handed_something_else():
    mu = np.array([1.5, -0.5])
    for h, draws in ((mu, FEW), ([1.5, -0.5], FEW)):
        assert check_sampler(OneSpread(2, 0.3), h, draws, mu=mu, sigma=0.3).ok
    for planted in (OneSpread(2, 0.31), OneSpread(2, 0.09)):
        assert list(wrong(check_sampler(planted, mu, FEW, mu=mu, sigma=0.3))) == ["variance"]
    with pytest.raises(ValueError, match=r"say what z is to have, check_sampler\(latent, h, mu"):
        check_sampler(OneSpread(2, 0.3), mu)
    with pytest.raises(ValueError, match=r"rows of shape \(4,\), but \(2,\) is expected"):
        check_sampler(OneSpread(2, 0.3))


def sampling(change):
    """The latent's kernel with z <- change(mu, logvar, eps), all (M, D)."""

    def spoil(z, kl, h, eps):
        mu, logvar = np.split(np.repeat(h, len(z) // len(h), axis=0), 2, axis=1)
        z[...] = change(mu, logvar, eps)

    return spoiled(gaussian.GAUSSIAN_SAMPLE, spoil)


SIGMAS = {
    "exp(logvar)": lambda mu, logvar, eps: mu + np.exp(logvar) * eps,
    "logvar": lambda mu, logvar, eps: mu + logvar * eps,
    "1": lambda mu, logvar, eps: mu + eps,
}


@pytest.mark.parametrize("sigma", SIGMAS)
def test_a_wrong_sigma_is_seen(sigma, backend, monkeypatch):
    monkeypatch.setattr(gaussian, "GAUSSIAN_SAMPLE", sampling(SIGMAS[sigma]))
    report = check_sampler(sa.Gaussian(3), draws=FEW, backend=backend)
    assert list(wrong(report)) == ["variance"], str(report)
    note = next(row.note for row in report.rows if row.what == "variance")
    assert "where mu is" in note and (sigma != "exp(logvar)" or ", exp(logvar) " in note)


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_one_percent_of_the_variance_is_seen(factor, monkeypatch):
    off = sampling(lambda mu, logvar, eps: mu + np.sqrt(factor) * np.exp(logvar / 2) * eps)
    monkeypatch.setattr(gaussian, "GAUSSIAN_SAMPLE", off)
    for D in (1, 4, 20):
        assert list(wrong(check_sampler(sa.Gaussian(D)))) == ["variance"]


@pytest.mark.parametrize("factor", [0.0, 0.99, -1.0])
def test_a_wrong_mean_is_seen(factor, monkeypatch):
    off = sampling(lambda mu, logvar, eps: factor * mu + np.exp(logvar / 2) * eps)
    monkeypatch.setattr(gaussian, "GAUSSIAN_SAMPLE", off)
    report = check_sampler(sa.Gaussian(3))
    assert list(wrong(report)) == ["mean"], str(report)


def test_what_is_not_finite_is_seen(monkeypatch):
    monkeypatch.setattr(gaussian, "GAUSSIAN_SAMPLE", sampling(lambda mu, logvar, eps: eps / 0))
    with np.errstate(all="ignore"):
        assert not check_sampler(sa.Gaussian(2), draws=FEW).ok


class Mine(sa.Gaussian):
    """A reader's own latent: z = mu + sigma noise(uniforms), computed on the host."""

    def __init__(self, name, size=2):
        self.name, self.size = name, size
        self.dimensions = size

    def bind(self, backend, rows, samples=1):
        super().bind(backend, rows, samples)
        self.host, self.write = backend.to_host, backend.write

    def draw(self, rows, clock):
        if self.name == "no epochs":
            clock = np.array([*clock[:2], 0, 0], np.uint32)
        super().draw(rows, clock)
        n = len(rows) * self.samples
        eps = NOISES.get(self.name, lambda eps, K: eps)(self.host(self.eps)[:n], self.samples)
        self.write(self.eps, np.concatenate([eps, self.host(self.eps)[n:]]))


def rows_in_pairs(eps, K):
    examples = eps.reshape(-1, K, eps.shape[1])
    examples[1::2] = examples[::2][: len(examples[1::2])]
    return examples.reshape(eps.shape)


NOISES = {
    "uniform": lambda eps, K: np.sqrt(3) * np.sign(eps) * np.sqrt(1 - np.exp(-eps * eps / 2)),
    "mirrored": lambda eps, K: -eps,
    "skew": lambda eps, K: (eps**2 - 1) / np.sqrt(2),
    "one for all dimensions": lambda eps, K: np.repeat(eps[:, :1], eps.shape[1], axis=1),
    "one for all samples": lambda eps, K: np.repeat(eps[::K], K, axis=0),
    "one for two rows": rows_in_pairs,
}
SEEN = {
    "uniform": "fourth moment",
    "skew": "third moment",
    "one for all dimensions": "dimensions independent",
    "one for all samples": "samples independent",
    "one for two rows": "examples independent",
    "no epochs": "epochs independent",
}


@pytest.mark.parametrize("name", SEEN)
def test_wrong_noise_is_seen(name):
    """It has mean 0 and, but for "uniform", variance 1, and every gradient is right."""
    latent = Mine(name)
    assert check_latent(latent).ok
    report = check_sampler(latent, draws=FEW)
    assert SEEN[name] in wrong(report), str(report)


def test_a_readers_latent_with_another_constructor():
    assert check_sampler(Mine("right"), draws=FEW).ok
    assert check_sampler(Mine("mirrored", 3), draws=FEW).ok  # the same numbers in another way


def test_a_latent_in_use_is_left_alone():
    latent = sa.Gaussian(2)
    model = sa.VAE(sa.Dense(3, 4), sa.Dense(2, 3), latent).build(3)
    assert check_sampler(model.latent, draws=FEW).ok and not hasattr(latent, "eps")


def test_no_gradient_check_sees_a_wrong_sigma(monkeypatch):
    """Why check_sampler is there: sigma = exp(logvar), with the gradient that fits it."""

    def gradient(dh, dz, h, eps, w):
        N, D = h.shape[0], h.shape[1] // 2
        sums = (dz * eps).reshape(N, -1, D).sum(axis=1)
        kl = w * np.expm1(h[:, D:]) / 2
        dh[:, D:] = sums * np.exp(h[:, D:]) + kl

    def weighed(dh, dz, z, h, eps, w):
        N, D = h.shape[0], z.shape[1]
        sums = ((dz + w[:, None] * z) * eps).reshape(N, -1, D).sum(axis=1)
        dh[:, D:] = sums * np.exp(h[:, D:]) - w.reshape(N, -1).sum(axis=1, keepdims=True) / 2

    monkeypatch.setattr(gaussian, "GAUSSIAN_SAMPLE", sampling(SIGMAS["exp(logvar)"]))
    monkeypatch.setattr(
        gaussian, "GAUSSIAN_GRADIENT", spoiled(gaussian.GAUSSIAN_GRADIENT, gradient)
    )
    monkeypatch.setattr(gaussian, "GAUSSIAN_WEIGHED", spoiled(gaussian.GAUSSIAN_WEIGHED, weighed))
    assert check_latent(sa.Gaussian(2)).ok and not check_sampler(sa.Gaussian(2), draws=FEW).ok


def test_the_chance_of_a_false_alarm():
    """Normal tails at the bound, all tests together, are the alarm that is promised."""
    from statistics import NormalDist

    for tests in (1, 20, 2000):
        tail = NormalDist().cdf(-allowed(tests))
        assert 2 * tail * tests == pytest.approx(ALARM, rel=1e-6)
    assert ALARM == 1e-9 and 6.1 < allowed(1) < allowed(20) < 7


def test_right_samplers_do_not_alarm():
    """200 seeds of a right sampler: the largest of all deviations stays far below the bound."""
    report = [Seeded(seed) for seed in range(200)]
    worst = max(
        float(row.note.split()[0])
        for latent in report
        for row in check_sampler(latent, draws=2**12).rows
    )
    assert 3 < worst < 6


class Seeded(sa.Gaussian):
    """The library's latent under another seed."""

    def __init__(self, seed):
        self.seed = seed
        self.dimensions = 2

    def draw(self, rows, clock):
        super().draw(rows, np.array([self.seed, *clock[1:]], np.uint32))
