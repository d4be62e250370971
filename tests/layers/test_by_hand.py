"""by_hand: a layer, a latent or a likelihood by itself, on host arrays of any number of rows."""

import re

import numpy as np
import pytest
from differences import assert_gradients
from layers import contract

import scratchae as sa
from scratchae import by_hand, likelihoods
from scratchae.randomness import EVALUATION, NOISE

CASES = contract.CASES
CASE = pytest.mark.parametrize("case", CASES)
COUNTS = 2, 5, 7, 3  # of rows: buffers grow twice, then fewer rows than before
TAU, C = np.log(2 * np.pi), 4

LIKELIHOODS = {
    "Bernoulli": sa.Bernoulli(),
    "SquaredError": sa.SquaredError(),
    "AbsoluteError": sa.AbsoluteError(),
    "GaussianLikelihood": sa.GaussianLikelihood(0.3),
    "ContinuousBernoulli": sa.ContinuousBernoulli(),
    "DiscretisedLogistic": sa.DiscretisedLogistic(4, -1.0, 2.0),
    "Laplace": sa.Laplace(0.4),
    "Poisson": sa.Poisson(),
    "OptimalGaussian": sa.OptimalGaussian(),
    "SharedGaussian": sa.SharedGaussian(0.4, 0.3),
    "LearnedGaussian": sa.LearnedGaussian(0.1),
    "Categorical": sa.Categorical(),
}
LIKELIHOOD = pytest.mark.parametrize("name", LIKELIHOODS)


def close(found, expected, tol):
    for a, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, right, rtol=tol, atol=tol)


# --- layers ---


@CASE
def test_a_layer_is_what_it_is_in_a_model(case, backend, tolerance):
    """The passes of contract.py, with the same weights and the same noise."""
    b = contract.bound(case, backend)
    b.layer.place(NOISE)
    y, dx, grads = contract.step(b)
    layer = by_hand(CASES[case][0], CASES[case][1], backend=backend, seed=7)
    for name in b.parameters.declared:
        setattr(layer, name, b.host(b.parameters.view(name)))
    close([layer(b.host(b.x)), layer.backward(b.host(b.dy))], [y, dx], tolerance("layer"))
    assert list(layer.weights) == list(layer.gradients) == list(b.parameters.declared)
    for name, grad in layer.gradients.items():
        close([grad], [b.parameters.view(name, grads)], tolerance("layer"))
        head, _, last = name.rpartition(".")
        inner = getattr(layer, f"d{name}" if not head else f"d{head}.{last}")
        np.testing.assert_array_equal(inner, grad)


@CASE
def test_any_number_of_rows(case, backend, rng, tolerance):
    part, shape, output = CASES[case]
    x, dy = rng.normal(size=(7, *shape)), rng.normal(size=(7, *output))
    layer = by_hand(part, shape, backend=backend)
    whole = by_hand(part, shape, backend=backend)(x)
    for n in COUNTS:
        fresh = by_hand(part, shape, backend=backend)
        close([layer(x[:n]), fresh(x[:n])], [whole[:n]] * 2, tolerance("layer"))
        close([layer.backward(dy[:n])], [fresh.backward(dy[:n])], tolerance("layer"))
        close(layer.gradients.values(), fresh.gradients.values(), tolerance("layer"))


@CASE
def test_the_layer_handed_in_is_left_alone(case):
    part, shape, _ = CASES[case]
    before = dict(vars(part))
    by_hand(part, shape)(np.zeros((2, *shape)))
    after = dict(vars(part))
    assert {name for name in after if after[name] is not before.get(name)} <= {"_settings"}


def test_weights_are_read_and_written(backend, rng):
    dense = by_hand(sa.Dense(3, 2), 3, backend=backend)
    x, W, b = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)
    dense.W, dense.b = W, b
    np.testing.assert_allclose(dense(x), x @ W + b, rtol=1e-12)
    np.testing.assert_array_equal(dense.W, W)
    dy = rng.normal(size=(4, 2))
    np.testing.assert_allclose(dense.backward(dy), dy @ W.T, rtol=1e-12)
    np.testing.assert_allclose(dense.dW, x.T @ dy, rtol=1e-12)
    np.testing.assert_allclose(dense.db, dy.sum(axis=0), rtol=1e-12)
    dense(rng.normal(size=(9, 3)))  # new buffers, the same weights
    np.testing.assert_array_equal(dense.W, W)


def test_lists_will_do():
    dense = by_hand(sa.Dense(2, 1), [2])
    dense.W, dense.b = [[1], [2]], [3]
    assert dense([[1, 1], [0, 1]]).tolist() == [[6], [5]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_is_that_asked_for(backend, dtype):
    dense = by_hand(sa.Dense(3, 2), 3, backend=backend, dtype=dtype)
    results = dense(np.ones((2, 3))), dense.backward(np.ones((2, 2))), dense.W, dense.dW
    assert [a.dtype for a in results] == [dtype] * 4


def test_noise_is_that_of_the_examples_epoch_and_purpose(backend):
    noise, x = by_hand(sa.GaussianNoise(0.5), 6, backend=backend), np.zeros((5, 6))
    y = noise(x)
    np.testing.assert_array_equal(noise(x), y)
    noise.first = 2
    np.testing.assert_array_equal(noise(x[2:]), y[2:])
    noise.first, noise.epoch = 0, 1
    assert (noise(x) != y).all()
    noise.purpose = EVALUATION
    np.testing.assert_array_equal(noise(x), x)


def test_settings_are_shared_with_the_layer_handed_in(backend):
    handed, x = sa.GaussianNoise(0.5), np.zeros((3, 4))
    noise = by_hand(handed, 4, backend=backend)
    y = noise(x)
    handed.sigma = 1.0
    np.testing.assert_allclose(noise(x), 2 * y, rtol=1e-12)
    noise.sigma = 0.25
    assert handed.sigma == 0.25
    np.testing.assert_allclose(noise(x), y / 2, rtol=1e-12)


# --- latents ---


def test_a_latent_is_its_equations(backend, rng, tolerance):
    latent = by_hand(sa.Gaussian(3), 6, backend=backend, seed=2)
    eps = by_hand(sa.Gaussian(3), 6, backend=backend, seed=2)
    eps(np.zeros((7, 6)))
    for n in COUNTS:
        h, dz = rng.normal(size=(n, 6)), rng.normal(size=(n, 3))
        mu, logvar = h[:, :3], h[:, 3:]
        z = latent(h)
        close([latent.eps], [eps.eps[:n]], 0)
        close([z], [mu + np.exp(logvar / 2) * latent.eps], tolerance("layer"))
        kl = (mu**2 + np.exp(logvar) - 1 - logvar) / 2
        close([latent.kl], [kl], tolerance("layer"))
        for weight in (1.0, 0.0, np.array([0.5, 0.0, 2.0])):
            dmu = dz + weight * mu
            dlogvar = (dz * (z - mu) + weight * (np.exp(logvar) - 1)) / 2
            dh = np.hstack([dmu, dlogvar])
            close([latent.backward(dz, weight)], [dh], tolerance("layer"))
        close([latent.backward(dz)], [latent.backward(dz, 1.0)], 0)


# --- likelihoods ---


def data(name, rng, n):
    """a (n, 3, C or 2C) and x (n, 3, C) that the likelihood takes."""
    wide = name in ("LearnedGaussian", "DiscretisedLogistic")
    a = rng.normal(size=(n, 3, 2 * C if wide else C))
    x = {
        "Categorical": lambda: np.eye(C)[rng.integers(0, C, (n, 3))],
        "Poisson": lambda: rng.integers(0, 6, (n, 3, C)).astype(float),
        "DiscretisedLogistic": lambda: rng.integers(-1, 3, (n, 3, C)).astype(float),
    }
    return a, x.get(name, lambda: rng.random((n, 3, C)))()


def between(mu, s, x):
    """The logistic distribution's share between x - 1/2 and x + 1/2, of -1 to 2 with open ends."""
    side = np.where(mu < x, -1, 1)  # of the two tails the one with digits
    near, far = ((side * (x - mu) + half) / s for half in (0.5, -0.5))
    upper, lower = (1 / (1 + np.exp(-t)) for t in (near, far))
    upper = np.where((x == 2) & (side == 1) | (x == -1) & (side == -1), 1, upper)
    return upper - np.where((x == -1) & (side == 1) | (x == 2) & (side == -1), 0, lower)


def nll_of(name, a, x):
    """(n,) by the equations of the docstrings."""
    mu, logvar = a[..., :C], a[..., C:]
    floored = 0.1**2 + np.exp(logvar) if logvar.size else None
    each = {
        "Bernoulli": lambda: np.logaddexp(0, a) - x * a,
        "SquaredError": lambda: (a - x) ** 2,
        "AbsoluteError": lambda: np.abs(a - x),
        "GaussianLikelihood": lambda: ((a - x) / 0.3) ** 2 / 2 + np.log(0.3) + TAU / 2,
        "ContinuousBernoulli": lambda: np.log(np.expm1(a) / a) - x * a,
        "DiscretisedLogistic": lambda: -np.log(between(mu, 1 / 64 + np.exp(logvar), x)),
        "Poisson": lambda: np.exp(a) - x * a + np.log([1, 1, 2, 6, 24, 120])[x.astype(int)],
        "SharedGaussian": lambda: 2 * (a - x) ** 2 + np.log(0.5) + TAU / 2,  # .3^2 + .4^2
        "OptimalGaussian": lambda: (a - x) ** 2,  # without a batch to settle sigma
        "Laplace": lambda: np.abs(a - x) / 0.4 + np.log(0.8),
        "LearnedGaussian": lambda: ((mu - x) ** 2 / floored + np.log(floored) + TAU) / 2,
        "Categorical": lambda: x * (np.log(np.exp(a).sum(axis=-1, keepdims=True)) - a),
    }
    return each[name]().sum(axis=(1, 2))


def test_every_likelihood_has_a_case():
    assert {*LIKELIHOODS, "Likelihood"} == set(likelihoods.__all__)


@LIKELIHOOD
def test_a_likelihood_is_its_equation(name, backend, rng, tolerance):
    likelihood = by_hand(LIKELIHOODS[name], (3, C), backend=backend)
    for n in COUNTS:
        a, x = data(name, rng, n)
        close([likelihood(a, x)], [nll_of(name, a, x)], tolerance("layer"))

        def f(a=a, x=x):
            return likelihood(a, x).sum()

        assert_gradients(f, {"a": a}, {"a": likelihood.backward()}, tolerance("gradient"))


def test_a_changed_sigma_acts_at_once(backend, rng, tolerance):
    handed, (a, x) = sa.GaussianLikelihood(1.0), data("GaussianLikelihood", rng, 4)
    likelihood = by_hand(handed, (3, C), backend=backend)
    likelihood(a, x)
    handed.sigma = 0.3
    right = nll_of("GaussianLikelihood", a, x)
    np.testing.assert_allclose(likelihood(a, x), right, rtol=tolerance("layer"))


# --- wrong uses ---


def called(part=None, shape=3, n=4):
    """A Dense (or another part) that was called once on n rows, without a backward pass."""
    bound = by_hand(part or sa.Dense(3, 2), shape)
    bound(np.zeros((n, shape)))
    return bound


DENSE, X = sa.Dense(3, 2), np.zeros((4, 3))
WRONG = {
    "no part": (lambda: by_hand(3, 3), TypeError, "by_hand is given 3, but a layer such as"),
    "a class": (lambda: by_hand(sa.Dense, 3), TypeError, "the class Dense, but an object"),
    "a latent's class": (lambda: by_hand(sa.Gaussian, 4), TypeError, "the class Gaussian, but"),
    "a likelihood's class": (lambda: by_hand(sa.Bernoulli, 4), TypeError, "class Bernoulli, but"),
    "no size": (lambda: by_hand(DENSE, (0,)), ValueError, "the shape's size is 0, but"),
    "another shape": (lambda: by_hand(DENSE, 5), ValueError, r"of shape \(5,\), but it takes \(3"),
    "of a latent": (lambda: by_hand(sa.Gaussian(2), 3), ValueError, r"takes \(4,\): mu and logv"),
    "a seed": (lambda: by_hand(DENSE, 3, seed=-1), ValueError, "the seed is -1, but"),
    "a backend": (lambda: by_hand(DENSE, 3, backend="tpu"), ValueError, "'tpu'"),
    "columns": (lambda: by_hand(DENSE, 3)(X.T), ValueError, r"x of this Dense has shape \(3, 4\)"),
    "no rows": (lambda: by_hand(DENSE, 3)(X[:0]), ValueError, r"has shape \(0, 3\), but \(N, 3\)"),
    "pixels": (lambda: by_hand(DENSE, 3)(X.astype("u1")), TypeError, "raw uint8 pixels: divide"),
    "a NaN": (lambda: by_hand(DENSE, 3)(X * np.nan), ValueError, r"x of this Dense is nan at"),
    "no call": (lambda: by_hand(DENSE, 3).backward(X), RuntimeError, "not called yet: call it on"),
    "rows of dy": (lambda: called().backward(np.ones((3, 2))), ValueError, "3 rows, but the last"),
    "shape of dy": (
        lambda: called().backward(X),
        ValueError,
        r"dy of this Dense has shape \(4, 3",
    ),
    "dW too early": (lambda: called().dW, RuntimeError, "dW is filled by backward, which was not"),
    "all too early": (
        lambda: called().gradients,
        RuntimeError,
        "filled by backward, which was no",
    ),
    "no name": (lambda: called().V, AttributeError, "has no 'V'; it has W, b, dW, db"),
    "no names": (lambda: called(sa.Dropout(0.5)).W, AttributeError, "it has no parameters"),
    "nothing to set": (lambda: setattr(called(), "V", 1), AttributeError, "no 'V' that could be"),
    "shape of W": (lambda: setattr(called(), "W", X), ValueError, r"\(4, 3\), but .* \(3, 2\)"),
    "NaN in b": (lambda: setattr(called(), "b", [0, np.nan]), ValueError, "b is nan at index"),
    "fixed": (lambda: setattr(called(), "outputs", 5), AttributeError, "cannot become 5, since"),
    "a setting": (
        lambda: setattr(called(sa.GaussianNoise(0.5)), "sigma", -1),
        *(ValueError, r"GaussianNoise\(sigma\) is -1, but"),
    ),
    "kl too early": (lambda: by_hand(sa.Gaussian(2), 4).kl, RuntimeError, "not called yet"),
    "no kl": (lambda: called(sa.Gaussian(2), 4).mu, AttributeError, "'mu'; it has kl and eps"),
    "rows of dz": (
        lambda: called(sa.Gaussian(2), 4).backward(np.ones((3, 2))),
        *(ValueError, "dz has 3 rows, but the last call of this Gaussian had 4"),
    ),
    "no nll": (lambda: by_hand(sa.Bernoulli(), 3).backward(), RuntimeError, "not called yet"),
    "rows of x": (
        lambda: by_hand(sa.Bernoulli(), 3)(X, X[:2]),
        *(ValueError, "a has 4 rows, but x has 2: give as many"),
    ),
    "no data": (lambda: by_hand(sa.Bernoulli(), 3)(X, X - 1), ValueError, "-1"),
    "shape of a": (
        lambda: by_hand(sa.LearnedGaussian(), 3)(X, X),
        *(ValueError, r"a of this LearnedGaussian has shape \(4, 3\), but \(N, 6\)"),
    ),
}


@pytest.mark.parametrize("which", WRONG)
def test_a_wrong_use_is_a_sentence(which):
    use, error, words = WRONG[which]
    with pytest.raises(error, match=words) as raised:
        use()
    assert "\n" not in str(raised.value)


def test_a_layer_that_is_not_bound_says_so():
    for layer, shape, _ in CASES.values():
        if not isinstance(layer, sa.Sequential):
            kind = type(layer).__name__
            words = re.escape(f"this {kind} has no ") + r".*" + re.escape(f"by_hand({kind}(...)")
            with pytest.raises(AttributeError, match=words):
                layer.forward(np.zeros((4, *shape)))


def test_the_parameters_of_a_likelihood_are_read_and_written_before_a_call():
    """That of a model that has learned it is the learned one."""
    likelihood = by_hand(sa.SharedGaussian(2.0), 3)
    assert likelihood.logvar == pytest.approx(2 * np.log(2.0))
    likelihood.logvar = [0.5]
    assert likelihood.logvar == [0.5] and dict(likelihood.weights).keys() == {"logvar"}
    fixed = by_hand(sa.GaussianLikelihood(np.exp(0.25)), 3)
    np.testing.assert_allclose(likelihood(X, X + 1), fixed(X, X + 1), rtol=1e-5)
    with pytest.raises(RuntimeError, match="dlogvar is filled by backward"):
        _ = likelihood.dlogvar
    likelihood.backward()
    assert likelihood.gradients["logvar"] == likelihood.dlogvar != 0
    model = sa.VAE(sa.Dense(3, 4), sa.Dense(2, 3), sa.Gaussian(2), sa.SharedGaussian()).build(3)
    model.weights["likelihood.logvar"] = [-1.0]
    assert by_hand(model.likelihood, 3).logvar == [-1.0]


def test_settings_are_read_and_written():
    """Of every kind: the number that acts is the number that is read."""
    noise = by_hand(sa.GaussianNoise(0.1), (3,))
    assert noise.sigma == 0.1
    noise.sigma = 0.3
    assert noise.sigma == noise.part.sigma == 0.3
    assert by_hand(sa.Dense(3, 2), (3,)).outputs == 2
    assert by_hand(sa.Gaussian(2), (4,)).dimensions == 2
    likelihood = by_hand(sa.GaussianLikelihood(0.5), (3,))
    assert likelihood.sigma == 0.5
    with pytest.raises(AttributeError, match="this GaussianLikelihood has no 'V'; it has its"):
        _ = likelihood.V
    with pytest.raises(AttributeError, match="this Dense has no 'forward' that could be set"):
        by_hand(sa.Dense(3, 2), (3,)).forward = None
