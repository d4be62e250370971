"""A loop of one's own takes the steps of ``fit``, and so does a hook after each."""

import signal

import numpy as np
import pytest
from training.runs import N, fit, interrupt, rows, vae, values

import scratchae as sa
from scratchae.training import training

STEPS = 3  # of an epoch


def records(history):
    timed = ("seconds", "examples_per_second")
    return [{k: v for k, v in one.items() if k not in timed} for one in history.records]


@pytest.mark.parametrize("shards", [1, 2, None])
def test_to_the_same_bits(backend, shards):
    how = {"batch_size": 8, "shards": shards, "seed": 3, "validation": rows(9, 1), "clip": 0.5}
    whole, alone, hooked = (vae(backend) for _ in range(3))
    history = sa.fit(whole, rows(), sa.Adam(0.01), epochs=3, **how)
    steps = []
    with training(alone, rows(), sa.Adam(0.01), **how) as run:
        assert len(run) == STEPS
        for _ in range(3):
            for batch in run:
                steps.append((batch.t, batch.terms["loss"]))
        assert records(run.history) == records(history)
    np.testing.assert_array_equal(values(alone), values(whole))
    hook = Hook()
    sa.fit(hooked, rows(), sa.Adam(0.01), epochs=3, callbacks=hook, **how)
    np.testing.assert_array_equal(values(hooked), values(whole))
    assert hook.steps == steps and [t for t, _ in steps] == list(range(1, 10))


class Hook:
    """Remembers each step; when(model, step) may do something then."""

    def __init__(self, when=lambda model, step: None):
        self.steps, self.when = [], when

    def __call__(self, model, history): ...

    def step(self, model, step):
        self.steps.append((step.t, step.terms["loss"]))
        self.when(model, step)


def test_what_is_set_acts_at_the_next_step(backend):
    """In the gradient and in the loss; the epoch's mean is that of its steps."""

    def turn(model, step):
        if step.t == 1:
            model.beta = 50.0

    hook, plain = Hook(turn), Hook()
    turned, other = vae(backend), vae(backend)
    history = fit(turned, callbacks=hook, epochs=1)
    fit(other, callbacks=plain, epochs=1)
    (_, a), (_, b) = hook.steps[:2], plain.steps[:2]
    assert a != b and hook.steps[0] == plain.steps[0]
    assert (values(turned) != values(other)).any()
    mean = sum(n * loss for n, (_, loss) in zip((8, 8, 4), hook.steps, strict=True)) / N
    assert history["train_loss"][0] == pytest.approx(mean, rel=1e-12)


def test_a_layer_is_frozen_between_two_steps(backend):
    model, kept = vae(backend), []

    def freeze(model, step):
        if step.t == 1:
            model.encoder.layers[0].trainable = False
        kept.append(model.weights["encoder.0.W"].copy())

    fit(model, callbacks=Hook(freeze), epochs=1)
    np.testing.assert_array_equal(kept[0], kept[2])


def test_a_loop_that_is_left_is_no_epoch():
    left, whole = vae(), vae()
    with training(left, rows(), sa.SGD(1e-30), batch_size=8) as run:
        for _ in run:
            break
        assert len(run.history) == 0
        for _ in run:
            pass
        assert run.history["epoch"] == [1]
    assert fit(whole, optimizer=sa.SGD(1e-30), epochs=1)["epoch"] == [1]


def test_ctrl_c_comes_out_after_the_step_under_way():
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        model, taken = vae(), []
        loop = training(model, Interrupting(rows()), sa.Adam(0.01), batch_size=8)
        with pytest.raises(KeyboardInterrupt), loop as run:
            for batch in run:
                taken.append(batch.t)
        assert taken == [1] and np.isfinite(values(model)).all()
        assert fit(model)["epoch"] == [1, 2]  # the model is free again
    finally:
        signal.signal(signal.SIGINT, before)


class Interrupting(sa.Values):
    """Ctrl-C as its second batch is made."""

    def feed(self, *args):
        feed, made = super().feed(*args), []
        fill = feed.fill

        def watched(index, clock):
            made.append(1)
            if len(made) == 2:
                interrupt()
            return fill(index, clock)

        feed.fill = watched
        return feed


def test_no_step_is_taken_after_the_block():
    """Its threads have ended then, and another training may have the model."""
    model = vae()
    with training(model, rows(), sa.Adam(), batch_size=8) as run:
        begun = iter(run)
        next(begun)
    before = values(model).copy()
    for loop in (begun, iter(run)):
        with pytest.raises(RuntimeError, match="take steps within it"):
            next(loop)
    np.testing.assert_array_equal(values(model), before)


def test_a_loop_within_a_loop():
    """Both would count their steps in one epoch's mean."""
    with training(vae(), rows(), sa.Adam(), batch_size=8) as run:
        with pytest.raises(RuntimeError, match="end one loop before the next"):
            for _ in run:
                for _ in run:
                    pass
        assert run.history["epoch"] == [1]


def test_a_model_that_is_built_again_in_between():
    model = vae()
    loop = training(model, rows(), sa.Adam(), batch_size=8)
    with pytest.raises(RuntimeError, match="built again while it was trained"), loop as run:
        for _ in run:
            model.build(6, dtype="float64")


@pytest.mark.parametrize("step", [3, lambda model: None, None])
def test_a_hook_that_is_none(step):
    callback = Hook()
    callback.step = step
    with pytest.raises(TypeError, match="a callback's step is"):
        fit(vae(), callbacks=callback)


def test_early_stopping_by_hand(backend):
    """As ``fit`` calls it; and the best weights of one model are not given to another."""
    how = {"batch_size": 8, "validation": rows(9, 1)}
    by_fit, mine, other = (vae(backend) for _ in range(3))
    sa.fit(by_fit, rows(), sa.Adam(1.0), epochs=9, callbacks=sa.EarlyStopping(2), **how)
    stop = sa.EarlyStopping(2)
    with training(mine, rows(), sa.Adam(1.0), **how) as run:
        for _ in range(9):
            for _batch in run:
                pass
            if stop(mine, run.history):
                break
        stop.finish(mine, run.history)
    np.testing.assert_array_equal(values(mine), values(by_fit))
    assert mine.objective.epoch == by_fit.objective.epoch < len(run.history.records)
    with training(other, rows(), sa.Adam(1.0), **how) as run:
        for _batch in run:
            pass
        with pytest.raises(RuntimeError, match="another model"):
            stop(other, run.history)


def test_what_cannot_act_is_refused():
    loop = training(vae(), rows(), sa.Adam(), batch_size=8)
    with loop as run, pytest.raises(AttributeError, match="clip"):
        run.clip = 0.1


def test_ctrl_c_in_a_loop_within_a_callback_ends_the_outer_run():
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def probe(model, history):
        with training(vae(), Interrupting(rows()), sa.Adam(0.01), batch_size=8) as run:
            for _ in run:
                pass

    try:
        history = fit(vae(), epochs=5, callbacks=probe)
        assert len(history) == 1 and history.signal == signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)
