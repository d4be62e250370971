"""Real values with one spread for all of them, which is learned."""

import math
from typing import Any

import numpy as np

from .. import checks
from ..backend import Array, Backend
from ..kernels.errors import SQUARED_ERROR
from ..kernels.optimal_gaussian import OPTIMAL_GAUSSIAN_GRADIENT
from ..kernels.shared_gaussian import SHARED_GAUSSIAN_GRADIENT, SHARED_GAUSSIAN_NLL
from ..parameters import Declared, Views
from ..settings import Fixed, Number, store
from .base import Likelihood
from .gaussian import LEAST, RANGE


class SharedGaussian(Likelihood):
    """p(x | a) = N(a, sigma^2 I) with one sigma, a parameter that is learned with the model.

    Shapes: a (N, ...) means, x (N, ...) real, the parameter logvar (1,), which starts where sigma
    is ``initial``. floor is the least sigma, in the units of the data, and smooth:

        sigma^2 = floor^2 + exp(logvar)                                                 (1)
        nll = sum (a - x)^2 / (2 sigma^2) + D (log sigma + log(2 pi) / 2)
                                                            kernels/shared_gaussian.py

    What is learned is the root mean square of a - x over the data, so that no sigma is to be
    chosen, and the weight of the reconstruction against the KL is that of a likelihood. Adam moves
    logvar by about its learning rate a step, so the way there takes about
    2 |log(sigma / initial)| / lr steps: where training ends before, sigma is still too large, and
    health says so. For few steps give an initial near the error that is expected. The learned one
    is model.likelihood.sigma(). Raises ValueError for initial outside RANGE and floor < 0. Source:
    Rybkin, Daniilidis, Levine, "Simple and effective VAE training with calibrated decoders", 2021,
    section 4.1.
    """

    kernel = SHARED_GAUSSIAN_NLL
    initial = Fixed(lambda what, sigma: checks.real(what, sigma, *RANGE))
    floor = Number(0, single=False)
    can_aim = True
    logvar: Array  # (1,)
    dlogvar: Array  # (1,)

    def __init__(self, initial: float = 1.0, floor: float = 1e-3):
        self.initial, self.floor = initial, floor

    def constants(self, shape: tuple[int, ...]) -> tuple[float, ...]:
        """log floor^2, whatever the shape. Source: kernels/shared_gaussian.py (2)."""
        return (2 * math.log(self.floor) if self.floor else -math.inf,)

    def declare(self, shape: tuple[int, ...]) -> Declared:
        """logvar (1,), of initial. Source: layers/base.py."""
        start = 2 * math.log(self.initial)
        return {"logvar": ((1,), lambda noise: np.full((1,), start))}

    def sigma(self) -> float:
        """The standard deviation: the learned one of a model's likelihood, or the initial one.

        Raises AttributeError for one that was handed to a model: its copy of it learns. Source:
        (1)."""
        if store(self).fixed and not self.learnt and "logvar" not in vars(self):
            raise AttributeError(
                "this SharedGaussian was copied when it was handed over, and the copy learns: "
                "read model.likelihood.sigma()"
            )
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
        x = x if self.target is None else self.target
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

    def best_output(self, x: np.ndarray) -> Views:
        """The mean (...) of x (N, ...), and logvar (1,) of the spread about it. Source: (1)."""
        variance = x.var(axis=0, dtype=np.float64).mean()
        logvar = math.log(max(variance - self.floor**2, LEAST))
        return {"a": x.mean(axis=0, dtype=np.float64), "logvar": np.array([logvar])}

    def sample(self, a: np.ndarray, noise: Any) -> np.ndarray:
        """a + sigma eps, same shape."""
        return (a + self.sigma() * noise.normal(a.shape)).astype(a.dtype)


class OptimalGaussian(Likelihood):
    """p(x | a) = N(a, sigma^2 I) with the sigma that is best for the batch: its root mean square.

    Shapes: a (N K, ...) means, x (N, ...) real. ``forward`` gives the squared error of each row;
    with D values a row and M rows over all shards of a batch:

        sigma^2 = sum of all squared errors / (M D)                                     (1)
        loss = D / 2 (log(2 pi sigma^2) + 1),   da = (a - x) / sigma^2
                                                            kernels/optimal_gaussian.py

    Nothing is to be learned or chosen, and training is as fast as with SharedGaussian once that
    has found its sigma. But sigma is fitted to whatever is measured: ``evaluate`` takes that of
    the held-out data, and its loss is no bound on their log p(x). So this is an objective for
    training and no distribution of one example: it has no log_prob, no sample, and no place in
    IWAE. Afterwards measure with GaussianLikelihood(sigma), sigma = likelihood.sigma(x, a) of
    training data. Where a is x the loss is -inf. Source: Rybkin, Daniilidis, Levine, "Simple and
    effective VAE training with calibrated decoders", 2021, section 4.2.
    """

    kernel = SQUARED_ERROR
    additive = False
    total: Array | None = None  # (k,) of the last batch that backward was told of

    def constants(self, shape: tuple[int, ...]) -> tuple[float, ...]:
        """tau = 2 and c = 0, whatever the shape. Source: kernels/errors.py (1)."""
        return 2.0, 0.0

    def declare(self, shape: tuple[int, ...]) -> Declared:
        """No parameters, for rows of that shape. Source: likelihoods/base.py."""
        self.shape = shape
        return {}

    def bind(self, backend: Backend, rows: int, shape: tuple[int, ...], samples: int = 1) -> None:
        """As Likelihood.bind, buffers (rows K, ...) too. Source: likelihoods/base.py."""
        super().bind(backend, rows, shape, samples)
        self.settle, self.n = backend.op(OPTIMAL_GAUSSIAN_GRADIENT), samples * math.prod(shape)

    def take(self, total: Array) -> None:
        """Keep the sums (k,) of the whole batch. Source: kernels/optimal_gaussian.py (1)."""
        self.total = total

    def value(self, nll: float, rows: float) -> float:
        """D / 2 (log(2 pi sigma^2) + 1) in nats, from the sum of squared errors over those rows:
        scalars. Source: the class docstring."""
        D = math.prod(self.shape)
        variance = nll / (rows * D)  # (1)
        return D / 2 * (math.log(2 * math.pi * variance) + 1) if variance else -math.inf

    def backward(self) -> Array:
        """da (N K, ...), by the sigma of the batch that ``take`` was told of; 2 (a - x) before.
        Source: kernels/optimal_gaussian.py (2)."""
        da = super().backward()
        if self.total is not None:
            rows = self.flat(da)
            self.settle(rows, rows, self.total, self.n)
        return da

    def sigma(self, x: np.ndarray, a: np.ndarray) -> float:
        """The best standard deviation for host arrays x, a (N, ...). Source: (1)."""
        r = np.asarray(a, np.float64) - x
        return math.sqrt(float((r * r).mean()))  # (1)
