"""How good a model is, on data that it did not learn from."""

from .denoising import denoising_score
from .likelihood import LogLikelihood, log_likelihood
from .terms import evaluate
from .units import bits_per_dimension

__all__ = ["LogLikelihood", "bits_per_dimension", "denoising_score", "evaluate", "log_likelihood"]
