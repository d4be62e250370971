"""The protocol of a layer."""

from ..backend import Array, Backend
from ..parameters import Declared, Views
from ..settings import Configured, Flag

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
    the first writer assigns, and where ``add`` is set they are added. trainable = False freezes
    the layer: its parameters stay as they are, and gradients that nobody needs are not computed.
    Arguments of the constructor are settings (settings.py). Source: the split is llm.c's
    forward/backward pairs over one block of memory.
    """

    trainable = Flag(True)
    add: bool = False
    shape: Shape  # of one input row, known after declare
    output: Shape  # of one output row, known after declare

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """Input shape of one row -> (output shape, parameters). Raises ValueError for a shape that
        does not fit. Source: flax's shape inference, said out loud."""
        raise NotImplementedError(f"{type(self).__name__} does not say declare(shape)")

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
        for name, value in values.items():
            setattr(self, name, value)
        for name, grad in grads.items():
            setattr(self, "d" + name, grad)

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Make the buffers, (rows, ...), and choose the kernels; dx is computed only if needed."""
        raise NotImplementedError(
            f"{type(self).__name__} does not say bind(backend, rows, need_dx)"
        )

    @property
    def noise(self) -> float:
        """The amount of noise that it adds in training, 0 for none. Source: the layer's own."""
        return 0.0

    def range(self, before: Range) -> Range:
        """The range of y, given that of x."""
        return None

    def draw(self, rows: Array, clock: Array) -> None:
        """Fill the noise buffers, for the examples rows (N,) at that clock (4,), if there are any.

        Source: kernels/philox.py."""

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> y (N, *output). Source: the layer's own docstring."""
        raise NotImplementedError(f"{type(self).__name__} does not say forward(x)")

    def backward(self, dy: Array) -> Array | None:
        """dy (N, *output) -> dx (N, *shape), or None where nobody needs it."""
        raise NotImplementedError(f"{type(self).__name__} does not say backward(dy)")


def declared_by(layer: Layer, shape: Shape) -> tuple[Shape, Declared]:
    """What ``layer.declare`` says for rows of that shape. Raises TypeError where it leaves
    something out."""
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
    return tuple(output), declared
