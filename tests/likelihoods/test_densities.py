"""Every likelihood against its density, one value at a time, by Python's own ``statistics`` and
``math``: the constants too, which no gradient sees, on rows, series and images."""

import math
from statistics import NormalDist

import numpy as np
import pytest

import scratchae as sa

N = 3
SHAPES = [(4,), (4, 3), (4, 3, 1), (4, 3, 2)]  # features, a series, grey and coloured images


def normal(sigma):
    return lambda mu, x: -math.log(NormalDist(mu, sigma).pdf(x))


def learned(floor):
    """Of mu and logvar: sigma^2 = floor^2 + exp(logvar)."""
    return lambda mu, logvar, x: normal(math.sqrt(floor**2 + math.exp(logvar)))(mu, x)


def bernoulli(a, x):
    p = 1 / (1 + math.exp(-a))
    return -math.log(p if x else 1 - p)


def categorical(a, x):
    """Of all logits of a place: the one that x says."""
    return -math.log(math.exp(a[list(x).index(1)]) / sum(map(math.exp, a)))


def continuous_bernoulli(a, x):
    return math.log(math.expm1(a) / a) - x * a


def poisson(a, x):
    return math.exp(a) - x * a + math.log(math.factorial(int(x)))


EACH_VALUE = {
    "gaussian": (lambda: sa.GaussianLikelihood(0.3), normal(0.3)),
    "gaussian of sigma 1": (sa.GaussianLikelihood, normal(1.0)),
    "wide gaussian": (lambda: sa.GaussianLikelihood(7.0), normal(7.0)),
    "squared error": (sa.SquaredError, lambda a, x: (a - x) ** 2),
    "absolute error": (sa.AbsoluteError, lambda a, x: abs(a - x)),
    "bernoulli": (sa.Bernoulli, bernoulli),
    "continuous bernoulli": (sa.ContinuousBernoulli, continuous_bernoulli),
    "poisson": (sa.Poisson, poisson),
    "shared gaussian": (lambda: sa.SharedGaussian(0.3, 0.0), normal(0.3)),
    "laplace": (lambda: sa.Laplace(0.3), lambda a, x: abs(a - x) / 0.3 + math.log(0.6)),
}


def nll(likelihood, a, x, backend):
    """What the library says of rows x (N, ...), (N,)."""
    b = sa.get_backend(backend, "float64")
    likelihood.bind(b, len(x), x.shape[1:])
    return b.to_host(likelihood.forward(b.asarray(a), b.asarray(x)))


def numbers(rng, name, shape):
    a, x = rng.normal(size=(2, N, *shape))
    support = {"bernoulli": lambda: (x > 0).astype(float), "poisson": lambda: np.rint(9 * abs(x))}
    return a, support.get(name, lambda: x)()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", EACH_VALUE)
def test_a_value_at_a_time(name, shape, backend, rng, tolerance):
    make, one = EACH_VALUE[name]
    a, x = numbers(rng, name, shape)
    expected = [
        sum(map(one, *rows)) for rows in zip(a.reshape(N, -1), x.reshape(N, -1), strict=True)
    ]
    np.testing.assert_allclose(nll(make(), a, x, backend), expected, rtol=tolerance("loss"))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("floor", [0.0, 1e-3, 0.5])
def test_a_learned_spread(floor, shape, backend, rng, tolerance):
    mu, logvar, x = rng.normal(size=(3, N, *shape))
    flat = (v.reshape(N, -1) for v in (mu, logvar, x))
    expected = [sum(map(learned(floor), *rows)) for rows in zip(*flat, strict=True)]
    found = nll(sa.LearnedGaussian(floor), np.concatenate([mu, logvar], axis=-1), x, backend)
    np.testing.assert_allclose(found, expected, rtol=tolerance("loss"))


def logistic(mu, log_s, x, w):
    """Of a pixel of x = 0, w, ..., 1, whose first and last bin are open."""
    s = w / 64 + math.exp(log_s)
    below = 0.0 if x < w / 2 else 1 / (1 + math.exp((mu - x + w / 2) / s))
    above = 0.0 if x > 1 - w / 2 else 1 / (1 + math.exp((x + w / 2 - mu) / s))
    return -math.log(1 - below - above)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("bins", [2, 4, 256])
def test_bins(bins, shape, backend, rng, tolerance):
    mu, log_s = rng.random((N, *shape)), rng.normal(size=(N, *shape)) - 1
    x = rng.integers(0, bins, (N, *shape)) / (bins - 1)
    flat = (v.reshape(N, -1) for v in (mu, log_s, x))
    expected = [
        sum(logistic(*each, 1 / (bins - 1)) for each in zip(*rows, strict=True))
        for rows in zip(*flat, strict=True)
    ]
    found = nll(sa.DiscretisedLogistic(bins), np.concatenate([mu, log_s], axis=-1), x, backend)
    np.testing.assert_allclose(found, expected, rtol=tolerance("layer"))


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 3, 5)], ids=str)
def test_categories(shape, backend, rng, tolerance):
    """All places of an example, of 3 or 5 categories each."""
    a, C = rng.normal(size=(N, *shape)), shape[-1]
    x = np.eye(C)[rng.integers(0, C, (N, *shape[:-1]))]
    places = zip(a.reshape(N, -1, C), x.reshape(N, -1, C), strict=True)
    expected = [sum(map(categorical, *rows)) for rows in places]
    np.testing.assert_allclose(
        nll(sa.Categorical(), a, x, backend), expected, rtol=tolerance("loss")
    )


@pytest.mark.parametrize("shape", [(6,), (4, 4, 1), (4, 4, 3)], ids=str)
def test_what_evaluate_says_of_images(shape, backend, rng, tolerance):
    """The reconstruction term of a model, with its constant, in nats per example."""
    x, D = rng.normal(size=(5, *shape)), math.prod(shape)
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(D, 2))
    decoder = sa.Sequential(sa.Dense(2, D), sa.Reshape(*shape))
    model = sa.Autoencoder(encoder, decoder, sa.GaussianLikelihood(0.4))
    model.build(shape, backend=backend, dtype="float64")
    pairs = zip(model.reconstruct(x).ravel(), x.ravel(), strict=True)
    expected = sum(normal(0.4)(mu, v) for mu, v in pairs) / 5
    assert sa.evaluate(model, x)["loss"] == pytest.approx(expected, rel=tolerance("loss"))
