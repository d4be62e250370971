"""What may be done between epochs: callbacks for ``fit``."""

import math
import numbers
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..checks import accepts, not_a_class, positive, real

Callback = Callable[[Any, Any], Any]  # f(model, history)


def callables(callbacks: Iterable[Callback] | Callback | None) -> tuple[Callback, ...]:
    """One callback, several or None as a tuple of them. Raises TypeError for what is no function
    of that kind, or has a begin, step or finish that is none, ValueError for two EarlyStopping."""
    if callbacks is None or callable(callbacks):
        callbacks = () if callbacks is None else (callbacks,)
    if not isinstance(callbacks, Iterable):
        raise TypeError(
            f"callbacks is {callbacks!r}, but a function f(model, history), or several, is "
            "expected"
        )
    callbacks = tuple(callbacks)
    for callback in callbacks:
        not_a_class("the callback", callback)
        if not (callable(callback) and accepts(callback, 2)):
            raise TypeError(
                f"a callback is {callback!r}, but a function f(model, history) is expected"
            )
        for name, second in {"begin": "validated", "step": "step", "finish": "history"}.items():
            part = getattr(callback, name, None)
            if hasattr(callback, name) and not (callable(part) and accepts(part, 2)):
                raise TypeError(
                    f"a callback's {name} is {part!r}, but a function (model, {second}) is "
                    "expected: fit calls it"
                )
    if sum(isinstance(callback, EarlyStopping) for callback in callbacks) > 1:
        raise ValueError(
            "callbacks holds more than one EarlyStopping, but a run has one best epoch: keep one"
        )
    return callbacks


def ends_run(callback: Callback, model: Any, history: Any) -> bool:
    """Call it after an epoch -> whether it answers True, and nothing else that is true, to end the
    run."""
    answer = callback(model, history)
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


class EarlyStopping:
    """End the run when a column of the history has not improved for some epochs, and keep the best
    weights.

    column: "test_loss" by default, smaller is better; patience: epochs without an improvement by
    more than least. When the run is over, unless by an error, the model has the values of its best
    epoch, and the optimiser its state of then: the next run goes on behind that epoch. One for
    each model: it remembers the best over all runs of that model, and each run has the whole
    patience. If the best epoch was trained by another optimiser, only the parameters are restored,
    since its moments do not fit this one. Numbers that a callback has set (sigma, beta) are not
    restored. While a schedule of beta moves, epochs are measured by different losses: let it end
    before patience can. Raises ValueError for a column that the history does not have (for Keras'
    val_loss at once) or that holds no number, patience below 1 or least below 0, RuntimeError for
    another model than its first. Source: Prechelt, "Early stopping - but when?", 1998; Goodfellow,
    Bengio, Courville, "Deep Learning", 2016, Algorithm 7.1.
    """

    def __init__(self, patience: int = 5, column: str = "test_loss", least: float = 0.0):
        if not isinstance(column, str) or column in ("", "val_loss"):
            raise ValueError(
                f"EarlyStopping(column) is {column!r}, but the name of a column of the history is "
                "expected: the loss of the validation data is 'test_loss' here, its parts are "
                "such as 'test_reconstruction'"
            )
        self.patience, self.column = positive("patience", patience), column
        self.least = real("least", least, 0)
        self.best, self.epoch = math.inf, 0
        self.waited = 0  # epochs of this run since its best, or its beginning
        # the best epoch's, values first, each with its place
        self.kept: list[tuple[Any, np.ndarray]] = []
        self.counters: tuple[Any, int] = (None, 0)  # its optimiser and t
        self.owner: Any = None

    def begin(self, model: Any, validated: bool) -> None:
        """Check what can be known before the first step."""
        if self.kept and self.owner is not model.parameters:
            raise RuntimeError(
                "this EarlyStopping holds the best weights of another model, or of this one "
                "before it was built again: make a new one for each model"
            )
        if not validated and self.column.startswith("test_"):
            raise ValueError(
                f"there will be no column {self.column!r} without validation data: hand "
                "validation to fit, or choose a column of the training, such as 'train_loss'"
            )
        self.owner, self.waited = model.parameters, 0

    def __call__(self, model: Any, history: Any) -> bool:
        """Look at the last epoch; True ends the run. In a loop of one's own, ``begin`` need not
        be called, and ``finish`` is to be."""
        if self.owner is not model.parameters:
            self.begin(model, True)
        if not history.records:
            raise ValueError(
                "the history has no epoch to look at: call EarlyStopping after one, and let no "
                "callback before it empty the records"
            )
        record = history.records[-1]
        if self.column not in record:
            raise ValueError(
                f"there is no column {self.column!r} in the history, which has "
                f"{', '.join(record)}: choose one of these, or put the callback that adds it "
                "before this one"
            )
        value = record[self.column]
        if not isinstance(value, numbers.Real) or value != value:  # nan
            raise ValueError(
                f"the column {self.column!r} of the history holds {value!r}, but a number is "
                "expected: choose another"
            )
        self.waited += 1
        if value < self.best - self.least:
            self.best, self.epoch, self.waited = float(value), record["epoch"], 0
            optimizer = history.optimizer
            vectors = [model.parameters.values, *optimizer.vectors.values()]
            self.kept = [(vector, model.backend.to_host(vector)) for vector in vectors]
            self.counters = optimizer, optimizer.t
        return self.waited >= self.patience

    def finish(self, model: Any, history: Any) -> None:
        """Give model and optimiser their best epoch's state back."""
        optimizer, t = self.counters
        same = history.optimizer is optimizer
        for vector, kept in self.kept if same else self.kept[:1]:
            model.backend.write(vector, kept)
        if self.kept:
            model.objective.epoch = self.epoch
        if self.kept and same:
            optimizer.t = model.objective.t = t
