"""Adaptive moments: Adam, and AdamW with decoupled weight decay."""

from ..backend import Array, Backend
from ..kernels.adam import ADAM
from ..kernels.adamw import ADAMW
from ..settings import Number, Scheduled
from .base import Optimizer


class Adam(Optimizer):
    """Adaptive moments, as in the paper: bias correction, epsilon outside the root.

    Shapes: m, v (n,), n all parameters. Equations in kernels/adam.py. Raises ValueError for lr or
    eps <= 0, or betas outside [0, 1). Source: Kingma and Ba 2015, Algorithm 1.
    """

    beta1, beta2, eps = Number(0, 1), Number(0, 1), Number(0, strict=True)

    def __init__(
        self, lr: Scheduled = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
    ):
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps

    def bind(self, backend: Backend, n: int) -> None:
        """m = v = 0 (n,), t = 0. Source: Kingma and Ba 2015, Algorithm 1, initialisation."""
        self.adam = backend.op(ADAM)
        self.vectors = {"m": backend.zeros((n,)), "v": backend.zeros((n,))}
        self.row = backend.zeros((4,))
        self.t = 0

    def per_step(self, t: int, count: float) -> tuple[float, ...]:
        """row (4,): 1 / count, alpha, 1 - beta1^t, 1 - beta2^t. Source: Kingma and Ba 2015,
        Algorithm 1."""
        return 1.0 / count, self.rate(t), 1.0 - self.beta1**t, 1.0 - self.beta2**t

    def update(self, values: Array, grads: Array, part: slice) -> None:
        """Algorithm 1 on values[part]; grads (S, n). Source: kernels/adam.py."""
        m, v = self.vectors["m"], self.vectors["v"]
        constants = (self.beta1, self.beta2, self.eps, part.start, part.stop)
        self.adam(values, m, v, grads, self.row, *constants)


class AdamW(Adam):
    """Adam with decoupled weight decay: each step also takes lr * weight_decay of every parameter.

    All of the flat vector decays, biases too. lr is the paper's eta_t alpha, weight_decay its
    lambda / alpha, so a schedule of lr scales both, as there, and the numbers are PyTorch's. With
    weight_decay=0 this is Adam. Shapes: m, v (n,), n all parameters. Equations in
    kernels/adamw.py. Raises ValueError for lr or eps <= 0, betas outside [0, 1), or weight_decay <
    0. Source: Loshchilov and Hutter 2019, Algorithm 2.
    """

    weight_decay = Number(0)

    def __init__(
        self,
        lr: Scheduled = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ):
        super().__init__(lr, beta1, beta2, eps)
        self.weight_decay = weight_decay

    def bind(self, backend: Backend, n: int) -> None:
        """m = v = 0 (n,), t = 0. Source: Loshchilov and Hutter 2019, Algorithm 2, line 2."""
        super().bind(backend, n)
        self.adamw = backend.op(ADAMW)

    def update(self, values: Array, grads: Array, part: slice) -> None:
        """Algorithm 2 on values[part]; grads (S, n). Source: kernels/adamw.py."""
        m, v = self.vectors["m"], self.vectors["v"]
        constants = (self.beta1, self.beta2, self.eps, self.weight_decay, part.start, part.stop)
        self.adamw(values, m, v, grads, self.row, *constants)
