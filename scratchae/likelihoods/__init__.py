"""p(x|z): value, gradient, mean, sample."""

from .base import Likelihood
from .bernoulli import Bernoulli, ContinuousBernoulli
from .calibrated import OptimalGaussian, SharedGaussian
from .categorical import Categorical
from .errors import AbsoluteError, SquaredError
from .gaussian import GaussianLikelihood, LearnedGaussian
from .laplace import Laplace
from .logistic import DiscretisedLogistic
from .poisson import Poisson

__all__ = [
    "AbsoluteError",
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "DiscretisedLogistic",
    "GaussianLikelihood",
    "Laplace",
    "LearnedGaussian",
    "Likelihood",
    "OptimalGaussian",
    "Poisson",
    "SharedGaussian",
    "SquaredError",
]
