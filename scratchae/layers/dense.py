"""The fully connected layer."""

from functools import partial

from ..backend import Array, Backend
from ..checks import positive
from ..initializers import Initializer, glorot_uniform, zeros
from ..kernels.activation import ACTIVATION_GRADIENT, BIAS_ACTIVATION
from ..parameters import Declared
from ..settings import Fixed
from . import arguments
from .base import Layer, Range, Shape


class Dense(Layer):
    """Every output sees every input: y = phi(x W + b).

    Shapes: x (N, I), W (I, O), b (O,), y (N, O).

        a = x W                                                                         (1)
        y = phi(a + b)                            bias and activation, one pass         (2)
        da = dy phi'                              phi' as a function of y               (3)
        db_o = sum_n da_no                        since b_o is added in every row       (4)
        dW_io = sum_n x_ni da_no,   dW = x^T da                                         (5)
        dx_ni = sum_o da_no W_io,   dx = da W^T                                         (6)

    dv is the derivative of the summed loss by v, in the shape of v; da is that by a + b. If a Tied
    layer shares W, its backward pass runs first and has already written its part of dW;
    (5) then adds to it. activation: identity, relu, leaky_relu, tanh, sigmoid, softplus. init,
    init_b: how W and b are drawn. Raises ValueError for sizes below 1, an unknown activation, an
    input that is not (N, I).
    Source: Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors",
    1986.
    """

    W: Array
    b: Array
    dW: Array
    db: Array
    inputs, outputs = Fixed(positive), Fixed(positive)
    activation = Fixed(arguments.activation)
    init, init_b = Fixed(arguments.initializer), Fixed(arguments.initializer)
    shared: bool = False  # a Tied layer uses W too, and has written dW first

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: str = "identity",
        init: Initializer = glorot_uniform,
        init_b: Initializer = zeros,
    ):
        self.inputs, self.outputs = inputs, outputs
        self.activation = activation
        self.init, self.init_b = init, init_b

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(I,) -> ((O,), {W, b}). Raises ValueError for another shape."""
        if shape != (self.inputs,):
            each = ""
            if len(shape) == 2:  # (steps, features)
                each = (
                    f", or take Conv1d({shape[1]}, {self.outputs}, 1), a Dense at each of the "
                    f"{shape[0]} steps"
                )
            raise ValueError(
                f"Dense({self.inputs}, {self.outputs}) is handed rows of shape {shape}, but it "
                f"takes ({self.inputs},): mend the number, or put Flatten() before it{each}"
            )
        self.shape, self.output = shape, (self.outputs,)
        I, O = self.inputs, self.outputs
        return self.output, {
            "W": ((I, O), partial(self.init, (I, O), I, O)),
            "b": ((O,), partial(self.init_b, (O,), I, O)),
        }

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, da (rows, O) and dx (rows, I)."""
        self.matmul = backend.matmul
        self.bias_activation = backend.op(BIAS_ACTIVATION[self.activation])
        self.activation_gradient = backend.op(ACTIVATION_GRADIENT[self.activation])
        self.y = backend.empty((rows, self.outputs))
        self.da = None if self.activation == "identity" else backend.empty((rows, self.outputs))
        self.dx = backend.empty((rows, self.inputs)) if need_dx else None

    def range(self, before: Range) -> Range:
        """That of the activation. Source: kernels/activation.py."""
        return arguments.RANGES[self.activation]

    def forward(self, x: Array) -> Array:
        """x (N, I) -> y (N, O)."""
        N = x.shape[0]
        self.x, y = x, self.y[:N]
        self.matmul(x, self.W, out=y)  # (N, I) (I, O) -> (N, O)    (1)
        self.bias_activation(y, self.b)  # (2)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, O) -> dx (N, I)."""
        N = dy.shape[0]
        da = dy if self.da is None else self.da[:N]
        self.activation_gradient(da, self.db, dy, self.y[:N], self.add)  # (3) (4)
        if self.trainable:
            add = self.add or self.shared
            self.matmul(self.x.T, da, out=self.dW, add=add)  # (I, N) (N, O) -> (I, O)    (5)
        if self.dx is None:
            return None
        dx = self.dx[:N]
        self.matmul(da, self.W.T, out=dx)  # (N, O) (O, I) -> (N, I)    (6)
        return dx
