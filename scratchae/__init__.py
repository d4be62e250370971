"""scratchae: autoencoders and variational autoencoders, every gradient written out by hand."""

from importlib import import_module
from typing import Any

from . import datasets, initializers, kernels, schedules
from .backend import get_backend
from .datasets import Images, Labelled, Observed, Pairs, ScaleWarning, Source, Values
from .evaluation import evaluate
from .latents import Gaussian, GivenPrior, Hierarchy, Latent
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
    Given,
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
from .layers.by_hand import by_hand
from .likelihoods import (
    AbsoluteError,
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretisedLogistic,
    GaussianLikelihood,
    Laplace,
    LearnedGaussian,
    Likelihood,
    OptimalGaussian,
    Poisson,
    SharedGaussian,
    SquaredError,
)
from .models import VAE, Autoencoder, Model, WideCode
from .objectives import (
    ELBO,
    IWAE,
    L1,
    STL,
    Capacity,
    Contractive,
    DReG,
    FreeBits,
    KLRate,
    Objective,
    Penalty,
    Reconstruction,
    StudentT,
)
from .optim import SGD, Adadelta, Adagrad, Adam, AdamW, Optimizer, RMSProp
from .saving.checkpoint import load, save
from .training.callbacks import EarlyStopping
from .training.epochs import NonFiniteLoss
from .training.fit import fit
from .training.history import History
from .training.preparing import IdleWarning, ScheduleWarning
from .training.pretraining import pretrain

__all__ = [
    "ELBO",
    "IWAE",
    "L1",
    "LSTM",
    "SGD",
    "STL",
    "VAE",
    "AbsoluteError",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Autoencoder",
    "Bernoulli",
    "Capacity",
    "Categorical",
    "ContinuousBernoulli",
    "Contractive",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "DReG",
    "Dense",
    "DiscretisedLogistic",
    "Dropout",
    "EarlyStopping",
    "Flatten",
    "FreeBits",
    "Gaussian",
    "GaussianLikelihood",
    "GaussianNoise",
    "Given",
    "GivenPrior",
    "Hierarchy",
    "History",
    "IdleWarning",
    "Images",
    "KLRate",
    "Labelled",
    "Laplace",
    "Latent",
    "Layer",
    "LearnedGaussian",
    "Likelihood",
    "Masking",
    "MaxPool2d",
    "Model",
    "NonFiniteLoss",
    "Objective",
    "Observed",
    "OptimalGaussian",
    "Optimizer",
    "Pairs",
    "Penalty",
    "Poisson",
    "RMSProp",
    "Reconstruction",
    "Repeat",
    "Reshape",
    "SaltAndPepper",
    "ScaleWarning",
    "ScheduleWarning",
    "Sequential",
    "SharedGaussian",
    "Source",
    "SquaredError",
    "StudentT",
    "Tied",
    "Upsample2d",
    "Values",
    "WideCode",
    "by_hand",
    "datasets",
    "evaluate",
    "fit",
    "get_backend",
    "initializers",
    "kernels",
    "load",
    "pretrain",
    "save",
    "schedules",
]

__version__ = "0.1.0"

# loaded when they are asked for
LATE = ("coding", "detection", "evaluation", "gradcheck", "plots")


def __getattr__(name: str) -> Any:
    if name in LATE:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
