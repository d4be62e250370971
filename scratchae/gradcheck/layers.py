"""check_layer, and the bench it stands on: bound in float64, tensors are moved and their gradients
read.

Gradient buffers are handed over full of NaN, so that what is not written shows.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import checks, randomness
from ..backend import Backend, get_backend
from ..layers import Layer
from ..layers.base import declared_by, require_fit
from ..layers.sequential import leaves
from ..layers.tied import resolve_ties
from ..parameters import Declared, Parameters
from ..settings import parts
from .measure import TOLERANCE, Report, Row, judge, probe

GIVEN = 51  # the number of the probe that is given beside x
SPREAD = 0.1  # added to what the initialisers draw, since a bias of zero would hide


def check_layer(
    layer: Any, input_shape: tuple[int, ...], rows: int = 3, backend: str = "numpy"
) -> Report:
    """Check a layer for rows of input_shape: x (rows, *input_shape), each parameter, and what the
    protocol asks.

    "gradients add": where layer.add is set, they are added to what is there. "smaller batch": all
    rows but one, and then that one, give together what the whole batch gives. "x is kept", told
    where it is wrong: no pass writes to x. It works on any object of the protocol. Raises what the
    layer raises. Source: layers/base.py; measure.py.
    """
    checks.not_a_class("the layer", layer)
    bound = BoundLayer(layer, tuple(input_shape), rows, get_backend(backend, "float64"))
    found = bound.judge()
    if bound.tensors.values:
        found.append(gradients_add(bound))
    if rows > 1:
        found.append(smaller_batch(bound))
    return Report(title(layer), found + x_written(bound))


class Tensors:
    """All parameters of something in float64, and their gradients, each by name.

    Shapes: as declared. values: where to start, on the host by name; drawn if there are none.
    Source: parameters.py.
    """

    def __init__(
        self, backend: Backend, declared: Declared, values: dict[str, np.ndarray] | None = None
    ):
        self.backend = backend
        self.parameters = Parameters(backend, declared)
        self.flat = backend.zeros((self.parameters.size,))
        self.values, self.grads = self.parameters.views(), self.parameters.views(self.flat)
        self.parameters.initialise(0)
        for i, (name, view) in enumerate(self.values.items()):
            drawn = backend.to_host(view) + SPREAD * probe(view.shape, 100 + i)
            backend.write(view, drawn if values is None else values[name])

    def judge(
        self, forward: Callable[[], Any], backward: Callable[[np.ndarray], Any]
    ) -> list[Row]:
        """A row for each tensor, any shape; forward() -> y, backward(dy) fills the gradients.

        Source: measure.py."""
        return [self._judge(name, forward, backward) for name in self.values]

    def _judge(
        self, name: str, forward: Callable[[], Any], backward: Callable[[np.ndarray], Any]
    ) -> Row:
        view, before = self.values[name], self.backend.to_host(self.values[name])

        def f(value: np.ndarray) -> Any:
            self.backend.write(view, value)
            return forward()

        def gradient(value: np.ndarray, dy: np.ndarray) -> np.ndarray:
            f(value)
            self.fill(np.nan)
            backward(dy)
            return self.backend.to_host(self.grads[name])

        row = judge(name, f, gradient, before)
        self.backend.write(view, before)
        return row

    def fill(self, value: float) -> None:
        """Write a number over all gradients (n,)."""
        self.backend.write(self.flat, value)

    def gradients(self) -> np.ndarray:
        """All gradients, one after the other, on the host: (n,) without padding."""
        parts = [self.backend.to_host(grad).ravel() for grad in self.grads.values()]
        return np.concatenate(parts) if parts else np.zeros(0)


def thawed(thing: Any) -> Any:
    """A copy with settings of its own, in which every layer learns: the gradient of a frozen one
    is as right or wrong as it would be."""
    mine = copy.deepcopy(thing)
    for part in parts(mine):
        if isinstance(part, Layer):
            part.trainable = True
    return mine


class BoundLayer:
    """A copy of a layer, bound for (rows, *shape) in float64, with an input x and a dy.

    Raises what the layer raises. Source: layers/base.py.
    """

    def __init__(self, layer: Any, shape: tuple[int, ...], rows: int, backend: Backend):
        self.layer, self.backend = thawed(layer), backend
        self.output, declared = declared_by(self.layer, shape)
        resolve_ties(inner for _, inner in leaves("", self.layer))
        if hasattr(self.layer, "place"):
            self.layer.place(randomness.NOISE)
        self.tensors = Tensors(backend, declared)
        self.layer.attach(self.tensors.values, self.tensors.grads)
        self.layer.bind(backend, rows, need_dx=True)
        self.x, self.dy = probe((rows, *shape), 30), probe((rows, *self.output), 31)

    def forward(self, x: np.ndarray, first: int = 0) -> np.ndarray:
        """x (n, *shape), noise of the examples from first on -> y (n, *output), host. Source: the
        layer."""
        draw(self.layer, self.backend, len(x), first)
        y = self.layer.forward(self.backend.asarray(x))
        require_fit(self.layer, "forward", y, len(x), self.output, self.backend.dtype)
        return self.backend.to_host(y)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """dy (n, *output) -> dx (n, *shape), host; the gradients are filled. Source: the layer."""
        dx = self.layer.backward(self.backend.asarray(dy))
        return np.zeros(0) if dx is None else self.backend.to_host(dx)

    def judge(self) -> list[Row]:
        """A row for each tensor and for x, any shape. Source: measure.py."""
        rows = self.tensors.judge(lambda: self.forward(self.x), self.backward)
        return [
            *rows,
            judge(
                "x", self.forward, lambda x, dy: (self.forward(x), self.backward(dy))[1], self.x
            ),
        ]

    def pass_over(
        self, rows: slice, before: float = np.nan
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """y, dx (n, ...) and all gradients (n,) of some rows, the gradients over what was there
        before.

        Source: the layer."""
        y = self.forward(self.x[rows], rows.start)
        self.tensors.fill(before)
        dx = self.backward(self.dy[rows])
        return y, dx, self.tensors.gradients()


def gradients_add(bound: BoundLayer) -> Row:
    """Whether gradients are added to what is there, where add is set. Source: layers/base.py."""
    everything = slice(0, len(bound.x))
    _, _, alone = bound.pass_over(everything)
    set_add(bound.layer, True)
    _, _, added = bound.pass_over(everything, before=1.0)
    set_add(bound.layer, False)
    note = "with layer.add set, backward is to add to dW, db, ... what it else assigns"
    return _equal("gradients add", difference(added - 1.0, alone), note)


def smaller_batch(bound: BoundLayer) -> Row:
    """Whether all rows but one, and then that one, give what all give. Source: layers/base.py."""
    last = len(bound.x) - 1
    y, dx, gradients = bound.pass_over(slice(0, last + 1))
    parts = [bound.pass_over(rows) for rows in (slice(0, last), slice(last, last + 1))]
    pairs = [
        (np.concatenate([part[0] for part in parts]), y),
        (np.concatenate([part[1] for part in parts]), dx),
        (parts[0][2] + parts[1][2], gradients),
    ]
    note = "fewer rows than bound for: rows must be independent, and old ones must not be read"
    return _equal("smaller batch", max(difference(a, b) for a, b in pairs), note)


def x_written(bound: BoundLayer) -> list[Row]:
    """A row where a pass writes to x: the layer before it reads that in its own backward. Source:
    layers/base.py."""
    x = bound.backend.asarray(bound.x)
    draw(bound.layer, bound.backend, len(bound.x))
    bound.layer.forward(x)
    bound.backward(bound.dy)
    error = difference(bound.backend.to_host(x), bound.x)
    note = "x is written to, which the layer before reads: compute in an array of your own"
    return [Row("x is kept", error, "wrong", note)] if error else []


def _equal(what: str, error: float, note: str) -> Row:
    """A row that is right up to the tolerance; the note is for what is wrong."""
    return Row(what, error, "right") if error <= TOLERANCE else Row(what, error, "wrong", note)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """|a - b| / |b|, of like shapes; |a| where b is zero, inf where the shapes differ. Source: a
    definition."""
    if a.shape != b.shape:
        return np.inf
    error = float(np.linalg.norm(a - b) / (np.linalg.norm(b) or 1.0))
    return error if np.isfinite(error) else np.inf


def draw(thing: Any, backend: Backend, rows: int, first: int = 0, epoch: int = 0) -> None:
    """Fill the noise buffers for the examples first, first + 1, ... (rows,) in that epoch, and
    give each something beside x, where that is taken. Source: kernels/philox.py."""
    index, clock = np.arange(first, first + rows, dtype=np.uint32), randomness.clock(0, epoch)
    thing.draw(backend.asarray(index, np.uint32), backend.asarray(clock, np.uint32))
    taken = getattr(thing, "conditions", 0)
    if C := taken() if callable(taken) else taken:
        thing.give(backend.asarray(probe((first + rows, C), GIVEN)[first:]))


def set_add(layer: Any, add: bool) -> None:
    """Set add on a layer, and on those inside it. Source: layers/base.py."""
    layer.add = add
    for inner in getattr(layer, "layers", ()):
        set_add(inner, add)


def grey(shape: tuple[int, ...]) -> np.ndarray:
    """Data in (0, 1) of that shape, which almost every likelihood can have. Source:
    kernels/philox.py (6)."""
    return 0.5 + 0.5 * np.tanh(probe(shape, 29))


def title(thing: Any) -> str:
    """Conv2d tanh, VAE Bernoulli, Sequential to Dense tanh: the type, and what is in it; a Model
    goes by its objective."""
    thing = thing.objective if type(thing).__name__ == "Model" else thing
    inner = getattr(thing, "activation", "") or type(getattr(thing, "likelihood", "")).__name__
    if hasattr(thing, "layers"):
        inner = f"to {title(thing.layers[-1])}"
    penalty = getattr(thing, "penalty", None)
    words = f"{type(thing).__name__} {inner}".removesuffix(" str")
    return f"{words} {type(penalty).__name__}" if penalty else words
