"""Black and white pixels, and grey ones."""

from typing import Any

import numpy as np

from .. import checks
from ..kernels.bernoulli import BERNOULLI_NLL
from ..kernels.continuous_bernoulli import CONTINUOUS_BERNOULLI_NLL, slope
from ..parameters import Views
from .base import Likelihood
from .grey import first_between, grey

NEVER = -1e4  # a logit: exp of it is 0


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

    def remark(self, x: np.ndarray, first: int = 0) -> str:
        """Say of x (N, ...), from that row of the data on, that it has values between 0 and 1, if
        it has."""
        advice = "binarise the images, Images(pixels, binarize='dynamic'), or choose "
        return grey(x, "a Bernoulli", f"{advice}ContinuousBernoulli", first)

    def left_out(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """A logit whose softplus is 0, whatever the shape. Source: kernels/bernoulli.py (2)."""
        return NEVER, 0.0

    def best_output(self, x: np.ndarray) -> Views:
        """The logit (...) of the mean of x (N, ...). Source: kernels/bernoulli.py (4)."""
        m = x.mean(axis=0, dtype=np.float64)
        with np.errstate(divide="ignore"):
            return {"a": np.clip(np.log(m) - np.log1p(-m), NEVER, -NEVER)}

    def mean(self, a: np.ndarray) -> np.ndarray:
        """sigmoid(a), same shape: the probability of ink. Source: kernels/bernoulli.py (4)."""
        e = np.exp(-np.abs(a))
        return (np.where(a >= 0, 1, e) / (1 + e)).astype(a.dtype)

    def log_prob(self, x: Any, a: Any) -> np.ndarray:
        """As Likelihood.log_prob, x (N, ...) in {0, 1}, a (N, ...) -> (N,). Of grey x there is
        none: (1) is a cross-entropy there, and such x raises ValueError. Source:
        kernels/bernoulli.py (1)."""
        x = checks.host_rows(x, None, "x")
        if (at := first_between(x)) is not None:
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
        if (at := first_between(x)) is not None:
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


class ContinuousBernoulli(Likelihood):
    """p(x | a) = exp(x a) a / (exp(a) - 1) of each grey value x in [0, 1]: a density, where
    Bernoulli's cross-entropy is none.

    Shapes: a (N, ...) any real numbers, x (N, ...) in [0, 1], nll (N,) in nats:

        nll = sum of log((exp(a) - 1) / a) - x a          kernels/continuous_bernoulli.py
        y = -log(1 - u (1 - exp(-|a|))) / |a|             u uniform in [0, 1), y = u at a = 0   (1)
        x = y if a < 0 else 1 - y                                                               (2)

    a is the natural parameter, the logit of lambda in the paper; nothing is clamped. The mean is
    not sigmoid(a): a decoder of a Bernoulli gives images of another brightness here. Values are a
    density's, so nll may be negative. Raises ValueError for data outside [0, 1]. Source:
    Loaiza-Ganem and Cunningham, "The continuous Bernoulli", 2019, eq. 6 to 8 and appendix 1.
    """

    kernel = CONTINUOUS_BERNOULLI_NLL

    def check(self, x: np.ndarray) -> None:
        """Raise ValueError where x (N, ...) leaves [0, 1], naming the first such index."""
        if (at := checks.first_where(x, _outside)) is not None:
            raise ValueError(
                f"the data is {x[at]} at index {at}, but a ContinuousBernoulli likelihood is a "
                "density on [0, 1]: scale the data, train, test = datasets.scaled(train, test), "
                "clip what leaves it, x = np.clip(x, 0, 1), or choose GaussianLikelihood"
            )

    def left_out(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """The uniform density, whatever the shape. Source: kernels/continuous_bernoulli.py."""
        return 0.0, 0.0

    def best_output(self, x: np.ndarray) -> Views:
        """Where about A'(a) is the mean of x (N, ...), a (...): as it is far from 0, and at 0; at
        most NEVER in size, since what is 0 or 1 in all rows costs -inf. Source:
        kernels/continuous_bernoulli.py (5)."""
        m = np.clip(x.mean(axis=0, dtype=np.float64), -1 / NEVER, 1 + 1 / NEVER)
        return {"a": 1 / (1 - m) - 1 / m}

    def mean(self, a: np.ndarray) -> np.ndarray:
        """A'(a), same shape. Source: kernels/continuous_bernoulli.py (5) (6)."""
        return slope(a.astype(np.float64)).astype(a.dtype)

    def sample(self, a: np.ndarray, noise: Any) -> np.ndarray:
        """x in [0, 1], same shape, by the inverse of the cumulated density. Source: (1) (2)."""
        u, size = noise.uniform(a.shape), np.abs(a.astype(np.float64))
        flat = size == 0
        y = np.where(flat, u, -np.log1p(u * np.expm1(-size)) / np.where(flat, 1, size))  # (1)
        return np.where(a < 0, y, 1 - y).astype(a.dtype)  # (2)


def _outside(x: np.ndarray) -> Any:
    with np.errstate(invalid="ignore"):  # two numbers are faster than a mask
        return False if x.min() >= 0 and x.max() <= 1 else (x < 0) | (x > 1)
