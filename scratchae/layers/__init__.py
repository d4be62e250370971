"""Layers: forward and backward as a pair, one under the other, below the docstring that derives
both."""

from .base import Layer
from .conv import Conv2d, ConvTranspose2d
from .conv1d import Conv1d, ConvTranspose1d
from .dense import Dense
from .given import Given
from .lstm import LSTM
from .noise import Dropout, GaussianNoise, Masking, SaltAndPepper
from .pooling import MaxPool2d, Upsample2d
from .repeat import Repeat
from .reshape import Flatten, Reshape
from .sequential import Sequential
from .tied import Tied

__all__ = [
    "LSTM",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Dense",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "Given",
    "Layer",
    "Masking",
    "MaxPool2d",
    "Repeat",
    "Reshape",
    "SaltAndPepper",
    "Sequential",
    "Tied",
    "Upsample2d",
]
