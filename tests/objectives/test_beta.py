"""A weight of the KL that changes with the step: in the loss, the gradient, the history, the
file."""

import numpy as np
import pytest

import scratchae as sa
from scratchae import randomness
from scratchae.execution.runner import runner_for
from scratchae.schedules import Cosine, Cyclical, Exponential, Linear, Sigmoid

X = np.random.default_rng(0).uniform(0.2, 0.8, (6, 5)).astype(np.float32)


def vae(**options):
    return sa.VAE(sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), **options)


@pytest.mark.parametrize("batch_size", [2, 4])
def test_a_schedule_of_beta_is_that_number_at_each_step(backend, batch_size):
    """The loss of each step, the epoch's mean and the gradient are those of beta(t)."""
    beta = Linear(0.5, 2.0, 4)
    model = vae(beta=beta).build(5, backend=backend, seed=1, dtype="float64")
    x = X.astype(np.float64)
    history = sa.fit(
        model, x, sa.SGD(0.01), epochs=2, batch_size=batch_size, shards=1, progress=False
    )
    by_steps, t, seen = vae(beta=beta(1)).build(5, backend=backend, seed=1, dtype="float64"), 0, []
    optimizer = sa.SGD(0.01)
    optimizer.start(by_steps.parameters)
    for epoch in (1, 2):
        order, losses = randomness.permutation(len(x), 0, epoch), []
        for i in range(0, len(x), batch_size):
            t += 1
            by_steps.beta = beta(t)
            with runner_for(by_steps, batch_size, 1) as runner:
                runner.set_clock(randomness.clock(0, epoch))
                rows = order[i : i + batch_size]
                feeds = runner.feeds(sa.Values(x))
                (step,) = runner.steps(feeds, rows, batch_size, optimizer, lambda: False)
            losses.append(step.terms["loss"] * len(rows))
        seen.append(sum(losses) / len(x))
    np.testing.assert_allclose(history["train_loss"], seen, rtol=1e-12)
    for name, values in model.weights.items():
        np.testing.assert_allclose(values, by_steps.weights[name], rtol=1e-10, atol=1e-14)


def test_a_schedule_is_saved_and_read_where_it_was(tmp_path):
    model = vae(beta=Linear(0, 1, 4)).build(5, seed=1)
    optimizer = sa.Adam(1e-2)
    with pytest.warns(sa.ScheduleWarning):
        sa.fit(model, X, optimizer, epochs=2, progress=False)
    sa.save(model, tmp_path / "model", optimizer=optimizer)
    again = sa.load(tmp_path / "model")
    assert sa.evaluate(again, X) == sa.evaluate(model, X)
    assert again.objective.t == 2 and again.beta(3) == 0.5
    first = sa.fit(again, X, again.optimizer, epochs=2, progress=False)
    second = sa.fit(model, X, optimizer, epochs=2, progress=False)
    assert first["train_loss"] == second["train_loss"] and first["beta"] == [0.5, 0.75]


def test_a_schedule_that_gives_no_number_is_refused_before_anything_changes():
    model = vae(beta=gone_wrong).build(5)
    before = dict(model.weights)
    with pytest.raises(ValueError, match=r"ELBO\(beta\) at step 1 is -1"):
        sa.fit(model, X, sa.Adam(1e-2), epochs=2, progress=False)
    assert all(np.array_equal(before[name], value) for name, value in model.weights.items())
    with pytest.raises(TypeError, match="a number or a function of the step"):
        vae(beta=no_step)


def gone_wrong(t):
    return -1.0


def no_step():
    return 1.0


def test_the_history_has_the_last_steps_beta(backend):
    """Of a schedule, of a number that a callback sets between epochs, and of one set between
    steps."""
    options = {"epochs": 2, "batch_size": 2, "progress": False}  # three steps an epoch
    by_schedule = vae(beta=Linear(0, 1, 4)).build(5, backend=backend)
    assert sa.fit(by_schedule, X, sa.Adam(), **options)["beta"] == [0.5, 1.0]

    def double(model, history):
        model.beta = 2 * model.beta

    by_epoch = vae(beta=0.25).build(5, backend=backend)
    assert sa.fit(by_epoch, X, sa.Adam(), callbacks=double, **options)["beta"] == [0.25, 0.5]

    class Count:
        def __call__(self, model, history):
            pass

        def step(self, model, step):
            model.beta = step.t + 1.0  # acts at the next step

    by_step = vae(beta=1.0).build(5, backend=backend)
    assert sa.fit(by_step, X, sa.Adam(), callbacks=Count(), **options)["beta"] == [3.0, 6.0]
    assert "beta" not in sa.evaluate(by_step, X)


LATE = (
    r"the schedule of {} ends after {} steps, but the last step of this run is 6: give it at "
    r"most 6 steps, or train for {} epochs, of 3 steps each"
)


def test_a_schedule_that_ends_after_the_run_is_told():
    """Once, by name, with what to set; not where it ends in time, or does not say when."""
    options = {"epochs": 2, "batch_size": 2, "progress": False}
    for beta in (Linear(0, 1, 7), Sigmoid(0, 1, 7), Cyclical(0, 1, 7, 2), Cosine(1, 7)):
        model, optimizer = vae(beta=beta).build(5), sa.Adam()
        with pytest.warns(sa.ScheduleWarning, match=LATE.format(r"ELBO\(beta\)", 7, 3)) as told:
            sa.fit(model, X, optimizer, **options)
        assert len(told) == 1 and told[0].filename == __file__
        sa.fit(model, X, optimizer, **options)  # from step 7 to 12
    for beta in (Linear(0, 1, 6), Exponential(1, 0.5, 100), halving, 0.5):
        sa.fit(vae(beta=beta).build(5), X, sa.Adam(Cosine(1e-3, 100)), **options)
    parts = sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), sa.Bernoulli()
    both = sa.Capacity(*parts, Linear(0, 1, 1000), Linear(1, 2, 100))
    named = r"Capacity\(capacity\) ends after 1,000 steps and Capacity\(gamma\)"
    with pytest.warns(sa.ScheduleWarning, match=LATE.format(named, 100, 334)):
        sa.fit(sa.Model(both).build(5), X, sa.Adam(), **options)


def halving(t):
    return 0.5**t
