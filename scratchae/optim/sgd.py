"""Gradient descent, with or without momentum."""

from ..backend import Array, Backend
from ..kernels.sgd import SGD as SGD_KERNEL
from ..settings import Number, Scheduled
from .base import Optimizer


class SGD(Optimizer):
    """Gradient descent with momentum. Equations in kernels/sgd.py.

    Shapes: v (n,). Raises ValueError for lr <= 0 or momentum outside [0, 1).
    Source: Polyak 1964; Sutskever et al. 2013.
    """

    momentum = Number(0, 1)

    def __init__(self, lr: Scheduled = 1e-2, momentum: float = 0.0):
        self.lr = lr
        self.momentum = momentum

    def bind(self, backend: Backend, n: int) -> None:
        """v = 0 (n,), t = 0. Source: Sutskever et al. 2013."""
        self.sgd = backend.op(SGD_KERNEL)
        self.vectors = {"v": backend.zeros((n,))}
        self.row = backend.zeros((2,))
        self.t = 0

    def per_step(self, t: int, count: float) -> tuple[float, ...]:
        """row (2,): 1 / count, alpha."""
        return 1.0 / count, self.rate(t)

    def update(self, values: Array, grads: Array, part: slice) -> None:
        """One step on values[part]; grads (S, n). Source: kernels/sgd.py."""
        self.sgd(values, self.vectors["v"], grads, self.row, self.momentum, part.start, part.stop)
