"""What is minimised, written out: forward and backward in reading order, in nats per example."""

from .base import Objective
from .contractive import Contractive
from .elbo import ELBO
from .penalties import L1, KLRate, Penalty, StudentT
from .reconstruction import Reconstruction

__all__ = [
    "ELBO",
    "L1",
    "Contractive",
    "KLRate",
    "Objective",
    "Penalty",
    "Reconstruction",
    "StudentT",
]
