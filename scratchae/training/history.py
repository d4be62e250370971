"""What happened in a run, one record an epoch."""

from typing import Any


class History:
    """One record an epoch: epoch, train_loss, ..., beta, seconds, ..., test_loss, ...

    Terms are in nats per example. history["train_loss"] is that column; beta, or gamma and
    capacity, are those of the epoch's last step. optimizer is the run's; interrupted tells whether
    a signal ended it, such as Ctrl-C, and signal which one (2 for Ctrl-C), or None. Source: Keras'
    ``History``.
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
        if not isinstance(column, str):  # also whoever iterates over it, from 0 on
            raise TypeError(
                f"history[{column!r}] is no column: take one by its name, such as "
                "history['train_loss'], or history.records, which has one an epoch"
            )
        for record in self.records:
            if column not in record:
                raise KeyError(
                    f"there is no column {column!r} in epoch {record.get('epoch')}: choose one of "
                    f"{', '.join(record)}"
                )
        return [record[column] for record in self.records]

    def __len__(self) -> int:
        return len(self.records)
