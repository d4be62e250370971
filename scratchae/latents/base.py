"""The protocol of a latent."""

from typing import Any

import numpy as np

from ..backend import Array, Backend
from ..settings import Configured, complete


class Latent(Configured):
    """What stands between encoder and decoder: z ~ q(z|x), and what q costs against the prior.

    Shapes: h (N, ...) from the encoder, z (N K, D) for K samples an example, of which m belongs to
    row m // K, kl (N, D) in nats, dz like z, kl_weight (D,), dh like h; D is ``dimensions``.

    The constructor only stores. Then, once: ``check`` looks at the shape of a row of h; the latent
    is copied for each shard; ``bind`` makes buffers for the largest batch. At each step ``draw``
    fills the noise, ``forward`` gives z and leaves the KL of each dimension in self.kl, and
    ``backward`` gives dh. It draws from the stream randomness.LATENT and has no parameters. On the
    host, ``posterior`` and ``mean`` tell of q what model.encode and model.reconstruct give, and
    ``sample`` draws from the prior. Arguments of the constructor are settings (settings.py).
    Source: Kingma and Welling, "Auto-encoding variational Bayes", 2014, section 2.4.
    """

    dimensions: int
    kl: Array  # (rows, D), of which forward fills the first N

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless the encoder's rows have a shape that fits."""
        complete(self, Latent, "check(shape)")

    def bind(self, backend: Backend, rows: int, samples: int = 1) -> None:
        """Make the buffers, kl among them, for (rows, ...) of h, each with ``samples`` of z."""
        complete(self, Latent, "bind(backend, rows, samples)")

    def draw(self, rows: Array, clock: Array) -> None:
        """Fill the noise buffers, for the examples rows (N,) at that clock (4,), if there are any.

        Source: kernels/philox.py."""

    def forward(self, h: Array) -> Array:
        """h (N, ...) -> z (N K, D); self.kl[:N] is filled. Source: the latent's own docstring."""
        complete(self, Latent, "forward(h)")

    def backward(self, dz: Array, kl_weight: Array) -> Array:
        """dz (N K, D), kl_weight (D,) -> dh (N, ...): gradient of <dz, z> + sum_nd kl_weight_d
        kl_nd."""
        complete(self, Latent, "backward(dz, kl_weight)")

    def posterior(self, h: np.ndarray) -> Any:
        """h (N, ...) on the host -> what ``encode`` gives: the parameters of q(z|x)."""
        return h

    def mean(self, h: np.ndarray) -> np.ndarray:
        """h (N, ...) on the host -> the mean of q(z|x), (N, D), which x is reconstructed from."""
        raise NotImplementedError(f"{type(self).__name__} does not say mean(h)")

    def sample(self, n: int, noise: Any) -> np.ndarray:
        """n draws from the prior, (n, D), on the host: N(0, I) unless said otherwise;
        noise.normal(shape) and noise.uniform(shape) draw.

        Source: Kingma and Welling 2014, section 2.1."""
        return noise.normal((n, self.dimensions))
