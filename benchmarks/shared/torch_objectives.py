"""Our objectives in PyTorch, as its users write them: of x, and of eps unless it is drawn."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ERRORS: dict[str, Any] = {"SquaredError": F.mse_loss, "AbsoluteError": F.l1_loss}
ERRORS["Bernoulli"] = F.binary_cross_entropy_with_logits


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
