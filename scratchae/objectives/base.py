"""The protocol of an objective over an encoder and a decoder."""

import math

import numpy as np

from ..backend import Array, Backend
from ..layers import Layer
from ..layers.base import declared_by
from ..layers.sequential import leaves
from ..likelihoods import Likelihood
from ..parameters import Declared, Views, below, prefixed
from ..randomness import NOISE

Shape = tuple[int, ...]


class Objective:
    """A loss with its gradient: forward gives sums over rows, loss their mean, backward the gradient.

    Shapes: x, target (N, *shape); sums float64, the count first, so that the sums of several shards add
    to those of the whole batch. ``backward`` reads that total: an objective need not be a sum over
    examples. Terms are in nats per example, and loss is what ``backward`` differentiates, less the
    division by the count, which the optimiser does once. Source: Kingma and Welling 2014, eq. 10.
    """

    encoder: Layer
    decoder: Layer
    likelihood: Likelihood
    sums: Array  # (k,) float64
    additive: bool = (
        False  # a sum over examples, whose backward reads no total: rows may go through in blocks
    )

    def code_shape(self, shape: Shape) -> Shape:
        """The decoder's input shape for that output shape of the encoder. Source: the objective's own."""
        return shape

    def declare(self, shape: Shape) -> Declared:
        """Input shape of one row -> all parameters. Raises ValueError where the shapes do not meet.

        Source: the layers' docstrings."""
        self.shape = shape
        h, encoder = declared_by(self.encoder, shape)
        self.code = self.code_shape(h)
        output, decoder = declared_by(self.decoder, self.code)
        expected = self.likelihood.parameters(shape)
        if output != expected:
            wanted = f"the data has {shape}"
            if expected != shape:
                wanted = f"where {wanted} {type(self.likelihood).__name__} takes {expected}"
            given, due = math.prod(output), math.prod(expected)
            mend = f"end it with Reshape{expected}"
            if given != due:
                mend = f"those are {given} numbers, not {due}, so change a size, stride or padding of its layers"
            raise ValueError(f"the decoder gives rows of shape {output}, but {wanted}: {mend}")
        self.decoder.place(self.encoder.place(NOISE))
        return prefixed("encoder", encoder) | prefixed("decoder", decoder)

    def attach(self, values: Views, grads: Views) -> None:
        """Hand the views, any shape, to encoder and decoder. Source: parameters.py."""
        for name in ("encoder", "decoder"):
            getattr(self, name).attach(below(name, values), below(name, grads))

    def bind(self, backend: Backend, rows: int) -> None:
        """Bind every part for (rows, ...). Source: layers/base.py."""
        self.encoder.bind(backend, rows, need_dx=False)
        self.decoder.bind(backend, rows, need_dx=True)
        self.likelihood.bind(backend, rows, self.shape)

    def numbers(self) -> int:
        """How many numbers one row leaves in the buffers (N, ...): x, da, each layer's output and its gradient.

        Known after ``declare``. Source: none, a count."""
        outputs = (
            layer.output for part in (self.encoder, self.decoder) for _, layer in leaves("", part)
        )
        ends = math.prod(self.shape) + math.prod(self.likelihood.parameters(self.shape))
        return ends + 2 * sum(math.prod(output) for output in outputs)

    def accumulate(self, add: bool) -> None:
        """Let ``backward`` add to the gradients (True) or assign them. Shapes: none. Source: layers/base.py."""
        self.encoder.add = self.decoder.add = add

    def draw(self, rows: Array, clock: Array) -> None:
        """Draw all noise for the examples rows (N,) at that clock (4,). Source: kernels/philox.py."""
        self.encoder.draw(rows, clock)
        self.decoder.draw(rows, clock)

    def forward(self, x: Array, target: Array) -> Array:
        """x, target (N, *shape) -> self.sums: those of this shard, float64, the count first, valid until the next
        call. Source: the objective's own."""
        raise NotImplementedError

    def loss(self, total: np.ndarray) -> dict[str, float]:
        """The terms in nats per example, "loss" first. Shapes: total like sums. Source: as ``forward``."""
        raise NotImplementedError

    def backward(self, total: Array) -> None:
        """Fill the gradients of count times loss, shapes as the parameters. Source: as ``forward``."""
        raise NotImplementedError
