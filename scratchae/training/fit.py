"""fit: epochs, shuffled batches, steps, history."""

from collections.abc import Iterable
from typing import Any

from .. import checks
from .callbacks import Callback, callables, ends_run
from .history import History
from .interrupts import interrupts
from .preparing import prepared, warn_of_idle, warn_of_schedules
from .progress import Progress


def fit(
    model: Any,
    data: Any,
    optimizer: Any,
    *,
    epochs: int,
    batch_size: int = 128,
    shards: int | None = None,
    threads: int | None = None,
    seed: int = 0,
    validation: Any = None,
    callbacks: Iterable[Callback] | Callback | None = None,
    clip: float | None = None,
    progress: bool = True,
) -> History:
    """Train a built model on data (N, *input_shape), and tell how it went.

    data, validation: an array, list or table of numbers, Images, Values, or another Source. Each
    epoch visits every example once, in an order that is a function of seed and epoch; the last
    batch may be smaller. validation is evaluated after each epoch: test_loss, test_reconstruction,
    ... in the history. shards cut a batch and decide the bits, threads execute them and do not.
    callbacks, one or several functions, are called as f(model, history) after each epoch; one that
    returns True ends the run. A begin(model, validated) of theirs is called first, a step(model,
    step) after each step (step.t, step.terms), a finish(model, history) when the run is over. What
    a callback sets (beta, a weight, a learning rate, layer.trainable) takes effect at the next
    step. clip: the largest norm of a step's gradient, which is scaled down to it. progress:
    whether to tell how it goes. Ctrl-C, SIGTERM and SIGHUP end the run after the step under way.
    Epochs are counted with the model: called again, it goes on with the next one (one that was
    interrupted is begun again), and draws other noise, whichever the optimiser. Warns
    (ScheduleWarning) of a schedule of the objective that ends after the last of the epochs, and
    (IdleWarning) of a setting that acts on nothing.

    Raises NonFiniteLoss naming step, term and what to try; ValueError and TypeError, before
    anything is changed, for data that does not fit, sizes below 1, a learning rate that is none, a
    model without parameters to train; RuntimeError while another call trains the model. Source:
    Kingma and Welling 2014, Algorithm 1.
    """
    epochs, show = checks.positive("epochs", epochs), checks.flag("progress", progress)
    callbacks = callables(callbacks)
    hooks = [callback.step for callback in callbacks if hasattr(callback, "step")]
    how: Any = {"shards": shards, "threads": threads, "seed": seed, "clip": clip}
    with (
        interrupts() as stop,
        prepared(
            model, data, optimizer, validation, batch_size, watched=bool(hooks), **how
        ) as run,
    ):
        for callback in callbacks:
            if hasattr(callback, "begin"):
                callback.begin(model, validation is not None)
        history, last = History(optimizer), run.next + epochs - 1
        warn_of_schedules(run, epochs)
        warn_of_idle(model)
        with run, Progress(epochs, run.batches, show) as told:
            while run.next <= last:
                for step in run.steps(stop.is_set):
                    told.step(step.terms["loss"])
                    for hook in hooks:
                        hook(model, step)
                record = run.record()
                if record is None:  # interrupted
                    break
                history.records.append(record)
                told.line(record, last)
                ended = [ends_run(callback, model, history) for callback in callbacks]
                run.require_this_build()
                if stop.is_set() or any(ended):
                    break
            history.signal = stop.signal
            for callback in callbacks:
                if hasattr(callback, "finish"):
                    callback.finish(model, history)
            history.signal = stop.signal  # a Ctrl-C may come during finish too
    return history
