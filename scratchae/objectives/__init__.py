"""What is minimised, written out: forward and backward in reading order, in nats per example."""

from .base import Objective
from .contractive import Contractive
from .dreg import DReG
from .elbo import ELBO
from .iwae import IWAE
from .penalties import L1, KLRate, Penalty, StudentT
from .reconstruction import Reconstruction
from .stl import STL

__all__ = [
    "ELBO",
    "IWAE",
    "L1",
    "STL",
    "Contractive",
    "DReG",
    "KLRate",
    "Objective",
    "Penalty",
    "Reconstruction",
    "StudentT",
]
