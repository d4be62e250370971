"""The stochastic node between encoder and decoder."""

from .base import Latent
from .gaussian import Gaussian

__all__ = ["Gaussian", "Latent"]
