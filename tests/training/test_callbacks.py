"""Early stopping: when it ends a run, and which weights are left."""

import functools
import re
import signal

import numpy as np
import pytest

import scratchae as sa

X = np.random.default_rng(0).random((40, 6)).astype(np.float32)


def made(backend="numpy"):
    return sa.Autoencoder(sa.Dense(6, 3, "tanh"), sa.Dense(3, 6)).build(6, backend=backend, seed=1)


def owned():
    """A model with an optimiser, as in a run."""
    model = made()
    model.optimizer = sa.SGD(0.1)
    model.optimizer.start(model.parameters)
    return model


def values(model):
    return model.backend.to_host(model.parameters.values)


class Script:
    """A history that is written beforehand."""

    def __init__(self, losses, optimizer):
        self.losses, self.records, self.optimizer = iter(losses), [], optimizer

    def next(self):
        self.records.append({"epoch": len(self.records) + 1, "test_loss": next(self.losses)})


@pytest.mark.parametrize(
    "losses, patience, least, ends, best",
    [
        ([5, 4, 3, 2, 1], 2, 0, None, 5),
        ([5, 3, 4, 4, 4], 2, 0, 4, 2),
        ([5, 3, 4, 2, 4, 4], 2, 0, 6, 4),
        ([5, 4.9, 4.8, 4.7], 2, 1.0, 3, 1),
        ([3, 3, 3], 1, 0, 2, 1),
    ],
)
def test_when_it_ends_and_what_is_kept(losses, patience, least, ends, best):
    model, stop = owned(), sa.EarlyStopping(patience, least=least)
    history = Script(losses, model.optimizer)
    ended = None
    for epoch in range(1, len(losses) + 1):
        model.backend.write(model.parameters.values, epoch)
        history.next()
        if stop(model, history):
            ended = epoch
            break
    assert (ended, stop.epoch) == (ends, best)
    stop.finish(model, history)
    assert (values(model) == best).all()


def test_in_a_run(backend):
    """A learning rate far too large: the run ends early, with the weights of the best epoch."""
    model, kept = made(backend), []

    def watch(model, history):
        kept.append((history["test_loss"][-1], values(model)))

    calls = [watch, sa.EarlyStopping(2)]
    history = sa.fit(
        model, X[:30], sa.SGD(0.15), epochs=40, batch_size=4, validation=X[30:], callbacks=calls
    )
    best = int(np.argmin(history["test_loss"]))
    assert len(history) == best + 3 < 40
    np.testing.assert_array_equal(values(model), kept[best][1])
    assert sa.evaluate(model, X[30:], batch_size=4)["loss"] == pytest.approx(
        history["test_loss"][best], rel=1e-6
    )


def test_a_column_that_is_not_there():
    words = (
        "no column 'auc' in the history, which has epoch, train_loss.*: choose one of these, "
        "or put the callback"
    )
    with pytest.raises(ValueError, match=words) as caught:
        sa.fit(
            made(),
            X,
            sa.Adam(),
            epochs=1,
            validation=X,
            callbacks=[sa.EarlyStopping(column="auc")],
        )
    assert "hand validation" not in str(caught.value)  # it was handed


@pytest.mark.parametrize("column", ["val_loss", "", None, 3, ["test_loss"]])
def test_the_names_of_keras_are_refused_before_a_run(column):
    with pytest.raises(ValueError, match=re.escape(f"is {column!r}, but the name of a column")):
        sa.EarlyStopping(2, column)


def test_a_column_of_another_callback_is_one():
    """Even one that is called as Keras' are, and without validation data."""

    def mine(model, history):
        history.records[-1]["val_f1"] = len(history)

    history = sa.fit(
        made(), X, sa.Adam(), epochs=5, callbacks=[mine, sa.EarlyStopping(2, "val_f1")]
    )
    assert len(history) == 3


def test_a_run_that_was_interrupted_says_so_to_its_callbacks():
    class Ending:
        def __call__(self, model, history):
            signal.raise_signal(signal.SIGINT)

        def finish(self, model, history):
            self.interrupted = history.interrupted

    ending = Ending()
    sa.fit(made(), X, sa.Adam(), epochs=5, callbacks=ending)
    assert ending.interrupted


def test_an_interrupt_while_a_callback_finishes_is_told():
    class Late:
        def __call__(self, model, history): ...

        def finish(self, model, history):
            signal.raise_signal(signal.SIGINT)

    assert sa.fit(made(), X, sa.Adam(), epochs=1, callbacks=Late()).interrupted


@pytest.mark.parametrize("options", [{"patience": 0}, {"least": -1}])
def test_bad_numbers(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} is"):
        sa.EarlyStopping(**options)


def test_a_run_that_was_refused_leaves_it_free():
    """Begun, and then the optimiser was another model's: nothing was kept, so another model may
    have it."""
    stop, used = sa.EarlyStopping(2), sa.Adam(1e-2)
    sa.fit(made(), X, used, epochs=1)
    with pytest.raises(ValueError, match="another"):
        sa.fit(made(), X, used, epochs=1, validation=X, callbacks=stop)
    assert len(sa.fit(made(), X, sa.Adam(1e-2), epochs=1, validation=X, callbacks=stop)) == 1


def test_another_model_is_refused():
    """A second model must not be given the first one's weights."""
    stop, first, second = sa.EarlyStopping(2), made(), made()
    sa.fit(first, X, sa.Adam(1e-2), epochs=2, validation=X, callbacks=stop)
    kept = values(second).copy()
    with pytest.raises(RuntimeError, match=r"another model.*a new one for each"):
        sa.fit(second, X, sa.Adam(1e-2), epochs=2, validation=X, callbacks=stop)
    with pytest.raises(RuntimeError, match="before it was built again"):
        sa.fit(first.build(6, seed=1), X, sa.Adam(1e-2), epochs=2, validation=X, callbacks=stop)
    np.testing.assert_array_equal(values(second), kept)  # found before the first step


@pytest.mark.parametrize("column", ["test_reconstruction", "test_kl", "test_penalty"])
def test_the_parts_of_the_held_out_loss_need_held_out_data(column):
    with pytest.raises(ValueError, match=f"no column '{column}' without validation data"):
        sa.fit(made(), X, sa.Adam(), epochs=1, callbacks=sa.EarlyStopping(column=column))


def test_a_column_that_cannot_come_is_refused_before_the_first_step():
    model = made()
    kept = values(model).copy()
    with pytest.raises(ValueError, match=r"no column 'test_loss' without validation data"):
        sa.fit(model, X, sa.Adam(1e-2), epochs=2, callbacks=sa.EarlyStopping())
    np.testing.assert_array_equal(values(model), kept)
    sa.fit(model, X, sa.Adam(1e-2), epochs=2, callbacks=sa.EarlyStopping(column="train_loss"))


def test_a_second_run_of_the_same_model_counts_on():
    """The best of both is kept, and each run has the whole patience."""
    model, stop = owned(), sa.EarlyStopping(3)
    history = Script([3, 1, 2, 2, 2], model.optimizer)
    for epoch in (1, 2, 3, 4, 5):
        if epoch in (1, 4):
            stop.begin(model, True)
        model.backend.write(model.parameters.values, epoch)
        history.next()
        history.records[:] = history.records[-1:]  # each run has a history of its own
        history.records[0]["epoch"] = epoch
        assert not stop(model, history)
    stop.finish(model, history)
    assert stop.epoch == 2 and (values(model) == 2).all()


@pytest.mark.parametrize(
    "lr", [0.15, 0.01], ids=["the best is in the midst", "the best is the last"]
)
def test_the_optimiser_goes_back_with_the_weights(backend, lr):
    """What follows is what would have followed the best epoch, to the bit."""
    options = {"batch_size": 4, "validation": X[30:]}
    model, alone = made(backend), made(backend)
    history = sa.fit(
        model, X[:30], sa.SGD(lr, 0.9), epochs=6, **options, callbacks=sa.EarlyStopping(6)
    )
    best = int(np.argmin(history["test_loss"])) + 1
    assert (best < 6) == (lr == 0.15)
    first = history.optimizer
    second = sa.fit(alone, X[:30], sa.SGD(lr, 0.9), epochs=best, **options).optimizer
    assert (model.objective.epoch, first.t) == (best, second.t)
    for each, optimizer in ((model, first), (alone, second)):
        assert sa.fit(each, X[:30], optimizer, epochs=1, **options)["epoch"] == [best + 1]
    np.testing.assert_array_equal(values(model), values(alone))


def test_the_state_of_another_optimiser_is_not_given_to_this_one():
    """The best of two runs with two optimisers was in the first: the model has its values, neither
    its moments."""
    model, stop, first = made(), sa.EarlyStopping(9), sa.SGD(0.01, 0.9)
    sa.fit(model, X[:30], first, epochs=3, validation=X[30:], callbacks=stop)
    kept, second, alone = values(model), sa.Adam(1.0), sa.Adam(1.0)
    momentum = first.vectors["v"]
    momentum[:], first.t = 7, 70
    sa.fit(model, X[:30], second, epochs=1, validation=X[30:], callbacks=stop)
    assert (momentum == 7).all() and first.t == 70
    np.testing.assert_array_equal(values(model), kept)
    assert model.objective.epoch == stop.epoch == 3
    sa.fit(model, X[:30], alone, epochs=1)
    # as its own epoch left it
    np.testing.assert_array_equal(second.vectors["m"], alone.vectors["m"])


def test_patience_is_counted_in_epochs_of_the_run():
    """A second run has the whole patience, wherever the best epoch was."""
    model, stop = made(), sa.EarlyStopping(3)
    sa.fit(model, X[:30], sa.SGD(0.01), epochs=9, validation=X[30:], callbacks=stop)
    assert stop.epoch == 9
    history = sa.fit(model, X[:30], sa.SGD(1e-9), epochs=20, validation=X[30:], callbacks=stop)
    assert min(history["test_loss"]) >= stop.best and len(history) == 3


def test_a_column_of_words():
    def name(model, history):
        history.records[-1]["mine"] = "good"

    with pytest.raises(
        ValueError, match="the column 'mine' of the history holds 'good', but a number is expected"
    ):
        sa.fit(
            made(),
            X,
            sa.Adam(),
            epochs=1,
            validation=X,
            callbacks=[name, sa.EarlyStopping(column="mine")],
        )


def test_a_column_of_nan():
    """Such as a ROC-AUC of one class: never better, never worse."""

    def undefined(model, history):
        history.records[-1]["auc"] = np.nan

    with pytest.raises(
        ValueError, match="the column 'auc' of the history holds nan, but a number is expected"
    ):
        sa.fit(
            made(), X, sa.Adam(), epochs=9, callbacks=[undefined, sa.EarlyStopping(column="auc")]
        )


def test_a_history_that_was_emptied():
    callbacks = [lambda model, history: history.records.clear(), sa.EarlyStopping()]
    with pytest.raises(ValueError, match="no callback before it empty the records"):
        sa.fit(made(), X, sa.Adam(), epochs=3, validation=X, callbacks=callbacks)
    sa.fit(made(), X, sa.Adam(), epochs=3, validation=X, callbacks=callbacks[::-1])


def test_two_of_them_are_refused():
    """The second would give back its own best epoch, without a word to the first."""
    model = made()
    kept, both = values(model).copy(), [sa.EarlyStopping(2), sa.EarlyStopping(2, "train_loss")]
    with pytest.raises(
        ValueError, match="more than one EarlyStopping, but a run has one best epoch: keep one"
    ):
        sa.fit(model, X, sa.Adam(), epochs=2, validation=X, callbacks=both)
    np.testing.assert_array_equal(values(model), kept)


@pytest.mark.parametrize("ended", [True, np.True_])
def test_what_ends_a_run(ended):
    assert (
        len(sa.fit(made(), X, sa.Adam(), epochs=3, callbacks=[lambda model, history: ended])) == 1
    )


def test_none_and_what_is_no_callback():
    class Odd:
        begin = 3

        def __call__(self, model, history): ...

    class Ends:
        def __call__(self, model, history): ...

        def finish(self, model): ...

    model = made()
    kept = values(model).copy()
    for wrong, words in (
        (
            sa.EarlyStopping,
            r"the callback is the class EarlyStopping, but an object.*EarlyStopping\(\.\.\.\)",
        ),
        ([sa.EarlyStopping], "the callback is the class EarlyStopping"),
        (3, r"callbacks is 3, but a function f\(model, history\), or several, is expected"),
        (Odd(), r"a callback's begin is 3, but a function \(model, validated\) is expected"),
        (Ends(), r"a callback's finish is .*, but a function \(model, history\) is expected"),
        (
            lambda model: None,
            r"a callback is .*lambda.*, but a function f\(model, history\) is expected",
        ),
    ):
        with pytest.raises(TypeError, match=words):
            sa.fit(model, X, sa.Adam(), epochs=1, callbacks=wrong)
    np.testing.assert_array_equal(values(model), kept)
    assert len(sa.fit(model, X, sa.Adam(), epochs=2, callbacks=None)) == 2


def test_callbacks_are_looked_at_first_and_end_a_run_by_true_alone():
    with pytest.raises(TypeError, match="a callback is 3, but a function"):
        sa.fit(made(), X, sa.Adam(), epochs=2, callbacks=[3])
    assert (
        len(sa.fit(made(), X, sa.Adam(), epochs=2, callbacks=lambda model, history: "a string"))
        == 2
    )
    assert (
        len(sa.fit(made(), X, sa.Adam(), epochs=2, callbacks=[lambda model, history: True])) == 1
    )


def test_a_model_built_again_in_a_callback():
    with pytest.raises(RuntimeError, match="was built again while it was trained"):
        sa.fit(
            made(),
            X,
            sa.Adam(),
            epochs=2,
            callbacks=[lambda model, history: model.build(6, seed=5) and None],
        )


def logged(f):
    """A decorator that hands on one argument more than it takes."""

    @functools.wraps(f)
    def inner(model, history):
        return f(model, history, [])

    return inner


@logged
def callback(model, history, log):
    log.append(history)


def test_a_decorated_function_is_taken():
    assert len(sa.fit(made(), X, sa.Adam(), epochs=1, callbacks=callback)) == 1
