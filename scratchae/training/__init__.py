"""Training: fit, a loop of one's own, what may be done between epochs, progress, and pretraining
layer by layer."""

from .loop import training

__all__ = ["training"]
