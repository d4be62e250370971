"""The recipes that are raced, as models of this library, with their data and first step."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np

import scratchae as sa
from benchmarks.shared import published
from scratchae import LSTM, ConvTranspose2d, randomness

SEED, STRIDE = 0, 1000.0  # a learning rate so long that weights round off no gradient
IMAGE, BEAT, DAY = (28, 28, 1), (140,), (48, 1)


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
    "dense_vae": Recipe(published.dense_vae, (784,), (128, 1, 16, 1024)),
    "tf_cvae": Recipe(published.tf_cvae, IMAGE, (32, 128), 1e-4),
    "keras_vae": Recipe(published.keras_vae, IMAGE, (128,)),
    "tf_denoiser": Recipe(published.tf_denoiser, IMAGE, (32,)),
    "keras_conv_ae": Recipe(published.keras_conv_ae, IMAGE, (128,)),
    "ecg": Recipe(published.ecg, BEAT, (512,)),
    "lstm": Recipe(published.lstm, DAY, (32, 256), 5e-3),
    "iwae_1": Recipe(partial(published.iwae, 1), (784,), (20,)),
    "iwae_5": Recipe(partial(published.iwae, 5), (784,), (20,)),
    "iwae_50": Recipe(partial(published.iwae, 50), (784,), (20,)),
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
