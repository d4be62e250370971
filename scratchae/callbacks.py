"""What may be done between epochs: callbacks for ``fit``."""

import math
from typing import Any

import numpy as np

from .checks import positive, real


class EarlyStopping:
    """End the run when a column of the history has not improved for some epochs, and keep the best weights.

    column: "test_loss" by default, smaller is better; patience: epochs without an improvement by more than least.
    When the run is over, unless by an error, the model has the values of its best epoch. The optimiser stays where
    the run ended: a run that is to be resumed to the bit does without this. One for each model: it remembers the
    best over all runs of that model. Shapes: none. Raises ValueError for a column that the history does not have,
    patience below 1 or least below 0, RuntimeError for another model than its first. Source: Prechelt, "Early
    stopping - but when?", 1998; Goodfellow, Bengio, Courville, "Deep Learning", 2016, Algorithm 7.1.
    """

    def __init__(self, patience: int = 5, column: str = "test_loss", least: float = 0.0):
        self.patience, self.column = positive("patience", patience), column
        self.least = real("least", least, 0)
        self.best, self.epoch = math.inf, 0
        self.values: np.ndarray | None = None
        self.owner: Any = None

    def begin(self, model: Any, validated: bool) -> None:
        """Check what can be known before the first step. Shapes: none. Source: the class docstring."""
        if self.owner is not None and self.owner is not model.parameters:
            raise RuntimeError(
                "this EarlyStopping holds the best weights of another model, or of this one before it was built "
                "again: make a new one for each model"
            )
        if not validated and not str(self.column).startswith("train_"):
            raise ValueError(
                f"there will be no column {self.column!r} without validation data: hand validation to fit, or "
                "choose a column of the training, such as 'train_loss'"
            )
        self.owner = model.parameters

    def __call__(self, model: Any, history: Any) -> bool:
        """Look at the last epoch; True ends the run. Shapes: none. Source: the class docstring."""
        record = history.records[-1]
        if self.column not in record:
            raise ValueError(
                f"there is no column {self.column!r} in the history, which has {', '.join(record)}: hand "
                "validation data to fit, or choose another column"
            )
        if record[self.column] < self.best - self.least:
            self.best, self.epoch = record[self.column], record["epoch"]
            self.values = model.backend.to_host(model.parameters.values)
        return record["epoch"] - self.epoch >= self.patience

    def finish(self, model: Any, history: Any) -> None:
        """Give the model the values of its best epoch back. Shapes: none. Source: the class docstring."""
        if self.values is not None:
            model.backend.write(model.parameters.values, self.values)
