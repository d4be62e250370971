"""The Gaussian latent, reparameterised."""

from collections.abc import Callable

import numpy as np

from ..backend import Array, Backend
from ..checks import positive
from ..kernels.gaussian import GAUSSIAN_GRADIENT, GAUSSIAN_SAMPLE
from ..kernels.importance import GAUSSIAN_PATH, GAUSSIAN_RATIO, GAUSSIAN_WEIGHED
from ..kernels.philox import NORMAL
from ..randomness import LATENT
from ..settings import Fixed
from .base import Latent


class Gaussian(Latent):
    """q(z|x) = N(mu, diag sigma^2) against the prior N(0, I), by the reparameterisation trick.

    Shapes: h (N, 2D) = [mu | logvar], z, eps (N K, D), kl (N, D) in nats. logvar is log sigma^2.

        sigma = exp(logvar / 2)                                                         (1)
        z = mu + sigma eps,   eps ~ N(0, I)                                             (2)
        kl = (mu^2 + exp(logvar) - 1 - logvar) / 2                                      (3)
        dh = [dmu | dlogvar], through z and through kl_weight . kl                  (4) (5)

    and under importance weights what kernels/importance.py says.

    In float64 all are finite to logvar = +-100 and far beyond. float32 holds exp(logvar) up to
    logvar = 88: above it kl and the ratio are inf, the loss is no number, and no step is taken.

    eps is drawn by ``draw``, lies in a buffer, and is the same in backward as in forward. Raises
    ValueError for fewer than one dimension. Source: Kingma and Welling, "Auto-encoding variational
    Bayes", 2014, section 2.4 and appendix B.
    """

    dimensions = Fixed(positive)

    def __init__(self, dimensions: int):
        self.dimensions = dimensions

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless the encoder's rows have shape (2D,)."""
        if shape != (2 * self.dimensions,):
            raise ValueError(
                f"the encoder gives rows of shape {shape}, but Gaussian({self.dimensions}) takes "
                f"({2 * self.dimensions},): mu and logvar side by side"
            )

    def bind(self, backend: Backend, rows: int, samples: int = 1) -> None:
        """Buffers z, eps (rows K, D), kl (rows, D), dh (rows, 2D)."""
        D = self.dimensions
        self.samples = samples
        self.normal = backend.op(NORMAL)
        self.reparameterise = backend.op(GAUSSIAN_SAMPLE)
        self.gradient = backend.op(GAUSSIAN_GRADIENT)
        self.log_ratio = backend.op(GAUSSIAN_RATIO)
        self.weigh, self.follow = backend.op(GAUSSIAN_WEIGHED), backend.op(GAUSSIAN_PATH)
        self.z = backend.empty((rows * samples, D))
        self.eps = backend.zeros((rows * samples, D))
        self.kl = backend.empty((rows, D))
        self.r = backend.empty((rows * samples,))
        self.dh = backend.empty((rows, 2 * D))

    def draw(self, rows: Array, clock: Array) -> None:
        """Fill eps for the examples rows (N,), at position k D + d. Source: kernels/philox.py."""
        N = rows.shape[0]
        eps = self.eps[: N * self.samples].reshape(N, self.samples * self.dimensions)
        self.normal(eps, rows, clock, LATENT)

    def forward(self, h: Array) -> Array:
        """h (N, 2D) -> z (N K, D); kl (N, D) is kept."""
        N = h.shape[0]
        self.h, M = h, N * self.samples
        self.reparameterise(self.z[:M], self.kl[:N], h, self.eps[:M])  # (1) (2) (3)
        return self.z[:M]

    def backward(self, dz: Array, kl_weight: Array) -> Array:
        """dz (N K, D), kl_weight (D,) -> dh (N, 2D)."""
        N = self.h.shape[0]
        self.gradient(self.dh[:N], dz, self.h, self.eps[: dz.shape[0]], kl_weight)  # (4) (5)
        return self.dh[:N]

    def ratio(self) -> Array:
        """(N K,) log q(z|x) - log p(z) of the last ``forward``. Source: kernels/importance.py."""
        M = self.h.shape[0] * self.samples
        self.log_ratio(self.r[:M], self.z[:M], self.h, self.eps[:M])
        return self.r[:M]

    def weighed(self, dz: Array, w: Array) -> Array:
        """dz (N K, D), w (N K,) -> dh (N, 2D). Source: kernels/importance.py (7) to (9)."""
        return self._under(self.weigh, dz, w)

    def path(self, dz: Array, w: Array) -> Array:
        """dz (N K, D), w (N K,) -> dh (N, 2D). Source: kernels/importance.py (10) to (12)."""
        return self._under(self.follow, dz, w)

    def _under(self, gradient: Callable[..., None], dz: Array, w: Array) -> Array:
        dh, M = self.dh[: self.h.shape[0]], dz.shape[0]
        gradient(dh, dz, self.z[:M], self.h, self.eps[:M], w)
        return dh

    def posterior(self, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """h (N, 2D) -> mu (N, D), logvar (N, D)."""
        return h[:, : self.dimensions], h[:, self.dimensions :]

    def mean(self, h: np.ndarray) -> np.ndarray:
        """h (N, 2D) -> mu (N, D)."""
        return h[:, : self.dimensions]
