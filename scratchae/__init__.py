"""scratchae: autoencoders and variational autoencoders, every gradient written out by hand."""

from . import datasets, initializers, kernels
from .backend import get_backend
from .checkpoint import load, save
from .datasets import Images, Values
from .evaluate import evaluate
from .latents import Gaussian
from .layers import Conv2d, ConvTranspose2d, Dense, Flatten, Layer, MaxPool2d, Reshape, Sequential, Upsample2d
from .likelihoods import AbsoluteError, Bernoulli, GaussianLikelihood, SquaredError
from .models import VAE, Autoencoder
from .optim import SGD, Adam
from .training import History, NonFiniteLoss, fit

__all__ = [
    "SGD",
    "VAE",
    "AbsoluteError",
    "Adam",
    "Autoencoder",
    "Bernoulli",
    "Conv2d",
    "ConvTranspose2d",
    "Dense",
    "Flatten",
    "Gaussian",
    "GaussianLikelihood",
    "History",
    "Images",
    "Layer",
    "MaxPool2d",
    "NonFiniteLoss",
    "Reshape",
    "Sequential",
    "SquaredError",
    "Upsample2d",
    "Values",
    "datasets",
    "evaluate",
    "fit",
    "get_backend",
    "initializers",
    "kernels",
    "load",
    "save",
]

__version__ = "0.1.0"
