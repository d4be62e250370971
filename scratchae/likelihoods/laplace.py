"""Real values with a few large errors."""

import math
from typing import Any

import numpy as np

from ..kernels.errors import ABSOLUTE_ERROR
from ..parameters import Views
from ..settings import Number
from .base import Likelihood

RANGE = 1e-37, 1e37  # of b: 1 / b is a float32


class Laplace(Likelihood):
    """p(x | a) = exp(-|x - a| / b) / (2 b) of each value, with a fixed scale b in the units of the
    data.

    Shapes: a (N, ...) medians, which are the means too, x (N, ...) real. With D values a row:

        nll = sum |a - x| / b + D log(2 b),   da = sign(a - x) / b                      (1)
        x = a - b sign(v) log(1 - 2 |v|),   v uniform in [-1/2, 1/2)                    (2)

    The deviation of x is b sqrt(2). An outlier costs in proportion to how far it lies, and not to
    the square, as under GaussianLikelihood. Raises ValueError for b outside RANGE. Source:
    kernels/errors.py (2); Devroye, "Non-uniform random variate generation", 1986, section II.2.
    """

    kernel = ABSOLUTE_ERROR
    b = Number(*RANGE)

    def __init__(self, b: float = 1.0):
        self.b = b

    def constants(self, shape: tuple[int, ...]) -> tuple[float, ...]:
        """tau and c of kernels/errors.py (2) for rows of that shape."""
        return 1 / self.b, math.prod(shape) * math.log(2 * self.b)  # (1)

    def left_out(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """No error, but the constant, of any one number. Source: (1)."""
        return 0.0, math.log(2 * self.b)

    def best_output(self, x: np.ndarray) -> Views:
        """A median (...) of x (N, ...). Source: (1)."""
        return {"a": np.median(x, axis=0)}

    def sample(self, a: np.ndarray, noise: Any) -> np.ndarray:
        """a and noise of scale b, same shape."""
        v = noise.uniform(a.shape) - 0.5
        # v is -1/2 once in 2^24 draws, where (2) has no number
        tail = np.log1p(-2 * np.minimum(np.abs(v), 0.5 - 2.0**-26))
        return (a - self.b * np.sign(v) * tail).astype(a.dtype)  # (2)
