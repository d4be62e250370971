"""One row as many equal ones: what hands a code to a decoder of sequences."""

from ..backend import Array, Backend
from ..checks import positive
from ..kernels.pooling import UPSAMPLE, UPSAMPLE_GRADIENT
from ..parameters import Declared
from ..settings import Fixed
from . import arguments
from .base import Layer, Range, Shape


class Repeat(Layer):
    """The same numbers at each of T times: y[n, t] = x[n].

    Shapes: x (N, D), y (N, T, D).

        y[n, t, d] = x[n, d]                      t < T                                 (4)
        dx[n, d] = sum over t of dy[n, t, d]                                            (5)

    It is the upsampling of an image of one pixel, T times downwards: kernels/pooling.py.
    Raises ValueError for T below 1, and for rows that are not (D,). Source: Srivastava,
    Mansimov, Salakhutdinov, "Unsupervised learning of video representations using LSTMs",
    2015, section 2; Keras' ``RepeatVector``.
    """

    T = Fixed(positive)

    def __init__(self, T: int):
        self.T = T

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(D,) -> ((T, D), no parameters). Raises ValueError for another shape."""
        arguments.rows(f"Repeat({self.T})", shape, "D", "Flatten()")
        self.shape, self.output = shape, (self.T, shape[0])
        return self.output, {}

    def range(self, before: Range) -> Range:
        """That of x. Source: (4)."""
        return before

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y (rows, T, D) and dx (rows, D)."""
        self.upsample, self.upsample_gradient = backend.op(UPSAMPLE), backend.op(UPSAMPLE_GRADIENT)
        self.y = backend.empty((rows, *self.output))
        self.dx = backend.empty((rows, *self.shape)) if need_dx else None

    def forward(self, x: Array) -> Array:
        """x (N, D) -> y (N, T, D)."""
        N, D = x.shape
        y = self.y[:N]
        self.upsample(y.reshape(N, self.T, 1, D), x.reshape(N, 1, 1, D))  # (4)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, T, D) -> dx (N, D)."""
        if self.dx is None:
            return None
        N, T, D = dy.shape
        dx = self.dx[:N]
        self.upsample_gradient(dx.reshape(N, 1, 1, D), dy.reshape(N, T, 1, D))  # (5)
        return dx
