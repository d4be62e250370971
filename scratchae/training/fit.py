"""fit: epochs, shuffled batches, steps, history."""

from collections.abc import Iterable
from typing import Any

from .. import checks
from ..datasets.fitting import fitting_source
from ..optim import Optimizer
from .callbacks import Callback, callables, ends_run
from .epochs import Epochs, require_parameters
from .history import History
from .interrupts import interrupts
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
    progress: bool = True,
) -> History:
    """Train a built model on data (N, *input_shape), and tell how it went.

    data, validation: Images, Values, or a floating point array. Each epoch visits every example
    once, in an order that is a function of seed and epoch; the last batch may be smaller.
    validation is evaluated after each epoch: test_loss, test_reconstruction, ... in the history.
    shards cut a batch and decide the bits, threads execute them and do not. callbacks, one or
    several functions, are called as f(model, history) after each epoch; one that returns True ends
    the run. A begin(model, validated) of theirs is called first, a finish(model, history) when the
    run is over. What a callback sets (beta, a weight, a learning rate, layer.trainable) takes
    effect at the next step. progress: whether to tell how it goes. Ctrl-C ends the run after the
    step under way. Called again, with the same optimiser, it goes on with the next epoch (one that
    was interrupted is begun again).

    Raises NonFiniteLoss naming step, term and what to try; ValueError and TypeError, before
    anything is changed, for data that does not fit, sizes below 1, a learning rate that is none, a
    model without parameters to train. Source: Kingma and Welling 2014, Algorithm 1.
    """
    source = fitting_source(model, data, "data")
    held = None if validation is None else fitting_source(model, validation, "validation")
    epochs = checks.positive("epochs", epochs)
    batch_size = min(checks.positive("batch_size", batch_size), len(source))
    callbacks = callables(callbacks)
    show = Progress(epochs, -(-len(source) // batch_size), checks.flag("progress", progress))
    _require_trainable(model, optimizer)
    run = Epochs(model, optimizer, source, held, batch_size, shards, threads, checks.seed(seed))
    for callback in callbacks:
        if hasattr(callback, "begin"):
            callback.begin(model, held is not None)
    optimizer.start(model.parameters)
    history, first = History(optimizer), optimizer.epoch + 1
    with interrupts() as stop, run, show:
        for epoch in range(first, first + epochs):
            record = run.epoch(epoch, stop.is_set, show.step)
            if record is None:  # interrupted
                break
            optimizer.epoch = epoch
            history.records.append(record)
            show.line(record, first + epochs - 1)
            ended = [ends_run(callback, model, history) for callback in callbacks]
            if model.parameters is not optimizer.owner:
                raise RuntimeError(
                    "a callback built the model again while it was trained: build it before fit"
                )
            if stop.is_set() or any(ended):
                break
        history.interrupted = stop.is_set()
        for callback in callbacks:
            if hasattr(callback, "finish"):
                callback.finish(model, history)
        history.interrupted = stop.is_set()  # a Ctrl-C may come during finish too
    return history


def _require_trainable(model: Any, optimizer: Any) -> None:
    """Raise TypeError or ValueError for what is no optimiser, and for a model that it cannot
    train."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"the optimizer is {optimizer!r}, but an optimiser such as Adam(1e-3) is expected"
        )
    require_parameters(model)
    optimizer.check()
    model.objective.per_step(optimizer.t + 1)
