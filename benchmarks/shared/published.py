"""The published recipes as models of this library; each names its source."""

from functools import partial

import scratchae as sa
from scratchae import (
    LSTM,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    Reshape,
    Sequential,
)
from scratchae.initializers import torch_uniform

down = partial(Conv2d, kernel=3, stride=2, padding="same", activation="relu")
up = partial(ConvTranspose2d, kernel=3, stride=2, padding="same", activation="relu")
flat = partial(Conv2d, kernel=3, stride=1, padding="same")
affine = partial(Dense, init=torch_uniform, init_b=torch_uniform)


def dense_vae() -> sa.VAE:
    """784-400-20-400-784, logits. Source: pytorch/examples, vae/main.py."""
    encoder = Sequential(affine(784, 400, "relu"), affine(400, 2 * 20))
    return sa.VAE(encoder, Sequential(affine(20, 400, "relu"), affine(400, 784)), sa.Gaussian(20))


def upwards(C: int) -> Sequential:
    """2 -> 7x7xC -> 14x14x64 -> 28x28x32 -> 28x28x1, logits."""
    start = Dense(2, 7 * 7 * C, "relu"), Reshape(7, 7, C)
    return Sequential(*start, up(C, 64), up(64, 32), ConvTranspose2d(32, 1, 3, 1, "same"))


def tf_cvae() -> sa.VAE:
    """28x28x1 -> 13x13x32 -> 6x6x64 -> 2 and upwards. Source: TensorFlow's tutorial "cvae"."""
    cut = partial(down, padding="valid")
    encoder = Sequential(cut(1, 32), cut(32, 64), Flatten(), Dense(6 * 6 * 64, 2 * 2))
    return sa.VAE(encoder, upwards(32), sa.Gaussian(2))


def keras_vae() -> sa.VAE:
    """28x28x1 -> 14x14x32 -> 7x7x64 -> 16 -> 2 and upwards. Source: keras.io, "vae"."""
    narrow = Dense(7 * 7 * 64, 16, "relu"), Dense(16, 2 * 2)
    encoder = Sequential(down(1, 32), down(32, 64), Flatten(), *narrow)
    return sa.VAE(encoder, upwards(64), sa.Gaussian(2))


def tf_denoiser() -> sa.Autoencoder:
    """Noise, 28x28x1 -> 14x14x16 -> 7x7x8 and back. Source: as ``ecg``."""
    encoder = Sequential(sa.GaussianNoise(0.2, (0.0, 1.0)), down(1, 16), down(16, 8))
    decoder = Sequential(up(8, 8), up(8, 16), flat(16, 1, activation="sigmoid"))
    return sa.Autoencoder(encoder, decoder, sa.SquaredError())


def keras_conv_ae() -> sa.Autoencoder:
    """28x28x1 -> 14x14x32 -> 7x7x32 by pooling, and back. Source: keras.io, "autoencoder"."""
    first, second = flat(1, 32, activation="relu"), flat(32, 32, activation="relu")
    encoder = Sequential(first, sa.MaxPool2d(2), second, sa.MaxPool2d(2))
    return sa.Autoencoder(encoder, Sequential(up(32, 32), up(32, 32), flat(32, 1)), sa.Bernoulli())


def ecg() -> sa.Autoencoder:
    """140-32-16-8-16-32-140. Source: TensorFlow, "Intro to autoencoders", third example."""
    encoder = Sequential(Dense(140, 32, "relu"), Dense(32, 16, "relu"), Dense(16, 8, "relu"))
    decoder = Sequential(Dense(8, 16, "relu"), Dense(16, 32, "relu"), Dense(32, 140, "sigmoid"))
    return sa.Autoencoder(encoder, decoder, sa.AbsoluteError())


def lstm() -> sa.Autoencoder:
    """48x1 -> 16 -> 48x16 -> 48x1. Source: examples/series_anomaly.py; Srivastava et al. 2015."""
    decoder = Sequential(sa.Repeat(48), LSTM(16, 16, True), sa.Conv1d(16, 1, 1))
    return sa.Autoencoder(Sequential(LSTM(1, 16, False)), decoder, sa.SquaredError())


def iwae(samples: int) -> sa.Model:
    """784-200-200-50-200-200-784, tanh, logits. Source: Burda et al. 2016, section 5, 1 layer."""
    encoder = Sequential(Dense(784, 200, "tanh"), Dense(200, 200, "tanh"), Dense(200, 2 * 50))
    decoder = Sequential(Dense(50, 200, "tanh"), Dense(200, 200, "tanh"), Dense(200, 784))
    return sa.Model(sa.IWAE(encoder, decoder, sa.Gaussian(50), sa.Bernoulli(), samples))
