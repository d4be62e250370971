"""The stochastic node between encoder and decoder."""

from .base import Latent
from .gaussian import Gaussian
from .hierarchy import Hierarchy

__all__ = ["Gaussian", "Hierarchy", "Latent"]
