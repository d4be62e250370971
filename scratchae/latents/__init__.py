"""The stochastic node between encoder and decoder."""

from .gaussian import Gaussian

__all__ = ["Gaussian"]
