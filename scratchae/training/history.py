"""What happened in a run, one record an epoch."""

from typing import Any


class History:
    """One record an epoch: epoch, train_loss, ..., test_loss, ..., seconds.

    Terms are in nats per example. history["train_loss"] is that column; optimizer is the run's;
    interrupted tells whether a signal ended it, such as Ctrl-C, and signal which one (2 for
    Ctrl-C), or None. Source: Keras' ``History``.
    """

    def __init__(self, optimizer: Any = None) -> None:
        self.optimizer = optimizer
        self.records: list[dict[str, Any]] = []
        self.signal: int | None = None

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended the run. Source: interrupts.py."""
        return self.signal is not None

    def __getitem__(self, column: str) -> list[Any]:
        for record in self.records:
            if column not in record:
                epoch, columns = record.get("epoch"), ", ".join(record)
                raise KeyError(f"no {column!r} in epoch {epoch}, which has {columns}")
        return [record[column] for record in self.records]

    def __len__(self) -> int:
        return len(self.records)
