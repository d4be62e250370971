"""The protocol of a latent."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import Array, Backend
from ..checks import is_a
from ..layers import Layer
from ..parameters import Declared, Views
from ..settings import Configured, complete

Shape = tuple[int, ...]


def as_network(what: str, value: Any) -> Layer:
    """A layer as it is. Raises TypeError for what is none."""
    is_a(what, value, Layer, "a layer, such as Dense(50, 100), is expected")
    return value


class Latent(Configured):
    """What stands between encoder and decoder: z ~ q(z|x), and what q costs against the prior.

    Shapes: h (N, ...) from the encoder, z (N K, D) for K samples an example, of which m belongs to
    row m // K, kl (N, J) and ratio (N K,) in nats, dz like z, kl_weight (J,), w (N K,), dh like h;
    D is ``dimensions``, J is ``terms``.

    The constructor only stores. Then, once: ``check`` looks at the shape of a row of h, or
    ``declare``, where it has parameters, names them as a layer does; the latent is copied for each
    shard; ``attach`` hands it its views; ``bind`` makes buffers for the largest batch. At each
    step ``draw`` fills the noise, ``forward`` gives z and leaves the KL in self.kl, exact and of
    each dimension where it has a closed form, and one of three gives dh: ``backward`` for the KL,
    ``weighed`` and ``path`` for the samples' ratio log q(z|x) - log p(z). Posterior, prior, and a
    second stochastic layer are inside a latent: an objective knows nothing of them. It draws from
    the stream randomness.LATENT. On the host, ``posterior`` and ``mean`` tell of q what
    model.encode and model.reconstruct give, and ``sample`` draws from the prior. Arguments of the
    constructor are settings (settings.py).
    Source: Kingma and Welling, "Auto-encoding variational Bayes", 2014, section 2.4; Burda,
    Grosse, Salakhutdinov, "Importance weighted autoencoders", 2016.
    """

    dimensions: int
    kl: Array  # (rows, J), of which forward fills the first N
    inference: tuple[str, ...] = ()  # of ``networks``, those that q alone reads, and no draw of z
    conditions: int = 0  # C, how many numbers a row is given beside x, by the prior: ``give``
    add: bool = False  # whether gradients of its parameters add to what is there: layers/base.py
    kept: tuple[str, ...] = "kl", "eps"  # the buffers (rows, ...) or (rows K, ...) by_hand shows

    @property
    def terms(self) -> int:
        """J, the number of terms of the KL of an example: one a dimension."""
        return self.dimensions

    @property
    def of_units(self) -> bool:
        """Whether term j of the KL is that of dimension j of z: not where terms are counted
        otherwise."""
        return type(self).terms is Latent.terms

    def check(self, shape: Shape) -> None:
        """Raise ValueError unless the encoder's rows have a shape that fits."""
        complete(self, Latent, "check(shape)")

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """Shape of a row of h -> (shape of a row of z, parameters, as Layer.declare names them).
        Raises what ``check`` raises. Source: layers/base.py."""
        self.check(shape)
        return (self.dimensions,), {}

    def require(self, *calls: str) -> None:
        """Raise NotImplementedError where it says nothing of shapes, or lacks one of these calls.

        Source: settings.py, ``complete``."""
        shapes = () if type(self).declare is not Latent.declare else ("check(shape)",)
        complete(self, Latent, *shapes, "bind(backend, rows, samples)", "forward(h)", *calls)

    def networks(self) -> dict[str, Layer]:
        """The networks inside, by name, which are handed rows of z: none as a rule. Source: the
        latent's own docstring."""
        return {}

    def place(self, stream: int) -> int:
        """Let the layers inside draw from the streams from this one on -> the next free one.

        Source: layers/base.py."""
        return stream

    def attach(self, values: Views, grads: Views) -> None:
        """Keep the views of its parameters: W (any shape) as self.W, its gradient as self.dW.
        Source: layers/base.py."""
        for name, view in (values | {f"d{name}": grad for name, grad in grads.items()}).items():
            setattr(self, name, view)

    def bind(self, backend: Backend, rows: int, samples: int = 1) -> None:
        """Make the buffers, kl among them, for (rows, ...) of h, each with ``samples`` of z."""
        complete(self, Latent, "bind(backend, rows, samples)")

    def draw(self, rows: Array, clock: Array) -> None:
        """Fill the noise buffers, for the examples rows (N,) at that clock (4,), if there are any.

        Source: kernels/philox.py."""

    def give(self, c: Array) -> None:
        """What the next rows are given beside x, c (N, C), for the networks inside. Source:
        layers/given.py."""
        for network in self.networks().values():
            network.give(c)

    def forward(self, h: Array) -> Array:
        """h (N, ...) -> z (N K, D); self.kl[:N] is filled. Source: the latent's own docstring."""
        complete(self, Latent, "forward(h)")

    def ratio(self) -> Array:
        """(N K,) log q(z|x) - log p(z) of each sample of the last ``forward``, in nats. Source:
        the latent's own docstring."""
        complete(self, Latent, "ratio()")

    def backward(self, dz: Array, kl_weight: Array) -> Array:
        """dz (N K, D), kl_weight (J,) -> dh (N, ...): gradient of <dz, z> + sum_nj kl_weight_j
        kl_nj."""
        complete(self, Latent, "backward(dz, kl_weight)")

    def weighed(self, dz: Array, w: Array) -> Array:
        """dz (N K, D), w (N K,) -> dh (N, ...): gradient of <dz, z> + sum_m w_m ratio_m. Source:
        Burda et al. 2016, eq. 14."""
        complete(self, Latent, "weighed(dz, w)")

    def path(self, dz: Array, w: Array) -> Array:
        """As ``weighed``, with log q(.|x) held as a function of z alone: dz (N K, D), w (N K,) ->
        dh (N, ...). Source: Roeder et al., "Sticking the landing", 2017, eq. 7."""
        complete(self, Latent, "path(dz, w)")

    def posterior(self, h: np.ndarray) -> Any:
        """h (N, ...) on the host -> what ``encode`` gives: the parameters of q(z|x)."""
        return h

    def mean(self, h: np.ndarray) -> np.ndarray:
        """h (N, ...) on the host -> the mean of q(z|x), (N, D), which x is reconstructed from."""
        raise NotImplementedError(f"{type(self).__name__} does not say mean(h)")

    def sample(
        self, n: int, noise: Any, **networks: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """n draws from the prior, (n, D), on the host: N(0, I) unless said otherwise;
        noise.normal(shape) and noise.uniform(shape) draw. networks: those inside, by name, as
        functions of rows on the host; and, where it has ``conditions``, given: c (n, C).

        Source: Kingma and Welling 2014, section 2.1."""
        return noise.normal((n, self.dimensions))
