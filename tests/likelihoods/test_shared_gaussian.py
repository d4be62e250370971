"""One sigma that is learned with the model: it is the root mean square error, and it goes where
the model goes."""

import math

import numpy as np
import pytest
from blocks import held

import scratchae as sa
from scratchae.initializers import TensorDraws

X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)


def autoencoder(likelihood=None, dtype="float64", **build):
    parts = sa.Dense(5, 2, "tanh"), sa.Dense(2, 5), likelihood or sa.SharedGaussian()
    return sa.Autoencoder(*parts).build(5, dtype=dtype, **build)


def vae(likelihood=None, dtype="float64", **build):
    parts = sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), likelihood or sa.SharedGaussian()
    return sa.VAE(*parts).build(5, dtype=dtype, **build)


def run(p, a, x, backend, dtype="float64"):
    """a, x (N, D) -> nll (N,), da (N, D), dlogvar (1,) at the sigma that it starts with."""
    part = sa.by_hand(p, x.shape[1:], backend=backend, dtype=dtype)
    return part(a, x), part.backward(), part.dlogvar


@pytest.mark.parametrize("floor", [0.0, 0.2])
def test_its_slope_is_zero_at_the_root_mean_square(floor, backend, rng, tolerance):
    """And there nll is D / 2 (log(2 pi sigma^2) + 1), its least."""
    a, x = rng.normal(size=(2, 40, 3))
    best = np.sqrt(((a - x) ** 2).mean())
    at = sa.SharedGaussian(math.sqrt(best**2 - floor**2), floor)
    assert at.sigma() == pytest.approx(best)
    nll, _, dlogvar = run(at, a, x, backend)
    assert abs(dlogvar[0]) < 60 * tolerance("kernel")
    least = 3 / 2 * (math.log(2 * math.pi * best**2) + 1)
    assert nll.mean() == pytest.approx(least, rel=tolerance("layer"))
    for off, sign in ((0.9, -1), (1.1, 1)):
        other = sa.SharedGaussian(off * at.initial, floor)
        nll, _, dlogvar = run(other, a, x, backend)
        assert nll.mean() > least + 1e-3 and np.sign(dlogvar[0]) == sign


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("logvar", [-1000.0, -100.0, -50.0, 50.0, 80.0])
def test_log_variances_far_off(logvar, dtype, backend, rng):
    """Value and slopes are finite: with the floor 1 / sigma^2 ends at 1e6."""
    model = autoencoder(backend=backend, dtype=dtype)
    model.weights["likelihood.logvar"] = [logvar]
    replica = model.replica(60, model.backend.zeros((model.parameters.size,)))
    total = replica.forward(model.backend.asarray(X))
    replica.backward(total)
    grads = model.backend.to_host(replica.likelihood.dlogvar), *model.weights.values()
    assert np.isfinite(replica.loss(model.backend.to_host(total))["loss"])
    assert all(np.isfinite(g).all() for g in grads)
    assert model.likelihood.sigma() == pytest.approx(math.hypot(1e-3, math.exp(logvar / 2)))


def test_a_gaussian_of_that_sigma_has_the_same_loss(backend, tolerance):
    for make in (autoencoder, vae):
        shared = make(sa.SharedGaussian(0.7, 0.0), backend=backend, seed=1)
        fixed = make(sa.GaussianLikelihood(0.7), backend=backend, seed=1)
        found = sa.evaluate(shared, X)["loss"]
        assert found == pytest.approx(sa.evaluate(fixed, X)["loss"], rel=tolerance("loss"))


@pytest.mark.parametrize("make", [autoencoder, vae])
def test_what_is_learned_is_the_error(make, backend, tmp_path):
    """After training sigma is the root mean square error of reconstructions (of a VAE: from drawn
    codes, whose squared error is 2 sigma^2 times what reconstruction says beyond the constant)."""
    model = make(backend=backend, seed=1)
    sa.fit(model, X, sa.Adam(2e-2), epochs=200, batch_size=60, progress=False)
    sigma = model.likelihood.sigma()
    loss = sa.evaluate(model, X)["reconstruction"]
    least = 5 / 2 * (math.log(2 * math.pi * sigma**2) + 1)
    assert loss == pytest.approx(least, abs=0.05)
    if make is autoencoder:
        error = np.sqrt(((model.reconstruct(X) - X) ** 2).mean())
        assert sigma == pytest.approx(error, rel=0.01)
    assert model.weights["likelihood.logvar"][0] == pytest.approx(2 * math.log(sigma), abs=1e-4)
    sa.save(model, tmp_path / "model")
    again = sa.load(tmp_path / "model", backend=backend)
    assert again.likelihood.sigma() == sigma and sa.evaluate(again, X) == sa.evaluate(model, X)
    h = np.zeros((20_000, 2), np.float32)
    spread = (model.sample_x(h) - model.decode(h)).std()
    assert spread == pytest.approx(sigma, rel=0.02)
    mean = model.decode(h[:60])
    right = sa.GaussianLikelihood(sigma).log_prob(X, mean)
    np.testing.assert_allclose(model.likelihood.log_prob(X, mean), right, rtol=1e-6)


@pytest.mark.parametrize("make", [autoencoder, vae])
def test_shards_and_blocks_change_rounding_only(make, backend, monkeypatch, tolerance):
    found = []
    for shards, rows in ((1, 60), (2, 60), (3, 60), (7, 60), (1, 7)):
        model = make(backend=backend, dtype="float64", seed=1)
        bytes_held = rows * model.objective.numbers() * 8
        monkeypatch.setattr("scratchae.execution.threads.blocks_of", held(bytes_held))
        sa.fit(model, X, sa.Adam(1e-2), epochs=3, batch_size=30, shards=shards, progress=False)
        found.append([model.likelihood.sigma(), sa.evaluate(model, X)["loss"]])
    np.testing.assert_allclose(found, [found[0]] * 5, rtol=tolerance("layer"))


def test_two_models_of_one_likelihood_learn_their_own():
    handed = sa.SharedGaussian(0.5)
    first, second = autoencoder(handed), autoencoder(handed)
    sa.fit(first, X, sa.Adam(1e-2), epochs=3, progress=False)
    initial = math.hypot(0.5, 1e-3)
    assert second.likelihood.sigma() == pytest.approx(initial, rel=1e-6)
    assert abs(first.likelihood.sigma() - initial) > 1e-3
    with pytest.raises(AttributeError, match=r"read model\.likelihood\.sigma"):
        handed.sigma()


def test_the_table_counts_it():
    text = str(autoencoder())
    assert "28 parameters" in text and "likelihood  SharedGaussian()" in text.splitlines()[-1]


def test_by_hand_reads_it():
    part = sa.by_hand(sa.SharedGaussian(2.0), 3)
    with pytest.raises(RuntimeError, match="dlogvar is filled by backward, which was not called"):
        _ = part.dlogvar
    part(np.zeros((2, 3)), np.ones((2, 3)))
    assert part.logvar[0] == pytest.approx(2 * math.log(2.0))
    with pytest.raises(AttributeError, match="no 'V'; it has logvar, dlogvar, its settings"):
        _ = part.V


def test_draws_have_their_moments():
    a = np.full((20_000, 2), 3.0)
    x = sa.SharedGaussian(0.4, 0.3).sample(a, TensorDraws(0, 0))
    assert abs(x.mean() - 3) < 5 * 0.5 / math.sqrt(x.size)
    assert x.std() == pytest.approx(0.5, rel=5 / math.sqrt(2 * x.size))


@pytest.mark.parametrize("initial", [0, -1, math.nan, math.inf, "1"])
def test_what_is_no_sigma(initial):
    with pytest.raises(ValueError, match=r"SharedGaussian\(initial\) is .*, but it must be"):
        sa.SharedGaussian(initial)
