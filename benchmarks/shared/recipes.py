"""The recipes that are raced, as models of this library, with their data and first step."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import product
from typing import Any

import numpy as np

import scratchae as sa
from benchmarks.shared import drawn, everyday, published
from benchmarks.shared.floor import Work, work
from scratchae import LSTM, randomness

SEED, STRIDE = 0, 1000.0  # a learning rate so long that weights round off no gradient
IMAGE, DIGIT = (28, 28, 1), (784,)
DISTINCT = 1 << 22  # numbers of those examples that are no digits; more are repetitions


@dataclass(frozen=True)
class Recipe:
    """A model, its examples' shape, the published batch size and others, Adam's rate.

    Images are uint8, as are digits in rows; everything else is float32.
    """

    model: Callable[[], Any]
    shape: tuple[int, ...]
    batches: tuple[int, ...]
    lr: float = 1e-3

    @cached_property
    def images(self) -> bool:
        """Whether PyTorch takes the examples as images: a sequence too, but for an LSTM."""
        recurrent = any(isinstance(layer, LSTM) for layer in self.model().objective.encoder.layers)
        return len(self.shape) == 3 or (len(self.shape) == 2 and not recurrent)

    @property
    def item(self) -> int:
        """Bytes of a number of an example."""
        return 1 if len(self.shape) == 3 or self.shape == DIGIT else 4

    @property
    def example(self) -> int:
        """Bytes of an example."""
        return self.item * math.prod(self.shape)

    def work(self, batch: int) -> Work:
        """What a step must do at least."""
        return work(self.model(), self.shape, batch, self.item)

    def orders(self, modes: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """How PyTorch is run, in those modes and every layout: names, and what it is told."""
        last = {"contiguous": False, "channels_last": True}
        layouts = list(last)[: 2 if self.images else 1]
        both = product(modes, layouts)
        return {f"{mode} {name}": {"mode": mode, "last": last[name]} for mode, name in both}


PUBLISHED = {
    "dense_vae": Recipe(published.dense_vae, DIGIT, (128, 1, 16, 1024)),
    "tf_cvae": Recipe(published.tf_cvae, IMAGE, (32, 128), 1e-4),
    "keras_vae": Recipe(published.keras_vae, IMAGE, (128,)),
    "tf_denoiser": Recipe(published.tf_denoiser, IMAGE, (32,)),
    "keras_conv_ae": Recipe(published.keras_conv_ae, IMAGE, (128,)),
    "ecg": Recipe(published.ecg, (140,), (512,)),
    "lstm": Recipe(published.lstm, (48, 1), (32, 256), 5e-3),
    "iwae_1": Recipe(partial(published.iwae, 1), DIGIT, (20,)),
    "iwae_5": Recipe(partial(published.iwae, 5), DIGIT, (20,)),
    "iwae_50": Recipe(partial(published.iwae, 50), DIGIT, (20,)),
}
EVERYDAY = {
    "wide_vae": Recipe(everyday.wide_vae, (64, 64, 3), (64,)),
    "big_dense": Recipe(everyday.big_dense, (4096,), (256,)),
    "wide_conv": Recipe(everyday.wide_conv, (8, 8, 256), (32,)),
    "pooled_5x5": Recipe(everyday.pooled_5x5, (32, 32, 3), (64,)),
    "ten_layers": Recipe(everyday.ten_layers, IMAGE, (64,)),
    "odd_channels": Recipe(everyday.odd_channels, (45, 37, 3), (50,)),
    "lstm_128": Recipe(everyday.lstm_128, (30, 8), (64,)),
    "lstm_64": Recipe(everyday.lstm_64, (100, 3), (32,)),
    "small_pooled": Recipe(everyday.small_pooled, IMAGE, (128,)),
    "conv1d_stride": Recipe(everyday.conv1d_stride, (288, 1), (128,)),
    "table": Recipe(everyday.table, (30,), (256,)),
}
RECIPES = PUBLISHED | EVERYDAY


def find(name: str) -> Recipe:
    """The recipe of that name, or the one that drawn.py draws for it."""
    if name in RECIPES:
        return RECIPES[name]
    one = drawn.find(name)
    return Recipe(one.model, one.shape, (one.batch,), 1e-4)


strokes = cache(lambda: sa.datasets.load("strokes")[0].pixels)  # 20,000 digits (n, 28, 28, 1)


def distinct(recipe: Recipe, n: int) -> np.ndarray:
    """At most n generated examples (m, *shape): uint8 digits or grey noise, walks in [0, 1]."""
    if recipe.shape in (IMAGE, DIGIT):
        return strokes()[:n].reshape(-1, *recipe.shape)
    rng, m = np.random.default_rng(SEED), max(1, DISTINCT // math.prod(recipe.shape))
    shape = min(n, m), *recipe.shape
    if recipe.item == 1:
        return rng.integers(0, 256, shape, np.uint8)
    walks = rng.normal(size=shape).cumsum(axis=1)
    low, high = walks.min(axis=1, keepdims=True), walks.max(axis=1, keepdims=True)
    return ((walks - low) / (high - low)).astype(np.float32)


def examples(recipe: Recipe, n: int) -> np.ndarray:
    """Generated examples (n, *shape), repeated if need be."""
    few = distinct(recipe, n)
    return few if len(few) == n else few[np.arange(n) % len(few)]


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
    norms = [float(np.linalg.norm(step.astype(np.float64))) / STRIDE for step in steps]
    return {"loss": history["train_loss"][0], "gradients": norms}
