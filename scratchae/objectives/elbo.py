"""The evidence lower bound.

A code z is drawn from p(z), x from p(x|z); the encoder's q(z|x) stands for p(z|x), which nobody
knows. Whatever q is, p(x) is a mean over it, and as the logarithm is concave (Jensen)

    log p(x) = log E_q[p(x, z) / q(z|x)] >= E_q[log p(x, z) - log q(z|x)]

What stands on the right is the ELBO. p(x, z) is p(x|z) p(z), and KL(q, p) = E_q[log q - log p]:

    ELBO = E_q[log p(x|z)] - KL(q(z|x), p(z))

How much is lost follows from p(x, z) = p(z|x) p(x), without Jensen:

    ELBO = E_q[log p(z|x) + log p(x) - log q(z|x)] = log p(x) - KL(q(z|x), p(z|x))

So the bound is log p(x) itself where q is the true posterior, and whoever raises it raises log
p(x) or brings q closer to p(z|x). One z ~ q estimates the first mean without bias, the KL has a
closed form (kernels/gaussian.py): minus the ELBO, averaged over x, is (6) below with beta = 1.
gradcheck.check_bound holds a model to this by quadrature.

Source: Kingma and Welling, "Auto-encoding variational Bayes", 2014, eq. 1 to 3; Jordan,
Ghahramani, Jaakkola, Saul, "An introduction to variational methods for graphical models", 1999,
section 6.
"""

from collections.abc import Callable

import numpy as np

from ..backend import Array, Backend
from ..checks import positive
from ..kernels.sums import SUMS
from ..latents import Latent
from ..layers import Layer
from ..likelihoods import Likelihood
from ..parameters import Declared
from ..settings import Fixed, Number, Scheduled
from . import made_of
from .base import Objective, Shape


class ELBO(Objective):
    """The negative evidence lower bound, with K samples of z an example, the KL weighed by beta.

    Shapes: x (N, ...), h (N, 2D), z (N K, D), kl (N, D), a (N K, ...), nll (N K,).

        h = encoder(x)                            mu and logvar of q(z|x)               (1)
        z_nk ~ q(z|x_n)                           reparameterised                       (2)
        a = decoder(z)                                                                  (3)
        nll_nk = -log p(x_n | a_nk)                                                     (4)
        kl_nd = KL of q(z_d|x_n) from p(z_d)                                            (5)
        loss = 1/N sum_n (1/K sum_k nll_nk + beta sum_d kl_nd)                          (6)
             = reconstruction + kl + penalty,   penalty = (beta - 1) kl                 (7)

    and backwards, for N loss, the chain rule through (4), (3), (2), (1), where (5) enters at (2).
    With beta = 1 and a likelihood of the data -loss is a lower bound on log p(x), in nats per
    example. beta is a number or a function of the step, such as schedules.Linear(0, 1, 5000); a
    change takes effect at the next step. Raises ValueError for beta < 0. Source: Kingma and
    Welling 2014, eq. 10; Higgins et al., "beta-VAE", 2017, eq. 4 (6).
    """

    beta = Number(0, schedule=True)
    encoder, decoder = made_of.network("encoder"), made_of.network("decoder")
    latent, likelihood = made_of.latent(), made_of.likelihood()
    samples = Fixed(positive)

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        latent: Latent,
        likelihood: Likelihood,
        beta: Scheduled = 1.0,
        samples: int = 1,
    ):
        self.encoder = encoder
        self.decoder = decoder
        self.latent = latent
        self.likelihood = likelihood
        self.beta = beta
        self.samples = samples

    @property
    def additive(self) -> bool:
        """Whether the loss is a sum over examples: that of the likelihood. Source: (6)."""
        return self.likelihood.additive

    def declare(self, shape: Shape) -> Declared:
        """As Objective.declare, shapes too. Raises TypeError without a latent. Source:
        objectives/base.py."""
        self._require_latent("backward(dz, kl_weight)")
        return super().declare(shape)

    def bind(self, backend: Backend, rows: int) -> None:
        """Bind every part for (rows, ...). Source: layers/base.py."""
        super().bind(backend, rows)
        self.sum_terms, self.sums = backend.op(SUMS), backend.empty((3,), np.float64)
        self.share = backend.zeros((rows * self.K,))
        backend.write(self.share, np.full(self.share.shape, 1 / self.K))

    def constants(self, t: int) -> tuple[float, ...]:
        """row (J,): the weight of each term of kl at step t. Source: the class docstring, (6)."""
        return (self._beta(t),) * self.latent.terms

    def weights(self, total: Array) -> Array:
        """(J,) the weight of each term of kl in the loss at this step; total (k,). Source: (6)."""
        return self.row

    def columns(self, t: int) -> dict[str, float]:
        """beta at step t. Source: the class docstring."""
        return {"beta": self._beta(t)}

    def _beta(self, t: int) -> float:
        return type(self).beta.at(self, t)

    def forward(self, x: Array) -> Array:
        """x (N, ...) -> (count, sum of nll, sum of kl)."""
        h = self.encoder.forward(x)  # (N, 2D)     (1)
        z = self.latent.forward(h)  # (N K, D)    (2) (5)
        a = self.decoder.forward(z)  # (N K, ...)  (3)
        nll = self.likelihood.forward(a, x)  # (N K,)      (4)
        kl = self.latent.kl[: len(x)]  # (N, D)
        self.nll, self.kl = nll, kl
        self.sum_terms(self.sums, nll, kl)
        return self.sums

    def loss(self, total: np.ndarray) -> dict[str, float]:
        """loss = reconstruction + kl + penalty, in nats per example; total (3,)."""
        count, nll, kl = total.tolist()
        reconstruction, kl = self.likelihood.value(nll, count * self.K), kl / count
        beta = self._beta(max(self.t, 1))
        penalty = (beta - 1.0) * kl if beta != 1.0 else 0.0  # (7), and no 0 * inf
        # by (6): the sum of (7) would cancel where beta is small
        loss = reconstruction + (beta * kl if beta else 0.0)  # (6)
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl, "penalty": penalty}

    def each(self, host: Callable[[Array], np.ndarray]) -> dict[str, np.ndarray]:
        """loss, reconstruction, kl and penalty (N,) of the last ``forward``, and kl_per_dimension
        (N, J), in nats; no loss and penalty where that of an example depends on the others."""
        self.likelihood.require_rows()
        reconstruction = host(self.nll).reshape(-1, self.K).mean(axis=1, dtype=np.float64)
        kl = host(self.kl).astype(np.float64)
        whole = kl.sum(axis=1)
        parts = {"reconstruction": reconstruction, "kl": whole, "kl_per_dimension": kl}
        if not self.additive:
            return parts
        beta = self._beta(max(self.t, 1))
        loss = reconstruction + (beta * whole if beta else 0.0)  # (6), and no 0 * inf
        penalty = (beta - 1) * whole if beta != 1 else np.zeros_like(whole)  # (7)
        return {"loss": loss} | parts | {"penalty": penalty}

    def backward(self, total: Array) -> None:
        """Fill the gradients of count times loss, shapes as the parameters."""
        self.likelihood.take(total)
        da = self._da()  # (4), and 1/K of (6)
        dz = self.decoder.backward(da)  # (3)
        if self.latent_learns:
            dh = self.latent.backward(dz, self.weights(total))  # (2), and beta (5), as in (6)
            if self.encoder_learns:
                self.encoder.backward(dh)  # (1)

    def _da(self) -> Array:
        """da (N K, ...), the gradient of 1/K sum_k nll_nk."""
        if self.K == 1:
            return self.likelihood.backward()
        return self.likelihood.weighed(self.share[: len(self.nll)])
