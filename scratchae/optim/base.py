"""What every optimiser has: state vectors, a count of steps, an owner."""

from typing import Any

import numpy as np

from ..backend import Array, Backend
from ..settings import Configured, Number, complete, constants, fix


class Optimizer(Configured):
    """One update of one flat vector.

    ``bind`` makes the state vectors (n,), once, self.vectors = {name: vector}, and no other state;
    ``per_step`` says what changes with the step (t, learning rate, 1 / count), which ``tick`` puts
    into a small array, self.row; ``update`` runs the kernel over one part of the vector, so that
    several threads may share it. Where row[0] is 0 the loss was not finite, and the kernel changes
    nothing. An optimiser holds the state of one model and goes on with it when ``fit`` is called
    again.
    Source: autograd's optimisers on one flat vector.
    """

    lr = Number(0, strict=True, schedule=True)
    t: int = 0  # steps done
    backend: Backend
    vectors: dict[str, Array]  # name: (n,), saved with the model
    row: Array  # (j,), what changes between steps
    owner: Any = None

    def bind(self, backend: Backend, n: int) -> None:
        """Make the state vectors (n,) for n parameters, zero. Source: the optimiser's own
        paper."""
        raise NotImplementedError

    def start(self, parameters: Any) -> None:
        """Take on a model's parameters, values (n,), or go on with them.

        Raises ValueError where this optimiser already holds another model's state."""
        if self.owner is parameters:
            return
        if self.owner is not None:
            raise ValueError(
                f"this {type(self).__name__} already holds the state of another model (or of an "
                "earlier build of this one): make a new one"
            )
        fix(self)
        self.backend, self.t, self.vectors = parameters.backend, 0, {}
        self.bind(parameters.backend, parameters.size)
        if "row" not in self.__dict__:
            self.row = self.backend.zeros((len(self.per_step(1, 1.0)),))
        self.owner = parameters

    def per_step(self, t: int, count: float) -> tuple[float, ...]:
        """What the kernel reads at step t of count rows: row (j,), 1 / count first."""
        raise NotImplementedError

    def constants(self) -> tuple[float, ...]:
        """The numbers that the kernel is handed as they are: all but the learning rate.

        Source: graphs.py, which records a step anew where one of them has changed."""
        return constants(self)

    def rate(self, t: int) -> float:
        """The learning rate of step t, t from 1 on. Raises ValueError where a schedule gives none.

        Source: schedules.py."""
        return type(self).lr.at(self, t)

    def check(self) -> None:
        """Raise ValueError where the learning rate of the next step is none, NotImplementedError
        for a method that is missing. Source: schedules.py."""
        calls = ("bind(backend, n)", "per_step(t, count)", "update(values, grads, part)")
        complete(self, Optimizer, *calls)
        self.rate(self.t + 1)

    def tick(self, total: np.ndarray) -> None:
        """Advance t and fill row (j,); total (k,): sums, the count first."""
        self.backend.write(self.row, self.per_step(self.t + 1, total[0]))
        self.t += 1

    def schedule(self, counts: list[int]) -> np.ndarray:
        """row (j,) of the next steps, which have that many rows each: (steps, j).

        Raises TypeError where ``tick`` is another than here, since no step calls it. Source:
        graphs.py."""
        if type(self).tick is not Optimizer.tick:
            raise TypeError(
                f"{type(self).__name__} has a tick of its own, which a GPU's recorded steps do "
                "not call: say what changes in per_step(t, count)"
            )
        return np.array([self.per_step(self.t + i, count) for i, count in enumerate(counts, 1)])

    def update(self, values: Array, grads: Array, part: slice) -> None:
        """values[part] <- one step along grads (S, n)[:, part]."""
        raise NotImplementedError
