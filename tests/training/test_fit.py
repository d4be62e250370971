"""fit: batches, epochs, history, and every way in which a run may end."""

import threading

import numpy as np
import pytest
from training.runs import N, Watched, fit, rows, vae, values

import scratchae as sa
from scratchae.randomness import permutation
from scratchae.training import training


def test_every_example_once_an_epoch():
    data = Watched(rows())
    fit(vae(), data, epochs=3, shards=1)
    assert [len(batch) for batch in data.batches] == [
        8,
        8,
        4,
    ] * 3  # the smaller last batch is kept
    epochs = np.concatenate(data.batches).reshape(3, N).tolist()
    assert all(sorted(order) == list(range(N)) for order in epochs)
    # shuffled, and anew each time
    assert len({tuple(order) for order in [*epochs, range(N)]}) == 4
    assert epochs == [permutation(N, 0, epoch).tolist() for epoch in (1, 2, 3)]


def test_every_example_once_over_shards():
    data = Watched(rows())
    fit(vae(), data, epochs=1, shards=3, threads=1)
    assert [len(part) for part in data.batches] == [3, 3, 2, 3, 3, 2, 2, 2]
    assert sorted(np.concatenate(data.batches)) == list(range(N))


def test_the_order_is_a_function_of_the_seed():
    orders = []
    for seed in (0, 0, 1):
        data = Watched(rows())
        fit(vae(), data, epochs=1, seed=seed)
        orders.append(np.concatenate(data.batches).tolist())
    assert orders[0] == orders[1] != orders[2]


def test_an_order_is_uniform():
    """Where example 0 comes, and who comes first, over many epochs: chi-square with N - 1 degrees
    of freedom."""
    orders = np.array([permutation(8, 5, epoch) for epoch in range(1600)])
    for counts in (np.bincount(orders[:, 0]), np.bincount(np.argmin(orders, axis=1))):
        assert ((counts - 200) ** 2 / 200).sum() < 7 + 4 * np.sqrt(2 * 7)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 4.0])
def test_the_loss_is_the_sum_of_its_terms(backend, beta, tolerance):
    history = fit(vae(backend, beta=beta), validation=rows(seed=1))
    for r in history.records:
        for loss, prefix in (("train_loss", "train_"), ("test_loss", "test_")):
            terms = [r[f"{prefix}{name}"] for name in ("reconstruction", "kl", "penalty")]
            assert r[loss] == pytest.approx(sum(terms), rel=tolerance("loss"))
            assert terms[2] == pytest.approx((beta - 1) * terms[1], rel=tolerance("loss"))
            assert terms[1] > 0


def test_history(capsys):
    x = np.repeat(rows() > 0.5, 3, axis=0).astype("float64")
    history = fit(vae(), x, validation=x, epochs=3)
    terms = ("loss", "reconstruction", "kl", "penalty")
    columns = {
        "epoch",
        "beta",
        "seconds",
        "examples_per_second",
        *(f"{part}_{t}" for part in ("train", "test") for t in terms),
    }
    assert len(history) == 3 and not history.interrupted
    assert all(set(record) == columns for record in history.records)
    assert history["epoch"] == [1, 2, 3]
    assert history["train_loss"][2] < history["train_loss"][0]
    assert all(seconds > 0 for seconds in history["seconds"] + history["examples_per_second"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", f"{n}/3"] for n in (1, 2, 3)]
    assert all(word in lines[0] for word in ("train loss", "test loss", "examples/s"))


def test_the_epochs_loss_weighs_examples_alike(backend, tolerance):
    """With a step too small to matter, it is the loss over all rows: a mean of batch means is
    not."""
    model = sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6)).build(
        6, backend=backend, dtype="float64"
    )
    x = rows() * np.arange(1, N + 1)[:, None]
    history = fit(model, x, sa.SGD(1e-30))
    expected = ((model.reconstruct(x) - x) ** 2).sum(axis=1).mean()
    assert history["train_loss"] == pytest.approx([expected] * 2, rel=tolerance("loss"))


@pytest.mark.parametrize("shards", [1, 3])
def test_validation_does_not_move_training(backend, shards):
    alone, beside = vae(backend), vae(backend)
    losses = fit(alone, shards=shards)["train_loss"]
    assert fit(beside, shards=shards, validation=rows(50, seed=1))["train_loss"] == losses
    np.testing.assert_array_equal(values(alone), values(beside))


def test_evaluation_is_a_function_of_model_data_and_seed(backend, tolerance):
    model, x = vae(backend), rows(seed=1)
    history = fit(model, validation=x)
    before, terms = values(model), sa.evaluate(model, x)
    assert terms == sa.evaluate(model, x)
    assert terms["loss"] == pytest.approx(history["test_loss"][-1], rel=tolerance("loss"))
    for options in (
        {"batch_size": 3},
        {"batch_size": 1},
        {"shards": 4},
        {"threads": 3, "shards": 3},
    ):
        assert sa.evaluate(model, x, **options) == pytest.approx(terms, rel=tolerance("layer"))
    assert sa.evaluate(model, x, seed=1)["kl"] == terms["kl"]  # no noise in it
    assert sa.evaluate(model, x, seed=1)["reconstruction"] != terms["reconstruction"]
    assert sa.evaluate(model, x[:7])["kl"] != terms["kl"]
    np.testing.assert_array_equal(values(model), before)


@pytest.mark.parametrize(
    "make", [lambda: sa.Adam(0.01), lambda: sa.SGD(0.01, 0.9)], ids=["adam", "sgd"]
)
def test_going_on_is_one_longer_run(backend, make):
    whole, parts, optimizer = vae(backend), vae(backend), make()
    losses = fit(whole, optimizer=make(), epochs=5)["train_loss"]
    first, second = (fit(parts, optimizer=optimizer, epochs=n) for n in (2, 3))
    assert second["epoch"] == [3, 4, 5] and optimizer.t == 15
    assert first["train_loss"] + second["train_loss"] == losses
    np.testing.assert_array_equal(values(parts), values(whole))


def test_a_new_optimiser_has_new_moments_and_the_next_epoch():
    model, other = vae(), vae()
    fit(model)
    optimizer = fit(other).optimizer
    assert fit(model)["epoch"] == fit(other, optimizer=optimizer)["epoch"] == [3, 4]
    assert (values(model) != values(other)).any()
    assert fit(model.build(6, dtype="float64"))["epoch"] == [1, 2]


def test_the_noise_of_an_epoch_never_comes_back():
    """Whoever fits epoch by epoch with a new optimiser has other noise and another order each
    time: plain SGD keeps nothing, so the weights are those of a single call."""
    alone, whole = vae(), vae()
    for _ in range(4):
        fit(alone, optimizer=sa.SGD(0.01), epochs=1)
    fit(whole, optimizer=sa.SGD(0.01), epochs=4)
    np.testing.assert_array_equal(values(alone), values(whole))


def test_learning_one_noise_by_heart():
    """Noise that came back would be learnt: the loss on it would part from that on other noise."""
    x = np.random.default_rng(0).uniform(size=(256, 20)).astype("float32")
    encoder = sa.Sequential(sa.Masking(0.5, in_evaluation=True), sa.Dense(20, 19, "tanh"))
    model = sa.Autoencoder(encoder, sa.Dense(19, 20)).build(20, dtype="float64", seed=0)
    for _ in range(60):
        history = fit(model, x, sa.Adam(1e-2), epochs=1, batch_size=32, progress=False)
    assert sa.evaluate(model, x, seed=5)["loss"] < history["train_loss"][-1] * 1.02


def test_an_optimiser_of_another_model_is_refused():
    optimizer, model = sa.Adam(), vae()
    fit(vae(), optimizer=optimizer)
    before, t = values(model), optimizer.t
    with pytest.raises(ValueError, match="already holds the state of another model"):
        fit(model, optimizer=optimizer)
    np.testing.assert_array_equal(values(model), before)
    assert optimizer.t == t


def test_callbacks_see_each_epoch_and_may_end_the_run():
    seen = []

    def first(model, history):
        seen.append((model, len(history), "test_loss" in history.records[-1]))

    model = vae()
    history = fit(
        model,
        epochs=9,
        validation=rows(),
        callbacks=[first, lambda model, history: len(history) == 3],
    )
    assert seen == [(model, 1, True), (model, 2, True), (model, 3, True)]
    assert len(history) == 3 and not history.interrupted and model.objective.epoch == 3


def test_all_callbacks_are_called_though_the_first_ends_the_run():
    called = []
    fit(vae(), callbacks=[lambda *_: True, lambda *_: called.append(1)])
    assert called == [1]


def test_fit_works_outside_the_main_thread(backend):
    model, other, done = vae(backend), vae(backend), []
    thread = threading.Thread(target=lambda: done.append(fit(model, shards=2, threads=2)))
    thread.start()
    thread.join()
    assert len(done[0]) == 2
    fit(other, shards=2, threads=2)
    np.testing.assert_array_equal(values(model), values(other))


def test_a_column_that_there_is_not():
    history = fit(vae())
    with pytest.raises(KeyError, match="no column 'val_loss' in epoch 1: choose one of epoch, "):
        history["val_loss"]
    for wrong in (lambda: history[0], lambda: list(history), lambda: history[1:]):
        with pytest.raises(
            TypeError, match=r"is no column: .*, or history.records, which has one"
        ):
            wrong()


def test_more_shards_than_rows_in_the_last_batch(backend, tolerance):
    model, one = vae(backend), vae(backend)
    losses = [
        fit(m, rows(9), batch_size=8, shards=s)["train_loss"] for m, s in ((model, 8), (one, 1))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=tolerance("layer"))


def test_a_batch_larger_than_the_data_is_the_data(backend):
    model, other = vae(backend), vae(backend)
    assert (
        fit(model, batch_size=1000, shards=1)["train_loss"]
        == fit(other, batch_size=N, shards=1)["train_loss"]
    )
    np.testing.assert_array_equal(values(model), values(other))


def test_the_data_is_left_alone():
    x = rows()
    before = x.copy()
    fit(vae(), x, validation=x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("wrong", ["adam", sa.Adam, None])
def test_what_is_no_optimizer(wrong):
    with pytest.raises(TypeError, match="an optimiser such as Adam"):
        sa.fit(vae(), rows(), wrong, epochs=1)


def test_a_class_is_no_model():
    with pytest.raises(
        TypeError, match=r"the model is the class Autoencoder, but.*Autoencoder\(\.\.\.\)"
    ):
        fit(sa.Autoencoder)


@pytest.mark.filterwarnings("ignore::scratchae.WideCode")
def test_a_model_without_parameters(backend):
    model = sa.Autoencoder(sa.Flatten(), sa.Reshape(6)).build(6, backend=backend)
    with pytest.raises(
        ValueError,
        match="this Autoencoder has no parameters to train: it has none: give it a layer",
    ):
        fit(model)


def test_frozen_as_a_whole_in_a_callback():
    """There is nothing left to train, and fit says so as it does before the first step."""
    model = sa.Autoencoder(sa.Dense(4, 2), sa.Dense(2, 4)).build(4)

    def freeze(model, history):
        model.encoder.trainable = model.decoder.trainable = False

    x = np.random.default_rng(0).random((50, 4))
    with pytest.raises(ValueError, match="has no parameters to train: every layer"):
        sa.fit(model, x, sa.Adam(), epochs=3, callbacks=freeze, progress=False)


def test_a_model_is_trained_by_one_call_at_a_time():
    model, other = vae(), vae()
    before = []

    def again(trained, history):
        before.append(values(model))
        for call in (fit, sa.pretrain):
            with pytest.raises((RuntimeError, TypeError)) as caught:
                call(model, rows(), sa.Adam(0.01), epochs=1)
            before.append(str(caught.value))
        loop = training(model, rows(), sa.Adam())
        with pytest.raises(RuntimeError, match="this VAE is being trained already"), loop:
            raise AssertionError
        np.testing.assert_array_equal(values(model), before[0])
        assert np.isfinite(sa.evaluate(model, rows())["loss"])  # to measure it is no training
        fit(other, epochs=1)

    fit(model, epochs=1, callbacks=again)
    assert "this VAE is being trained already, by another call" in before[1]
    assert fit(model)["epoch"] == [2, 3]


def test_a_model_is_free_after_an_error():
    model = vae()
    with pytest.raises(ZeroDivisionError):
        fit(model, callbacks=lambda *_: 1 / 0)
    with pytest.raises(ValueError, match="shards"):
        fit(model, shards=0)
    assert len(fit(model)) == 2


def test_pretraining_claims_the_model_too():
    deep = sa.Sequential(sa.Dense(6, 4, "tanh"), sa.Dense(4, 2))
    model = sa.Autoencoder(deep, sa.Sequential(sa.Dense(2, 4, "tanh"), sa.Dense(4, 6))).build(6)

    def again(trained, history):
        with pytest.raises(RuntimeError, match="this Autoencoder is being trained already"):
            sa.pretrain(model, rows().astype(np.float32), sa.Adam(), epochs=1)

    sa.fit(model, rows().astype(np.float32), sa.Adam(), epochs=1, callbacks=again)


@pytest.mark.parametrize("likelihood", [sa.Bernoulli(), sa.Categorical()])
def test_data_that_is_changed_during_the_training(likelihood):
    """It was looked at before the first step, and is looked at before each epoch."""
    x = np.eye(6)[np.random.default_rng(0).integers(6, size=N)]
    model, seen = vae(likelihood=likelihood), []

    def spoil(model, history):
        seen.append(values(model))
        x[3, 2] = 7

    with pytest.raises(ValueError, match="the data was changed during the training: the data"):
        fit(model, x, callbacks=spoil, epochs=5)
    np.testing.assert_array_equal(values(model), seen[0])
    assert len(seen) == 1


@pytest.mark.parametrize("beta", [0.0, 1e-6, 1.0, 4.0])
def test_the_loss_does_not_cancel(beta):
    """A KL of 1e34 beside a reconstruction of 400 is lost in their sum."""
    objective = vae(beta=beta).objective
    for nll, kl in ((437.71, 6.7e34), (90.32, 2.9e17), (100.0, 5.0)):
        terms = objective.loss(np.array([1.0, nll, kl]))
        assert terms["loss"] == nll + beta * kl
        assert (terms["reconstruction"], terms["kl"]) == (nll, kl)


@pytest.mark.parametrize("epochs", [1, 2])
def test_data_that_is_changed_within_the_last_epoch(epochs):
    x, model = np.eye(6)[np.random.default_rng(0).integers(6, size=N)], vae()

    class Spoil:
        def __call__(self, model, history): ...

        def step(self, model, step):
            if step.t == 3 * epochs - 1:
                x[:] = 7

    with pytest.raises(ValueError, match="the data was changed during the training"):
        fit(model, x, callbacks=Spoil(), epochs=epochs)


def test_validation_data_that_is_changed():
    x, held = (np.eye(6)[np.random.default_rng(0).integers(6, size=N)] for _ in range(2))

    def spoil(model, history):
        held[:] = 7

    with pytest.raises(ValueError, match="the validation data was changed during the training"):
        fit(vae(), x, callbacks=spoil, validation=held)
