"""The published recipes that are raced, as models of ours, with their data and their first step."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

import scratchae as sa
from scratchae import (
    LSTM,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    Layer,
    Repeat,
    Reshape,
    Sequential,
    datasets,
    randomness,
)
from scratchae.initializers import torch_uniform
from scratchae.kernels.philox import NORMAL
from scratchae.layers.sequential import leaves

CORRUPTION = 255  # a stream of random numbers that the library does not use
SEED = 0
STRIDE = 1000.0  # the learning rate of the step that shows a gradient: long, so that weights round off none of it
IMAGE = (28, 28, 1)
BEAT = (140,)
DAY = (48, 1)


class Corrupt(Layer):
    """Noise for a denoiser: y = clip(x + sigma eps, 0, 1), eps ~ N(0, 1); x, eps, y (N, ...).

    Stands first, so it has no backward pass. Source: TensorFlow, "Intro to autoencoders", noise_factor.
    """

    def __init__(self, sigma: float):
        self.sigma = sigma

    def declare(self, shape: Any) -> Any:
        """Any shape -> (the same, no parameters)."""
        self.shape = self.output = shape
        return shape, {}

    def bind(self, backend: Any, rows: int, need_dx: bool) -> None:
        """Buffers eps (rows, count), y (rows, ...)."""
        self.normal = backend.op(NORMAL)
        self.y = backend.empty((rows, *self.shape))
        self.eps = backend.empty((rows, int(np.prod(self.shape))))

    def draw(self, rows: Any, clock: Any) -> None:
        """Fill eps for the examples rows (N,)."""
        self.normal(self.eps[: len(rows)], rows, clock, CORRUPTION)

    def forward(self, x: Any) -> Any:
        """x (N, ...) -> y (N, ...)."""
        N, y = len(x), self.y[: len(x)]
        np.multiply(self.eps[:N].reshape(y.shape), self.sigma, out=y)
        np.add(y, x, out=y)
        return np.clip(y, 0, 1, out=y)

    def backward(self, dy: Any) -> None:
        """Nothing stands before it."""


def dense_vae() -> sa.VAE:
    """784-400-20-400-784, logits. Source: pytorch/examples, vae/main.py."""
    affine = partial(Dense, init=torch_uniform, init_b=torch_uniform)
    encoder = Sequential(affine(784, 400, "relu"), affine(400, 2 * 20))
    return sa.VAE(encoder, Sequential(affine(20, 400, "relu"), affine(400, 784)), sa.Gaussian(20))


def tf_cvae() -> sa.VAE:
    """28x28x1 -> 13x13x32 -> 6x6x64 -> 2 -> 7x7x32 -> 14x14x64 -> 28x28x32 -> 28x28x1, logits.

    Source: TensorFlow's tutorial "cvae".
    """
    encoder = Sequential(
        Conv2d(1, 32, 3, 2, "valid", "relu"),
        Conv2d(32, 64, 3, 2, "valid", "relu"),
        Flatten(),
        Dense(6 * 6 * 64, 2 * 2),
    )
    decoder = Sequential(
        Dense(2, 7 * 7 * 32, "relu"),
        Reshape(7, 7, 32),
        ConvTranspose2d(32, 64, 3, 2, "same", "relu"),
        ConvTranspose2d(64, 32, 3, 2, "same", "relu"),
        ConvTranspose2d(32, 1, 3, 1, "same"),
    )
    return sa.VAE(encoder, decoder, sa.Gaussian(2))


def keras_vae() -> sa.VAE:
    """28x28x1 -> 14x14x32 -> 7x7x64 -> 16 -> 2 and back, logits. Source: keras.io, "vae"."""
    encoder = Sequential(
        Conv2d(1, 32, 3, 2, "same", "relu"),
        Conv2d(32, 64, 3, 2, "same", "relu"),
        Flatten(),
        Dense(7 * 7 * 64, 16, "relu"),
        Dense(16, 2 * 2),
    )
    decoder = Sequential(
        Dense(2, 7 * 7 * 64, "relu"),
        Reshape(7, 7, 64),
        ConvTranspose2d(64, 64, 3, 2, "same", "relu"),
        ConvTranspose2d(64, 32, 3, 2, "same", "relu"),
        ConvTranspose2d(32, 1, 3, 1, "same"),
    )
    return sa.VAE(encoder, decoder, sa.Gaussian(2))


def tf_denoiser() -> sa.Autoencoder:
    """28x28x1 with noise -> 14x14x16 -> 7x7x8 -> 14x14x8 -> 28x28x16 -> 28x28x1 without.

    Source: TensorFlow, "Intro to autoencoders", second example.
    """
    encoder = Sequential(
        Corrupt(0.2),
        Conv2d(1, 16, 3, 2, "same", "relu"),
        Conv2d(16, 8, 3, 2, "same", "relu"),
    )
    decoder = Sequential(
        ConvTranspose2d(8, 8, 3, 2, "same", "relu"),
        ConvTranspose2d(8, 16, 3, 2, "same", "relu"),
        Conv2d(16, 1, 3, 1, "same", "sigmoid"),
    )
    return sa.Autoencoder(encoder, decoder, sa.SquaredError())


def keras_conv_ae() -> sa.Autoencoder:
    """28x28x1 -> 14x14x32 -> 7x7x32 by pooling, and back, logits. Source: keras.io, "autoencoder"."""
    from scratchae import MaxPool2d

    encoder = Sequential(
        Conv2d(1, 32, 3, 1, "same", "relu"),
        MaxPool2d(2),
        Conv2d(32, 32, 3, 1, "same", "relu"),
        MaxPool2d(2),
    )
    decoder = Sequential(
        ConvTranspose2d(32, 32, 3, 2, "same", "relu"),
        ConvTranspose2d(32, 32, 3, 2, "same", "relu"),
        Conv2d(32, 1, 3, 1, "same"),
    )
    return sa.Autoencoder(encoder, decoder, sa.Bernoulli())


def ecg() -> sa.Autoencoder:
    """140-32-16-8-16-32-140. Source: TensorFlow, "Intro to autoencoders", third example."""
    encoder = Sequential(Dense(140, 32, "relu"), Dense(32, 16, "relu"), Dense(16, 8, "relu"))
    decoder = Sequential(Dense(8, 16, "relu"), Dense(16, 32, "relu"), Dense(32, 140, "sigmoid"))
    return sa.Autoencoder(encoder, decoder, sa.AbsoluteError())


def lstm() -> sa.Autoencoder:
    """48x1 -> 16 -> 48x16 -> 48x1. Source: examples/series_anomaly.py without its noise; Srivastava et al. 2015."""
    decoder = Sequential(Repeat(DAY[0]), LSTM(16, 16, True), Conv1d(16, 1, 1))
    return sa.Autoencoder(Sequential(LSTM(1, 16, False)), decoder, sa.SquaredError())


@dataclass(frozen=True)
class Recipe:
    """A model, the shape of its examples, the published batch size and others, Adam's learning rate."""

    model: Callable[[], Any]
    shape: tuple[int, ...]
    batches: tuple[int, ...]
    lr: float = 1e-3


RECIPES = {
    "dense_vae": Recipe(dense_vae, (784,), (128, 1, 16, 1024)),
    "tf_cvae": Recipe(tf_cvae, IMAGE, (32, 128), 1e-4),
    "keras_vae": Recipe(keras_vae, IMAGE, (128,)),
    "tf_denoiser": Recipe(tf_denoiser, IMAGE, (32,)),
    "keras_conv_ae": Recipe(keras_conv_ae, IMAGE, (128,)),
    "ecg": Recipe(ecg, BEAT, (512,)),
    "lstm": Recipe(lstm, DAY, (32, 256), 5e-3),
}


@cache
def strokes() -> np.ndarray:
    """20,000 generated digits (n, 28, 28, 1)."""
    return datasets.load("strokes")[0].pixels


def examples(recipe: Recipe, n: int) -> np.ndarray:
    """n generated examples (n, *shape): digits as uint8, or walks as float32 in [0, 1]; repeated if need be."""
    if recipe.shape in (BEAT, DAY):
        noise = np.random.default_rng(SEED).normal(size=(n, *recipe.shape)).cumsum(axis=1)
        low, high = noise.min(axis=1, keepdims=True), noise.max(axis=1, keepdims=True)
        return ((noise - low) / (high - low)).astype(np.float32)
    pixels = strokes()
    return pixels[np.arange(n) % len(pixels)].reshape(n, *recipe.shape)


def source(data: np.ndarray) -> Any:
    """What ``fit`` reads for those examples (n, *shape)."""
    return sa.Images(data) if data.dtype == np.uint8 else sa.Values(data)


def build(recipe: Recipe, backend: Any = "numpy") -> Any:
    """The recipe's model with its first weights; a code as wide as its input is the recipe's own choice."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.WideCode)
        return recipe.model().build(recipe.shape, backend=backend, seed=SEED)


def first_step(recipe: Recipe, data: np.ndarray, threads: int = 1) -> dict[str, Any]:
    """``fit``'s own first step, of one batch (N, *shape), from the first weights of the recipe's model.

    The weights, the noise (if any), the loss per example, and the norm of each tensor's gradient, which is
    how far a step of gradient descent went.
    """
    model, optimizer = build(recipe), sa.SGD(STRIDE)
    before = {name: np.array(value) for name, value in model.parameters.views().items()}
    history = sa.fit(
        model, source(data), optimizer, epochs=1, batch_size=len(data), threads=threads, seed=SEED
    )
    steps = [before[name] - value for name, value in model.parameters.views().items()]
    return {
        **before,
        **noise(model, len(data)),
        "loss": history["train_loss"][0],
        "gradients": [float(np.linalg.norm(step)) / STRIDE for step in steps],
    }


def noise(model: Any, N: int) -> dict[str, np.ndarray]:
    """What the examples 0 to N - 1 are given in the first epoch: eps (N, D), where there is any."""
    replica = model.replica(N)
    replica.draw(np.arange(N, dtype=np.uint32), randomness.clock(SEED, 1))
    parts: list[Any] = [
        getattr(replica, "latent", None),
        *(layer for _, layer in leaves("", replica.encoder)),
    ]
    drawn = [part.eps for part in parts if hasattr(part, "eps")]
    return {"eps": drawn[0]} if drawn else {}


def flops(model: Any, batch: int) -> int:
    """Of one step's matrix products: two a multiply-add, forward, dW, and dx from the second layer on.

    A weight of a convolution is used once for each of the P Q patches, one of an LSTM in each of its T steps.
    """
    sizes = {name: int(np.prod(shape)) for name, (shape, _) in model.parameters.declared.items()}
    total, passes = 0, 2
    for name in ("encoder", "decoder"):
        for where, layer in leaves(name, getattr(model.objective, name)):
            if f"{where}.W" not in sizes:
                continue
            grid = layer.shape if isinstance(layer, (ConvTranspose2d, LSTM)) else layer.output
            uses = 2 * batch * int(np.prod(grid[:-1]))
            total, passes = (
                total + uses * (passes * sizes[f"{where}.W"] + 3 * sizes.get(f"{where}.R", 0)),
                3,
            )
    return total
