"""Two stochastic layers between encoder and decoder."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import Array, Backend
from ..kernels.gaussian import GAUSSIAN_SAMPLE
from ..kernels.hierarchy import (
    CONDITIONAL_GRADIENT,
    CONDITIONAL_RATIO,
    LAYER_TERMS,
    LAYER_WEIGHTS,
    LOWER_GRADIENT,
)
from ..kernels.importance import GAUSSIAN_RATIO, GAUSSIAN_WEIGHED
from ..kernels.philox import NORMAL
from ..layers import Layer
from ..layers.base import bind_network, declared_by
from ..parameters import Declared, Views, below, prefixed
from ..randomness import LATENT, UPPER
from ..settings import Fixed
from .base import Latent, Shape, as_network


class Hierarchy(Latent):
    """z_1 ~ q(z_1|x), z_2 ~ q(z_2|z_1) against p(z_2) p(z_1|z_2); the decoder is handed z_1.

    up, down: networks of rows z_1 (D1,) -> (2 D2,) and z_2 (D2,) -> (2 D1,), from which D1 and D2
    are read. Shapes: h (N, 2 D1), z_1 and eps_1 (N K, D1), z_2 and eps_2 (N K, D2), r (N K,), kl
    (N, 2).

        [mu | logvar] = h            q(z_1|x) = N(mu, diag exp(logvar))                 (1)
        z_1 = mu + exp(logvar / 2) eps_1                                                (2)
        [mu_2 | logvar_2] = up(z_1)  q(z_2|z_1) = N(mu_2, diag exp(logvar_2))           (3)
        z_2 = mu_2 + exp(logvar_2 / 2) eps_2                                            (4)
        [m | l] = down(z_2)          p(z_1|z_2) = N(m, diag exp(l)),  p(z_2) = N(0, I)  (5)
        of each layer   r1 = log q(z_1|x) - log p(z_1|z_2),  r2 = log q(z_2|z_1) - log p(z_2)  (6)
        their sum r, and kl: the means over K of r1 and of r2, a term a layer           (7)

    kl is the estimate by the samples, not an integral: with one sample an example ELBO and IWAE
    are the same. Backwards (7) to (1), the chain rule (kernels/hierarchy.py, kernels/importance.py
    for z_2). ``path`` is refused, and with it STL and DReG: log q(z_2|z_1) held as a function of
    z_1 and z_2 has one gradient for the parameters of up and another for z_1, so that up would
    have to be gone through twice. eps_1 and eps_2 are drawn from streams of their own. Raises
    TypeError for what is no layer, ValueError where shapes do not meet. Source: Burda, Grosse,
    Salakhutdinov, "Importance weighted autoencoders", 2016, eq. 1 and 2, figure 1; Rezende,
    Mohamed, Wierstra, "Stochastic backpropagation", 2014, section 2.
    """

    terms = 2  # of kl: one a layer
    inference = ("up",)
    kept = "kl", "eps1", "eps2"
    up, down = Fixed(as_network), Fixed(as_network)

    def __init__(self, up: Layer, down: Layer):
        self.up = up
        self.down = down

    def require(self, *calls: str) -> None:
        """As Latent.require. Raises ValueError for ``path``. Source: the class docstring."""
        if any(call.startswith("path") for call in calls):
            raise ValueError(
                "Hierarchy gives no gradient along the path alone, which STL and DReG take: "
                "choose IWAE"
            )
        super().require(*calls)

    def networks(self) -> dict[str, Layer]:
        """up, then down: in the order of the forward pass. Source: the class docstring."""
        return {"up": self.up, "down": self.down}

    def check(self, shape: Shape) -> None:
        """Raise ValueError unless the encoder's rows have an even number of numbers."""
        if len(shape) != 1 or shape[0] % 2:
            raise ValueError(
                f"the encoder gives rows of shape {shape}, but Hierarchy takes (2 D,): mu and "
                "logvar of q(z_1|x) side by side"
            )

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(2 D1,) -> (D1,), the parameters of up and of down. Raises ValueError where their shapes
        do not meet."""
        self.check(shape)
        self.dimensions = shape[0] // 2
        upper, up = declared_by(self.up, (self.dimensions,))
        if len(upper) != 1 or upper[0] % 2:
            raise ValueError(
                f"up gives rows of shape {upper}, but (2 D2,) is expected: mu and logvar of "
                "q(z_2|z_1) side by side"
            )
        self.upper = upper[0] // 2
        lower, down = declared_by(self.down, (self.upper,))
        if lower != shape:
            raise ValueError(
                f"down gives rows of shape {lower}, but {shape} is expected: mean and "
                f"log-variance of p(z_1|z_2) side by side, for the {self.dimensions} of z_1"
            )
        return (self.dimensions,), prefixed("up", up) | prefixed("down", down)

    @property
    def add(self) -> bool:
        """Whether gradients add to what is there, in both networks. Source: layers/base.py."""
        return self.up.add

    @add.setter
    def add(self, add: bool) -> None:
        """Set it in both networks. Source: layers/base.py."""
        self.up.add = self.down.add = add

    def place(self, stream: int) -> int:
        """Streams for the layers of up, then of down -> the next free one. Source:
        layers/base.py."""
        return self.down.place(self.up.place(stream))

    def attach(self, values: Views, grads: Views) -> None:
        """Each network's views, any shape. Source: parameters.py."""
        for name, network in self.networks().items():
            network.attach(below(name, values), below(name, grads))

    def bind(self, backend: Backend, rows: int, samples: int = 1) -> None:
        """Buffers, with M = rows K: z, eps, v (M, D), dp (M, 2 D1), dh_2 (M, 2 D2), r, w (M,), kl
        (rows, 2), dh (rows, 2 D1)."""
        M, D1, D2 = rows * samples, self.dimensions, self.upper
        self.samples = samples
        bind_network(self.up, backend, M, need_dx=True)
        bind_network(self.down, backend, M, need_dx=True)
        self.normal, self.reparameterise = backend.op(NORMAL), backend.op(GAUSSIAN_SAMPLE)
        self.lower_ratio, self.upper_ratio = (
            backend.op(CONDITIONAL_RATIO),
            backend.op(GAUSSIAN_RATIO),
        )
        self.sum_layers, self.share = backend.op(LAYER_TERMS), backend.op(LAYER_WEIGHTS)
        self.prior_gradient = backend.op(CONDITIONAL_GRADIENT)
        self.upper_gradient = backend.op(GAUSSIAN_WEIGHED)
        self.lower_gradient = backend.op(LOWER_GRADIENT)
        self.eps1, self.eps2 = backend.zeros((M, D1)), backend.zeros((M, D2))
        self.z1, self.z2, self.v = (backend.empty((M, D)) for D in (D1, D2, D1))
        self.exact1, self.exact2 = backend.empty((rows, D1)), backend.empty((M, D2))  # not read
        self.r, self.r1, self.r2, self.w1, self.w2 = (backend.empty((M,)) for _ in range(5))
        self.dp, self.dh2 = backend.empty((M, 2 * D1)), backend.empty((M, 2 * D2))
        self.kl, self.dh = backend.empty((rows, 2)), backend.empty((rows, 2 * D1))

    def draw(self, rows: Array, clock: Array) -> None:
        """Fill eps_1 and eps_2 for the examples rows (N,), each at position k D + d of its stream,
        and the noise of the layers inside. Source: kernels/philox.py."""
        N = rows.shape[0]
        for every, stream in ((self.eps1, LATENT), (self.eps2, UPPER)):
            eps = every[: N * self.samples].reshape(N, self.samples * every.shape[1])
            self.normal(eps, rows, clock, stream)
        self.up.draw(rows, clock)
        self.down.draw(rows, clock)

    def forward(self, h: Array) -> Array:
        """h (N, 2 D1) -> z_1 (N K, D1); r (N K,) and kl (N, 2) are kept."""
        N, M = h.shape[0], h.shape[0] * self.samples
        z1, z2, eps1, eps2 = self.z1[:M], self.z2[:M], self.eps1[:M], self.eps2[:M]
        r, r1, r2 = self.r[:M], self.r1[:M], self.r2[:M]
        self.h = h
        self.reparameterise(z1, self.exact1[:N], h, eps1)  # (1) (2)
        self.h2 = self.up.forward(z1)  # (M, 2 D2)  (3)
        self.reparameterise(z2, self.exact2[:M], self.h2, eps2)  # (4)
        self.p = self.down.forward(z2)  # (M, 2 D1)  (5)
        self.lower_ratio(r1, self.v[:M], z1, self.p, h, eps1)  # (6)
        self.upper_ratio(r2, z2, self.h2, eps2)  # (6)
        self.sum_layers(r, self.kl[:N], r1, r2)  # (7)
        return z1

    def ratio(self) -> Array:
        """(N K,) r of the last ``forward``, in nats. Source: the class docstring, (7)."""
        return self.r[: self.h.shape[0] * self.samples]

    def backward(self, dz: Array, kl_weight: Array) -> Array:
        """dz (N K, D1), kl_weight (2,) -> dh (N, 2 D1); the gradients are filled."""
        w1, w2 = self.w1[: dz.shape[0]], self.w2[: dz.shape[0]]
        self.share(w1, w2, kl_weight, self.samples)  # (7)
        return self._under(dz, w1, w2)

    def weighed(self, dz: Array, w: Array) -> Array:
        """dz (N K, D1), w (N K,) -> dh (N, 2 D1); the gradients are filled. Source: Burda et al.
        2016, eq. 14."""
        return self._under(dz, w, w)

    def _under(self, dz: Array, w1: Array, w2: Array) -> Array:
        """The gradient of <dz, z_1> + sum_m w1_m r1_m + w2_m r2_m, w1 and w2 (N K,)."""
        M, dh = dz.shape[0], self.dh[: self.h.shape[0]]
        dp, dh2, z2, eps2 = self.dp[:M], self.dh2[:M], self.z2[:M], self.eps2[:M]
        self.prior_gradient(dp, self.v[:M], self.p, w1)  # (6)
        dz2: Any = self.down.backward(dp)  # (5)
        self.upper_gradient(dh2, dz2, z2, self.h2, eps2, w2)  # (4) (6)
        dz_up: Any = self.up.backward(dh2)  # (3)
        self.lower_gradient(dh, dz, dz_up, dp, self.h, self.eps1[:M], w1)  # (1) (2) (6)
        return dh

    def posterior(self, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """h (N, 2 D1) -> mu, logvar (N, D1) of q(z_1|x)."""
        return h[:, : self.dimensions], h[:, self.dimensions :]

    def mean(self, h: np.ndarray) -> np.ndarray:
        """h (N, 2 D1) -> mu (N, D1) of q(z_1|x)."""
        return h[:, : self.dimensions]

    def sample(
        self, n: int, noise: Any, **networks: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """n draws of z_1 (n, D1): z_2 ~ p(z_2), then z_1 ~ p(z_1|z_2) through down. Source:
        (5)."""
        m, l = np.split(networks["down"](noise.normal((n, self.upper))), 2, axis=1)
        return m + np.exp(l / 2) * noise.normal(m.shape)
