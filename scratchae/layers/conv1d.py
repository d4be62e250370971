"""Convolution over time, and its adjoint: the layers of conv.py on images of height 1."""

from functools import partial
from typing import Any

from ..backend import Array, Backend
from ..checks import positive, whole
from ..initializers import Initializer, glorot_uniform, zeros
from ..parameters import Declared, Views
from ..settings import Fixed
from . import arguments
from .base import Layer, Range, Shape
from .conv import Conv2d, ConvTranspose2d


def _padding(what: str, value: Any) -> Any:
    """The padding itself. Raises ValueError for what is none."""
    if isinstance(value, str) and value in ("valid", "same"):
        return value
    two = value if isinstance(value, (tuple, list)) else (value, value)
    if len(two) != 2 or not all(whole(v, 0) for v in two):
        raise ValueError(
            f"{what} is {value!r}, but it must be 'valid', 'same', one or two whole numbers >= 0"
        )
    return tuple(int(v) for v in two) if isinstance(value, (tuple, list)) else int(value)


def _in_the_plane(padding: Any) -> Any:
    """A padding of time as that of an image of height 1: (top, bottom, left, right), or its
    name."""
    if isinstance(padding, str):
        return padding
    return (0, 0, *padding) if isinstance(padding, tuple) else (0, 0, padding, padding)


class _Convolution1d(Layer):
    """A sequence (N, T, C) is an image (N, 1, T, C), a kernel of k times one of 1 x k pixels.

    y = the layer of the plane at x                                                     (1)
    dx, dW, db = its gradients                                                          (2)
    """

    kind: type[Conv2d] | type[ConvTranspose2d]
    plane: Conv2d | ConvTranspose2d  # known after declare
    W: Array
    b: Array
    dW: Array
    db: Array
    inputs, outputs, kernel, stride = (Fixed(positive) for _ in range(4))
    padding, activation = Fixed(_padding), Fixed(arguments.activation)
    init, init_b = Fixed(arguments.initializer), Fixed(arguments.initializer)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        padding: Any = "valid",
        activation: str = "identity",
        init: Initializer = glorot_uniform,
        init_b: Initializer = zeros,
    ):
        self.inputs, self.outputs, self.kernel, self.stride = inputs, outputs, kernel, stride
        self.padding, self.activation, self.init, self.init_b = padding, activation, init, init_b

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(time, inputs) -> ((time, outputs), {W, b}). Raises ValueError for another shape.
        Source: geometry.py."""
        name = f"{type(self).__name__}({self.inputs}, {self.outputs})"
        arguments.rows(name, shape, f"time {self.inputs}")
        self.shape = shape
        steps = (1, self.kernel), (1, self.stride), _in_the_plane(self.padding)
        self.plane = self.kind(
            self.inputs, self.outputs, *steps, self.activation, self.init, self.init_b
        )
        output, declared = self.plane.declare((1, *shape))
        self.output = output[1:]
        weights, fans = (
            declared["W"][0][1:],
            (self.kernel * self.inputs, self.kernel * self.outputs),
        )
        return self.output, declared | {"W": (weights, partial(self.init, weights, *fans))}

    def attach(self, values: Views, grads: Views) -> None:
        """Keep W (k, ., .) and b (.,), and hand the plane W as (1, k, ., .)."""
        super().attach(values, grads)
        self.plane.attach(_of_the_plane(values), _of_the_plane(grads))

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """The buffers of the plane, (rows, 1, ., .). Source: conv.py."""
        self.plane.bind(backend, rows, need_dx)

    def range(self, before: Range) -> Range:
        """That of the activation. Source: kernels/activation.py."""
        return arguments.RANGES[self.activation]

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> y (N, *output)."""
        y = self.plane.forward(x.reshape(x.shape[0], 1, *self.shape))  # (1)
        return y.reshape(y.shape[0], *self.output)

    def backward(self, dy: Array) -> Array | None:
        """dy (N, *output) -> dx (N, *shape)."""
        self.plane.trainable, self.plane.add = self.trainable, self.add
        dx = self.plane.backward(dy.reshape(dy.shape[0], 1, *self.output))  # (2)
        return None if dx is None else dx.reshape(dx.shape[0], *self.shape)


class Conv1d(_Convolution1d):
    """Every output time is an affine function of one window of the sequence, the same everywhere.

    Shapes: x (N, T, C), W (k, C, O), b (O,), y (N, P, O).

        y[n, p, o] = phi(sum over i, c of W[i, c, o] x[n, p s + i - before, c] + b[o])

    where x is 0 outside the sequence; the gradients are those of Conv2d with one pixel of height.
    padding: "valid", "same" (TensorFlow's rule), a whole number, or (before, after). Raises
    ValueError for sizes that do not fit.
    Source: Waibel et al., "Phoneme recognition using time-delay neural networks", 1989; conv.py.
    """

    kind = Conv2d


class ConvTranspose1d(_Convolution1d):
    """The exact adjoint of a Conv1d of the same geometry: every input time paints one window.

    Shapes: x (N, P, C), W (k, O, C), b (O,), y (N, T, O).

        y[n, t, o] = phi(sum over i, c of W[i, o, c] x[n, p, c] + b[o])   at p s + i - before = t

    The gradients are those of ConvTranspose2d with one pixel of height. padding is that of the
    convolution: "same" gives T = P s; (1, 0) with k = 3 and s = 2 is PyTorch's padding=1,
    output_padding=1. Raises ValueError for sizes that do not fit. Source: Dumoulin and Visin 2016,
    chapter 4; conv.py.
    """

    kind = ConvTranspose2d


def _of_the_plane(views: Views) -> Views:
    """W (k, ., .) as (1, k, ., .), the same memory; b as it is."""
    return {
        name: view.reshape(1, *view.shape) if name == "W" else view for name, view in views.items()
    }
