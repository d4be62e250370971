"""What is minimised, written out: forward and backward in reading order, in nats per example."""

from .base import Objective
from .elbo import ELBO
from .reconstruction import Reconstruction

__all__ = ["ELBO", "Objective", "Reconstruction"]
