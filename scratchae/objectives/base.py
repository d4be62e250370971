"""The protocol of an objective over an encoder and a decoder."""

import math
from collections.abc import Callable

import numpy as np

from ..backend import Array, Backend
from ..kernels.importance import WEIGH_ROWS
from ..latents import Latent
from ..layers import Layer
from ..layers.base import bind_network, declared_by
from ..layers.sequential import learns, leaves
from ..layers.tied import resolve_ties
from ..likelihoods import Likelihood
from ..parameters import Declared, Views, below, prefixed
from ..randomness import NOISE
from ..settings import Configured, complete, constants

Shape = tuple[int, ...]


class Objective(Configured):
    """A loss with its gradient: forward gives sums over rows, loss their mean, backward the
    gradient.

    Shapes: x (N, *shape); sums float64, the count first, so that the sums of several shards add
    to those of the whole batch. ``backward`` reads that total: an objective need not be a sum over
    examples. Terms are in nats per example, and loss is what ``backward`` differentiates, less the
    division by the count, which the optimiser does once. One of your own keeps encoder, decoder
    and likelihood in its constructor, and a latent if there is one between the two; it makes
    self.sums in ``bind``, and defines ``forward``, ``loss`` and ``backward``; where
    ``encoder_learns`` is False no gradient is due for the encoder, and where ``latent_learns`` is,
    none for the latent. With ``samples`` K the decoder has K rows an example. Model(objective)
    makes a model of it. Source: Kingma and Welling 2014, eq. 10.
    """

    encoder: Layer
    latent: Latent | None = None
    decoder: Layer
    likelihood: Likelihood
    samples: int = 1  # K, of the latent, an example
    is_slope: bool = True  # whether ``backward`` is the slope of the loss that was drawn, and not
    # in the mean over the noise alone: gradcheck/estimators.py
    other_samples: int | None = None  # K of a replica that is to draw another number of them
    sums: Array  # (k,) float64
    row: Array  # (j,), what changes between steps: ``constants``, written before each
    code: Shape  # of a row that the decoder takes, known after ``declare``
    encoder_learns: bool  # known after ``attach``
    latent_learns: bool  # whether anything before the decoder does; known after ``attach``
    t: int = 0  # the step that ``loss`` is about: the last that was trained
    epoch: int = 0  # whole epochs trained, by whichever optimiser: the noise is that of the next

    @property
    def additive(self) -> bool:
        """Whether it is a sum over examples, whose backward reads no total: rows may then go
        through in blocks. Source: execution/threads.py."""
        return False

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of what has parameters, or may have, in order of x. Source: the class."""
        between = ("latent",) if self.latent is not None else ()
        return ("encoder", *between, "decoder", "likelihood")

    def declare(self, shape: Shape) -> Declared:
        """Input shape of one row -> all parameters. Raises ValueError where the shapes do not
        meet.

        Source: the layers' docstrings."""
        self.shape = shape
        complete(self, Objective, "forward(x)", "loss(total)", "backward(total)")
        self.likelihood.require_kernel()
        resolve_ties(layer for _, layer in self.leaves())
        self.code, encoder = declared_by(self.encoder, shape)
        stream, latent = self.encoder.place(NOISE), Declared()
        if self.latent is not None:
            self.code, latent = self.latent.declare(self.code)
            stream = self.latent.place(stream)
        output, decoder = declared_by(self.decoder, self.code)
        self._require(output)
        self.decoder.place(stream)
        self._let_layers_know()
        self.conditions()
        inner = encoder, latent, decoder, self.likelihood.declare(shape)
        declared = dict(zip(("encoder", "latent", "decoder", "likelihood"), inner, strict=True))
        return {k: v for part, one in declared.items() for k, v in prefixed(part, one).items()}

    def _require_latent(self, *calls: str) -> None:
        """Raise TypeError where there is no latent, NotImplementedError where it lacks one of
        these calls."""
        if self.latent is None:
            raise TypeError(
                f"the latent is None, but {type(self).__name__} takes one between encoder and "
                "decoder, such as Gaussian(20)"
            )
        self.latent.require(*calls)

    def _let_layers_know(self) -> None:
        """Tell the layers behind the latent of its samples. Raises TypeError for a layer that
        draws, and does not know of them."""
        for name, layer in self.behind():
            layer.samples = self.K
            own = type(layer).draw is not Layer.draw and not layer.draws_for_samples
            if own and self.K > 1:
                raise TypeError(
                    f"{name} draws noise for one sample an example, but there are "
                    f"{self.K}: let {type(layer).__name__}.draw fill self.samples rows an "
                    "example, and say so, draws_for_samples = True"
                )

    def draw_samples(self, samples: int | None) -> None:
        """Let the latent draw that many samples an example once it is bound; None: ``samples``."""
        self.other_samples = samples
        self._let_layers_know()

    @property
    def K(self) -> int:
        """Rows of z an example: ``samples``, or what a replica is to draw instead."""
        return self.other_samples or self.samples

    def _require(self, output: Shape) -> None:
        """Raise ValueError unless the decoder's rows are what the likelihood takes."""
        expected = self.likelihood.parameters(self.shape)
        if output == expected:
            return
        wanted = f"the data has {self.shape}"
        if expected != self.shape:
            wanted = f"where {wanted} {type(self.likelihood).__name__} takes {expected}"
        given, due = math.prod(output), math.prod(expected)
        advice = f"end it with Reshape{expected}"
        if given != due:
            advice = (
                f"those are {given} numbers, not {due}, so change a size, stride or padding "
                "of its layers"
            )
        raise ValueError(f"the decoder gives rows of shape {output}, but {wanted}: {advice}")

    def conditions(self, *parts: str) -> int:
        """C, how many numbers a row is given beside x by the layers of these parts, of all by
        default; 0 for none. Raises ValueError where they take different numbers. Source:
        layers/given.py."""
        found = {name: layer.conditions for name, layer in self.leaves()}
        if self.latent is not None:
            found["latent"] = self.latent.conditions
        taken = {name: C for name, C in found.items() if C}
        if len(set(taken.values())) > 1:
            words = ", ".join(f"{name} takes {C}" for name, C in taken.items())
            raise ValueError(f"a row is given one vector of numbers, but {words}: let them agree")
        at = [C for name, C in taken.items() if not parts or name.split(".")[0] in parts]
        return max(at, default=0)

    def leaves(self) -> list[tuple[str, Layer]]:
        """Every layer with its name, in order of x. Source: layers/sequential.py."""
        return leaves("encoder", self.encoder) + self.behind()

    def behind(self) -> list[tuple[str, Layer]]:
        """Of ``leaves`` those that are handed K rows an example."""
        networks = [item for item in self.networks().items() if item[0] != "encoder"]
        return [leaf for name, network in networks for leaf in leaves(name, network)]

    def networks(self) -> dict[str, Layer]:
        """Encoder, what is inside the latent, and decoder, by name, in order of x."""
        inner = self.latent.networks() if self.latent is not None else {}
        between = {f"latent.{name}": network for name, network in inner.items()}
        return {"encoder": self.encoder} | between | {"decoder": self.decoder}

    def frozen(self) -> tuple[str, ...]:
        """The names of the layers that are not to be trained. Source: layers/base.py."""
        return tuple(name for name, layer in self.leaves() if not layer.trainable)

    def attach(self, values: Views, grads: Views) -> None:
        """Hand the views, any shape, to every part. Source: parameters.py."""
        for name in self.parts:
            getattr(self, name).attach(below(name, values), below(name, grads))
        self.encoder_learns = learns(self.encoder, bool(below("encoder", values)))
        self.latent_learns = self.encoder_learns or self._inside_learns(below("latent", values))

    def _inside_learns(self, values: Views) -> bool:
        """Whether any parameter of the latent, any shape, is to be trained: of its networks those
        that are not frozen, and its own, if it has any beside them."""
        networks = self.latent.networks() if self.latent is not None else {}
        if any(learns(one, bool(below(name, values))) for name, one in networks.items()):
            return True
        return any(name.partition(".")[0] not in networks for name in values)

    def bind(self, backend: Backend, rows: int) -> None:
        """Bind every part for (rows, ...); no gradient goes below the last layer that learns.

        Source: layers/base.py."""
        K = self.K
        bind_network(self.encoder, backend, rows, need_dx=False)
        if self.latent is not None:
            self.latent.bind(backend, rows, K)
        bind_network(self.decoder, backend, rows * K, need_dx=self.latent_learns)
        self.likelihood.bind(backend, rows, self.shape, K)
        self.likelihood.weigh_rows = backend.op(WEIGH_ROWS)
        self.row = backend.zeros((len(self.constants(1)),))
        backend.write(self.row, self.constants(max(self.t, 1)))

    def constants(self, t: int) -> tuple[float, ...]:
        """What ``backward`` reads at step t, from 1 on: row (j,). Source: the objective's own."""
        return ()

    def columns(self, t: int) -> dict[str, float]:
        """What the history tells of step t beside the terms, such as {"beta": 0.5}; an epoch's
        record has that of its last step."""
        return {}

    def scalars(self) -> tuple[float, ...]:
        """The numbers of all parts that kernels are handed as they are.

        Source: execution/graphs.py, which records a step anew where one of them has changed."""
        return constants(self)

    def numbers(self) -> int:
        """How many numbers one row leaves in the buffers (N, ...): x, da, each layer's output and
        its gradient, K times behind the latent.

        Known after ``declare``."""

        def outputs(named: list[tuple[str, Layer]]) -> int:
            return 2 * sum(math.prod(layer.output) for _, layer in named)

        once = math.prod(self.shape) + outputs(leaves("encoder", self.encoder))
        da = math.prod(self.likelihood.parameters(self.shape))
        return once + self.K * (da + outputs(self.behind()))

    def accumulate(self, add: bool) -> None:
        """Let ``backward`` add to the gradients (True) or assign them. Source: layers/base.py."""
        for name in self.parts:
            getattr(self, name).add = add

    def draw(self, rows: Array, clock: Array) -> None:
        """Draw all noise for the examples rows (N,) at that clock (4,). Source:
        kernels/philox.py."""
        self.encoder.draw(rows, clock)
        if self.latent is not None:
            self.latent.draw(rows, clock)
        self.decoder.draw(rows, clock)

    def give(self, c: Array) -> None:
        """Hand every part what the next rows are given beside x, c (N, C). Source:
        layers/given.py."""
        self.encoder.give(c)
        if self.latent is not None:
            self.latent.give(c)
        self.decoder.give(c)

    def aim(self, target: Array | None, seen: Array | None) -> None:
        """Let the likelihood score target (N, *shape) in the place of x, and of it what was seen,
        like it, 1 or 0; None: x itself, all of it. Source: likelihoods/base.py."""
        self.likelihood.aim(target, seen)

    def idle(self) -> str:
        """Which setting another one leaves without effect, as a sentence; "" where all act."""
        return ""

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> self.sums: those of this shard, float64, the count first, valid until
        the next call. Source: the objective's own."""
        raise NotImplementedError

    def loss(self, total: np.ndarray) -> dict[str, float]:
        """The terms at step t in nats per example, "loss" first. Shapes: total like sums."""
        raise NotImplementedError

    def each(self, host: Callable[[Array], np.ndarray]) -> dict[str, np.ndarray]:
        """The terms of each example of the last ``forward``, in nats, (N,), "loss" first where it
        is a mean over examples; host(a) brings an array to the host. Raises TypeError where the
        objective has no terms of an example. Source: the objective's own."""
        raise TypeError(f"{type(self).__name__} does not say each(host), its terms of an example")

    def backward(self, total: Array) -> None:
        """Fill the gradients of count times loss, shapes as the parameters."""
        raise NotImplementedError
