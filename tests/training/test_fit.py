"""fit: batches, epochs, history, and every way in which a run may end."""

import signal
import threading

import numpy as np
import pytest

import scratchae as sa
from scratchae.randomness import permutation

N, BATCH = 20, 8


def vae(backend="numpy", dtype="float64", beta=1.0, likelihood=None):
    encoder = sa.Sequential(sa.Dense(6, 8, "relu"), sa.Dense(8, 4))
    decoder = sa.Sequential(sa.Dense(2, 8, "tanh"), sa.Dense(8, 6))
    return sa.VAE(encoder, decoder, sa.Gaussian(2), likelihood, beta).build(
        6, backend=backend, dtype=dtype, seed=1
    )


def rows(n=N, seed=0):
    return np.random.default_rng(seed).random((n, 6))


def fit(model, data=None, optimizer=None, **options):
    options = {"epochs": 2, "batch_size": BATCH} | options
    return sa.fit(model, rows() if data is None else data, optimizer or sa.Adam(0.01), **options)


def values(model):
    return model.backend.to_host(model.parameters.values)


class Watched(sa.Values):
    """Data that remembers which rows each batch asked for, and may do something then."""

    def __init__(self, x, when=lambda batches: None):
        super().__init__(x)
        self.batches, self.when = [], when

    def feed(self, backend, rows):
        feed = super().feed(backend, rows)
        fill = feed.fill

        def watched(index, clock):
            self.batches.append(index.tolist())
            self.when(self.batches)
            return fill(index, clock)

        feed.fill = watched
        return feed


def interrupt(*_):
    signal.raise_signal(signal.SIGINT)


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


def test_a_new_optimiser_begins_anew():
    model, other = vae(), vae()
    fit(model)
    optimizer = fit(other).optimizer
    assert fit(model)["epoch"] == [1, 2]
    assert fit(other, optimizer=optimizer)["epoch"] == [3, 4]
    assert (values(model) != values(other)).any()


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
    assert len(history) == 3 and not history.interrupted and history.optimizer.epoch == 3


def test_all_callbacks_are_called_though_the_first_ends_the_run():
    called = []
    fit(vae(), callbacks=[lambda *_: True, lambda *_: called.append(1)])
    assert called == [1]


@pytest.fixture
def handler():
    """What Ctrl-C does before, and must do again."""
    # a job in the background ignores Ctrl-C
    outer = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.getsignal(signal.SIGINT)
    yield before
    assert signal.getsignal(signal.SIGINT) is before
    signal.signal(signal.SIGINT, outer)


def test_ctrl_c_between_epochs(handler):
    model, other = vae(), vae()
    history = fit(model, epochs=9, callbacks=[interrupt])
    assert history.interrupted and history["epoch"] == [1]
    fit(other, epochs=1)
    np.testing.assert_array_equal(values(model), values(other))
    assert fit(model, optimizer=history.optimizer)["epoch"] == [2, 3]


def test_ctrl_c_ends_after_the_step_under_way(handler):
    def when(batches):
        if len(batches) == 5:  # the second batch of the second epoch
            interrupt()

    model = vae()
    history = fit(model, Watched(rows(), when), epochs=9, shards=1)
    assert history.interrupted and history["epoch"] == [1]  # half an epoch is no record
    assert history.optimizer.t == 5 and history.optimizer.epoch == 1
    assert np.isfinite(values(model)).all()


def test_a_second_ctrl_c_does_not_wait(handler):
    with pytest.raises(KeyboardInterrupt):
        fit(vae(), callbacks=[interrupt, interrupt])


def test_an_error_of_a_callback_comes_out(handler):
    with pytest.raises(ZeroDivisionError):
        fit(vae(), callbacks=[lambda *_: 1 / 0])


def test_a_handler_of_the_callers_own_is_given_back():
    def own(*_):
        raise AssertionError("fit is to catch this one")

    before = signal.signal(signal.SIGINT, own)
    try:
        assert fit(vae(), callbacks=[interrupt]).interrupted
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)


def test_fit_works_outside_the_main_thread(backend):
    model, other, done = vae(backend), vae(backend), []
    thread = threading.Thread(target=lambda: done.append(fit(model, shards=2, threads=2)))
    thread.start()
    thread.join()
    assert len(done[0]) == 2
    fit(other, shards=2, threads=2)
    np.testing.assert_array_equal(values(model), values(other))


# What is planted after the first epoch: (tensor, value) -> the terms that the sentence names, and
# those it may not.
BLOWN = [
    ("decoder.1.b", np.nan, ["reconstruction is nan"], "kl is"),
    ("decoder.1.b", np.inf, ["reconstruction is"], "kl is"),
    ("encoder.1.b", np.nan, ["reconstruction is nan", "kl is nan"], "penalty is inf"),
    ("encoder.1.b", 1e4, ["reconstruction is", "kl is inf"], "kl is nan"),
]


@pytest.mark.parametrize("tensor, value, words, never", BLOWN)
def test_a_loss_that_is_not_finite(backend, tensor, value, words, never):
    model, kept = vae(backend), []

    def plant(model, history):
        model.backend.write(model.parameters.view(tensor), value)
        kept.append(values(model))

    optimizer = sa.Adam(0.01)
    with pytest.raises(sa.NonFiniteLoss) as caught:
        fit(model, optimizer=optimizer, callbacks=[plant])
    sentence = str(caught.value)
    for word in [
        *words,
        "at step 4 (epoch 2)",
        "learning rate below 0.01",
        "scaled",
        "initial weights",
    ]:
        assert word in sentence
    assert never not in sentence and "\n" not in sentence
    np.testing.assert_array_equal(values(model), kept[0])
    assert optimizer.t == 3 and optimizer.epoch == 1


def test_a_penalty_may_be_at_fault():
    model = sa.Autoencoder(sa.Dense(6, 3, "relu"), sa.Dense(3, 6), penalty=sa.L1(1e38)).build(6)
    with pytest.raises(sa.NonFiniteLoss, match="a lighter penalty"):
        sa.fit(
            model, np.random.default_rng(0).random((8, 6), dtype=np.float32), sa.SGD(1.0), epochs=3
        )


@pytest.mark.parametrize("penalty", [None, sa.L1(0)])
def test_no_penalty_is_at_fault_where_there_is_none(penalty):
    model = sa.Autoencoder(sa.Dense(6, 3, "relu"), sa.Dense(3, 6), penalty=penalty).build(6)
    with pytest.raises(sa.NonFiniteLoss, match="learning rate below") as caught:
        sa.fit(model, 1e30 * np.ones((8, 6), np.float32), sa.SGD(1e30), epochs=3)
    assert "penalty" not in str(caught.value).partition("try")[2]


def test_a_column_that_there_is_not():
    history = fit(vae())
    with pytest.raises(KeyError, match="no 'val_loss' in epoch 1, which has epoch, train_loss, "):
        history["val_loss"]


def test_a_vector_with_both_infinities_is_spoilt_without_a_warning():
    model = sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6)).build(6)
    x = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32) * 90
    with pytest.raises(
        sa.NonFiniteLoss, match="the vector of parameters is no longer finite after epoch 1"
    ):
        sa.fit(model, x, sa.SGD(3e38), epochs=1, batch_size=8, shards=1)
    assert {np.inf, -np.inf} <= set(model.parameters.values.tolist())


def once(t):
    """A rate of the first step, and of no other."""
    return [1e25][t - 1]


def test_a_divergence_in_the_last_step_names_its_own_rate(backend):
    """Seen on the validation data only, or in the parameters: there is no next step to be asked
    for."""
    for kind, words in ((sa.SGD, "on the validation data, after epoch 1"), (sa.Adam, "")):
        model = vae(backend, "float32", likelihood=sa.SquaredError())
        with pytest.raises(sa.NonFiniteLoss, match=rf"{words}.*learning rate below 1e\+25"):
            sa.fit(model, rows(), kind(once), epochs=1, batch_size=N, validation=rows())


def test_a_learning_rate_that_is_too_large(backend):
    """The first step goes far, the second loss is not finite: the parameters are those between
    them."""
    model, one = (vae(backend, "float32", likelihood=sa.SquaredError()) for _ in range(2))
    with pytest.raises(
        sa.NonFiniteLoss, match=r"at step 2 \(epoch 1\).*learning rate below 1e\+25"
    ):
        fit(model, optimizer=sa.SGD(1e25))
    fit(one, rows()[permutation(N, 0, 1)[:BATCH]], sa.SGD(1e25), epochs=1)
    assert np.isfinite(values(model)).all()
    assert np.abs(values(model)).max() == pytest.approx(np.abs(values(one)).max(), rel=0.5)


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
