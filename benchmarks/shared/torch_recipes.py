"""The same recipes in PyTorch, as its users write them, in the formulation that is fastest there.

TensorFlow's "same" pads an even image after its last pixel only, PyTorch's padding=1 with
output_padding=1 before the first only. They are each other's mirror image, so these models see images and
kernels turned by 180 degrees: exactly the same function, without F.pad or a slice (which costs a third).
"""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


def relu() -> nn.Module:
    """In place, which saves a pass over memory."""
    return nn.ReLU(inplace=True)


class ToRows(nn.Module):
    """(N, C, H, W) -> (N, C H W), in the order that is a view: that of the memory."""

    def __init__(self, channels: int, size: int, last: bool):
        super().__init__()
        self.channels, self.size, self.last = channels, size, last

    def forward(self, x: Tensor) -> Tensor:
        return (x.permute(0, 2, 3, 1) if self.last else x).flatten(1)

    def order(self) -> np.ndarray:
        """(C H W,): which element of our row (H, W, C) stands at each place, images turned."""
        C, H = self.channels, self.size
        ours = np.arange(H * H * C).reshape(H, H, C)[::-1, ::-1]
        return (ours if self.last else ours.transpose(2, 0, 1)).ravel()


class ToImages(ToRows):
    """(N, C H W) -> (N, C, H, W), likewise."""

    def forward(self, x: Tensor) -> Tensor:
        C, H = self.channels, self.size
        return x.view(-1, H, H, C).permute(0, 3, 1, 2) if self.last else x.view(-1, C, H, H)


class Crop(nn.Module):
    """Without the first row and column: what an unpadded kernel of 3 and stride 2 leaves out, turned."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, 1:, 1:]


class VAE(nn.Module):
    """The negative ELBO per example."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x: Tensor, eps: Tensor | None = None) -> Tensor:
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        eps = torch.randn_like(mu) if eps is None else eps
        a = self.decoder(mu + torch.exp(0.5 * logvar) * eps)
        nll = F.binary_cross_entropy_with_logits(a, x, reduction="sum")
        kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return (nll + kl) / len(x)


class Autoencoder(nn.Module):
    """The reconstruction error per example, of x that may have been corrupted."""

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        error: Callable[..., Tensor],
        sigma: float = 0.0,
    ):
        super().__init__()
        self.encoder, self.decoder, self.error, self.sigma = encoder, decoder, error, sigma

    def forward(self, x: Tensor, eps: Tensor | None = None) -> Tensor:
        seen = x
        if self.sigma:
            seen = torch.add(
                x, torch.randn_like(x) if eps is None else eps, alpha=self.sigma
            ).clamp_(0, 1)
        return self.error(self.decoder(self.encoder(seen)), x, reduction="sum") / len(x)


def down(inputs: int, outputs: int) -> nn.Module:
    """Half the size."""
    return nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)


def up(inputs: int, outputs: int) -> nn.Module:
    """Twice the size."""
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)


def dense_vae(last: bool) -> nn.Module:
    encoder = nn.Sequential(nn.Linear(784, 400), relu(), nn.Linear(400, 40))
    return VAE(encoder, nn.Sequential(nn.Linear(20, 400), relu(), nn.Linear(400, 784)))


def tf_cvae(last: bool) -> nn.Module:
    encoder = nn.Sequential(
        *(Crop(), nn.Conv2d(1, 32, 3, stride=2), relu()),
        *(nn.Conv2d(32, 64, 3, stride=2), relu()),
        *(ToRows(64, 6, last), nn.Linear(6 * 6 * 64, 4)),
    )
    decoder = nn.Sequential(
        *(nn.Linear(2, 7 * 7 * 32), relu(), ToImages(32, 7, last)),
        *(up(32, 64), relu()),
        *(up(64, 32), relu()),
        nn.ConvTranspose2d(32, 1, 3, padding=1),
    )
    return VAE(encoder, decoder)


def keras_vae(last: bool) -> nn.Module:
    encoder = nn.Sequential(
        *(down(1, 32), relu()),
        *(down(32, 64), relu()),
        *(ToRows(64, 7, last), nn.Linear(7 * 7 * 64, 16), relu(), nn.Linear(16, 4)),
    )
    decoder = nn.Sequential(
        *(nn.Linear(2, 7 * 7 * 64), relu(), ToImages(64, 7, last)),
        *(up(64, 64), relu()),
        *(up(64, 32), relu()),
        nn.ConvTranspose2d(32, 1, 3, padding=1),
    )
    return VAE(encoder, decoder)


def tf_denoiser(last: bool) -> nn.Module:
    encoder = nn.Sequential(down(1, 16), relu(), down(16, 8), relu())
    decoder = nn.Sequential(
        up(8, 8), relu(), up(8, 16), relu(), nn.Conv2d(16, 1, 3, padding=1), nn.Sigmoid()
    )
    return Autoencoder(encoder, decoder, F.mse_loss, sigma=0.2)


def keras_conv_ae(last: bool) -> nn.Module:
    encoder = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), relu(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 32, 3, padding=1), relu(), nn.MaxPool2d(2)),
    )
    decoder = nn.Sequential(up(32, 32), relu(), up(32, 32), relu(), nn.Conv2d(32, 1, 3, padding=1))
    return Autoencoder(encoder, decoder, F.binary_cross_entropy_with_logits)


def ecg(last: bool) -> nn.Module:
    def network(*sizes: int) -> list[nn.Module]:
        return [m for I, O in pairwise(sizes) for m in (nn.Linear(I, O), relu())]

    encoder, decoder = network(140, 32, 16, 8), network(8, 16, 32, 140)
    return Autoencoder(
        nn.Sequential(*encoder), nn.Sequential(*decoder[:-1], nn.Sigmoid()), F.l1_loss
    )


class Day(nn.Module):
    """(N, T, 1) -> its last state, repeated (N, T, U) -> (N, T, 1).

    PyTorch gives an LSTM a second bias, which is added to the first: here it stays 0.
    """

    def __init__(self, units: int):
        super().__init__()
        self.read = nn.LSTM(1, units, batch_first=True)
        self.write = nn.LSTM(units, units, batch_first=True)
        self.value = nn.Linear(units, 1)
        second: Any
        for second in (self.read.bias_hh_l0, self.write.bias_hh_l0):
            nn.init.zeros_(second.requires_grad_(False))

    def forward(self, x: Tensor) -> Tensor:
        _, (h, _) = self.read(x)
        y, _ = self.write(h[0].unsqueeze(1).expand(-1, x.shape[1], -1))
        return self.value(y)


def lstm(last: bool) -> nn.Module:
    return Autoencoder(nn.Identity(), Day(16), F.mse_loss)


MODELS = {
    f.__name__: f for f in (dense_vae, tf_cvae, keras_vae, tf_denoiser, keras_conv_ae, ecg, lstm)
}


def build(recipe: str, weights: dict[str, np.ndarray], last: bool) -> nn.Module:
    """The recipe's model with our weights, named encoder.0.W and so on; last: channels_last."""
    model: Any = MODELS[recipe](last)
    hand_over(model, [v for name, v in weights.items() if name.endswith((".W", ".R", ".b"))])
    return model.to(memory_format=torch.channels_last) if last else model


def fill(lstm: Any, W: np.ndarray, R: np.ndarray, b: np.ndarray) -> None:
    """Copy our W (I, 4U), R (U, 4U) and b (4U,), whose gates stand in PyTorch's order."""
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(torch.tensor(W.T.copy()))
        lstm.weight_hh_l0.copy_(torch.tensor(R.T.copy()))
        lstm.bias_ih_l0.copy_(torch.tensor(b))


def hand_over(model: nn.Module, ours: list[np.ndarray]) -> None:
    """Copy our W, b, W, b, ..., of an LSTM W, R, b, into the layers, in their order."""
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.LSTM, ToRows)
    modules: list[Any] = [m for m in model.modules() if isinstance(m, kinds)]
    left = iter(ours)
    for i, module in enumerate(modules):
        if isinstance(module, ToRows):
            continue
        if isinstance(module, nn.LSTM):
            fill(module, *(next(left) for _ in range(3)))
            continue
        W, b = next(left), next(left)
        if isinstance(module, nn.Linear):
            W = W.reshape(-1, W.shape[-1])  # also (1, I, O), a convolution of single steps
            if i and type(modules[i - 1]) is ToRows:
                W = W[modules[i - 1].order()]
            if i + 1 < len(modules) and type(modules[i + 1]) is ToImages:
                order = modules[i + 1].order()
                W, b = W[:, order], b[order]
            W = W.T
        else:
            W = W[::-1, ::-1].transpose(
                3, 2, 0, 1
            )  # (O, C, kh, kw); of the transposed one (C, O, kh, kw)
        with torch.no_grad():
            module.weight.copy_(torch.tensor(W.copy()))
            module.bias.copy_(torch.tensor(b))


def tensor(data: np.ndarray, last: bool) -> Tensor:
    """Our rows (n, D), (n, T, I) as they are; images (n, H, W, C) turned, (n, C, H, W) unless channels are last."""
    if data.ndim < 4:
        return torch.from_numpy(data.copy())
    turned = data[:, ::-1, ::-1]
    return torch.from_numpy((turned if last else turned.transpose(0, 3, 1, 2)).copy())


def batch_of(data: Tensor, rows: Tensor, last: bool) -> Tensor:
    """Those rows as (N, D), (N, T, I) or (N, C, H, W), uint8 scaled to [0, 1]."""
    x = data.index_select(0, rows)  # a third of the time of data[rows]
    x = x.float().div_(255) if x.dtype == torch.uint8 else x
    return x.permute(0, 3, 1, 2) if last else x


def trained(model: nn.Module) -> list[Tensor]:
    """Its parameters, but for those that stay as they are."""
    return [p for p in model.parameters() if p.requires_grad]


def first_step(
    model: nn.Module, data: Tensor, eps: np.ndarray | None, last: bool
) -> dict[str, Any]:
    """As ours: loss and the norms of the gradients of one batch, with our noise (N, D) or none."""
    x, noise = batch_of(data, torch.arange(len(data)), last), None
    if eps is not None and eps.size == x.numel():
        noise = tensor(eps.reshape(len(x), 28, 28, 1), False)
    elif eps is not None:
        noise = torch.tensor(eps)
    loss = model(x, noise)
    gradients = torch.autograd.grad(loss, trained(model))
    return {"loss": loss.item(), "gradients": [g.norm().item() for g in gradients]}


def epoch(
    loss: Callable[[Tensor], Tensor], optimizer: Any, data: Tensor, batch: int, last: bool
) -> float:
    """One epoch of whole steps over data (n, ...) -> seconds."""
    began = time.perf_counter()
    for rows in torch.randperm(len(data)).split(batch):
        x = batch_of(data, rows, last)
        optimizer.zero_grad(set_to_none=True)
        loss(x).backward()
        optimizer.step()
    return time.perf_counter() - began
