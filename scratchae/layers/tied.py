"""The fully connected layer that leads back through the matrix of another one."""

from collections.abc import Iterable
from functools import partial

from ..backend import Array, Backend
from ..initializers import Initializer, zeros
from ..kernels.activation import ACTIVATION_GRADIENT, BIAS_ACTIVATION
from ..parameters import Declared
from ..settings import Fixed
from . import arguments
from .base import Layer, Range, Shape
from .dense import Dense


def _dense(what: str, of: Dense) -> Dense:
    """The layer itself. Raises TypeError for another one."""
    if not isinstance(of, Dense):
        raise TypeError(
            f"{what} is {of!r}, but a Dense layer of the same model is expected: code = "
            "Dense(784, 64), then Tied(code)"
        )
    return of


def resolve_ties(layers: Iterable[Layer]) -> None:
    """Let every Dense and Tied of a model, in order of x, know who writes dW first.

    Raises ValueError for a Tied whose Dense does not stand before it. Source: Tied (5)."""
    before: dict[int, Dense] = {}
    last: dict[int, Tied] = {}
    for layer in layers:
        if isinstance(layer, Dense):
            before[id(layer)], layer.shared = layer, False
        if isinstance(layer, Tied):
            if id(layer.of) not in before:
                raise ValueError(
                    f"this Tied is of a Dense({layer.of.inputs}, {layer.of.outputs}) that does "
                    "not stand before it in the same model: put that very layer into the encoder, "
                    "and Tied of it into the decoder"
                )
            layer.of.shared, layer.assigns, last[id(layer.of)] = True, False, layer
    for layer in last.values():
        layer.assigns = True


class Tied(Layer):
    """The transpose of a Dense layer that stands before it, of whose W it makes use: y = phi(x
    W^T + b).

        code = Dense(784, 64, "sigmoid")
        encoder = Sequential(Flatten(), code)
        decoder = Sequential(Tied(code, "sigmoid"), Reshape(28, 28, 1))

    Shapes: x (N, O), W (I, O), which is of.W, b (I,), the only parameter of its own, y (N, I).

        a = x W^T                                                                       (1)
        y = phi(a + b)                            bias and activation, one pass         (2)
        da = dy phi'                              phi' as a function of y               (3)
        db_i = sum_n da_ni                        since da_ni / db_i = 1                (4)
        dW_io = sum_n da_ni x_no + what ``of`` itself gives W,   dW = da^T x + ...      (5)
        dx_no = sum_i da_ni W_io,   dx = da W                                           (6)

    What stands later comes first backwards: this layer assigns dW, and ``of`` adds to it (of
    several tied to one layer, the last assigns). activation: as for Dense. init_b: how b is drawn,
    from (I,) and the fans O, I. Raises TypeError for what is no Dense; ValueError for an unknown
    activation, an input that is not (N, O), and, when the model is built, a Dense that does not
    stand before it in the same model.
    Source: Vincent et al., "Stacked denoising autoencoders", 2010, section 2, W' = W^T; Rifai et
    al., "Contractive auto-encoders", 2011.
    """

    b: Array
    db: Array
    of = Fixed(_dense)
    activation, init_b = Fixed(arguments.activation), Fixed(arguments.initializer)
    assigns: bool = False  # the first of all that write dW, backwards

    def __init__(self, of: Dense, activation: str = "identity", init_b: Initializer = zeros):
        self.of, self.activation, self.init_b = of, activation, init_b

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(O,) -> ((I,), {b}). Raises ValueError as the class says."""
        I, O = self.of.inputs, self.of.outputs
        if shape != (O,):
            raise ValueError(
                f"Tied(Dense({I}, {O})) is handed rows of shape {shape}, but it takes ({O},): "
                "mend the number, or put Flatten() before it"
            )
        self.shape, self.output = shape, (I,)
        return self.output, {"b": ((I,), partial(self.init_b, (I,), O, I))}

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, da (rows, I) and dx (rows, O)."""
        self.matmul = backend.matmul
        self.bias_activation = backend.op(BIAS_ACTIVATION[self.activation])
        self.activation_gradient = backend.op(ACTIVATION_GRADIENT[self.activation])
        self.y = backend.empty((rows, *self.output))
        self.da = None if self.activation == "identity" else backend.empty((rows, *self.output))
        self.dx = backend.empty((rows, *self.shape)) if need_dx else None

    def range(self, before: Range) -> Range:
        """That of the activation. Source: kernels/activation.py."""
        return arguments.RANGES[self.activation]

    def forward(self, x: Array) -> Array:
        """x (N, O) -> y (N, I)."""
        self.x, y = x, self.y[: x.shape[0]]
        self.matmul(x, self.of.W.T, out=y)  # (N, O) (O, I) -> (N, I)    (1)
        self.bias_activation(y, self.b)  # (2)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, I) -> dx (N, O)."""
        N = dy.shape[0]
        da = dy if self.da is None else self.da[:N]
        self.activation_gradient(da, self.db, dy, self.y[:N], self.add)  # (3) (4)
        if self.of.trainable:
            add = self.add or not self.assigns
            self.matmul(da.T, self.x, out=self.of.dW, add=add)  # (I, N) (N, O) -> (I, O)    (5)
        if self.dx is None:
            return None
        dx = self.dx[:N]
        self.matmul(da, self.of.W, out=dx)  # (N, I) (I, O) -> (N, O)    (6)
        return dx
