"""A Gaussian latent whose prior depends on what the row is given, such as its label."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import Array, Backend
from ..checks import positive
from ..kernels.prior import PRIOR_GRADIENT, PRIOR_PATH, PRIOR_RATIO, PRIOR_SAMPLE, PRIOR_WEIGHED
from ..layers import Layer, arguments
from ..layers.base import bind_network, declared_by
from ..layers.sequential import leaves
from ..parameters import Declared, Views, below, prefixed
from ..settings import Fixed
from .base import Shape, as_network
from .gaussian import Gaussian


class GivenPrior(Gaussian):
    """q(z|x) = N(mu, diag sigma^2) against the prior p(z|c) = N(m, diag e^l), m and l a network of
    what the row is given.

    Shapes: c (N, C), p (N, 2D) = [m | l], h (N, 2D) = [mu | logvar], z, eps (N K, D), kl (N, D).

        p = network(c)                                                                  (17)
        z = mu + exp(logvar / 2) eps,   eps ~ N(0, I)                                   (1)
        kl of N(mu, sigma^2) from N(m, e^l)                                         (2) (3)
        dh, dp through z and through kl_weight . kl                         (6) (7) (8) (9)

    and under importance weights (10) to (16) of kernels/prior.py, whose numbers these are. A draw
    from the prior is m + e^(l/2) u, u ~ N(0, I). dimensions: D. conditions: C, as of Given.
    network: a layer from rows (C,) to (2D,), such as Dense(C, 2 * D); it draws no noise. Raises
    ValueError for fewer than one dimension, TypeError for a network that draws. Source: Sohn, Lee,
    Yan, "Learning structured output representation using deep conditional generative models",
    2015, eq. 4.
    """

    conditions = Fixed(positive)
    network = Fixed(as_network)

    def __init__(self, dimensions: int, conditions: int, network: Layer):
        super().__init__(dimensions)
        self.conditions, self.network = conditions, network

    def networks(self) -> dict[str, Layer]:
        """The network of the prior. Source: (17)."""
        return {"network": self.network}

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(2D,) -> ((D,), the network's parameters). Raises ValueError for other shapes."""
        self.check(shape)
        output, declared = declared_by(self.network, (self.conditions,))
        if output != shape:
            raise ValueError(
                f"the network of the prior gives rows of shape {output}, but {shape}, m and l "
                "side by side, is expected"
            )
        for name, layer in leaves("the prior's network", self.network):
            if type(layer).draw is not Layer.draw:
                raise TypeError(f"{name} draws noise, but a prior is not drawn: leave it out")
        return (self.dimensions,), prefixed("network", declared)

    def attach(self, values: Views, grads: Views) -> None:
        """Hand the network its views, any shape."""
        self.network.attach(below("network", values), below("network", grads))

    def bind(self, backend: Backend, rows: int, samples: int = 1) -> None:
        """As Gaussian.bind; buffer dp (rows, 2D), and those of the network."""
        super().bind(backend, rows, samples)
        bind_network(self.network, backend, rows, need_dx=False)
        self.from_prior = backend.op(PRIOR_SAMPLE)
        self.gradients, self.prior_ratio = backend.op(PRIOR_GRADIENT), backend.op(PRIOR_RATIO)
        self.weigh, self.follow = backend.op(PRIOR_WEIGHED), backend.op(PRIOR_PATH)
        self.dp = backend.empty((rows, 2 * self.dimensions))
        self.c: Array | None = None

    def give(self, c: Array) -> None:
        """Keep c (N, C), for the network and layers inside it. Raises ValueError for another
        width. Source: (17)."""
        arguments.beside("GivenPrior", c, self.conditions)
        self.c = c
        self.network.give(c)

    def forward(self, h: Array) -> Array:
        """h (N, 2D) -> z (N K, D); kl (N, D) is kept."""
        N = h.shape[0]
        self.h, M = h, N * self.samples
        self.p = self._of_c()  # (17)
        self.from_prior(self.z[:M], self.kl[:N], h, self.p, self.eps[:M])  # (1) (2) (3)
        return self.z[:M]

    def backward(self, dz: Array, kl_weight: Array) -> Array:
        """dz (N K, D), kl_weight (D,) -> dh (N, 2D); the network's gradients are filled."""
        N, M = self.h.shape[0], dz.shape[0]
        dh, dp = self.dh[:N], self.dp[:N]
        self.gradients(dh, dp, dz, self.h, self.p, self.eps[:M], kl_weight)  # (6) (7) (8) (9)
        self._learn(dp)
        return dh

    def ratio(self) -> Array:
        """(N K,) log q(z|x) - log p(z|c) of the last ``forward``. Source: kernels/prior.py (5)."""
        M = self.h.shape[0] * self.samples
        self.prior_ratio(self.r[:M], self.z[:M], self.h, self.p, self.eps[:M])
        return self.r[:M]

    def _under(self, gradient: Callable[..., None], dz: Array, w: Array) -> Array:
        """Under the weights of samples, by (10) to (14), or (15) and (16) along the path."""
        N, M = self.h.shape[0], dz.shape[0]
        dh, dp = self.dh[:N], self.dp[:N]
        gradient(dh, dp, dz, self.z[:M], self.h, self.p, self.eps[:M], w)
        self._learn(dp)
        return dh

    def _learn(self, dp: Array) -> None:
        """Hand dp (N, 2D) to the network."""
        self.network.add = self.add
        self.network.backward(dp)  # (17)

    def sample(self, n: int, noise: Any, **inside: Any) -> np.ndarray:
        """n draws of p(z|c), (n, D): m + e^(l/2) u, with c (n, C) as given and the network as a
        function of it. Source: kernels/prior.py (1)."""
        m, l = np.split(inside["network"](inside["given"]), 2, axis=1)  # (17)
        return m + np.exp(l / 2) * noise.normal(m.shape)  # (1)

    def _of_c(self) -> Array:
        """p (N, 2D) of what was given. Raises ValueError where nothing was."""
        if self.c is None:
            raise ValueError(
                f"GivenPrior was given nothing: hand it c (N, {self.conditions}) by give(c) first"
            )
        return self.network.forward(self.c)  # (17)
