"""Whether the parts of a batch make up the whole, which a model trained in shards takes for
granted: sums that add, gradients that add, a total that is read or is not."""

import numpy as np

from ..backend import Backend
from ..objectives import Objective
from .layers import Tensors, difference, draw, thawed
from .measure import TOLERANCE, Row

Part = tuple[np.ndarray, np.ndarray]  # sums (k,), gradients (n,)


class BoundObjective:
    """A copy of an objective, bound for the rows x (N, *shape) in float64. Source:
    objectives/base.py."""

    def __init__(self, objective: Objective, backend: Backend, x: np.ndarray):
        self.objective, self.backend, self.x = thawed(objective), backend, x
        self.tensors = Tensors(backend, self.objective.declare(x.shape[1:]))
        self.objective.attach(self.tensors.values, self.tensors.grads)
        self.objective.bind(backend, len(x))
        self.objective.accumulate(False)

    def sums(self, rows: slice) -> np.ndarray:
        """The sums (k,) of some rows. Source: objectives/base.py."""
        draw(self.objective, self.backend, rows.stop - rows.start, rows.start)
        x = self.backend.asarray(self.x[rows])
        return self.backend.to_host(self.objective.forward(x)).astype(np.float64)

    def gradients(self, rows: slice, total: np.ndarray | None) -> np.ndarray:
        """The gradients (n,) of some rows, given the total (k,), or their own sums. Source:
        objectives/base.py."""
        own = self.sums(rows)
        self.tensors.fill(np.nan)
        total = own if total is None else total
        self.objective.backward(self.backend.asarray(total, np.float64))
        return self.tensors.gradients()


def shards_add(objective: Objective, backend: Backend, x: np.ndarray) -> Row:
    """Whether two shards of x (N, *shape) have the sums and the gradients of the whole batch.

    Where the objective calls itself additive, a shard is told no total. Source:
    execution/threads.py (1) (2).
    """
    bound, N = BoundObjective(objective, backend, x), len(x)
    shards = [slice(0, N - 1), slice(N - 1, N)]
    total = bound.sums(slice(0, N))
    told = None if bound.objective.additive else total
    gradients = bound.gradients(slice(0, N), total)
    added = np.sum([bound.sums(rows) for rows in shards], axis=0)
    parts = np.sum([bound.gradients(rows, told) for rows in shards], axis=0)
    if total[0] != N:
        note = f"the sums begin with {total[0]:g}, but the count of rows, {N}, comes first"
        return Row("shards", np.inf, "wrong", note)
    error = max(difference(added, total), difference(parts, gradients))
    if error <= TOLERANCE:
        return Row("shards", error, "right")
    note = "parts of a batch must add up to it: sums, not means; additive only without the total"
    return Row("shards", error, "wrong", note)
