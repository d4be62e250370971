"""The stochastic node between encoder and decoder."""

from .base import Latent
from .gaussian import Gaussian
from .given_prior import GivenPrior
from .hierarchy import Hierarchy

__all__ = ["Gaussian", "GivenPrior", "Hierarchy", "Latent"]
