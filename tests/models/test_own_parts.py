"""Layers and likelihoods of a user's own that leave something out: a sentence says what."""

import numpy as np
import pytest

import scratchae as sa
from scratchae import evaluation
from scratchae.detection import absolute_error
from scratchae.evaluation import denoising_score
from scratchae.likelihoods import Likelihood

X = np.random.default_rng(0).random((8, 5)).astype(np.float32)


def autoencoder(*layers, likelihood=None):
    return sa.Autoencoder(sa.Sequential(*layers), sa.Dense(3, 5), likelihood).build(5, seed=0)


class Column(sa.SquaredError):
    """Its mean has another shape than x, one that would broadcast."""

    def mean(self, a):
        return a[:, :1]


class Four(sa.SquaredError):
    def mean(self, a):
        return a[:, :4]


class Mean(sa.SquaredError):
    def mean(self, a):
        return a.mean(axis=0)


@pytest.mark.parametrize("likelihood", [Column, Four, Mean])
@pytest.mark.parametrize(
    "use",
    [
        lambda model: model.reconstruct(X),
        lambda model: denoising_score(model, X, 0.3),
        lambda model: absolute_error(model, X),
    ],
    ids=["reconstruct", "score", "error"],
)
def test_a_mean_of_another_shape_than_x(likelihood, use):
    model = autoencoder(sa.GaussianNoise(0.3), sa.Dense(5, 3), likelihood=likelihood())
    words = rf"{likelihood.__name__}\.mean\(a\) gives an array of shape .*, but \(8, 5\), the"
    with pytest.raises(ValueError, match=words):
        use(model)


class NarrowMean(sa.GaussianLikelihood):
    def mean(self, a):
        return a[:, :1]


class ShortMean(sa.GaussianLikelihood):
    def mean(self, a):
        return a[:, :4]


class Drawn(sa.GaussianLikelihood):
    def sample(self, a, noise):
        return a[:, :1]


def of_health(model):
    evaluation.health(model, X, samples=20, threads=1, progress=False)


@pytest.mark.parametrize(
    ("likelihood", "uses", "call"),
    [
        (NarrowMean, [of_health], r"mean\(a\)"),
        (ShortMean, [of_health], r"mean\(a\)"),
        (Drawn, [of_health, lambda model: model.sample(8, noise=True)], r"sample\(a, noise\)"),
    ],
)
def test_what_health_and_sample_read_of_a_likelihood_is_shaped_as_x(likelihood, uses, call):
    latent = sa.Gaussian(2)
    model = sa.VAE(sa.Dense(5, 4), sa.Dense(2, 5), latent, likelihood(1.0)).build(5, seed=0)
    words = rf"{likelihood.__name__}\.{call} gives an array of shape .*, but \(8, 5\), the"
    for use in uses:
        with pytest.raises(ValueError, match=words):
            use(model)


class Forgot(sa.Layer):
    """Its backward returns nothing, which would leave every layer below it as it was."""

    def declare(self, shape):
        self.shape = self.output = shape
        return shape, {}

    def bind(self, backend, rows, need_dx):
        pass

    def forward(self, x):
        return x

    def backward(self, dy):
        pass


def test_a_backward_that_returns_nothing():
    model = autoencoder(sa.Dense(5, 4), Forgot(), sa.Dense(4, 3))
    with pytest.raises(TypeError, match=r"Forgot\.backward gives None, but dx is needed"):
        sa.fit(model, X, sa.Adam(), epochs=1, progress=False)


def test_first_of_all_nobody_needs_dx():
    model = autoencoder(Forgot(), sa.Dense(5, 3))
    sa.fit(model, X, sa.Adam(), epochs=1, progress=False)


def test_a_likelihood_without_a_kernel():
    class Nothing(Likelihood):
        pass

    words = "Nothing names no kernel: set kernel, or define bind"
    with pytest.raises(TypeError, match=words):
        autoencoder(sa.Dense(5, 3), likelihood=Nothing())
    with pytest.raises(TypeError, match=words):
        sa.by_hand(Nothing(), 5)(X, X)


class Drawn(Forgot):
    def declare(self, shape):
        self.shape = self.output = shape
        return shape, {"w": (shape, lambda rng: np.ones(shape))}


def test_an_initialiser_of_another_signature():
    with pytest.raises(TypeError, match=r"encoder\.0\.w is drawn by .*, but init\(noise=\.\.\.\)"):
        autoencoder(Drawn(), sa.Dense(5, 3))


class Draws(sa.Latent):
    """A latent that lacks its backward."""

    dimensions = 3

    def check(self, shape):
        pass

    def bind(self, backend, rows, samples=1):
        pass

    def forward(self, h):
        return h


class Checks(Draws):
    check = sa.Latent.check


class Loses(sa.Reconstruction):
    loss = sa.Objective.loss


class Falls(sa.Objective):
    """An objective that lacks all three."""

    def __init__(self, encoder, decoder, likelihood):
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood


class Dear(sa.Penalty):
    def forward(self, sums, nll, h):
        self.sum_terms(sums, nll, h)


class Costs(sa.Penalty):
    """A penalty that lacks all."""


def parts():
    return sa.Dense(5, 3), sa.Dense(3, 5)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: sa.VAE(*parts(), Draws()), r"Draws does not say backward\(dz, kl_weight\)"),
        (lambda: sa.VAE(*parts(), Checks()), r"Checks does not say check\(shape\)"),
        (
            lambda: sa.Model(Loses(*parts(), sa.SquaredError())),
            r"Loses does not say loss\(total\)",
        ),
        (lambda: sa.Model(Falls(*parts(), sa.SquaredError())), r"Falls does not say forward\(x\)"),
        (
            lambda: sa.Autoencoder(*parts(), penalty=Dear(1.0)),
            r"Dear does not say backward\(dh, h, total\)",
        ),
        (
            lambda: sa.Autoencoder(*parts(), penalty=Costs(1.0)),
            r"Costs does not say forward\(sums, nll, h\)",
        ),
    ],
)
def test_a_missing_method_is_said_at_build(made, words):
    with pytest.raises(NotImplementedError, match=rf"^{words}$"):
        made().build(5)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: sa.Model(3), "the objective is a int, but an objective, such as ELBO"),
        (
            lambda: sa.Model(sa.Dense(5, 3)),
            "the objective is a .*Dense, but an objective, such as",
        ),
        (
            lambda: sa.Model(Falls(sa.Dense(5, 3), None, sa.SquaredError())),
            "the decoder is None, but a layer, such as",
        ),
        (
            lambda: sa.Model(Falls(*parts(), None)),
            "the likelihood is None, but a likelihood, such as",
        ),
        (lambda: sa.VAE(*parts(), object()), "the latent is .*, but a latent, such as Gaussian"),
    ],
)
def test_what_is_no_part_of_a_model(made, words):
    with pytest.raises(TypeError, match=words):
        made()


def test_an_objective_alone_is_a_model():
    """Autoencoder and VAE add a constructor to their objectives."""
    likelihood = sa.SquaredError()
    model = sa.Model(sa.Reconstruction(*parts(), likelihood)).build(5, seed=0)
    same = sa.Autoencoder(*parts(), likelihood).build(5, seed=0)
    for one in (model, same):
        sa.fit(one, X, sa.Adam(1e-2), epochs=2, progress=False)
    np.testing.assert_array_equal(model.encode(X), same.encode(X))
    np.testing.assert_array_equal(model.reconstruct(X), same.reconstruct(X))
    elbo = sa.ELBO(sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), sa.Bernoulli())
    bound = sa.Model(elbo).build(5, seed=0)
    vae = sa.VAE(sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2)).build(5, seed=0)
    for mine, its in zip(bound.encode(X), vae.encode(X), strict=True):
        np.testing.assert_array_equal(mine, its)
    np.testing.assert_array_equal(bound.reconstruct(X), vae.reconstruct(X))
    np.testing.assert_array_equal(bound.sample(3), vae.sample(3))
    with pytest.raises(TypeError, match="this Model has no latent, so it draws no codes"):
        model.sample(3)


def test_a_latent_by_hand_and_its_mean():
    with pytest.raises(NotImplementedError, match=r"^Checks does not say check\(shape\)$"):
        sa.by_hand(Checks(), 3)
    alone = sa.by_hand(Draws(), 3)
    np.testing.assert_array_equal(alone(X[:, :3]), X[:, :3].astype(np.float64))
    with pytest.raises(
        NotImplementedError, match=r"^Draws does not say backward\(dz, kl_weight\)$"
    ):
        alone.backward(X[:, :3])

    class Whole(Draws):
        def backward(self, dz, kl_weight):
            return dz

    model = sa.VAE(*parts(), Whole()).build(5, seed=0)
    assert model.encode(X).shape == model.sample(8)[:, :3].shape == (8, 3)
    with pytest.raises(NotImplementedError, match=r"^Whole does not say mean\(h\)$"):
        model.reconstruct(X)
