"""A step size for each parameter from its own squared gradients: Adagrad, and its heirs Adadelta
and RMSProp."""

from ..backend import Array, Backend
from ..checks import real32
from ..kernels.adadelta import ADADELTA
from ..kernels.adagrad import ADAGRAD
from ..kernels.rmsprop import RMSPROP
from ..settings import Fixed, Number, Scheduled
from .base import Optimizer


def _initial(what: str, value: float) -> float:
    """A number of at least 0. Raises ValueError otherwise."""
    return real32(what, value, 0)


class Adagrad(Optimizer):
    """Steps divided by the root of all squared gradients so far. Equations in kernels/adagrad.py.

    initial: what the accumulator h starts at, 0 in the paper and in PyTorch, 0.1 in Keras. Shapes:
    h (n,), n all parameters. Raises ValueError for lr or eps <= 0, or initial < 0.
    Source: Duchi, Hazan, Singer 2011, Figure 1; the defaults are PyTorch's.
    """

    initial, eps = Fixed(_initial), Number(0, strict=True)

    def __init__(self, lr: Scheduled = 1e-2, initial: float = 0.0, eps: float = 1e-10):
        self.lr = lr
        self.initial = initial
        self.eps = eps

    def bind(self, backend: Backend, n: int) -> None:
        """h = initial (n,), t = 0. Source: Duchi, Hazan, Singer 2011, Figure 1, with 0."""
        self.adagrad = backend.op(ADAGRAD)
        self.vectors = {"h": backend.empty((n,))}
        backend.write(self.vectors["h"], self.initial)
        self.row = backend.zeros((2,))
        self.t = 0

    def per_step(self, t: int, count: float) -> tuple[float, ...]:
        """row (2,): 1 / count, alpha."""
        return 1.0 / count, self.rate(t)

    def update(self, values: Array, grads: Array, part: slice) -> None:
        """One step on values[part]; grads (S, n). Source: kernels/adagrad.py."""
        self.adagrad(values, self.vectors["h"], grads, self.row, self.eps, part.start, part.stop)


class Adadelta(Optimizer):
    """Steps in the units of the parameters, from running means of squares. Equations in
    kernels/adadelta.py.

    lr multiplies the step: 1 in the paper, which has none. Keras' default went from 1 to 0.001
    with TensorFlow 2, which is why older recipes that name Adadelta and no learning rate hardly
    train there. Shapes: v, u (n,), n all parameters. Raises ValueError for lr or eps <= 0, or rho
    outside [0, 1).
    Source: Zeiler 2012, Algorithm 1; rho and eps are those of its runs on MNIST.
    """

    rho, eps = Number(0, 1), Number(0, strict=True)

    def __init__(self, lr: Scheduled = 1.0, rho: float = 0.95, eps: float = 1e-6):
        self.lr = lr
        self.rho = rho
        self.eps = eps

    def bind(self, backend: Backend, n: int) -> None:
        """v = u = 0 (n,), t = 0. Source: Zeiler 2012, Algorithm 1, initialisation."""
        self.adadelta = backend.op(ADADELTA)
        self.vectors = {"v": backend.zeros((n,)), "u": backend.zeros((n,))}
        self.row = backend.zeros((2,))
        self.t = 0

    def per_step(self, t: int, count: float) -> tuple[float, ...]:
        """row (2,): 1 / count, alpha."""
        return 1.0 / count, self.rate(t)

    def update(self, values: Array, grads: Array, part: slice) -> None:
        """Algorithm 1 on values[part]; grads (S, n). Source: kernels/adadelta.py."""
        v, u = self.vectors["v"], self.vectors["u"]
        self.adadelta(values, v, u, grads, self.row, self.rho, self.eps, part.start, part.stop)


class RMSProp(Optimizer):
    """Steps divided by the root of a running mean of squared gradients. Equations in
    kernels/rmsprop.py.

    rho: 0.9 on the slide and in Keras; PyTorch calls it alpha and has 0.99. Shapes: v (n,), n all
    parameters. Raises ValueError for lr or eps <= 0, or rho outside [0, 1).
    Source: Tieleman and Hinton 2012, lecture 6.5, slide 29.
    """

    rho, eps = Number(0, 1), Number(0, strict=True)

    def __init__(self, lr: Scheduled = 1e-3, rho: float = 0.9, eps: float = 1e-8):
        self.lr = lr
        self.rho = rho
        self.eps = eps

    def bind(self, backend: Backend, n: int) -> None:
        """v = 0 (n,), t = 0."""
        self.rmsprop = backend.op(RMSPROP)
        self.vectors = {"v": backend.zeros((n,))}
        self.row = backend.zeros((2,))
        self.t = 0

    def per_step(self, t: int, count: float) -> tuple[float, ...]:
        """row (2,): 1 / count, alpha."""
        return 1.0 / count, self.rate(t)

    def update(self, values: Array, grads: Array, part: slice) -> None:
        """One step on values[part]; grads (S, n). Source: kernels/rmsprop.py."""
        self.rmsprop(
            values, self.vectors["v"], grads, self.row, self.rho, self.eps, part.start, part.stop
        )
