"""Layers: forward and backward as a pair, one under the other, below the docstring that derives both."""

from .base import Layer
from .conv import Conv2d, ConvTranspose2d
from .dense import Dense
from .pooling import MaxPool2d, Upsample2d
from .reshape import Flatten, Reshape
from .sequential import Sequential

__all__ = [
    "Conv2d",
    "ConvTranspose2d",
    "Dense",
    "Flatten",
    "Layer",
    "MaxPool2d",
    "Reshape",
    "Sequential",
    "Upsample2d",
]
