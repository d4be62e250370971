"""p(x|z): value, gradient, mean, sample."""

from .base import Likelihood
from .bernoulli import Bernoulli
from .errors import AbsoluteError, SquaredError
from .gaussian import GaussianLikelihood

__all__ = ["AbsoluteError", "Bernoulli", "GaussianLikelihood", "Likelihood", "SquaredError"]
