"""Optimisers on the flat vector of all parameters."""

from typing import Any

import numpy as np

from .backend import Array, Backend
from .checks import real
from .kernels.adam import ADAM
from .kernels.sgd import SGD as SGD_KERNEL


class Optimizer:
    """One update of one flat vector.

    ``bind`` makes the state vectors (n,), once; ``constants`` says what changes with the step (t, learning
    rate, 1 / count), which ``tick`` puts into a small array; ``update`` runs the kernel over one part of the
    vector, so that several threads may share it. Where now[0] is 0 the loss was not finite, and the kernel
    changes nothing. An optimiser holds the state of one model and goes on with it when ``fit`` is called again.
    Source: autograd's optimisers on one flat vector.
    """

    lr: float
    t: int = 0  # steps done
    epoch: int = 0  # whole epochs done, by all calls of fit
    backend: Backend
    vectors: dict[str, Array]  # name: (n,), saved with the model
    now: Array  # (j,), what changes between steps
    owner: Any = None

    def bind(self, backend: Backend, n: int) -> None:
        """Make the state vectors (n,) for n parameters, zero. Source: the optimiser's own paper."""
        raise NotImplementedError

    def own(self, parameters: Any) -> None:
        """Take on a model's parameters, values (n,), or go on with them.

        Raises ValueError where this optimiser already holds another model's state. Source: none, a check."""
        if self.owner is parameters:
            return
        if self.owner is not None:
            raise ValueError(
                f"this {type(self).__name__} already holds the state of another model (or of an earlier build "
                "of this one): make a new one"
            )
        self.backend = parameters.backend
        self.bind(parameters.backend, parameters.size)
        self.owner = parameters

    def constants(self, t: int, count: float) -> tuple[float, ...]:
        """What the kernel reads at step t of count rows: now (j,), 1 / count first. Source: as ``bind``."""
        raise NotImplementedError(
            f"{type(self).__name__} does not say constants(t, count): the numbers that its kernel reads at step t, "
            "1 / count first"
        )

    def fixed(self) -> tuple[float, ...]:
        """The numbers that the kernel is handed as they are: all but the learning rate. Shapes: none.

        Source: graph.py, which records a step anew where one of them has changed."""
        numbers = {name: value for name, value in vars(self).items() if isinstance(value, float)}
        return tuple(value for name, value in sorted(numbers.items()) if name != "lr")

    def tick(self, total: np.ndarray) -> None:
        """Advance t and fill now (j,); total (k,): sums, the count first. Source: as ``bind``."""
        self.t += 1
        self.backend.write(self.now, self.constants(self.t, total[0]))

    def schedule(self, counts: list[int]) -> np.ndarray:
        """now (j,) of the next steps, which have that many rows each: (steps, j).

        Raises TypeError where ``tick`` is another than here, since no step calls it. Source: graph.py."""
        if type(self).tick is not Optimizer.tick:
            raise TypeError(
                f"{type(self).__name__} has a tick of its own, which a GPU's recorded steps do not call: say what "
                "changes in constants(t, count)"
            )
        return np.array([self.constants(self.t + i, count) for i, count in enumerate(counts, 1)])

    def update(self, values: Array, grads: Array, part: slice) -> None:
        """values[part] <- one step along grads (S, n)[:, part]. Source: as ``bind``."""
        raise NotImplementedError


class Adam(Optimizer):
    """Adaptive moments, as in the paper: bias correction, epsilon outside the root.

    Shapes: m, v (n,), n all parameters. Equations in kernels/adam.py. Raises ValueError for lr or eps
    <= 0, or betas outside [0, 1). Source: Kingma and Ba 2015, Algorithm 1.
    """

    def __init__(self, lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8):
        self.lr = real("lr", lr, 0, strict=True)
        self.beta1 = real("beta1", beta1, 0, 1)
        self.beta2 = real("beta2", beta2, 0, 1)
        self.eps = real("eps", eps, 0, strict=True)

    def bind(self, backend: Backend, n: int) -> None:
        """m = v = 0 (n,), t = 0. Source: Kingma and Ba 2015, Algorithm 1, initialisation."""
        self.adam = backend.op(ADAM)
        self.vectors = {"m": backend.zeros((n,)), "v": backend.zeros((n,))}
        self.now = backend.zeros((4,))
        self.t = 0

    def constants(self, t: int, count: float) -> tuple[float, ...]:
        """now (4,): 1 / count, alpha, 1 - beta1^t, 1 - beta2^t. Source: Kingma and Ba 2015, Algorithm 1."""
        return 1.0 / count, self.lr, 1.0 - self.beta1**t, 1.0 - self.beta2**t

    def update(self, values: Array, grads: Array, part: slice) -> None:
        """Algorithm 1 on values[part]; grads (S, n). Source: kernels/adam.py."""
        m, v = self.vectors["m"], self.vectors["v"]
        constants = (self.beta1, self.beta2, self.eps, part.start, part.stop)
        self.adam(values, m, v, grads, self.now, *constants)


class SGD(Optimizer):
    """Gradient descent with momentum. Equations in kernels/sgd.py.

    Shapes: v (n,). Raises ValueError for lr <= 0 or momentum outside [0, 1).
    Source: Polyak 1964; Sutskever et al. 2013.
    """

    def __init__(self, lr: float = 1e-2, momentum: float = 0.0):
        self.lr = real("lr", lr, 0, strict=True)
        self.momentum = real("momentum", momentum, 0, 1)

    def bind(self, backend: Backend, n: int) -> None:
        """v = 0 (n,), t = 0. Source: Sutskever et al. 2013."""
        self.sgd = backend.op(SGD_KERNEL)
        self.vectors = {"v": backend.zeros((n,))}
        self.now = backend.zeros((2,))
        self.t = 0

    def constants(self, t: int, count: float) -> tuple[float, ...]:
        """now (2,): 1 / count, alpha. Source: as the class."""
        return 1.0 / count, self.lr

    def update(self, values: Array, grads: Array, part: slice) -> None:
        """One step on values[part]; grads (S, n). Source: kernels/sgd.py."""
        self.sgd(values, self.vectors["v"], grads, self.now, self.momentum, part.start, part.stop)
