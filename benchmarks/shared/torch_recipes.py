"""Our models in PyTorch, as its users write them, in the formulation that is fastest there.

torch_images.py says how images are laid out. Layers are known by the names of their classes, so
this file imports nothing of the library.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.shared.torch_images import (
    CONVOLUTIONS,
    Apply,
    Layout,
    convolution,
    fill,
    image,
    pooling,
)
from benchmarks.shared.torch_objectives import ERRORS, IWAE, VAE, Autoencoder

ACTIVATIONS: dict[str, Any] = {
    "relu": partial(nn.ReLU, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


def to_rows(layout: Layout) -> nn.Module:
    """(N, C, H, W) -> (N, C H W), in the order that is a view: that of the memory."""
    last = layout.images and layout.last
    return Apply(lambda x: (x.permute(0, 2, 3, 1) if last else x).flatten(1))


def to_images(shape: tuple[int, ...], layout: Layout) -> nn.Module:
    """(N, C H W) -> (N, C, H, W), likewise; shape: ours, without N."""
    if not layout.images:
        return Apply(lambda x: x.view(-1, *shape))
    H, W, C = image(shape)
    if layout.last:
        return Apply(lambda x: x.view(-1, H, W, C).permute(0, 3, 1, 2))
    return Apply(lambda x: x.view(-1, C, H, W))


def repeat(T: int) -> nn.Module:
    """(N, U) -> (N, T, U)."""
    return Apply(lambda x: x.unsqueeze(1).expand(-1, T, -1))


class Recurrent(nn.Module):
    """(N, T, I) -> every state (N, T, U), or the last one (N, U).

    PyTorch gives an LSTM a second bias, which is added to the first: here it stays 0.
    """

    def __init__(self, sequences: bool, W: np.ndarray, R: np.ndarray, b: np.ndarray):
        super().__init__()
        self.lstm, self.sequences = nn.LSTM(len(W), len(R), batch_first=True), sequences
        tensors: list[Any] = [self.lstm.weight_ih_l0, self.lstm.weight_hh_l0, self.lstm.bias_ih_l0]
        fill(*zip(tensors, (W.T, R.T, b), strict=True))  # our gates stand in PyTorch's order
        second: Any = self.lstm.bias_hh_l0
        nn.init.zeros_(second.requires_grad_(False))

    def forward(self, x: Tensor) -> Tensor:
        y, (h, _) = self.lstm(x)
        return y if self.sequences else h[0]


def linear(before: Any, after: Any, layout: Layout, W: np.ndarray, b: np.ndarray) -> nn.Module:
    """Of W (I, O), or (1, I, O) of single steps, between two of our layers."""
    W = W.reshape(-1, W.shape[-1])
    if type(before).__name__ == "Flatten":
        W = W[layout.order(before.shape)]
    if type(after).__name__ == "Reshape":
        order = layout.order(after.output)
        W, b = W[:, order], b[order]
    module = nn.Linear(*W.shape)
    fill((module.weight, W.T), (module.bias, b))
    return module


def module(layers: Any, i: int, tensors: list[Any], layout: Layout) -> list[nn.Module]:
    """Of layer i without its activation. Raises ValueError for what is not known here."""
    layer, kind = layers[i], type(layers[i]).__name__
    step = kind == "Conv1d" and layer.kernel == 1 and not layout.images
    if kind == "Dense" or step:
        before, after = layers[i - 1 : i] or [None], layers[i + 1 : i + 2] or [None]
        return [linear(before[0], after[0], layout, *tensors)]
    if kind in CONVOLUTIONS and layout.images:
        return convolution(layer, layout, *tensors)
    if kind == "MaxPool2d":
        return pooling(layer, layout)
    if kind == "Upsample2d":
        return [nn.Upsample(scale_factor=tuple(map(float, layer.factor)))]
    if kind == "LSTM":
        return [Recurrent(layer.sequences, *tensors)]
    if kind == "Flatten":
        return [to_rows(layout)]
    if kind == "Reshape":
        return [to_images(layer.output, layout)]
    if kind == "Repeat":
        return [repeat(layer.output[0])]
    if kind == "GaussianNoise" and i == 0:
        return []  # an Autoencoder's
    raise ValueError(f"{kind} has no translation into PyTorch: add it to torch_recipes.py")


def translated(part: Any, name: str, weights: dict[str, np.ndarray], layout: Layout) -> nn.Module:
    """One of our Sequentials, whose weights are named name.0.W and so on."""
    found = list[nn.Module]()
    for i, layer in enumerate(part.layers):
        keys = [f"{name}.{i}.{tensor}" for tensor in "WRb"]
        found += module(part.layers, i, [weights[k] for k in keys if k in weights], layout)
        if (activation := getattr(layer, "activation", "identity")) != "identity":
            found.append(ACTIVATIONS[activation]())
    return nn.Sequential(*found)


def build(ours: Any, layout: Layout) -> nn.Module:
    """One of our built models of recipes.py in PyTorch, with its weights."""
    weights, objective = dict(ours.weights), ours.objective
    encoder = translated(objective.encoder, "encoder", weights, layout)
    decoder = translated(objective.decoder, "decoder", weights, layout)
    model: Any = VAE(encoder, decoder)
    if type(objective).__name__ == "IWAE":
        model = IWAE(encoder, decoder, objective.K)
    elif objective.latent is None:
        error, first = ERRORS[type(objective.likelihood).__name__], objective.encoder.layers[0]
        model = Autoencoder(encoder, decoder, error, getattr(first, "sigma", 0.0))
    return model.to(memory_format=torch.channels_last) if layout.last else model


def first_step(model: nn.Module, data: Tensor, eps: Any, layout: Layout) -> dict[str, Any]:
    """As recipes.first_step, of all rows of data, with our noise eps (N, D) or none."""
    N, noise = len(data), None
    x = layout.batch(data, torch.arange(N, device=data.device))
    if eps is not None:
        if isinstance(model, Autoencoder):  # the noise of a denoiser is mirrored as its images are
            eps = eps.reshape(N, *layout.shape)
            noise = replace(layout, last=False).tensor(eps)
        else:
            noise = torch.from_numpy(eps)
        noise = noise.to(data.device)
    loss = model(x, noise)
    gradients = torch.autograd.grad(loss, [p for p in model.parameters() if p.requires_grad])
    return {"loss": loss.item(), "gradients": [g.double().norm().item() for g in gradients]}
