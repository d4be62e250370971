"""The protocol of an objective over an encoder and a decoder."""

import math

import numpy as np

from ..backend import Array, Backend
from ..layers import Layer
from ..layers.base import declared_by
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
    and likelihood in its constructor, makes self.sums in ``bind``, and defines ``forward``,
    ``loss`` and ``backward``; where ``encoder_learns`` is False no gradient is due for the
    encoder. Model(objective) makes a model of it. Source: Kingma and Welling 2014, eq. 10.
    """

    encoder: Layer
    decoder: Layer
    likelihood: Likelihood
    sums: Array  # (k,) float64
    row: Array  # (j,), what changes between steps: ``per_step``, written before each
    code: Shape  # of a row that the decoder takes, known after ``declare``
    encoder_learns: bool  # known after ``attach``
    t: int = 0  # the step that ``loss`` is about: the last that was trained
    epoch: int = 0  # whole epochs trained, by whichever optimiser: the noise is that of the next

    @property
    def additive(self) -> bool:
        """Whether it is a sum over examples, whose backward reads no total: rows may then go
        through in blocks. Source: execution/threads.py."""
        return False

    def code_shape(self, shape: Shape) -> Shape:
        """The decoder's input shape for that output shape of the encoder. Source: the objective's
        own."""
        return shape

    def declare(self, shape: Shape) -> Declared:
        """Input shape of one row -> all parameters. Raises ValueError where the shapes do not
        meet.

        Source: the layers' docstrings."""
        self.shape = shape
        complete(self, Objective, "forward(x)", "loss(total)", "backward(total)")
        self.likelihood.require_kernel()
        resolve_ties(layer for _, layer in self.leaves())
        h, encoder = declared_by(self.encoder, shape)
        self.code = self.code_shape(h)
        output, decoder = declared_by(self.decoder, self.code)
        self._require(output)
        self.decoder.place(self.encoder.place(NOISE))
        return prefixed("encoder", encoder) | prefixed("decoder", decoder)

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

    def leaves(self) -> list[tuple[str, Layer]]:
        """Every layer with its name, in order of x. Source: layers/sequential.py."""
        return leaves("encoder", self.encoder) + leaves("decoder", self.decoder)

    def frozen(self) -> tuple[str, ...]:
        """The names of the layers that are not to be trained. Source: layers/base.py."""
        return tuple(name for name, layer in self.leaves() if not layer.trainable)

    def attach(self, values: Views, grads: Views) -> None:
        """Hand the views, any shape, to encoder and decoder. Source: parameters.py."""
        for name in ("encoder", "decoder"):
            getattr(self, name).attach(below(name, values), below(name, grads))
        self.encoder_learns = learns(self.encoder, bool(below("encoder", values)))

    def bind(self, backend: Backend, rows: int) -> None:
        """Bind every part for (rows, ...); no gradient goes below the last layer that learns.

        Source: layers/base.py."""
        self.encoder.bind(backend, rows, need_dx=False)
        self.decoder.bind(backend, rows, need_dx=self.encoder_learns)
        self.likelihood.bind(backend, rows, self.shape)
        self.row = backend.zeros((len(self.per_step(1)),))
        backend.write(self.row, self.per_step(max(self.t, 1)))

    def per_step(self, t: int) -> tuple[float, ...]:
        """What ``backward`` reads at step t, from 1 on: row (j,). Source: the objective's own."""
        return ()

    def constants(self) -> tuple[float, ...]:
        """The numbers of all parts that kernels are handed as they are.

        Source: execution/graphs.py, which records a step anew where one of them has changed."""
        return constants(self)

    def numbers(self) -> int:
        """How many numbers one row leaves in the buffers (N, ...): x, da, each layer's output and
        its gradient.

        Known after ``declare``."""
        ends = math.prod(self.shape) + math.prod(self.likelihood.parameters(self.shape))
        return ends + 2 * sum(math.prod(layer.output) for _, layer in self.leaves())

    def accumulate(self, add: bool) -> None:
        """Let ``backward`` add to the gradients (True) or assign them. Source: layers/base.py."""
        self.encoder.add = self.decoder.add = add

    def draw(self, rows: Array, clock: Array) -> None:
        """Draw all noise for the examples rows (N,) at that clock (4,). Source:
        kernels/philox.py."""
        self.encoder.draw(rows, clock)
        self.decoder.draw(rows, clock)

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> self.sums: those of this shard, float64, the count first, valid until
        the next call. Source: the objective's own."""
        raise NotImplementedError

    def loss(self, total: np.ndarray) -> dict[str, float]:
        """The terms at step t in nats per example, "loss" first. Shapes: total like sums."""
        raise NotImplementedError

    def backward(self, total: Array) -> None:
        """Fill the gradients of count times loss, shapes as the parameters."""
        raise NotImplementedError
