"""The protocol of a layer."""

from typing import Any

from ..backend import Array, Backend
from ..checks import LIBRARY, kind
from ..parameters import Declared, Views
from ..settings import Configured, Flag, complete

Shape = tuple[int, ...]
Range = tuple[float, float] | None  # (low, high) of values; None: not known


class Layer(Configured):
    """One step of a network: y = forward(x), dx = backward(dy).

    The constructor only stores. Then, once: ``declare`` checks the input shape, sets self.shape
    and self.output, and names the parameters, {name: (shape, init)}, each drawn by
    init(noise=...), where noise.normal(shape) and noise.uniform(shape) draw; the layer is copied
    for each shard; ``attach`` hands it its views (W as self.W, its gradient as self.dW); ``bind``
    makes buffers for the largest batch and picks the kernels. From there on a step allocates
    nothing of the size of a batch or of a parameter: results are the layer's own buffers, valid
    until its next call, and x and dy are read-only. Shapes: rows first, (N, ...), and rows are
    independent. ``forward`` keeps only what ``backward`` reads. Gradients are of sums over rows;
    they are written into self.dW: the first writer assigns, self.dW[...] = ..., and where ``add``
    is set, for a further block of rows, they are added. trainable = False freezes
    the layer: its parameters stay as they are, and gradients that nobody needs are not computed.
    Arguments of the constructor are settings (settings.py). Source: the split is llm.c's
    forward/backward pairs over one block of memory.
    """

    trainable = Flag(True)
    add: bool = False
    handed: Views | None = None  # what attach has handed over: W, dW, ... by name
    samples: int = 1  # K rows an example, m of example m // K: behind a latent that draws K
    draws_for_samples: bool = False  # whether ``draw`` fills K rows an example
    shape: Shape  # of one input row, known after declare
    output: Shape  # of one output row, known after declare

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """Input shape of one row -> (output shape, parameters). Raises ValueError for a shape that
        does not fit. Source: flax's shape inference, said out loud."""
        raise NotImplementedError

    def place(self, stream: int) -> int:
        """Draw noise from the streams from this one on, one for each layer that draws -> the next
        free one.

        Objectives call it after ``declare``, from randomness.NOISE on, encoder before decoder: so
        no two layers of a model draw the same noise, and a layer that draws none, put in anywhere,
        changes none.
        Source: randomness.py."""
        return stream

    def attach(self, values: Views, grads: Views) -> None:
        """Keep the views: the tensor W (any shape) as self.W, its gradient as self.dW. Source:
        llm.c."""
        self.handed = values | {f"d{name}": grad for name, grad in grads.items()}
        for name, view in self.handed.items():
            setattr(self, name, view)

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Make the buffers, (rows, ...), and choose the kernels; dx is computed only if needed."""
        raise NotImplementedError

    @property
    def noise(self) -> float:
        """The amount of noise that it adds in training, 0 for none. Source: the layer's own."""
        return 0.0

    @property
    def conditions(self) -> int:
        """C, how many numbers a row is given beside x, by ``give``; 0 for none."""
        return 0

    def range(self, before: Range) -> Range:
        """The range of y, given that of x."""
        return None

    def draw(self, rows: Array, clock: Array) -> None:
        """Fill the noise buffers, (N K, ...), for the examples rows (N,) at that clock (4,), if
        there are any.

        Source: kernels/philox.py."""

    def give(self, c: Array) -> None:
        """What the next rows are given beside x, c (N, C), such as their labels: for a layer that
        has ``conditions``. Source: layers/given.py."""

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> y (N, *output). Source: the layer's own docstring."""
        raise NotImplementedError

    def backward(self, dy: Array) -> Array | None:
        """dy (N, *output) -> dx (N, *shape), or None where nobody needs it."""
        raise NotImplementedError


def declared_by(layer: Layer, shape: Shape) -> tuple[Shape, Declared]:
    """What ``layer.declare`` says for rows of that shape. Raises TypeError where it leaves
    something out, NotImplementedError for a method that the layer does."""
    calls = ("declare(shape)", "bind(backend, rows, need_dx)", "forward(x)", "backward(dy)")
    complete(layer, Layer, *calls)
    answer = layer.declare(shape)
    output, declared = answer if isinstance(answer, tuple) and len(answer) == 2 else (None, None)
    if not isinstance(output, (tuple, list)) or not isinstance(declared, dict):
        raise TypeError(
            f"{type(layer).__name__}.declare gives {answer!r}, but the shape of an output row and "
            "a dictionary of the parameters are expected"
        )
    if not hasattr(layer, "output"):
        raise TypeError(
            f"{type(layer).__name__}.declare sets no self.output: set it to the shape of an "
            "output row"
        )
    if not isinstance(layer.output, (tuple, list)) or tuple(layer.output) != tuple(output):
        raise TypeError(
            f"{type(layer).__name__}.declare gives {tuple(output)} as the shape of an output row, "
            f"but sets self.output to {layer.output!r}: set it to the same shape"
        )
    return tuple(output), declared


def require_fit(
    layer: Layer, method: str, given: Any, rows: int, shape: Shape, dtype: Any
) -> None:
    """Raise TypeError where a layer's forward or backward, handed so many rows, gives no array, or
    another number of rows, or rows of another shape or dtype than it is to."""
    name = f"{type(layer).__name__}.{method}"
    if not hasattr(given, "shape"):
        what = None if given is None else f"a {kind(given)}"
        raise TypeError(
            f"{name} gives {what}, but {'y' if method == 'forward' else 'dx'} is needed"
        )
    if given.shape[1:] != shape:
        raise TypeError(
            f"{name} gives an array of shape {given.shape}, but rows of shape {shape} are "
            "expected, as declare says"
        )
    if given.shape[:1] != (rows,):
        raise TypeError(
            f"{name} gives an array of shape {given.shape}, but it was handed {rows} rows: give "
            "one for each"
        )
    if given.dtype != dtype:
        raise TypeError(
            f"{name} gives {given.dtype}, but the model computes in {dtype}: np.sqrt(2) is a "
            "float64, float(np.sqrt(2)) is not"
        )


def require_views(layer: Layer) -> None:
    """Raise TypeError where another array stands in the place of what ``attach`` has handed
    over."""
    for name, view in (getattr(layer, "handed", None) or {}).items():
        if getattr(layer, name, view) is not view:
            raise TypeError(
                f"{type(layer).__name__}.{name} is another array than the one that the model "
                f"reads: write into that, self.{name}[...] = ..."
            )


def bind_network(layer: Layer, backend: Backend, rows: int, need_dx: bool) -> None:
    """Bind a layer that is a whole network, such as an encoder, for (rows, ...); one of the
    reader's own is looked at in its first pass, as Sequential does with the layers inside.
    Source: ``Layer``."""
    layer.bind(backend, rows, need_dx)
    if type(layer).__module__.partition(".")[0] != LIBRARY:
        FirstPass(layer, backend.dtype, need_dx)


class FirstPass:
    """What a layer's first forward and first backward give, looked at: raises TypeError as
    ``require_fit`` and ``require_views``. Shapes: see Layer.

    It stands in the place of the two methods until each was called once. Source: ``Layer``."""

    def __init__(self, layer: Any, dtype: Any, need_dx: bool):
        self.layer, self.dtype, self.need_dx = layer, dtype, need_dx
        self.inner = layer.forward, layer.backward
        layer.forward, layer.backward = self.forward, self.backward

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> y (N, *output). Source: the layer."""
        self.layer.forward, self.x_shape = self.inner[0], x.shape
        y = self.layer.forward(x)
        require_fit(self.layer, "forward", y, len(x), tuple(self.layer.output), self.dtype)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, *output) -> dx (N, *shape), or None where nobody needs it. Source: the layer."""
        self.layer.backward = self.inner[1]
        dx = self.layer.backward(dy)
        require_views(self.layer)
        if self.need_dx:
            require_fit(self.layer, "backward", dx, len(dy), self.x_shape[1:], self.dtype)
        return dx
