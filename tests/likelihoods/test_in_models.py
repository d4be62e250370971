"""Likelihoods whose decoder gives other shapes or other numbers than the data, from training to a
saved file."""

import numpy as np
import pytest
from blocks import held

import scratchae as sa
from scratchae.detection import Detector, Maximum, negative_log_likelihood
from scratchae.gradcheck import check_model, check_objective

SHAPE = (4, 3, 2)


def data(likelihood, n=60, seed=0):
    """Rows of SHAPE that depend on one number each: real values, or what the likelihood takes."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(-1, 1, (n, 1, 1, 1))
    x = np.tanh(2 * t * np.linspace(-1, 1, 24).reshape(SHAPE)) + 0.05 * rng.normal(
        size=(n, *SHAPE)
    )
    if isinstance(likelihood, sa.Categorical):
        x = np.eye(2)[(t[..., 0] > np.linspace(-0.9, 0.9, 12).reshape(SHAPE[:2])).astype(int)]
    grey = np.clip(0.5 + 0.4 * x, 0, 1)
    if isinstance(likelihood, sa.ContinuousBernoulli):
        x = grey
    if isinstance(likelihood, sa.DiscretisedLogistic):
        x = likelihood.binned(grey)
    if isinstance(likelihood, sa.Poisson):
        x = np.rint(20 * grey)
    return x.astype(np.float32)


def network(likelihood, inputs, outputs):
    shape = likelihood.parameters(SHAPE)
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(24, 16, "tanh"), sa.Dense(16, inputs))
    return encoder, sa.Sequential(
        sa.Dense(outputs, 16, "tanh"), sa.Dense(16, int(np.prod(shape))), sa.Reshape(*shape)
    )


def vae(likelihood):
    return sa.VAE(*network(likelihood, 4, 2), sa.Gaussian(2), likelihood)


def autoencoder(likelihood):
    return sa.Autoencoder(*network(likelihood, 2, 2), likelihood)


LIKELIHOODS = {
    "learned": lambda: sa.LearnedGaussian(0.02),
    "categorical": sa.Categorical,
    "shared": lambda: sa.SharedGaussian(0.5),
    "laplace": lambda: sa.Laplace(0.1),
    "grey": sa.ContinuousBernoulli,
    "pixels": sa.DiscretisedLogistic,
    "counts": sa.Poisson,
}
QUICK = ("learned",)
EVERY = pytest.mark.parametrize(
    "kind", [k if k in QUICK else pytest.param(k, marks=pytest.mark.slow) for k in LIKELIHOODS]
)
# quick in float64, whose loops are compiled in any case
TYPED = pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *((kind, "float64") for kind in QUICK),
        *(pytest.param(kind, "float32", marks=pytest.mark.slow) for kind in LIKELIHOODS),
    ],
)
BOTH = pytest.mark.parametrize("make", [vae, autoencoder])


@TYPED
@BOTH
def test_from_training_to_a_file(make, kind, dtype, backend, tmp_path, tolerance):
    likelihood = LIKELIHOODS[kind]()
    x = data(likelihood)
    model = make(likelihood).build(SHAPE, backend=backend, dtype=dtype)
    before = sa.evaluate(model, x)["loss"]
    history = sa.fit(model, x, sa.Adam(1e-2), epochs=25, batch_size=20, validation=x)
    assert (
        history["test_loss"][-1] < before - 1
        and history["test_loss"][-1] < history["test_loss"][0]
    )
    y = model.reconstruct(x)
    assert y.shape == x.shape and y.dtype == dtype
    assert ((y - x) ** 2).mean() < 0.3 * x.var()
    if make is vae:
        assert model.sample(3).shape == (3, *SHAPE)
    if kind == "categorical":
        np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=tolerance("kernel", dtype))
    sa.save(model, tmp_path / "model")
    again = sa.load(tmp_path / "model", backend=backend)
    np.testing.assert_array_equal(again.reconstruct(x), y)
    assert sa.evaluate(again, x) == sa.evaluate(model, x)
    assert getattr(again.likelihood, "floor", None) == getattr(likelihood, "floor", None)
    assert type(likelihood).__name__ in repr(again)


@EVERY
@BOTH
def test_shards_and_blocks_change_rounding_only(make, kind, backend, monkeypatch, tolerance):
    likelihood = LIKELIHOODS[kind]()
    x, losses = data(likelihood), []
    for shards, rows in ((1, 60), (3, 60), (1, 7)):
        model = make(likelihood).build(SHAPE, backend=backend, dtype="float64")
        monkeypatch.setattr(
            "scratchae.execution.threads.blocks_of", held(rows * model.objective.numbers() * 8)
        )
        losses.append(
            sa.fit(model, x, sa.Adam(1e-2), epochs=3, batch_size=30, shards=shards)["train_loss"]
        )
    np.testing.assert_allclose(losses, [losses[0]] * 3, rtol=tolerance("layer"))


@EVERY
@BOTH
def test_every_gradient_of_a_model(make, kind, backend):
    likelihood = LIKELIHOODS[kind]()
    model = make(likelihood)
    reports = [
        check_model(model, data(likelihood, 3), backend),
        check_objective(model.objective, SHAPE, 3, backend),
    ]
    reports.append(check_model(model.build(SHAPE, backend=backend), 3))
    for report in reports:
        tensors = [row for row in report.rows if row.what != "shards"]
        assert report.ok and len(tensors) == 8 + (kind == "shared"), str(report)


@TYPED
@BOTH
def test_a_detector_by_likelihood(make, kind, dtype, backend, tolerance):
    """The scores are -log p(x | code), and what the training never showed has a larger one than
    all of it."""
    likelihood = LIKELIHOODS[kind]()
    x = data(likelihood, 300)
    model = make(likelihood).build(SHAPE, backend=backend, dtype=dtype)
    sa.fit(model, x, sa.Adam(1e-2), epochs=40, batch_size=20)
    detector = Detector(model, negative_log_likelihood, Maximum()).fit(x)
    code = model.encode(x)[0] if make is vae else model.encode(x)
    bound = model.replica(300)
    a = model.backend.to_host(bound.decoder.forward(model.backend.asarray(code))).astype(float)
    if kind == "learned":
        mu, sigma = a[..., :2], likelihood.sigma(a)
        nll = ((mu - x) / sigma) ** 2 / 2 + np.log(sigma) + np.log(2 * np.pi) / 2
    elif kind == "categorical":
        nll = -x * np.log(likelihood.mean(a))
    else:
        nll = -model.likelihood.log_prob(x, a).reshape(-1, 1, 1, 1)
    right, tol = nll.sum(axis=(1, 2, 3)), tolerance("layer", dtype)
    np.testing.assert_allclose(detector.scores(x), right, rtol=tol, atol=20 * tol)
    shuffled = np.random.default_rng(2).permutation(12)
    strange = data(likelihood, 40, seed=1).reshape(40, 12, 2)[:, shuffled].reshape(40, *SHAPE)
    # beside one of x, since all of several flagged is a warning
    flags = detector.flags(np.concatenate([x[:1], strange]))
    assert flags[1:].mean() > 0.5 and not detector.flags(x).any()


def test_a_knob_does_something(backend):
    """The floor moves the loss of a model that is otherwise the same."""
    models = [
        autoencoder(sa.LearnedGaussian(floor)).build(SHAPE, backend=backend, dtype="float64")
        for floor in (1e-3, 0.5)
    ]
    losses = [sa.evaluate(model, data(model.likelihood))["loss"] for model in models]
    assert abs(losses[0] - losses[1]) > 0.1


def test_what_a_row_leaves_in_the_buffers():
    """x and da once, each output and its gradient: what blocks of rows are cut by."""
    objective = (
        sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 12), sa.LearnedGaussian()).build(6).objective
    )
    assert objective.numbers() == 6 + 12 + 2 * (3 + 12)
