"""Optimisers on the flat vector of all parameters."""

from .adagrad import Adadelta, Adagrad, RMSProp
from .adam import Adam, AdamW
from .base import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSProp"]
