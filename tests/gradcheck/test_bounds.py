"""check_bound: right models pass, whatever their decoder, and each planted error shows."""

import math

import numpy as np
import pytest
from gradcheck.planting import spoiled, wrong
from proofs.linear_gaussian import exact, gap, linear_vae

import scratchae as sa
from scratchae.gradcheck import bounds, check_bound, check_latent, check_model
from scratchae.gradcheck.bounds import check_bound as in_module
from scratchae.latents import gaussian

pytestmark = pytest.mark.slow

MASS = "integral over x (2,)"


def vae(likelihood, D=2, width=1, activation="tanh", **options):
    encoder = sa.Sequential(sa.Dense(6, 8, "tanh"), sa.Dense(8, 2 * D))
    decoder = sa.Sequential(sa.Dense(D, 8, activation), sa.Dense(8, 6 * width))
    return sa.VAE(encoder, decoder, sa.Gaussian(D), likelihood, **options)


def sides(model, backend, x, values, samples=1):
    """Both sides, as check_bound has them."""
    points = bounds._points(model.objective, samples)
    return bounds._Sides(model.objective, backend, x, values, points, None)


LIKELIHOODS = {
    "Bernoulli": (sa.Bernoulli, 1),
    "Categorical": (sa.Categorical, 1),
    "GaussianLikelihood": (sa.GaussianLikelihood, 1),
    "LearnedGaussian": (sa.LearnedGaussian, 2),
    "SquaredError": (sa.SquaredError, 1),
}


@pytest.mark.parametrize("D", [1, 2])
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_right_models(name, D, tolerance):
    """Smooth decoders and those with kinks, any beta, float32 and float64: to rounding."""
    kind, width = LIKELIHOODS[name]
    for activation, beta, dtype in (("tanh", 1.0, "float32"), ("relu", 4.0, "float64")):
        model = vae(kind(), D, width, activation, beta=beta).build(6, dtype=dtype, seed=3)
        report = check_bound(model)
        assert report.ok and [row.what for row in report.rows][:2] == ["loss", "bound"], report
        assert report.rows[0].error < tolerance("loss"), str(report)
        assert model.beta == beta


def test_every_spelling(backend):
    x = np.random.default_rng(0).uniform(size=(3, 6))
    for model in (vae(sa.Bernoulli()), vae(sa.GaussianLikelihood(0.5), 1)):
        assert check_bound(model, x, backend).ok
        assert check_bound(model.build(6, backend=backend)).ok


def test_log_p_is_that_of_a_linear_gaussian_model(tolerance):
    """Where log p(x) and the gap have a closed form, quadrature finds them."""
    for D in (1, 2):
        model, x = linear_vae(D=D), np.random.default_rng(0).normal(size=(3, 5))
        bound, data, own = bounds.data_for(model, x, None)
        found = sides(model, bound, data, own).exact()
        np.testing.assert_allclose(found.log_p, exact(model, x)[0], rtol=tolerance("layer"))
        kl = found.bound + found.log_p
        np.testing.assert_allclose(kl, gap(model, x), rtol=tolerance("layer"))
        assert found.settled < tolerance("layer")


def test_a_sharp_posterior():
    """Where it has one mode, the box shrinks to it; of two far apart the grid may see too little,
    and says so."""
    model, x = linear_vae(D=2, sigma=0.01), np.random.default_rng(1).normal(size=(2, 5))
    assert check_bound(model, x).ok
    log_p = sides(model, *bounds.data_for(model, x, None)).exact().log_p
    np.testing.assert_allclose(log_p, exact(model, x)[0], rtol=1e-6)
    size = sa.Sequential(sa.Dense(1, 2, "relu"), sa.Dense(2, 1))  # |z|: z and -z alike
    model = sa.VAE(sa.Dense(1, 2), size, sa.Gaussian(1), sa.GaussianLikelihood(1e-4)).build(1)
    model.weights["decoder.0.W"] = np.array([[1.0, -1.0]])
    model.weights["decoder.1.W"] = np.ones((2, 1))
    assert "the decoder is too sharp" in str(check_bound(model, np.array([[1.001]])))


def test_images_and_noise_layers():
    """Noise lets x pass, as in encode; a convolution and channels are no matter."""
    encoder = sa.Sequential(
        sa.Masking(0.5), sa.Conv2d(2, 3, 3, 2, "same", "relu"), sa.Flatten(), sa.Dense(12, 4)
    )
    decoder = sa.Sequential(sa.Dense(2, 32), sa.Dropout(0.3), sa.Reshape(4, 4, 2))
    model = sa.VAE(encoder, decoder, sa.Gaussian(2), sa.GaussianLikelihood(0.7))
    report = check_bound(model.build((4, 4, 2), seed=1))
    assert report.ok and len(report.rows) == 5, str(report)


# --- planted errors ---


def in_sampler(change):
    """The latent's kernel with an error: change(z, kl, mu, logvar, eps) in place."""

    def spoil(z, kl, h, eps):
        mu, logvar = np.split(h, 2, axis=1)
        change(z, kl, mu, logvar, eps)

    return spoiled(gaussian.GAUSSIAN_SAMPLE, spoil)


def put(array, values):
    array[...] = values


LATENT_ERRORS = {
    "sigma = exp(logvar)": lambda z, kl, mu, v, eps: put(z, mu + np.exp(v) * eps),
    "sigma = logvar": lambda z, kl, mu, v, eps: put(z, mu + v * eps),
    "z without mu": lambda z, kl, mu, v, eps: put(z, np.exp(v / 2) * eps),
    "z without eps": lambda z, kl, mu, v, eps: put(z, mu),
    "kl without 1/2": lambda z, kl, mu, v, eps: put(kl, 2 * kl),
    "kl of the wrong sign": lambda z, kl, mu, v, eps: put(kl, -kl),
    "kl without - 1": lambda z, kl, mu, v, eps: put(kl, kl + 0.5),
    "kl with sigma for sigma^2": lambda z, kl, mu, v, eps: put(
        kl, (mu * mu + np.expm1(v / 2) - v / 2) / 2
    ),
    "kl the other way round": lambda z, kl, mu, v, eps: put(
        kl, ((1 + mu * mu) * np.exp(-v) - 1 + v) / 2
    ),
    "kl of one dimension": lambda z, kl, mu, v, eps: put(kl[:, 1:], 0),
    "kl averaged over dimensions": lambda z, kl, mu, v, eps: put(kl, kl / kl.shape[1]),
    "kl off by 0.1 %": lambda z, kl, mu, v, eps: put(kl, 1.001 * kl),
}


@pytest.mark.parametrize("error", LATENT_ERRORS)
def test_an_error_in_the_latent_is_seen(error, backend, monkeypatch):
    model = vae(sa.GaussianLikelihood(0.5)).build(6, backend=backend, seed=2)
    assert check_bound(model).ok
    monkeypatch.setattr(gaussian, "GAUSSIAN_SAMPLE", in_sampler(LATENT_ERRORS[error]))
    report = check_bound(model)
    assert "loss" in wrong(report) and not report.ok, str(report)
    assert "the loss should be the sum of the other two" in report.rows[0].note


def test_a_loss_below_log_p_is_told(monkeypatch):
    """The KL taken off twice: with a posterior near the true one that is less than -log p(x)."""
    model = vae(sa.GaussianLikelihood(2.0), 1).build(6, seed=2)
    monkeypatch.setattr(
        gaussian, "GAUSSIAN_SAMPLE", in_sampler(lambda z, kl, *rest: put(kl, kl - 20))
    )
    report = check_bound(model)
    assert set(wrong(report)) == {"loss", "bound"} and "is below -log p(x)" in str(report)


class NoConstant(sa.GaussianLikelihood):
    def constants(self, shape):
        tau, c = super().constants(shape)
        return tau, c - math.prod(shape) * math.log(2 * math.pi) / 2


class NoChannels(sa.GaussianLikelihood):
    def constants(self, shape):
        tau, c = super().constants(shape)
        return tau, c / shape[-1]


def test_a_likelihood_without_its_constant_is_seen():
    """It is on both sides of the loss, and in the mass."""
    report = check_bound(vae(NoConstant(0.5)).build(6))
    assert list(wrong(report)) == [MASS] and "nll lacks 0.9189 nats a value" in str(report)


def test_channels_forgotten_in_the_constant_are_seen():
    decoder = sa.Sequential(sa.Dense(1, 18), sa.Reshape(3, 3, 2))
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(18, 2))
    model = sa.VAE(encoder, decoder, sa.Gaussian(1), NoChannels(0.5)).build((3, 3, 2))
    assert list(wrong(check_bound(model))) == ["integral over x (1, 1, 2)"]


def test_terms_that_are_not_in_nats_per_example_are_seen(monkeypatch):
    loss = sa.objectives.ELBO.loss

    def per_pixel(self, total):
        terms = loss(self, np.array([total[0], total[1] / 6, total[2]]))
        return terms

    def summed(self, total):
        return loss(self, np.array([1.0, *total[1:]]))

    for planted in (per_pixel, summed):
        monkeypatch.setattr(sa.objectives.ELBO, "loss", planted)
        assert "loss" in wrong(check_bound(vae(sa.Bernoulli()).build(6)))


def test_no_gradient_check_sees_these(monkeypatch):
    """sigma = exp(logvar) with the gradient that fits it: every gradient is right, no loss is."""

    def gradient(dh, dz, h, eps, w):
        N, D = h.shape[0], h.shape[1] // 2
        sums = (dz * eps).reshape(N, -1, D).sum(axis=1)
        dh[:, D:] = sums * np.exp(h[:, D:]) + w * np.expm1(h[:, D:]) / 2

    planted = in_sampler(LATENT_ERRORS["sigma = exp(logvar)"])
    monkeypatch.setattr(gaussian, "GAUSSIAN_SAMPLE", planted)
    monkeypatch.setattr(
        gaussian, "GAUSSIAN_GRADIENT", spoiled(gaussian.GAUSSIAN_GRADIENT, gradient)
    )
    model = vae(sa.Bernoulli()).build(6)
    assert check_model(model).ok and not check_bound(model).ok


# --- what it does not take ---


class Hidden(sa.Gaussian):
    def __init__(self, dimensions):
        self.dimensions = dimensions

    def bind(self, backend, rows, samples=1):
        super().bind(backend, rows, samples)
        del self.eps


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match=r"Gaussian\(3\) has 3 latent numbers, but quadrature"):
        check_bound(vae(sa.Bernoulli(), 3).build(6))
    with pytest.raises(TypeError, match="is given Autoencoder, but a VAE is expected"):
        check_bound(sa.Autoencoder(sa.Dense(6, 2), sa.Dense(2, 6)).build(6))
    with pytest.raises(ValueError, match="VAE is not built, so 3 rows have no shape"):
        check_bound(vae(sa.Bernoulli()))
    hidden = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), Hidden(2)).build(6)
    with pytest.raises(TypeError, match=r"Hidden keeps no noise in self\.eps"):
        check_bound(hidden)
    with pytest.raises(TypeError, match="under OptimalGaussian the loss is that of a batch"):
        check_bound(vae(sa.OptimalGaussian()).build(6))
    assert in_module is check_bound and check_latent(sa.Gaussian(2)).ok


class Humps(sa.Latent):
    """q(z|x) = N(mu, sigma^2) against (N(-2, I) + N(2, I)) / 2, by one sample. Shapes: h (N, 2D),
    z, kl (N, D)."""

    def __init__(self, dimensions):
        self.dimensions = dimensions

    def check(self, shape):
        if shape != (2 * self.dimensions,):
            raise ValueError(f"rows {shape}")

    def bind(self, backend, rows, samples=1):
        self.samples, D = samples, self.dimensions
        self.kl, self.eps = (backend.zeros((rows * n, D)) for n in (1, samples))

    def forward(self, h):
        mu, logvar = np.split(np.repeat(h, self.samples, axis=0), 2, axis=1)
        self.spread = np.exp(logvar / 2) * self.eps[: len(mu)]
        z = self.z = mu + self.spread
        log_q = -(self.eps[: len(mu)] ** 2 + logvar) / 2  # without log(2 pi) / 2, as log_p
        log_p = np.logaddexp(-((z - 2) ** 2) / 2, -((z + 2) ** 2) / 2) - math.log(2)
        self.kl[: len(h)] = self.over_samples(log_q - log_p) / self.samples
        return z

    def over_samples(self, each):
        return each.reshape(-1, self.samples, self.dimensions).sum(axis=1)

    def backward(self, dz, kl_weight):
        dz = dz + kl_weight / self.samples * (self.z - 2 * np.tanh(2 * self.z))
        dlogvar = self.over_samples(dz * self.spread) / 2 - kl_weight / 2
        return np.concatenate([self.over_samples(dz), dlogvar], axis=1)

    def sample(self, n, noise):
        sign = np.where(noise.uniform((n, self.dimensions)) < 0.5, -1, 1)
        return 2 * sign + noise.normal((n, self.dimensions))


class Silent(Humps):
    """The same, which samples from N(0, I), as the protocol has it of a latent without sample."""

    sample = sa.Latent.sample


@pytest.mark.parametrize("D", [1, 2])
def test_a_prior_of_ones_own_is_refused(D):
    """Whose loss is right; where a latent says nothing of its prior, the verdict says what it was
    taken for."""
    assert check_latent(Humps(D), shape=(2 * D,)).ok
    encoder, decoder, x = sa.Dense(6, 2 * D), sa.Dense(D, 6), np.full((2, 6), 0.3)
    with pytest.raises(
        ValueError, match=r"Humps has a prior of its own, sample\(n, noise\), whos"
    ):
        check_bound(sa.VAE(encoder, decoder, Humps(D)).build(6), x)
    row = check_bound(sa.VAE(encoder, decoder, Silent(D)).build(6), x).rows[0]
    assert row.verdict == "wrong"
    assert "Silent defines no sample(n, noise), so its prior is taken for N(0, I)" in row.note
    row = check_bound(vae(sa.Bernoulli()).build(6), x).rows[0]
    assert row.verdict == "right" and "prior" not in row.note


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_likelihood_that_is_not_finite_is_wrong(value):
    class Broken(sa.SquaredError):
        def forward(self, a, x):
            nll = super().forward(a, x)
            nll[...] = value
            return nll

    report = check_bound(vae(Broken()).build(6), np.ones((2, 6)))
    assert {"loss", "bound"} <= {row.what for row in report.rows if row.verdict == "wrong"}, report
