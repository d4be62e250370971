"""Real values, with a spread that is known or learned."""

import math
from typing import Any

import numpy as np

from ..backend import Array
from ..kernels.errors import SQUARED_ERROR
from ..kernels.learned_gaussian import LEARNED_GAUSSIAN_NLL
from ..parameters import Views
from ..settings import Number
from .base import Likelihood

RANGE = 1e-18, 1e18  # of sigma: 1 / sigma^2 is a float32
LEAST = 1e-36  # variance: so is its inverse


class GaussianLikelihood(Likelihood):
    """p(x | a) = N(a, sigma^2 I) with a fixed sigma, in the units of the data.

    Shapes: a (N, ...) means, x (N, ...) real. With D values a row:

        nll = sum (a - x)^2 / (2 sigma^2) + D (log sigma + log(2 pi) / 2)               (1)

    sigma is a choice with consequences: it weighs the reconstruction against the KL, as beta does.
    Raises ValueError for sigma outside RANGE. Source: Kingma and Welling 2014, appendix C.2.
    """

    kernel = SQUARED_ERROR
    sigma = Number(*RANGE)

    def __init__(self, sigma: float = 1.0):
        self.sigma = sigma

    def constants(self, shape: tuple[int, ...]) -> tuple[float, ...]:
        """tau and c of kernels/errors.py for rows of that shape."""
        return 1 / self.sigma**2, math.prod(shape) * self._constant()  # (1)

    def _constant(self) -> float:
        return math.log(self.sigma) + math.log(2 * math.pi) / 2

    def left_out(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """No error, but the constant, of any one number. Source: (1)."""
        return 0.0, self._constant()

    def best_output(self, x: np.ndarray) -> Views:
        """The mean (...) of x (N, ...). Source: (1)."""
        return {"a": x.mean(axis=0, dtype=np.float64)}

    def sample(self, a: np.ndarray, noise: Any) -> np.ndarray:
        """a + sigma eps, same shape."""
        return (a + self.sigma * noise.normal(a.shape)).astype(a.dtype)


class LearnedGaussian(Likelihood):
    """p(x | a) = N(mu, diag sigma^2) with mu and logvar from the decoder: it says how sure it is
    of each value.

    Shapes: x (N, ..., C) real, a (N, ..., 2C) = [mu | logvar] along the last axis, so the
    decoder's last axis is twice that of the data; nll (N,) in nats. floor is the least sigma, in
    the units of the data, and smooth:

        sigma^2 = floor^2 + exp(logvar)                                                 (1)
        nll = sum ((mu - x)^2 / sigma^2 + log sigma^2 + log(2 pi)) / 2  kernels/learned_gaussian.py

    Without a floor (0) the likelihood is unbounded: a feature that is constant in the data, or
    that mu can copy, drives logvar to -inf and the loss with it. Choose a floor below the noise
    that you care for, and above the rounding of the data. Raises ValueError for floor < 0.
    Source: Kingma and Welling 2014, appendix C.2; Mattei and Frellsen, "Leveraging the exact
    likelihood of deep latent variable models", 2018, section 2 (unbounded).
    """

    kernel = LEARNED_GAUSSIAN_NLL
    floor = Number(0, single=False)

    def __init__(self, floor: float = 1e-3):
        self.floor = floor

    def parameters(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """(..., C) -> (..., 2C): mu and logvar side by side."""
        return (*shape[:-1], 2 * shape[-1])

    def constants(self, shape: tuple[int, ...]) -> tuple[float, ...]:
        """log floor^2, whatever the shape. Source: kernels/learned_gaussian.py (2)."""
        return (2 * math.log(self.floor) if self.floor else -math.inf,)

    def left_out(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """mu = logvar = 0, of any one number. Source: (1), kernels/learned_gaussian.py."""
        return 0.0, (math.log1p(self.floor**2) + math.log(2 * math.pi)) / 2

    def flat(self, rows: Array) -> Array:
        """The last axis stays one: (n, ..., C) -> (n, P, C), a view. Source:
        kernels/learned_gaussian.py."""
        return rows.reshape(rows.shape[0], -1, rows.shape[-1])

    def best_output(self, x: np.ndarray) -> Views:
        """The mean and the log of the variance, (..., 2C), of x (N, ..., C). Source: (1)."""
        mean, variance = (f(x, axis=0, dtype=np.float64) for f in (np.mean, np.var))
        logvar = np.log(np.maximum(variance - self.floor**2, LEAST))
        return {"a": np.concatenate([mean, logvar], axis=-1)}

    def mean(self, a: np.ndarray) -> np.ndarray:
        """mu (N, ..., C) of a (N, ..., 2C)."""
        return np.ascontiguousarray(a[..., : a.shape[-1] // 2])

    def sigma(self, a: np.ndarray) -> np.ndarray:
        """The standard deviations (N, ..., C), on the host, of a (N, ..., 2C)."""
        return np.hypot(self.floor, np.exp(a[..., a.shape[-1] // 2 :] / 2)).astype(a.dtype)  # (1)

    def sample(self, a: np.ndarray, noise: Any) -> np.ndarray:
        """mu + sigma eps (N, ..., C) of a (N, ..., 2C)."""
        mu = self.mean(a)
        return (mu + self.sigma(a) * noise.normal(mu.shape)).astype(a.dtype)
