"""The recipes that are raced, as models of this library, with their data and first step."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np

import scratchae as sa
from scratchae import (
    LSTM,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    Reshape,
    Sequential,
    randomness,
)
from scratchae.initializers import torch_uniform

SEED, STRIDE = 0, 1000.0  # a learning rate so long that weights round off no gradient
IMAGE, BEAT, DAY = (28, 28, 1), (140,), (48, 1)

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
    decoder = Sequential(sa.Repeat(DAY[0]), LSTM(16, 16, True), sa.Conv1d(16, 1, 1))
    return sa.Autoencoder(Sequential(LSTM(1, 16, False)), decoder, sa.SquaredError())


def iwae(samples: int) -> sa.Model:
    """784-200-200-50-200-200-784, tanh, logits. Source: Burda et al. 2016, section 5, 1 layer."""
    encoder = Sequential(Dense(784, 200, "tanh"), Dense(200, 200, "tanh"), Dense(200, 2 * 50))
    decoder = Sequential(Dense(50, 200, "tanh"), Dense(200, 200, "tanh"), Dense(200, 784))
    return sa.Model(sa.IWAE(encoder, decoder, sa.Gaussian(50), sa.Bernoulli(), samples))


@dataclass(frozen=True)
class Recipe:
    """A model, its examples' shape, the published batch size and others, Adam's rate."""

    model: Callable[[], Any]
    shape: tuple[int, ...]
    batches: tuple[int, ...]
    lr: float = 1e-3

    def orders(self, modes: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """How PyTorch is run, in those modes and every layout: names, and what it is told."""
        last = {"contiguous": False, "channels_last": True}
        layouts = list(last)[: 2 if len(self.shape) == 3 else 1]
        both = product(modes, layouts)
        return {f"{mode} {name}": {"mode": mode, "last": last[name]} for mode, name in both}


RECIPES = {
    "dense_vae": Recipe(dense_vae, (784,), (128, 1, 16, 1024)),
    "tf_cvae": Recipe(tf_cvae, IMAGE, (32, 128), 1e-4),
    "keras_vae": Recipe(keras_vae, IMAGE, (128,)),
    "tf_denoiser": Recipe(tf_denoiser, IMAGE, (32,)),
    "keras_conv_ae": Recipe(keras_conv_ae, IMAGE, (128,)),
    "ecg": Recipe(ecg, BEAT, (512,)),
    "lstm": Recipe(lstm, DAY, (32, 256), 5e-3),
    "iwae_1": Recipe(partial(iwae, 1), (784,), (20,)),
    "iwae_5": Recipe(partial(iwae, 5), (784,), (20,)),
    "iwae_50": Recipe(partial(iwae, 50), (784,), (20,)),
}


strokes = cache(lambda: sa.datasets.load("strokes")[0].pixels)  # 20,000 digits (n, 28, 28, 1)


def examples(recipe: Recipe, n: int) -> np.ndarray:
    """Generated examples (n, *shape): uint8 digits, repeated if need be, or walks in [0, 1]."""
    if recipe.shape in (BEAT, DAY):
        walks = np.random.default_rng(SEED).normal(size=(n, *recipe.shape)).cumsum(axis=1)
        low, high = walks.min(axis=1, keepdims=True), walks.max(axis=1, keepdims=True)
        return ((walks - low) / (high - low)).astype(np.float32)
    return strokes()[np.arange(n) % len(strokes())].reshape(n, *recipe.shape)


def source(data: np.ndarray) -> Any:
    """What ``fit`` reads for those examples (n, *shape)."""
    return sa.Images(data) if data.dtype == np.uint8 else sa.Values(data)


def build(recipe: Recipe, backend: Any = "numpy") -> Any:
    """The recipe's model with its first weights; a wide code is the recipe's choice."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.WideCode)
        return recipe.model().build(recipe.shape, backend=backend, seed=SEED)


def noise(model: Any, N: int) -> np.ndarray | None:
    """The eps (N, K D) of the examples 0 to N - 1 in the first epoch, where there is any."""
    drawn, first = None, model.objective.encoder.layers[0]
    if model.objective.latent is not None:
        drawn = (N, model.objective.K * model.latent.dimensions), randomness.LATENT
    elif isinstance(first, sa.GaussianNoise):
        drawn = (N, int(np.prod(model.input_shape))), randomness.NOISE
    return randomness.normal(drawn[0], SEED, drawn[1], 1).astype(np.float32) if drawn else None


def first_step(recipe: Recipe, N: int, backend: Any = "numpy", **how: Any) -> dict[str, Any]:
    """``fit``'s first step, of N examples: the loss, the norm of each gradient.

    A gradient is how far a step of gradient descent went. how: more for ``fit``.
    """
    model, data = build(recipe, backend), source(examples(recipe, N))
    before = dict(model.weights)
    how |= {"batch_size": N, "epochs": 1, "seed": SEED}
    history = sa.fit(model, data, sa.SGD(STRIDE), progress=False, **how)
    steps = [before[name] - value for name, value in model.weights.items()]
    norms = [float(np.linalg.norm(step)) / STRIDE for step in steps]
    return {"loss": history["train_loss"][0], "gradients": norms}


def flops(model: Any, batch: int) -> int:
    """Of a step's matrix products: two a multiply-add, forward, dW, dx from the second layer on.

    A convolution uses a weight once for each of P Q patches, an LSTM in each of T steps, a decoder
    for each of K samples.
    """
    sizes = {name: tensor.size for name, tensor in model.weights.items()}
    total, passes = 0, 2
    for part, rows in (("encoder", batch), ("decoder", batch * model.objective.K)):
        for i, layer in enumerate(getattr(model.objective, part).layers):
            if f"{part}.{i}.W" in sizes:
                grid = layer.shape if isinstance(layer, (ConvTranspose2d, LSTM)) else layer.output
                weights = passes * sizes[f"{part}.{i}.W"] + 3 * sizes.get(f"{part}.{i}.R", 0)
                total, passes = total + 2 * rows * int(np.prod(grid[:-1])) * weights, 3
    return total
