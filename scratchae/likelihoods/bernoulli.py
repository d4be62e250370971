"""Black and white pixels."""

from typing import Any

import numpy as np

from .. import checks
from ..kernels.bernoulli import BERNOULLI_NLL
from .base import Likelihood


class Bernoulli(Likelihood):
    """p(x = 1 | a) = sigmoid(a), from logits.

    Shapes: a (N, ...) logits, x (N, ...) in {0, 1}. Grey values between 0 and 1 work too, and most
    published VAEs use them, but the sum is then a cross-entropy and no log-likelihood, so the ELBO
    is a bound on nothing. Raises ValueError for data outside [0, 1].
    Source: Kingma and Welling 2014, appendix C.1; Loaiza-Ganem and Cunningham, "The continuous
    Bernoulli", 2019, on grey values.
    """

    kernel = BERNOULLI_NLL

    def check(self, x: np.ndarray) -> None:
        """Raise ValueError where x (N, ...) leaves [0, 1], naming the first such index."""
        if (at := checks.first_where(x, _outside)) is not None:
            raise ValueError(
                f"the data is {x[at]} at index {at}, but a Bernoulli likelihood takes values in "
                "[0, 1]: scale the data and clip what leaves it, x = np.clip(x, 0, 1), or choose "
                "GaussianLikelihood or SquaredError"
            )

    def mean(self, a: np.ndarray) -> np.ndarray:
        """sigmoid(a), same shape: the probability of ink. Source: kernels/bernoulli.py (4)."""
        e = np.exp(-np.abs(a))
        return (np.where(a >= 0, 1, e) / (1 + e)).astype(a.dtype)

    def log_prob(self, x: Any, a: Any) -> np.ndarray:
        """As Likelihood.log_prob, x (N, ...) in {0, 1}, a (N, ...) -> (N,). Of grey x there is
        none: (1) is a cross-entropy there, and such x raises ValueError. Source:
        kernels/bernoulli.py (1)."""
        x = checks.host_rows(x, None, "x")
        if (at := checks.first_where(x, lambda rows: (rows != 0) & (rows != 1))) is not None:
            raise ValueError(
                f"x is {x[at]} at index {at}, but a Bernoulli likelihood is a distribution on 0 "
                "and 1 alone, and of grey x a cross-entropy: binarise x, or choose "
                "ContinuousBernoulli"
            )
        return super().log_prob(x, a)

    def sample(self, a: np.ndarray, noise: Any) -> np.ndarray:
        """x in {0, 1}, same shape."""
        return (noise.uniform(a.shape) < self.mean(a)).astype(a.dtype)

    def symbols(self, x: np.ndarray) -> np.ndarray:
        """x (N, ...) in {0, 1} -> (N, P) whole numbers. Raises ValueError for grey. Source:
        coding/symbols.py."""
        if (at := first_where(x, lambda rows: (rows != 0) & (rows != 1))) is not None:
            raise ValueError(
                f"the data is {x[at]} at index {at}, but of a Bernoulli only 0 and 1 can be "
                "coded: give Images(pixels, binarize='threshold'), or 'dynamic'"
            )
        return x.reshape(len(x), -1).astype(np.int64)

    def data(self, k: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """k (N, P) in {0, 1} -> x (N, *shape)."""
        return k.reshape(len(k), *shape)

    def below(self, a: np.ndarray) -> np.ndarray:
        """a (N, ...) -> (N, P, 1) float64, the probability of 0."""
        return self.mean(-a.astype(np.float64)).reshape(len(a), -1, 1)


def _outside(x: np.ndarray) -> Any:
    with np.errstate(invalid="ignore"):  # two numbers are faster than a mask
        return False if x.min() >= 0 and x.max() <= 1 else (x < 0) | (x > 1)
