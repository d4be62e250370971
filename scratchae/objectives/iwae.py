"""The importance weighted bound.

Each of K codes z_k ~ q(z|x) has a weight w_k = p(x, z_k) / q(z_k|x) whose mean over q is p(x). So
has the mean of K of them, and as the logarithm is concave

    L_K = E log(1/K sum_k w_k) <= log E(1/K sum_k w_k) = log p(x)

L_1 is the ELBO. Leaving out one of K + 1 weights at random changes no mean, so by Jensen once more
L_K <= L_{K+1}; where w has a variance, log p(x) - L_K falls as that over 2 K p(x)^2.

Source: Burda, Grosse, Salakhutdinov, "Importance weighted autoencoders", 2016, eq. 8, theorem 1;
Domke and Sheldon, "Importance weighting and variational inference", 2018, theorem 3 (the rate).
"""

from collections.abc import Callable

import numpy as np

from ..backend import Array, Backend
from ..checks import positive
from ..kernels.importance import IMPORTANCE_WEIGHTS
from ..kernels.sums import SUMS
from ..latents import Latent
from ..layers import Layer
from ..likelihoods import Likelihood
from ..parameters import Declared
from ..settings import Fixed
from . import made_of
from .base import Objective, Shape


class IWAE(Objective):
    """The negative importance weighted bound, with K samples of z an example, and its own
    gradient.

    Shapes: x (N, ...), h (N, 2D), z (N K, D), a (N K, ...), nll, r, w (N K,), bound (N,).

        h = encoder(x)                            mu and logvar of q(z|x)               (1)
        z_nk ~ q(z|x_n)                           reparameterised                       (2)
        a = decoder(z)                                                                  (3)
        nll_nk = -log p(x_n | a_nk)                                                     (4)
        r_nk = log q(z_nk|x_n) - log p(z_nk)                                            (5)
        bound_n = -log(1/K sum_k exp(-nll_nk - r_nk))                                   (6)
        w_nk = exp(-nll_nk - r_nk) / sum_j exp(-nll_nj - r_nj)                          (7)
        loss = 1/N sum_n bound_n = reconstruction + kl + penalty                        (8)
        reconstruction = 1/(N K) sum nll,   kl = 1/(N K) sum r,   penalty <= 0, the rest

    and backwards, for N loss, as d bound_n = sum_k w_nk d(nll_nk + r_nk), with w as numbers:

        da_nk = w_nk dnll_nk/da_nk                                                      (9)
        dh through dz and through sum_k w_nk r_nk: the latent's ``weighed``            (10)

    With a likelihood of the data -loss is a lower bound on log p(x), in nats per example, tighter
    for a larger K; K = 1 is the ELBO, its KL estimated by (5). SquaredError and AbsoluteError are
    taken too: with D numbers in x they are a Gaussian of variance 1/2 less D log(pi) / 2 nats, and
    a Laplace of scale 1 less D log 2, so that -loss is a bound on log p(x) plus that constant, and
    training is the same. Raises ValueError for K < 1. Source: Burda, Grosse,
    Salakhutdinov, "Importance weighted autoencoders", 2016, eq. 8 (6), eq. 14 (9, 10).
    """

    additive = True
    encoder, decoder = made_of.network("encoder"), made_of.network("decoder")
    latent, likelihood = made_of.latent(), made_of.likelihood()
    samples = Fixed(positive)

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        latent: Latent,
        likelihood: Likelihood,
        samples: int = 5,
    ):
        self.encoder = encoder
        self.decoder = decoder
        self.latent = latent
        self.likelihood = likelihood
        self.samples = samples

    def declare(self, shape: Shape) -> Declared:
        """As Objective.declare, shapes too. Raises NotImplementedError for a latent without a
        ratio or its gradient, TypeError for none, and for a likelihood of a batch as a whole.
        Source: objectives/base.py."""
        self._require_latent("ratio()", self._gradient)
        self.likelihood.require_rows()
        return super().declare(shape)

    _gradient = "weighed(dz, w)"  # of the latent's

    def bind(self, backend: Backend, rows: int) -> None:
        """Bind every part for (rows, ...); buffers w (rows K,), bound (rows,). Source:
        layers/base.py."""
        super().bind(backend, rows)
        self.weigh, self.sum_terms = backend.op(IMPORTANCE_WEIGHTS), backend.op(SUMS)
        self.every_w, self.every_bound = backend.empty((rows * self.K,)), backend.empty((rows,))
        self.sums = backend.empty((4,), np.float64)

    def forward(self, x: Array) -> Array:
        """x (N, ...) -> (count, sum of nll, sum of r, sum of bound)."""
        h = self.encoder.forward(x)  # (N, 2D)     (1)
        z = self.latent.forward(h)  # (N K, D)    (2)
        a = self.decoder.forward(z)  # (N K, ...)  (3)
        nll = self.likelihood.forward(a, x)  # (N K,)      (4)
        r = self.latent.ratio()  # (N K,)      (5)
        self.w, bound = self.every_w[: len(nll)], self.every_bound[: len(x)]
        self.weigh(self.w, bound, nll, r)  # (6) (7)
        self.nll, self.r, self.bound = nll, r, bound
        self.sum_terms(self.sums, nll, r, bound)
        return self.sums

    def loss(self, total: np.ndarray) -> dict[str, float]:
        """loss = reconstruction + kl + penalty, in nats per example; total (4,)."""
        count, nll, r, bound = total.tolist()
        reconstruction, kl = nll / (count * self.K), r / (count * self.K)
        loss = bound / count  # (8)
        penalty = loss - reconstruction - kl if self.K > 1 else 0.0
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl, "penalty": penalty}

    def each(self, host: Callable[[Array], np.ndarray]) -> dict[str, np.ndarray]:
        """loss, reconstruction, kl and penalty (N,) of the last ``forward``, and ess (N,), of K
        samples, 1 / sum_k w_k^2."""
        nll, r, w = (
            host(a).astype(np.float64).reshape(-1, self.K) for a in (self.nll, self.r, self.w)
        )
        reconstruction, kl = nll.mean(axis=1), r.mean(axis=1)
        loss = host(self.bound).astype(np.float64)
        rest = loss - reconstruction - kl if self.K > 1 else np.zeros_like(loss)
        return {
            "loss": loss,
            "reconstruction": reconstruction,
            "kl": kl,
            "penalty": rest,  # (8)
            "ess": 1 / (w * w).sum(axis=1),
        }

    def backward(self, total: np.ndarray) -> None:
        """Fill the gradients of count times loss, shapes as the parameters."""
        da = self.likelihood.weighed(self.w)  # (9)
        dz = self.decoder.backward(da)  # (3)
        if self.latent_learns:
            dh = self.latent.weighed(dz, self.w)  # (2) (10)
            if self.encoder_learns:
                self.encoder.backward(dh)  # (1)
