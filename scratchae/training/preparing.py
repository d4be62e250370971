"""What stands before a training, whose loop is ``fit``'s or the reader's own: everything is
checked, and the model is claimed."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .. import checks
from ..datasets.fitting import fitting_source, note_classes, warn_of_scale
from ..optim import Optimizer
from ..settings import scheduled
from .epochs import Epochs, require_parameters


class ScheduleWarning(UserWarning):
    """A schedule of the objective does not reach its end within the epochs of ``fit``."""


class IdleWarning(UserWarning):
    """A setting of the objective acts on nothing, since another one is 0."""


@contextmanager
def prepared(
    model: Any,
    data: Any,
    optimizer: Any,
    validation: Any,
    batch_size: int,
    *,
    shards: int | None,
    threads: int | None,
    seed: int,
    clip: float | None,
    watched: bool,
) -> Iterator[Epochs]:
    """The epochs of a training, to be entered; nothing is changed yet. Raises as ``fit``."""
    source = fitting_source(model, data, "data")
    held = None if validation is None else fitting_source(model, validation, "validation")
    batch_size = min(checks.positive("batch_size", batch_size), len(source))
    _require_trainable(model, optimizer)
    if model.objective.likelihood.scalable:
        warn_of_scale(source)
    with claimed(model):
        note_classes(model, source)
        yield Epochs(
            model,
            optimizer,
            source,
            held,
            batch_size=batch_size,
            shards=shards,
            threads=threads,
            seed=checks.seed(seed),
            clip=clip,
            watched=watched,
        )


def warn_of_schedules(run: Epochs, epochs: int) -> None:
    """Warn (ScheduleWarning) where a schedule of the objective ends after the last step of that
    many epochs, once, of all of them. A function that does not say when it ends is left alone."""
    batches = run.batches
    last = run.optimizer.t + epochs * batches
    ends = {
        name: getattr(schedule, "lasts", None) or 0
        for name, schedule in scheduled(run.model.objective).items()
    }
    late = {name: steps for name, steps in ends.items() if steps > last}
    if not late:
        return
    words = " and ".join(f"{name} ends after {steps:,} steps" for name, steps in late.items())
    more = -(-(max(late.values()) - last) // batches)
    warnings.warn(
        f"the schedule of {words}, but the last step of this run is {last:,}: give it at most "
        f"{last:,} steps, or train for {epochs + more:,} epochs, of {batches:,} steps each",
        ScheduleWarning,
        stacklevel=checks.stacklevel(),
    )


def warn_of_idle(model: Any) -> None:
    """Warn (IdleWarning) where a setting of the objective acts on nothing."""
    if words := model.objective.idle():
        warnings.warn(words, IdleWarning, stacklevel=checks.stacklevel())


@contextmanager
def claimed(model: Any) -> Iterator[None]:
    """The model, for one training at a time. Raises RuntimeError while another one has it."""
    lock = model.parameters.training
    if not lock.acquire(blocking=False):
        raise RuntimeError(
            f"this {type(model).__name__} is being trained already, by another call: wait for its "
            "end, or build another model"
        )
    try:
        yield
    finally:
        lock.release()


def _require_trainable(model: Any, optimizer: Any) -> None:
    """Raise TypeError or ValueError for what is no optimiser, and for a model that it cannot
    train."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"the optimizer is {optimizer!r}, but an optimiser such as Adam(1e-3) is expected"
        )
    require_parameters(model)
    optimizer.check()
    model.objective.constants(optimizer.t + 1)
