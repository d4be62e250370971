"""A capacity: the KL is held at it, from both sides, by whatever shards, step by step."""

import numpy as np
import pytest
from proofs import kl_claims
from proofs.kl_claims import SHARDS

import scratchae as sa
from scratchae.execution.runner import runner_for

X = np.random.default_rng(0).uniform(0.1, 0.9, (23, 6))


def built(*arguments, backend="numpy", **options):
    encoder = sa.Sequential(sa.Dense(6, 5, "tanh"), sa.Dense(5, 4))
    parts = encoder, sa.Dense(2, 6), sa.Gaussian(2), sa.Bernoulli()
    model = sa.Model(sa.Capacity(*parts, *arguments, **options))
    return model.build(6, backend=backend, dtype="float64", seed=3)


def test_the_kl_is_held_from_both_sides(backend, tolerance):
    kl_claims.the_kl_is_held_from_both_sides(backend, tolerance)


def test_at_its_capacity_the_kl_is_left_alone(backend, tolerance):
    x = np.full((8, 2), 1.0)  # a KL of 1/2 each, exact in both places
    model = kl_claims.known(sa.Capacity, backend, 1.0)
    terms, db = kl_claims.step(model, 2, x)
    assert terms["penalty"] == -1.0 and (db == 0).all()


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("capacity", [0.0, 1.0])
def test_any_shards_give_the_same(backend, capacity, samples, tolerance):
    model, found = built(capacity, 7.0, samples, backend=backend), []
    for shards in SHARDS:
        with runner_for(model, len(X), shards) as runner:
            feeds = runner.feeds(sa.Values(X))
            total = runner.gradients(feeds, np.arange(len(X), dtype=np.uint32))
            grads = runner.backend.to_host(runner.grads).sum(axis=0)
            found.append((runner.objective.loss(total), grads))
    (terms, grads), *others = found
    for told, other in others:
        assert told == pytest.approx(terms, rel=tolerance("loss"))
        np.testing.assert_allclose(other, grads, rtol=0, atol=10 * tolerance("loss"))


@pytest.mark.parametrize("capacity", [0.2, 1.5])
def test_a_run_ends_at_its_capacity(capacity):
    """Below what the bound would choose, and above it."""
    model = built(capacity, 5.0)
    sa.fit(model, X, sa.Adam(sa.schedules.Cosine(0.02, 400)), epochs=400, progress=False)
    assert sa.evaluate(model, X)["kl"] == pytest.approx(capacity, abs=0.03)


def test_a_schedule_is_its_number_at_each_step(backend, tmp_path, tolerance):
    """As if it were set by hand before each step: parameters, losses, history, file."""
    C, gamma = sa.schedules.Linear(0, 2, 8), sa.schedules.Cyclical(1, 5, 8, 2, 1.0)
    model, found, losses = built(C, gamma, backend=backend), [], []
    by_hand = built(C(1), gamma(1), backend=backend)

    class ByHand:
        def __call__(self, model, history):
            pass

        def step(self, model, step):
            model.objective.capacity = C(step.t + 1)
            model.objective.gamma = gamma(step.t + 1)

    for one, callbacks in ((model, ()), (by_hand, ByHand())):
        optimizer = sa.SGD(0.05)
        options = {"epochs": 2, "batch_size": 6, "progress": False, "shards": 2}
        history = sa.fit(one, X, optimizer, callbacks=callbacks, **options)
        found.append(one.backend.to_host(one.parameters.values))
        assert history["capacity"] == [0.75, 1.75] and history["gamma"] == [4.0, 4.0]
        losses.append(history["train_loss"])
    np.testing.assert_allclose(*found, rtol=0, atol=tolerance("loss"))
    np.testing.assert_allclose(*losses, rtol=tolerance("loss"))
    assert sa.evaluate(model, X)["penalty"] != sa.evaluate(built(0.0), X)["penalty"]
    sa.save(model, tmp_path / "held")
    again = sa.load(tmp_path / "held", backend=backend)
    assert again.objective.capacity(5) == 1.0 and again.objective.gamma(2) == 2.0
    assert sa.evaluate(again, X) == sa.evaluate(model, X)


def test_a_model_over_it_tells_its_numbers():
    model = built(sa.schedules.Linear(0, 25, 100), 10.0)
    words = "Model(Capacity): Gaussian(2), Bernoulli(), capacity=Linear(0.0, 25.0, 100), gamma=10"
    assert str(model).startswith(words)
    assert model.encode(X)[0].shape == (23, 2) and model.sample(3).shape == (3, 6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((-1.0,), r"Capacity\(capacity\) is -1.0, but it must be a number at least 0"),
        ((1.0, -1.0), r"Capacity\(gamma\) is -1.0, but it must be a number at least 0"),
        ((1.0, 1.0, 0), r"Capacity\(samples\) is 0, but it must be a whole number of at least 1"),
    ],
)
def test_bad_numbers(arguments, words):
    with pytest.raises(ValueError, match=words):
        built(*arguments)


def test_beta_is_refused():
    """It could not act: before building and after it."""
    model = built(1.0)
    parts = sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), sa.Bernoulli()
    for objective in (model.objective, sa.Capacity(*parts, 1.0)):
        with pytest.raises(AttributeError, match=r"Capacity\(beta\) has no meaning: .* is gamma"):
            objective.beta = 2.0
        with pytest.raises(AttributeError, match="set capacity, decoder, encoder, gamma, la"):
            objective.bta = 2.0
        assert objective.beta is None
    with pytest.raises(TypeError, match="beta"):
        built(1.0, beta=2.0)
