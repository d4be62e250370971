"""scratchae: autoencoders and variational autoencoders, every gradient written out by hand."""

from . import datasets, initializers, kernels
from .backend import get_backend
from .datasets import Images, Values
from .evaluation import evaluate
from .latents import Gaussian
from .layers import (
    LSTM,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    Layer,
    Masking,
    MaxPool2d,
    Repeat,
    Reshape,
    SaltAndPepper,
    Sequential,
    Tied,
    Upsample2d,
)
from .likelihoods import (
    AbsoluteError,
    Bernoulli,
    Categorical,
    GaussianLikelihood,
    LearnedGaussian,
    SquaredError,
)
from .models import VAE, Autoencoder, WideCode
from .objectives import L1, Contractive, KLRate, StudentT
from .optim import SGD, Adadelta, Adagrad, Adam, AdamW, RMSProp
from .saving.checkpoint import load, save
from .training.callbacks import EarlyStopping
from .training.fit import History, NonFiniteLoss, fit
from .training.pretraining import pretrain

__all__ = [
    "L1",
    "LSTM",
    "SGD",
    "VAE",
    "AbsoluteError",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Autoencoder",
    "Bernoulli",
    "Categorical",
    "Contractive",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "Flatten",
    "Gaussian",
    "GaussianLikelihood",
    "GaussianNoise",
    "History",
    "Images",
    "KLRate",
    "Layer",
    "LearnedGaussian",
    "Masking",
    "MaxPool2d",
    "NonFiniteLoss",
    "RMSProp",
    "Repeat",
    "Reshape",
    "SaltAndPepper",
    "Sequential",
    "SquaredError",
    "StudentT",
    "Tied",
    "Upsample2d",
    "Values",
    "WideCode",
    "datasets",
    "evaluate",
    "fit",
    "get_backend",
    "initializers",
    "kernels",
    "load",
    "pretrain",
    "save",
]

__version__ = "0.1.0"
