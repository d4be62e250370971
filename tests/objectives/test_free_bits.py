"""Free bits: which dimensions cost, by the mean over the batch; groups, samples, shards, files."""

from contextlib import nullcontext

import numpy as np
import pytest
from proofs import kl_claims
from proofs.kl_claims import SHARDS

import scratchae as sa
from scratchae.execution.runner import runner_for
from scratchae.gradcheck import check_objective

X = np.random.default_rng(0).uniform(0.1, 0.9, (23, 6))
X[11:] *= 0.1  # so that a shard's mean is not the batch's


def parts(D=4):
    encoder = sa.Sequential(sa.Dense(6, 5, "tanh"), sa.Dense(5, 2 * D))
    return encoder, sa.Dense(D, 6), sa.Gaussian(D), sa.Bernoulli()


def built(*arguments, backend="numpy", kind=sa.FreeBits, **options):
    model = sa.Model(kind(*parts(), *arguments, **options))
    return model.build(6, backend=backend, dtype="float64", seed=3)


def gradients(model, shards, x=X):
    """The terms and the gradient (n,) of one batch."""
    with runner_for(model, len(x), shards) as runner:
        feeds = runner.feeds(sa.Values(x))
        total = runner.gradients(feeds, np.arange(len(x), dtype=np.uint32))
        return runner.objective.loss(total), runner.backend.to_host(runner.grads).sum(axis=0)


def rates(model, x=X):
    """The mean KL of each dimension, by its closed form on the host."""
    mu, logvar = model.encode(x)
    return ((mu**2 + np.exp(logvar) - 1 - logvar) / 2).mean(axis=0)


def test_a_dimension_is_free_by_the_mean_of_the_batch(backend, tolerance):
    kl_claims.a_dimension_is_free_by_the_mean_of_the_batch(backend, tolerance)


@pytest.mark.parametrize("options", [{}, {"groups": 2}, {"groups": 1}, {"samples": 3}])
def test_any_shards_give_the_same(backend, options, tolerance):
    plain = rates(built(0.0))
    size = 4 // options.get("groups", 4)
    floor = float(np.sort(plain.reshape(-1, size).sum(axis=1))[:2].mean()) * 1.01
    model = built(floor, backend=backend, beta=0.7, **options)
    (terms, grads), *others = (gradients(model, shards) for shards in SHARDS)
    for told, other in others:
        assert told == pytest.approx(terms, rel=tolerance("loss"))
        np.testing.assert_allclose(other, grads, rtol=0, atol=tolerance("loss"))


@pytest.mark.parametrize("groups", [None, 1, 2, 4])
@pytest.mark.parametrize("floor", [0.0, 0.01, 0.3, 100.0, "between"])
def test_the_cost_by_hand(groups, floor, tolerance):
    """Between: above some groups and below others, which other groups of the terms would not
    have."""
    by_group = rates(built(0.0)).reshape(groups or 4, -1).sum(axis=1)
    if floor == "between":
        floor = 0.9 * by_group.max()
    model = built(floor, groups, beta=0.7)
    terms = sa.evaluate(model, X)
    cost = 0.7 * np.maximum(floor, by_group).sum()
    assert terms["loss"] == pytest.approx(terms["reconstruction"] + cost, rel=tolerance("loss"))
    assert terms["kl"] == pytest.approx(by_group.sum(), rel=tolerance("loss"))
    assert terms["penalty"] == pytest.approx(cost - by_group.sum(), rel=tolerance("loss"))
    assert terms["above_floor"] == (by_group > floor).sum()
    report = check_objective(sa.FreeBits(*parts(), floor, groups, beta=0.7), (6,))
    assert report.ok, report


@pytest.mark.parametrize("samples", [1, 3])
def test_a_floor_of_zero_is_the_elbo(backend, samples, tolerance):
    free = gradients(built(0.0, backend=backend, beta=0.5, samples=samples), 2)
    plain = gradients(built(backend=backend, kind=sa.ELBO, beta=0.5, samples=samples), 2)
    assert free[0].pop("above_floor") == 4
    assert free[0] == pytest.approx(plain[0], rel=tolerance("loss"))
    np.testing.assert_allclose(free[1], plain[1], rtol=0, atol=tolerance("loss"))


def test_below_the_floor_the_latent_is_free(backend):
    """A floor above every KL: no gradient comes from the KL, which then grows, and stays below."""
    model = built(0.4, backend=backend)
    before = rates(model)
    history = sa.fit(model, X, sa.Adam(0.02), epochs=60, batch_size=23, progress=False)
    plain = built(backend=backend, kind=sa.ELBO)
    sa.fit(plain, X, sa.Adam(0.02), epochs=60, batch_size=23, progress=False)
    after = rates(model)
    assert (after > rates(plain)).all() and after.sum() > before.sum()
    assert (after < 0.45).all()  # where the bound's pull begins
    assert history["train_above_floor"][-1] <= 4 and history["beta"] == [1.0] * 60


def test_the_history_counts_what_is_above(backend):
    """The mean over steps in training, of all data in validation."""
    model = built(0.05, backend=backend)
    options = {"epochs": 1, "batch_size": 8, "progress": False, "validation": X}
    history = sa.fit(model, X, sa.SGD(1e-30), **options)
    order = sa.randomness.permutation(23, 0, 1)
    counts = [(rates(model, X[rows]) > 0.05).sum() for rows in np.split(order, [8, 16])]
    assert history["train_above_floor"] == [pytest.approx(np.dot(counts, [8, 8, 7]) / 23)]
    assert history["test_above_floor"] == [(rates(model) > 0.05).sum()]


def test_a_file_keeps_it(tmp_path):
    model = built(0.2, 2, beta=sa.schedules.Sigmoid(0, 1, 6), samples=2)
    optimizer = sa.Adam(1e-2)
    sa.fit(model, X, optimizer, epochs=3, batch_size=12, progress=False)
    sa.save(model, tmp_path / "free", optimizer=optimizer)
    again = sa.load(tmp_path / "free")
    assert (again.objective.floor, again.objective.groups) == (0.2, 2)
    assert again.objective.beta(4) == 0.5 and again.objective.samples == 2
    assert sa.evaluate(again, X) == sa.evaluate(model, X)
    for one, its in ((model, optimizer), (again, again.optimizer)):
        sa.fit(one, X, its, epochs=2, batch_size=12, progress=False)
    np.testing.assert_array_equal(again.parameters.values, model.parameters.values)


@pytest.mark.parametrize(("floor", "above"), [(0.1, 1), (5.0, 0)])
def test_a_layer_of_a_hierarchy_is_a_term(floor, above):
    latent = sa.Hierarchy(sa.Dense(3, 4, "tanh"), sa.Dense(2, 6, "tanh"))
    objective = sa.FreeBits(sa.Dense(6, 6), sa.Dense(3, 6), latent, sa.Bernoulli(), floor)
    report = check_objective(objective, (6,))
    assert report.ok, report
    model = sa.Model(objective).build(6, dtype="float64", seed=0)
    terms = sa.evaluate(model, X)
    assert terms["above_floor"] == above and terms["penalty"] >= 0


def test_an_example_has_no_loss_of_its_own(backend, tolerance):
    """What it costs depends on the others; its parts do not."""
    for options in ({"floor": 0.3}, {"kind": sa.Capacity, "capacity": 2.0}):
        model = built(backend=backend, **options)
        each = sa.evaluate(model, X, each=True)
        assert each.keys() == {"reconstruction", "kl", "kl_per_dimension"}
        assert each["kl_per_dimension"].mean(axis=0) == pytest.approx(rates(model))
        terms = sa.evaluate(model, X)
        for name in ("reconstruction", "kl"):
            assert each[name].mean() == pytest.approx(terms[name], rel=tolerance("loss"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"floor": 5.0, "beta": 0.0}, r"FreeBits\(beta\) is 0, .* floor of 5 nats does nothing"),
        ({"kind": sa.Capacity, "capacity": 2.0, "gamma": 0}, r"Capacity\(gamma\) is 0, so"),
        ({"floor": 0.0, "beta": 0.0}, None),
        ({"floor": 5.0, "beta": sa.schedules.Linear(0, 1, 2)}, None),
        ({"kind": sa.Capacity, "capacity": 0, "gamma": 0}, None),
    ],
)
def test_a_setting_that_acts_on_nothing_is_told(options, words):
    model = built(**options)
    warns = pytest.warns(sa.IdleWarning, match=words) if words else nullcontext()
    with warns:
        sa.fit(model, X, sa.Adam(1e-3), epochs=1, batch_size=8, progress=False)


def test_a_model_over_it_is_a_vae():
    model = built(0.25, 2, beta=0.5)
    mu, logvar = model.encode(X)
    assert mu.shape == logvar.shape == (23, 4) and model.sample(3).shape == (3, 6)
    assert model.decode(mu).shape == (23, 6)
    words = "Model(FreeBits): Gaussian(4), Bernoulli(), floor=0.25, groups=2, beta=0.5; (6,)"
    assert str(model).startswith(words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((-0.1,), r"FreeBits\(floor\) is -0.1, but it must be a number at least 0"),
        ((float("nan"),), r"FreeBits\(floor\) is nan"),
        ((0.1, 0), r"FreeBits\(groups\) is 0, but it must be a whole number of at least 1"),
        ((0.1, None, -1.0), r"FreeBits\(beta\) is -1.0, but it must be a number at least 0"),
        ((0.1, 3), r"groups\) is 3, but the KL has 4 terms .* give a divisor of 4, or None"),
        ((0.1, 8), r"groups\) is 8, but the KL has 4 terms"),
    ],
)
def test_bad_numbers(arguments, words):
    with pytest.raises(ValueError, match=words):
        built(*arguments)
