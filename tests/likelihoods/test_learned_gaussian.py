"""The Gaussian whose spread is learned: closed forms, hard values, its optimum, its draws, a known
noise found."""

import math

import numpy as np
import pytest
from gradcheck import kernels as kernel_checks
from gradcheck.planting import OFF, gradients, spoiled, wrong

import scratchae as sa
from scratchae.gradcheck import check
from scratchae.initializers import TensorDraws
from scratchae.kernels.learned_gaussian import LEARNED_GAUSSIAN_NLL
from scratchae.schedules import Cosine

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
FLOORS = pytest.mark.parametrize("floor", [0.0, 1e-3, 0.4])
LN_2PI = math.log(2 * math.pi)


def run(likelihood, a, x, backend, dtype="float64"):
    """a (N K, ..., 2C), x (N, ..., C) -> nll (N K,), da (N K, ..., 2C), on the host."""
    bound = sa.get_backend(backend, dtype)
    likelihood.bind(bound, len(x), x.shape[1:], len(a) // len(x))
    nll = bound.to_host(likelihood.forward(bound.asarray(a), bound.asarray(x)))
    return nll, bound.to_host(likelihood.backward())


def exact(mu, logvar, x, floor):
    """nll of each value, dmu and dlogvar by the book, in the widest floating point there is."""
    mu, logvar, x = (np.asarray(v, np.longdouble) for v in (mu, logvar, x))
    var = np.longdouble(floor) ** 2 + np.exp(logvar)
    q = (mu - x) ** 2 / var
    return (q + np.log(var) + LN_2PI) / 2, (mu - x) / var, np.exp(logvar) / var * (1 - q) / 2


@pytest.mark.slow
@DTYPES
@FLOORS
@pytest.mark.parametrize("shape, K", [((5,), 1), ((1,), 3), ((4, 3, 1), 2), ((2, 6), 1)])
def test_the_outside_view_agrees(shape, K, floor, dtype, backend, rng, tolerance):
    torch = pytest.importorskip(
        "torch", reason="needs PyTorch, the outside view: pip install torch"
    )
    a = rng.normal(size=(3 * K, *shape[:-1], 2 * shape[-1])).astype(dtype)
    x = rng.normal(size=(3, *shape)).astype(dtype)
    leaf, data = torch.tensor(a).requires_grad_(), torch.tensor(x).repeat_interleave(K, dim=0)
    mu, logvar = leaf.chunk(2, dim=-1)
    theirs = -torch.distributions.Normal(mu, torch.sqrt(floor**2 + torch.exp(logvar))).log_prob(
        data
    )
    theirs.sum().backward()
    nll, da = run(sa.LearnedGaussian(floor), a, x, backend, dtype)
    tol = {"rtol": tolerance("layer", dtype), "atol": tolerance("layer", dtype)}
    np.testing.assert_allclose(nll, theirs.detach().flatten(1).sum(1), **tol)
    np.testing.assert_allclose(da, leaf.grad, **tol)
    assert nll.dtype == da.dtype == dtype


@DTYPES
@FLOORS
@pytest.mark.parametrize("r", [0.0, 1e-6, -2.0])
def test_hard_values(r, floor, dtype, backend, tolerance):
    """logvar at +-50 and +-100: finite and right wherever the dtype has the number."""
    logvar = np.array([[-100.0], [-50.0], [-10.0], [0.0], [50.0], [100.0]])
    mu, x = np.full((6, 1), r), np.zeros((6, 1))
    if dtype == "float32" and floor == 0 and abs(r) > 1:
        mu[0] = 0  # 2 e^100 is no float32
    nll, da = run(sa.LearnedGaussian(floor), np.hstack([mu, logvar]), x, backend, dtype)
    right, dmu, dlogvar = exact(mu, logvar, x, floor)
    tol = tolerance("kernel", dtype)
    np.testing.assert_allclose(nll, right[:, 0].astype(float), rtol=tol, atol=tol)
    np.testing.assert_allclose(da, np.hstack([dmu, dlogvar]).astype(float), rtol=tol, atol=1e-30)
    assert np.isfinite(nll).all() and np.isfinite(da).all()


@pytest.mark.slow  # float32's loop
def test_what_no_float32_can_hold_is_told_by_the_loss(backend):
    """(mu - x) / sigma above 1.8e19 has no square: the loss is inf, and no gradient is NaN."""
    with np.errstate(over="ignore"):
        nll, da = run(
            sa.LearnedGaussian(0), np.array([[1.0, -100.0]]), np.zeros((1, 1)), backend, "float32"
        )
    assert np.isinf(nll).all() and not np.isnan(da).any()


def test_with_a_constant_spread_it_is_the_gaussian_of_that_sigma(backend, rng, tolerance):
    mu, x, floor = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), 0.3
    nll, da = run(sa.LearnedGaussian(floor), np.hstack([mu, np.full((4, 3), -1.2)]), x, backend)
    known = run(sa.GaussianLikelihood(math.hypot(floor, math.exp(-0.6))), mu, x, backend)
    np.testing.assert_allclose(nll, known[0], rtol=tolerance("kernel"))
    np.testing.assert_allclose(da[:, :3], known[1], rtol=tolerance("kernel"))


@pytest.mark.parametrize("floor", [0.0, 0.2])
def test_the_best_variance_is_the_mean_squared_residual(floor, backend, rng, tolerance):
    """One mu and logvar for all examples: the gradient is zero there, and changes its sign
    there."""
    x = rng.normal(1.0, [0.5, 2.0], (50, 2))
    mu, squares = x.mean(axis=0), ((x - x.mean(axis=0)) ** 2).mean(axis=0)
    best = np.log(squares - floor**2)

    def slope(logvar):
        _, da = run(
            sa.LearnedGaussian(floor), np.tile(np.concatenate([mu, logvar]), (50, 1)), x, backend
        )
        return da.sum(axis=0)

    np.testing.assert_allclose(slope(best), 0, atol=50 * tolerance("kernel"))
    assert (slope(best - 0.1)[2:] < 0).all() and (slope(best + 0.1)[2:] > 0).all()


def test_a_constant_feature_pulls_logvar_down_until_a_floor_stops_it(backend):
    """At mu = x the slope is 1/2 everywhere without a floor, and the loss falls with logvar for
    ever."""
    a, x = np.array([[0.7, logvar] for logvar in (0.0, -20.0, -80.0)]), np.full((3, 1), 0.7)
    nll, da = run(sa.LearnedGaussian(0), a, x, backend)
    np.testing.assert_allclose(da[:, 1], 0.5)
    np.testing.assert_allclose(nll, a[:, 1] / 2 + LN_2PI / 2)
    nll, da = run(sa.LearnedGaussian(1e-3), a, x, backend)
    assert da[0, 1] > 0.49 and 0 < da[1, 1] < 2e-3 and 0 < da[2, 1] < 1e-20
    assert nll.min() == pytest.approx(math.log(1e-3) + LN_2PI / 2)


@pytest.mark.slow
@pytest.mark.parametrize("term", ["mu", "logvar", "q in logvar", "a place"])
def test_an_error_in_one_term_is_seen(term, backend, monkeypatch, tolerance):
    def spoil(nll, da, a, x, L):
        C, K = x.shape[2], len(a) // len(x)
        if term == "a place":
            da[:, -1] *= OFF
        if term == "mu":
            da[..., :C] *= OFF
        if term == "logvar":
            da[..., C:] *= OFF
        if term == "q in logvar":
            e, var = np.exp(a[..., C:]), np.exp(L) + np.exp(a[..., C:])
            da[..., C:] -= (OFF - 1) * e * (a[..., :C] - np.repeat(x, K, axis=0)) ** 2 / var**2 / 2

    planted = spoiled(LEARNED_GAUSSIAN_NLL, spoil)
    monkeypatch.setattr(kernel_checks, "LEARNED_GAUSSIAN_NLL", planted)
    monkeypatch.setattr(sa.LearnedGaussian, "kernel", planted)
    for report in (
        kernel_checks.check_kernel(planted, backend),
        check(sa.LearnedGaussian(0.3), (2, 3), None, 3, backend),
    ):
        found = wrong(report)
        assert len(found) == len(gradients(report)) and min(found.values()) > tolerance(
            "planted"
        ), str(report)


def test_draws_have_their_moments():
    n, mu, logvar, floor = 20_000, np.array([0.5, -2.0]), np.array([-1.0, 1.0]), 0.5
    a = np.tile(np.concatenate([mu, logvar]), (n, 1))
    likelihood = sa.LearnedGaussian(floor)
    x, sigma = likelihood.sample(a, TensorDraws(0, 0)), np.sqrt(floor**2 + np.exp(logvar))
    np.testing.assert_allclose(likelihood.sigma(a)[0], sigma)
    assert (np.abs(x.mean(axis=0) - mu) < 5 * sigma / math.sqrt(n)).all()
    assert (np.abs(x.std(axis=0) / sigma - 1) < 5 / math.sqrt(2 * n)).all()
    assert abs(np.corrcoef(x.T)[0, 1]) < 5 / math.sqrt(n)


@DTYPES
def test_shapes_on_the_host(dtype, rng):
    a, likelihood = rng.normal(size=(4, 3, 2, 6)).astype(dtype), sa.LearnedGaussian()
    mean, sigma, x = (
        likelihood.mean(a),
        likelihood.sigma(a),
        likelihood.sample(a, TensorDraws(0, 0)),
    )
    np.testing.assert_array_equal(mean, a[..., :3])
    assert mean.shape == sigma.shape == x.shape == (4, 3, 2, 3) and mean.flags.c_contiguous
    assert mean.dtype == sigma.dtype == x.dtype == dtype
    assert likelihood.parameters((3, 2, 3)) == (3, 2, 6) and sa.SquaredError().parameters(
        (3, 2)
    ) == (3, 2)


@pytest.mark.parametrize("floor", [-1e-9, math.nan, math.inf, True, "0"])
def test_what_is_no_floor(floor):
    with pytest.raises(
        ValueError, match=r"LearnedGaussian\(floor\) is .*, but it must be a number at least 0"
    ):
        sa.LearnedGaussian(floor)


@pytest.mark.parametrize(
    "decoder, mend",
    [
        (sa.Dense(2, 3), "those are 3 numbers, not 6, so change a size"),
        (sa.Sequential(sa.Dense(2, 6), sa.Reshape(3, 2)), r"end it with Reshape\(6,\)$"),
    ],
)
def test_a_decoder_of_the_wrong_shape(decoder, mend):
    words = (
        r"gives rows of shape \(3.*\), but where the data has \(3,\) LearnedGaussian takes "
        r"\(6,\): "
    )
    with pytest.raises(ValueError, match=words + mend):
        sa.Autoencoder(sa.Dense(3, 2), decoder, sa.LearnedGaussian()).build(3)


def factor_analysis(x, steps=3000):
    """Of x (N, I) with one factor, by EM: the deviations (I,) of greatest likelihood, -log p(x) of
    an example. Source: Rubin and Thayer, "EM algorithms for ML factor analysis", 1982."""
    S = np.cov(x.T, bias=True)
    w, psi = np.ones((len(S), 1)), np.diag(S)
    for _ in range(steps):
        B = w.T @ np.linalg.inv(w @ w.T + np.diag(psi))
        w = S @ B.T / (1 - B @ w + B @ S @ B.T)
        psi = np.diag(S - w @ B @ S)
    P = w @ w.T + np.diag(psi)
    nll = (np.trace(np.linalg.solve(P, S)) + np.linalg.slogdet(2 * np.pi * P)[1]) / 2
    return np.sqrt(psi), nll


def means_alone(shape, fan_in, fan_out, noise):
    """Only mu depends on z to begin with, and every sigma is 1."""
    return np.concatenate([0.5 * noise.normal((1, 6)), np.zeros((1, 6))], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2, 5, 7])
def test_a_known_noise_is_found_again(seed):
    """A line in six dimensions, three of noise 0.1, three of 0.3; a linear VAE is factor analysis.

    It is held against that of the same rows, which leaves only what training is short of: at most
    1.3 % with any of eight seeds. That of 4,000 rows is off itself, by 1 / sqrt(2 N) or more in a
    deviation: here within five times that."""
    rng, sigma = np.random.default_rng(0), np.repeat([0.1, 0.3], 3)
    w, n, likelihood = np.array([1, -1, 0.8, 1.2, -0.9, 1]), 4000, sa.LearnedGaussian(1e-2)
    x = (rng.normal(size=(n, 1)) * w + 0.3 + sigma * rng.normal(size=(n, 6))).astype(np.float32)
    model = sa.VAE(
        sa.Dense(6, 2), sa.Dense(1, 12, init=means_alone), sa.Gaussian(1), likelihood
    ).build(6, seed=seed)
    sa.fit(model, x, sa.Adam(Cosine(2e-2, 2400)), epochs=60, batch_size=100)
    a = model.replica(n).decoder.forward(model.backend.asarray(model.encode(x)[0]))
    found = likelihood.sigma(model.backend.to_host(a))
    best, nll = factor_analysis(x.astype(np.float64))
    np.testing.assert_allclose(best, sigma, rtol=5 / np.sqrt(2 * n))
    np.testing.assert_allclose(found.mean(axis=0), best, rtol=0.03)
    assert (found.std(axis=0) < 0.04 * sigma).all()
    assert abs(sa.evaluate(model, x)["loss"] - nll) < 0.02  # -log p(x), less what training lacks
