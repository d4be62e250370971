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

import numpy as np

from ..backend import Array, Backend
from ..kernels.sums import SUMS
from ..latents import Latent
from ..layers import Layer
from ..likelihoods import Likelihood
from ..settings import Number, Scheduled, complete
from .base import Objective, Shape


class ELBO(Objective):
    """The negative evidence lower bound, one sample of z an example, the KL weighed by beta.

    Shapes: x (N, ...), h (N, 2D), z (N, D), kl (N, D), a (N, ...), nll (N,).

        h = encoder(x)                            mu and logvar of q(z|x)               (1)
        z ~ q(z|x)                                reparameterised                       (2)
        a = decoder(z)                                                                  (3)
        nll_n = -log p(x_n | a_n)                                                       (4)
        kl_nd = KL of q(z_d|x_n) from p(z_d)                                            (5)
        loss = 1/N sum_n (nll_n + beta sum_d kl_nd)                                     (6)
             = reconstruction + kl + penalty,   penalty = (beta - 1) kl                 (7)

    and backwards, for N loss, the chain rule through (4), (3), (2), (1), where (5) enters at (2).
    With beta = 1 and a likelihood of the data -loss is a lower bound on log p(x), in nats per
    example. beta is a number or a function of the step, such as schedules.Linear(0, 1, 5000); a
    change takes effect at the next step. Raises ValueError for beta < 0. Source: Kingma and
    Welling 2014, eq. 10; Higgins et al., "beta-VAE", 2017, eq. 4 (6).
    """

    additive = True
    beta = Number(0, schedule=True)

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        latent: Latent,
        likelihood: Likelihood,
        beta: Scheduled = 1.0,
    ):
        self.encoder = encoder
        self.decoder = decoder
        self.latent = latent
        self.likelihood = likelihood
        self.beta = beta

    def code_shape(self, shape: Shape) -> Shape:
        """That of a row of h -> (D,). Raises ValueError for another shape. Source: the latent."""
        calls = ("check(shape)", "bind(backend, rows, samples)", "forward(h)")
        complete(self.latent, Latent, *calls, "backward(dz, kl_weight)")
        self.latent.check(shape)
        return (self.latent.dimensions,)

    def bind(self, backend: Backend, rows: int) -> None:
        """Bind every part for (rows, ...). Source: layers/base.py."""
        super().bind(backend, rows)
        self.latent.bind(backend, rows)
        self.sum_terms, self.sums = backend.op(SUMS), backend.empty((3,), np.float64)

    def per_step(self, t: int) -> tuple[float, ...]:
        """row (D,): the weight of each dimension's kl at step t. Source: the class docstring,
        (6)."""
        return (self._beta(t),) * self.latent.dimensions

    def _beta(self, t: int) -> float:
        return type(self).beta.at(self, t)

    def draw(self, rows: Array, clock: Array) -> None:
        """Draw all noise for the examples rows (N,) at that clock (4,). Source:
        kernels/philox.py."""
        super().draw(rows, clock)
        self.latent.draw(rows, clock)

    def forward(self, x: Array) -> Array:
        """x (N, ...) -> (count, sum of nll, sum of kl)."""
        h = self.encoder.forward(x)  # (N, 2D)    (1)
        z = self.latent.forward(h)  # (N, D)     (2) (5)
        a = self.decoder.forward(z)  # (N, ...)   (3)
        nll = self.likelihood.forward(a, x)  # (N,)       (4)
        kl = self.latent.kl[: len(nll)]  # (N, D)
        self.sum_terms(self.sums, nll, kl)
        return self.sums

    def loss(self, total: np.ndarray) -> dict[str, float]:
        """loss = reconstruction + kl + penalty, in nats per example; total (3,)."""
        count, nll, kl = total.tolist()
        reconstruction, kl = nll / count, kl / count
        beta = self._beta(max(self.t, 1))
        penalty = (beta - 1.0) * kl if beta != 1.0 else 0.0  # (7), and no 0 * inf
        # by (6): the sum of (7) would cancel where beta is small
        loss = reconstruction + (beta * kl if beta else 0.0)  # (6)
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl, "penalty": penalty}

    def backward(self, total: np.ndarray) -> None:
        """Fill the gradients of count times loss, shapes as the parameters."""
        da = self.likelihood.backward()  # (4)
        dz = self.decoder.backward(da)  # (3)
        if self.encoder_learns:
            dh = self.latent.backward(dz, self.row)  # (2), and beta times (5), as in (6)
            self.encoder.backward(dh)  # (1)
