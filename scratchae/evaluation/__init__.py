"""How good a model is, on data that it did not learn from."""

from .denoising import denoising_score
from .health import Health, health
from .labels import ByLabel, by_label
from .likelihood import GreyWarning, LogLikelihood, log_likelihood
from .terms import evaluate
from .units import bits_per_dimension

__all__ = [
    "ByLabel",
    "GreyWarning",
    "Health",
    "LogLikelihood",
    "bits_per_dimension",
    "by_label",
    "denoising_score",
    "evaluate",
    "health",
    "log_likelihood",
]
