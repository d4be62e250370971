"""Our models in PyTorch, as its users write them, in the formulation that is fastest there.

TensorFlow's "same" pads an even image after its last pixel only, PyTorch's padding=1 with
output_padding=1 before the first only. They are each other's mirror image, so these models get
images and kernels turned by 180 degrees: exactly the same function, without F.pad or a slice
(which costs a third). Layers are known by the names of their classes, so this file imports nothing
of the library.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATIONS: dict[str, Any] = {
    "relu": partial(nn.ReLU, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
ERRORS: dict[str, Any] = {"SquaredError": F.mse_loss, "AbsoluteError": F.l1_loss}
ERRORS["Bernoulli"] = F.binary_cross_entropy_with_logits


class Apply(nn.Module):
    """A function of x that has no parameters."""

    def __init__(self, f: Callable[[Tensor], Tensor]):
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x)


def to_rows(last: bool) -> nn.Module:
    """(N, C, H, W) -> (N, C H W), in the order that is a view: that of the memory."""
    return Apply(lambda x: (x.permute(0, 2, 3, 1) if last else x).flatten(1))


def to_images(H: int, W: int, C: int, last: bool) -> nn.Module:
    """(N, C H W) -> (N, C, H, W), likewise."""
    return Apply(
        lambda x: x.view(-1, H, W, C).permute(0, 3, 1, 2) if last else x.view(-1, C, H, W)
    )


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


class VAE(nn.Module):
    """The negative ELBO per example."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def terms(self, x: Tensor, eps: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Reconstruction and KL, summed over the batch."""
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        eps = torch.randn_like(mu) if eps is None else eps
        a = self.decoder(mu + torch.exp(0.5 * logvar) * eps)
        nll = F.binary_cross_entropy_with_logits(a, x, reduction="sum")
        return nll, -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())

    def forward(self, x: Tensor, eps: Tensor | None = None) -> Tensor:
        nll, kl = self.terms(x, eps)
        return (nll + kl) / len(x)


class IWAE(nn.Module):
    """The negative importance weighted bound per example, of K samples."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, K: int):
        super().__init__()
        self.encoder, self.decoder, self.K = encoder, decoder, K

    def forward(self, x: Tensor, eps: Tensor | None = None) -> Tensor:
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        shape = len(x), self.K, mu.shape[1]
        eps = torch.randn(shape, device=x.device) if eps is None else eps.view(shape)
        z = torch.addcmul(mu[:, None], torch.exp(0.5 * logvar)[:, None], eps)
        a = self.decoder(z)
        target = x[:, None].expand_as(a)
        nll = F.binary_cross_entropy_with_logits(a, target, reduction="none").sum(-1)
        r = 0.5 * ((z * z - eps * eps).sum(-1) - logvar.sum(-1, keepdim=True))
        return (math.log(self.K) - torch.logsumexp(-nll - r, 1)).mean()


class Autoencoder(nn.Module):
    """The reconstruction error per example, of x that may have been corrupted."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, error: Any, sigma: float):
        super().__init__()
        self.encoder, self.decoder, self.error, self.sigma = encoder, decoder, error, sigma

    def forward(self, x: Tensor, eps: Tensor | None = None) -> Tensor:
        seen = x
        if self.sigma:
            eps = torch.randn_like(x) if eps is None else eps
            seen = torch.add(x, eps, alpha=self.sigma).clamp_(0, 1)
        return self.error(self.decoder(self.encoder(seen)), x, reduction="sum") / len(x)


@torch.no_grad()
def fill(*pairs: tuple[Any, np.ndarray]) -> None:
    """Copy arrays into tensors."""
    for tensor, values in pairs:
        tensor.copy_(torch.tensor(values.copy()))


def row_order(shape: tuple[int, int, int], last: bool) -> np.ndarray:
    """(C H W,): which element of our row (H, W, C) stands at each place, images turned."""
    ours = np.arange(np.prod(shape)).reshape(shape)[::-1, ::-1]
    return (ours if last else ours.transpose(2, 0, 1)).ravel()


def linear(before: Any, after: Any, last: bool, W: np.ndarray, b: np.ndarray) -> nn.Module:
    """Of W (I, O), or (1, I, O) of single steps, between two of our layers."""
    W = W.reshape(-1, W.shape[-1])
    if type(before).__name__ == "Flatten":
        W = W[row_order(before.shape, last)]
    if type(after).__name__ == "Reshape":
        order = row_order(after.output, last)
        W, b = W[:, order], b[order]
    module = nn.Linear(*W.shape)
    fill((module.weight, W.T), (module.bias, b))
    return module


def convolution(layer: Any, W: np.ndarray, b: np.ndarray) -> list[nn.Module]:
    """Of 3 x 3 pixels, padded so that the stride divides the image, or not at all."""
    transposed, stride = type(layer).__name__ == "ConvTranspose2d", layer.stride[0]
    same = transposed or layer.output[0] * stride >= layer.shape[0]
    how: dict[str, Any] = {"stride": stride, "padding": int(same)}
    module: Any = nn.Conv2d(layer.inputs, layer.outputs, 3, **how)
    if transposed:
        how["output_padding"] = stride - 1
        module = nn.ConvTranspose2d(layer.inputs, layer.outputs, 3, **how)
    # (O, C, kh, kw); of the transposed one (C, O, kh, kw)
    fill((module.weight, W[::-1, ::-1].transpose(3, 2, 0, 1)), (module.bias, b))
    if same or (layer.shape[0] - 3) % stride == 0:
        return [module]
    return [Apply(lambda x: x[:, :, 1:, 1:]), module]  # what an unpadded kernel leaves out, turned


def translated(part: Any, name: str, weights: dict[str, np.ndarray], last: bool) -> nn.Module:
    """One of our Sequentials, whose weights are named name.0.W and so on."""
    found, layers = list[nn.Module](), part.layers
    for i, layer in enumerate(layers):
        kind, activation = type(layer).__name__, getattr(layer, "activation", "identity")
        keys = [f"{name}.{i}.{tensor}" for tensor in "WRb"]
        tensors: Any = [weights[key] for key in keys if key in weights]
        if kind in ("Dense", "Conv1d"):
            before, after = layers[i - 1 : i] or [None], layers[i + 1 : i + 2] or [None]
            found.append(linear(before[0], after[0], last, *tensors))
        elif kind in ("Conv2d", "ConvTranspose2d"):
            found += convolution(layer, *tensors)
        elif kind == "LSTM":
            found.append(Recurrent(layer.sequences, *tensors))
        elif kind == "Flatten":
            found.append(to_rows(last))
        elif kind == "Reshape":
            H, W, C = layer.output
            found.append(to_images(H, W, C, last))
        elif kind == "Repeat":
            found.append(repeat(layer.output[0]))
        elif kind == "MaxPool2d":
            found.append(nn.MaxPool2d(2))
        if activation != "identity":
            found.append(ACTIVATIONS[activation]())
    return nn.Sequential(*found)


def build(ours: Any, last: bool) -> nn.Module:
    """One of our built models of recipes.py in PyTorch, with its weights; last: channels_last."""
    weights, objective = dict(ours.weights), ours.objective
    encoder = translated(objective.encoder, "encoder", weights, last)
    decoder = translated(objective.decoder, "decoder", weights, last)
    model: Any = VAE(encoder, decoder)
    if type(objective).__name__ == "IWAE":
        model = IWAE(encoder, decoder, objective.K)
    elif objective.latent is None:
        error, first = ERRORS[type(objective.likelihood).__name__], objective.encoder.layers[0]
        model = Autoencoder(encoder, decoder, error, getattr(first, "sigma", 0.0))
    return model.to(memory_format=torch.channels_last) if last else model


def tensor(data: np.ndarray, last: bool) -> Tensor:
    """Our rows (n, D), (n, T, I); images (n, H, W, C) turned, (n, C, H, W) unless last."""
    if data.ndim < 4:
        return torch.from_numpy(data.copy())
    turned = data[:, ::-1, ::-1]
    return torch.from_numpy((turned if last else turned.transpose(0, 3, 1, 2)).copy())


def batch_of(data: Tensor, rows: Tensor, last: bool) -> Tensor:
    """Those rows as (N, D), (N, T, I) or (N, C, H, W), uint8 scaled to [0, 1]."""
    x = data.index_select(0, rows)  # a third of the time of data[rows]
    x = x.float().div_(255) if x.dtype == torch.uint8 else x
    return x.permute(0, 3, 1, 2) if last else x


def first_step(model: nn.Module, data: Tensor, eps: Any, last: bool) -> dict[str, Any]:
    """As recipes.first_step, of all rows of data, with our noise eps (N, D) or none."""
    x, noise = batch_of(data, torch.arange(len(data), device=data.device), last), None
    if eps is not None:
        images = eps.size == x.numel()  # the noise of a denoiser is turned as its images are
        noise = tensor(eps.reshape(len(x), 28, 28, 1) if images else eps, False).to(data.device)
    loss = model(x, noise)
    gradients = torch.autograd.grad(loss, [p for p in model.parameters() if p.requires_grad])
    return {"loss": loss.item(), "gradients": [g.norm().item() for g in gradients]}
