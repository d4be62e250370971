"""Real values with one spread for all of them, which is learned."""

import math
from typing import Any

import numpy as np

from .. import checks
from ..backend import Array, Backend
from ..kernels.shared_gaussian import SHARED_GAUSSIAN_GRADIENT, SHARED_GAUSSIAN_NLL
from ..parameters import Declared
from ..settings import Number
from .base import Likelihood
from .gaussian import RANGE


class SharedGaussian(Likelihood):
    """p(x | a) = N(a, sigma^2 I) with one sigma, a parameter that is learned with the model.

    Shapes: a (N, ...) means, x (N, ...) real, the parameter logvar (1,), which starts where sigma
    is ``initial``. floor is the least sigma, in the units of the data, and smooth:

        sigma^2 = floor^2 + exp(logvar)                                                 (1)
        nll = sum (a - x)^2 / (2 sigma^2) + D (log sigma + log(2 pi) / 2)
                                                            kernels/shared_gaussian.py

    What is learned is the root mean square of a - x over the data, so that no sigma is to be
    chosen, and the weight of the reconstruction against the KL is that of a likelihood. Raises
    ValueError for initial outside RANGE and floor < 0. Source: Rybkin, Daniilidis, Levine, "Simple
    and effective VAE training with calibrated decoders", 2021, section 4.1.
    """

    kernel = SHARED_GAUSSIAN_NLL
    floor = Number(0, single=False)
    logvar: Array  # (1,)
    dlogvar: Array  # (1,)

    def __init__(self, initial: float = 1.0, floor: float = 1e-3):
        self.initial = checks.real(f"{type(self).__name__}(initial)", initial, *RANGE)
        self.floor = floor

    def constants(self, shape: tuple[int, ...]) -> tuple[float, ...]:
        """log floor^2, whatever the shape. Source: kernels/shared_gaussian.py (2)."""
        return (2 * math.log(self.floor) if self.floor else -math.inf,)

    def declare(self, shape: tuple[int, ...]) -> Declared:
        """logvar (1,), of initial. Source: layers/base.py."""
        start = 2 * math.log(self.initial)
        return {"logvar": ((1,), lambda noise: np.full((1,), start))}

    def sigma(self) -> float:
        """The standard deviation: the learned one of a model's likelihood, or the initial one."""
        return math.hypot(self.floor, math.exp(self._held() / 2))  # (1)

    def _held(self) -> float:
        return float(self.learnt("logvar")[0]) if self.learnt else 2 * math.log(self.initial)

    def bind(self, backend: Backend, rows: int, shape: tuple[int, ...], samples: int = 1) -> None:
        """As Likelihood.bind; q (rows K,), and a logvar of its own where it is in no model."""
        super().bind(backend, rows, shape, samples)
        self.learn = backend.op(SHARED_GAUSSIAN_GRADIENT)
        self.q, self.each_once = (backend.zeros((rows * samples,)) for _ in range(2))
        backend.write(self.each_once, 1.0)
        if "logvar" not in vars(self):
            self.logvar, self.dlogvar = backend.zeros((1,)), backend.zeros((1,))
            backend.write(self.logvar, self._held())

    def forward(self, a: Array, x: Array) -> Array:
        """a (N K, ...), x (N, ...) -> nll (N K,); da and q are kept. Source: the kernel's
        docstring."""
        M = self.rows = a.shape[0]
        outs = self.nll[:M], self.flat(self.da[:M]), self.q[:M]
        ins = self.flat(a), self.flat(x), self.logvar
        self.nll_kernel(*outs, *ins, *self.constants(self.shape))
        return self.nll[:M]

    def backward(self) -> Array:
        """da (N K, ...); dlogvar is filled. Source: kernels/shared_gaussian.py (5) (7)."""
        self._fill(self.each_once[: self.rows])
        return super().backward()

    def weighed(self, w: Array) -> Array:
        """w (N K,) -> da (N K, ...) times w; dlogvar is filled. Source: kernels/shared_gaussian.py
        (7)."""
        self._fill(w)
        da = super().backward()
        rows = self.flat(da)
        self.weigh_rows(rows, rows, w)
        return da

    def _fill(self, w: Array) -> None:
        D = math.prod(self.shape)
        ins = self.q[: self.rows], w, self.logvar
        self.learn(self.dlogvar, *ins, *self.constants(self.shape), D, self.add)

    def sample(self, a: np.ndarray, noise: Any) -> np.ndarray:
        """a + sigma eps, same shape."""
        return (a + self.sigma() * noise.normal(a.shape)).astype(a.dtype)
