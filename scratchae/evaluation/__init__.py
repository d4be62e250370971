"""How good a model is, on data that it did not learn from."""

from .denoising import denoising_score
from .terms import evaluate

__all__ = ["denoising_score", "evaluate"]
