"""How good a model is, on data that it did not learn from."""

from .denoising import score
from .terms import evaluate

__all__ = ["evaluate", "score"]
