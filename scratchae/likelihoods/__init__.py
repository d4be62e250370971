"""p(x|z): value, gradient, mean, sample."""

from .base import Likelihood
from .bernoulli import Bernoulli, ContinuousBernoulli
from .categorical import Categorical
from .errors import AbsoluteError, SquaredError
from .gaussian import GaussianLikelihood, LearnedGaussian
from .laplace import Laplace

__all__ = [
    "AbsoluteError",
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "GaussianLikelihood",
    "Laplace",
    "LearnedGaussian",
    "Likelihood",
    "SquaredError",
]
