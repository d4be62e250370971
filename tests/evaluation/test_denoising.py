"""The score of a denoising autoencoder: of normal data it is known exactly, and a linear one can
learn it."""

import numpy as np
import pytest

import scratchae as sa
from scratchae import checks
from scratchae.evaluation import denoising_score
from scratchae.schedules import Cosine

N, STEPS, SIGMA = 2000, 300, 0.5
STANDARD_ERRORS = 2.0  # of one epoch's regression; the last steps together have far less
A = np.array([[1.0, 0, 0], [0.8, 0.5, 0], [-0.3, 0.2, 0.3]])  # S = A A^T


def data():
    """N draws of N(m, S), (N, 3)."""
    return np.random.default_rng(0).normal(size=(N, 3)) @ A.T + [1, -2, 0.5]


def linear(sigma=SIGMA, likelihood=None, **options):
    encoder = sa.Sequential(sa.GaussianNoise(sigma, **options), sa.Dense(3, 3))
    return sa.Autoencoder(encoder, sa.Dense(3, 3), likelihood).build(3, dtype="float64")


@pytest.fixture(scope="module")
def model():
    model = linear()
    sa.fit(model, data(), sa.Adam(Cosine(0.2, STEPS)), epochs=STEPS, batch_size=N, shards=1)
    return model


def exact(x, sample, sigma=SIGMA):
    """x (n, 3) -> the score of N(m, S + sigma^2 I), m and S of the sample, and how far one epoch's
    noise may lead.

    As in a linear regression of the clean rows on their noisy ones, whose residuals have the
    variances of x given x with noise: the standard error of its prediction at x, divided by
    sigma^2.
    """
    S, m = np.cov(sample.T, ddof=0), sample.mean(axis=0)
    C = np.linalg.inv(S + sigma**2 * np.eye(3))
    residual = np.diag(sigma**2 * S @ C)  # (3,)
    leverage = 1 + ((x - m) @ C * (x - m)).sum(axis=1)  # (n,)
    return -(x - m) @ C, np.sqrt(leverage[:, None] * residual / len(sample)) / sigma**2


def test_the_score_of_normal_data(model):
    x = data()[:300]
    expected, error = exact(x, data())
    found = denoising_score(model, x, SIGMA)
    assert (np.abs(found - expected) <= STANDARD_ERRORS * error).all()


@pytest.mark.parametrize("wrong", [SIGMA**0.5, 1.1 * SIGMA])
def test_another_sigma_is_seen(model, wrong):
    """sigma in the place of its square, and one that is off by a tenth: the numbers show it."""
    x = data()[:300]
    expected, error = exact(x, data())
    found = denoising_score(model, x, wrong)
    assert (np.abs(found - expected) > STANDARD_ERRORS * error).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_by_hand(backend, dtype, tolerance):
    """Images too, more rows than a chunk has, and in the model's own dtype whatever the data's."""
    encoder = sa.Sequential(sa.GaussianNoise(0.3), sa.Flatten(), sa.Dense(6, 4, "tanh"))
    decoder = sa.Sequential(sa.Dense(4, 6), sa.Reshape(2, 3, 1))
    model = sa.Autoencoder(encoder, decoder).build((2, 3, 1), backend=backend, dtype=dtype)
    x = np.random.default_rng(1).normal(size=(300, 2, 3, 1))
    found = denoising_score(model, x, 0.3)
    assert found.shape == x.shape and found.dtype == dtype
    r = model.reconstruct(x).astype(float) - x
    np.testing.assert_allclose(0.09 * found, r, rtol=0, atol=tolerance("layer", dtype))


def test_nothing_is_drawn(backend):
    """Not even by a layer that is noisy in evaluation, and after one that drew."""
    model = sa.Autoencoder(
        sa.Sequential(sa.GaussianNoise(0.5, in_evaluation=True), sa.Dense(3, 2)), sa.Dense(2, 3)
    )
    model.build(3, backend=backend, dtype="float64")
    x = data()[:9]
    before = denoising_score(model, x, 0.5)
    sa.evaluate(model, x)
    np.testing.assert_array_equal(denoising_score(model, x, 0.5), before)
    quiet = sa.Autoencoder(sa.Sequential(sa.GaussianNoise(0.0), sa.Dense(3, 2)), sa.Dense(2, 3))
    r = quiet.build(3, backend=backend, dtype="float64").reconstruct(x)
    np.testing.assert_array_equal((r - x) / 0.25, before)


X = data()[:9]
VAE = sa.VAE(sa.Dense(3, 4), sa.Dense(2, 3), sa.Gaussian(2), sa.GaussianLikelihood()).build(3)
BAD = [
    *(
        (lambda s=s: denoising_score(linear(), X, s), ValueError, "sigma is .* above 0")
        for s in (0, -1, np.nan, None, "1")
    ),
    (
        lambda: denoising_score("model", X, 1),
        TypeError,
        "the model is a str, but a VAE or an Autoencoder",
    ),
    (
        lambda: denoising_score(sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3)), X, 1),
        RuntimeError,
        "no parameters yet",
    ),
    (
        lambda: denoising_score(VAE, X, 1),
        TypeError,
        "the model is a VAE, but an Autoencoder",
    ),
    (
        lambda: denoising_score(linear(likelihood=sa.AbsoluteError()), X, 1),
        TypeError,
        "a median, .*: use SquaredError",
    ),
    (
        lambda: denoising_score(linear(likelihood=sa.Bernoulli()), X, 1),
        ValueError,
        r"takes values in \[0, 1\]",
    ),
    (
        lambda: denoising_score(linear(), X[:, :2], 1),
        ValueError,
        r"x has shape \(9, 2\), but \(N, 3\)",
    ),
    (lambda: denoising_score(linear(), X * np.nan, 1), ValueError, "x is nan at index"),
]


@pytest.mark.parametrize("call, kind, words", BAD)
def test_bad_input_is_a_sentence(call, kind, words):
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [np.ndarray.tolist, sa.Values, np.asfortranarray])
def test_any_data_has_a_score(make, monkeypatch):
    monkeypatch.setattr(checks, "PIECE", 50)  # several pieces
    model = linear()
    expected = (model.reconstruct(X) - X) / SIGMA**2
    np.testing.assert_array_equal(denoising_score(model, make(X), SIGMA), expected)
