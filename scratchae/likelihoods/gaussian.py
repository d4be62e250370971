"""Real values with a known spread."""

import math
from typing import Any

import numpy as np

from ..checks import real
from ..kernels.errors import SQUARED_ERROR
from .base import Likelihood


class GaussianLikelihood(Likelihood):
    """p(x | a) = N(a, sigma^2 I) with a fixed sigma, in the units of the data.

    Shapes: a (N, ...) means, x (N, ...) real. With D values a row:

        nll = sum (a - x)^2 / (2 sigma^2) + D (log sigma + log(2 pi) / 2)               (1)

    sigma is a choice with consequences: it weighs the reconstruction against the KL, as beta does.
    Raises ValueError for sigma <= 0. Source: Kingma and Welling 2014, appendix C.2.
    """

    kernel = SQUARED_ERROR

    def __init__(self, sigma: float = 1.0):
        self.sigma = real("GaussianLikelihood(sigma)", sigma, 0, strict=True)

    def constants(self, shape: tuple[int, ...]) -> tuple[float, ...]:
        """tau and c of kernels/errors.py for rows of that shape. Source: the class docstring."""
        D = math.prod(shape)
        return 1 / self.sigma**2, D * (math.log(self.sigma) + math.log(2 * math.pi) / 2)  # (1)

    def sample(self, a: np.ndarray, noise: Any) -> np.ndarray:
        """a + sigma eps, same shape. Source: the class docstring."""
        return (a + self.sigma * noise.normal(a.shape)).astype(a.dtype)
