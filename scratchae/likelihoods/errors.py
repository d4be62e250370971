"""Squared and absolute error: what an autoencoder without a likelihood minimises."""

import numpy as np

from ..kernels.errors import ABSOLUTE_ERROR, SQUARED_ERROR
from ..parameters import Views
from .base import Likelihood


class SquaredError(Likelihood):
    """sum over a row of (a - x)^2: the Gaussian of variance 1/2, less its constant.

    Shapes: a, x (N, ...) real. Summed over the row, as everything here; the "MSE" of the tutorials
    is this divided by the number of values in a row. Source: kernels/errors.py (1) with tau = 2.
    """

    kernel = SQUARED_ERROR

    def constants(self, shape: tuple[int, ...]) -> tuple[float, ...]:
        """tau = 2 and c = 0, whatever the shape. Source: kernels/errors.py (1)."""
        return 2.0, 0.0

    def best_output(self, x: np.ndarray) -> Views:
        """The mean (...) of x (N, ...). Source: kernels/errors.py (1)."""
        return {"a": x.mean(axis=0, dtype=np.float64)}

    def left_out(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """No error, whatever the shape. Source: kernels/errors.py (1)."""
        return 0.0, 0.0


class AbsoluteError(Likelihood):
    """sum over a row of |a - x|: the Laplace distribution of scale 1, less its constant.

    Shapes: a, x (N, ...) real. The "MAE" of the tutorials is this divided by the number of values
    in a row. Source: kernels/errors.py (2).
    """

    kernel = ABSOLUTE_ERROR

    def constants(self, shape: tuple[int, ...]) -> tuple[float, ...]:
        """tau = 1 and c = 0, whatever the shape. Source: kernels/errors.py (2)."""
        return 1.0, 0.0

    def best_output(self, x: np.ndarray) -> Views:
        """A median (...) of x (N, ...). Source: kernels/errors.py (2)."""
        return {"a": np.median(x, axis=0)}

    def left_out(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """No error, whatever the shape. Source: kernels/errors.py (2)."""
        return 0.0, 0.0
