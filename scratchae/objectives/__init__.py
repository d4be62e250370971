"""What is minimised, written out: forward and backward in reading order, in nats per example."""

from .base import Objective
from .capacity import Capacity
from .contractive import Contractive
from .dreg import DReG
from .elbo import ELBO
from .free_bits import FreeBits
from .iwae import IWAE
from .penalties import L1, KLRate, Penalty, StudentT
from .reconstruction import Reconstruction
from .stl import STL

__all__ = [
    "ELBO",
    "IWAE",
    "L1",
    "STL",
    "Capacity",
    "Contractive",
    "DReG",
    "FreeBits",
    "KLRate",
    "Objective",
    "Penalty",
    "Reconstruction",
    "StudentT",
]
