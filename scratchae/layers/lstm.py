"""Long short-term memory: a recurrent layer, and backpropagation through time."""

from functools import partial

from ..backend import Array, Backend
from ..checks import flag, positive
from ..initializers import Initializer, glorot_uniform, lstm_bias, orthogonal
from ..kernels.activation import ACTIVATION_GRADIENT
from ..kernels.lstm import THROUGH_TIME, THROUGH_TIME_GRADIENT, scratch_size
from ..kernels.swap import SWAP
from ..parameters import Declared
from ..settings import Fixed
from . import arguments
from .base import Layer, Range, Shape


class LSTM(Layer):
    """A state that is carried through time, and three gates that say what enters it, stays in it,
    leaves it.

    Shapes: x (N, T, I), W (I, 4U), R (U, 4U), b (4U,), h_t and c_t (N, U); y (N, T, U) holds every
    h_t if sequences, else y (N, U) is the last one, h_T. Products are of matrices, or element by
    element within a gate. For t = 1 ... T, with h_0 = c_0 = 0 and a_t = (a_i, a_f, a_g, a_o) side
    by side,

        a_t = x_t W + h_{t-1} R + b                        x_t W in one product for all t   (1)
        i, f, o = sigmoid(a_i, a_f, a_o),   g = tanh(a_g)  input, forget, output; candidate (2)
        c_t = f c_{t-1} + i g                                                               (3)
        h_t = o tanh(c_t)                                                                   (4)

    Backward, t = T ... 1. h_t goes to y_t and, by (1), into a_{t+1}; c_t goes into h_t and, by
    (3), into c_{t+1}. After the last step nothing comes back: da_{T+1} = dc_T = 0 to begin with.
    Without sequences dy_t = 0 for t < T.

        dh_t = dy_t + da_{t+1} R^T                         both ways of h_t                 (5)
        dc_t <- dc_t + dh_t o (1 - tanh(c_t)^2)            both ways of c_t                 (6)
        da_o = dh_t tanh(c_t) o (1 - o)                    (4); sigmoid' = s (1 - s)        (7)
        da_i = dc_t g i (1 - i)                            (3) for i                        (8)
        da_f = dc_t c_{t-1} f (1 - f)                      (3) for f                        (9)
        da_g = dc_t i (1 - g^2)                            (3) for g; tanh' = 1 - tanh^2    (10)
        dc_{t-1} = dc_t f                                  (3) for c_{t-1}                  (11)

    All steps share W, R and b, so their gradients are sums over t, each one product of all steps
    at once:

        db_j = sum_t sum_n (da_t)_nj                                                        (12)
        dW = sum_t x_t^T da_t                                                               (13)
        dR = sum_t h_{t-1}^T da_t                                                           (14)
        dx_t = da_t W^T                                                                     (15)

    Within, time is first: the numbers of one step lie together, step t of N rows at t N ... (t +
    1) N.
    init, init_r, init_b: how W, R and b are drawn; the forget gate starts open, with b_f = 1, or
    the state is halved at every step. Raises ValueError for sizes below 1, for sequences that is
    no bool, for an input that is not (N, T, I). Source: Hochreiter and Schmidhuber, "Long
    short-term memory", 1997; Gers, Schmidhuber, Cummins, "Learning to forget", 2000 (the forget
    gate, and the gradient in full); Werbos, "Backpropagation through time", 1990; Jozefowicz,
    Zaremba, Sutskever, "An empirical exploration of recurrent network architectures", 2015 (b_f =
    1).
    """

    W: Array
    R: Array
    b: Array
    dW: Array
    dR: Array
    db: Array
    inputs, units, sequences = Fixed(positive), Fixed(positive), Fixed(flag)
    init, init_r, init_b = (Fixed(arguments.initializer) for _ in range(3))

    def __init__(
        self,
        inputs: int,
        units: int,
        sequences: bool,
        init: Initializer = glorot_uniform,
        init_r: Initializer = orthogonal,
        init_b: Initializer = lstm_bias,
    ):
        self.inputs, self.units, self.sequences = inputs, units, sequences
        self.init, self.init_r, self.init_b = init, init_r, init_b

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(T, I) -> ((T, U) or (U,), {W, R, b}). Raises ValueError for another shape."""
        I, U = self.inputs, self.units
        arguments.rows(f"LSTM({I}, {U}, {self.sequences})", shape, f"steps {I}")
        self.shape, self.output = shape, (shape[0], U) if self.sequences else (U,)
        return self.output, {
            "W": ((I, 4 * U), partial(self.init, (I, 4 * U), I, 4 * U)),
            "R": ((U, 4 * U), partial(self.init_r, (U, 4 * U), U, 4 * U)),
            "b": ((4 * U,), partial(self.init_b, (4 * U,), I, 4 * U)),
        }

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers (T rows, ...) with time first, y (rows, *output), dx (rows, T, I)."""
        (T, I), U, empty = self.shape, self.units, backend.empty
        self.rows, self.matmul = rows, backend.matmul
        self.swap, self.column_sums = backend.op(SWAP), backend.op(ACTIVATION_GRADIENT["identity"])
        self.through_time, self.gradient = (
            backend.op(THROUGH_TIME),
            backend.op(THROUGH_TIME_GRADIENT),
        )
        self.x, self.gates = empty((T * rows, I)), empty((T * rows, 4 * U))
        self.a = empty((T * rows, 4 * U))  # x W, and then da
        self.c, self.h = backend.zeros(((1 + T) * rows, U)), backend.zeros(((1 + T) * rows, U))
        self.dh = empty((T * rows if self.sequences else rows, U))
        self.y = empty((rows, *self.output))
        self.dx_t = empty((T * rows, I)) if need_dx else None
        self.dx = empty((rows, T, I)) if need_dx else None
        self.flat = empty((scratch_size(rows, U, backend.dtype.itemsize),))

    def range(self, before: Range) -> Range:
        """h = o tanh(c) lies in (-1, 1). Source: (4)."""
        return -1.0, 1.0

    def forward(self, x: Array) -> Array:
        """x (N, T, I) -> y (N, T, U) or (N, U)."""
        (N, T, I), U = x.shape, self.units
        x_t, a, c, h = (
            self.x[: T * N],
            self.a[: T * N],
            self._states(self.c, N),
            self._states(self.h, N),
        )
        self.swap(x_t.reshape(T, N, I), x)
        self.matmul(x_t, self.W, out=a)  # (T N, I) (I, 4U) -> (T N, 4U)    (1)
        gates = self.gates[: T * N].reshape(T, 4, N, U)
        self.through_time(
            gates, c, h, a.reshape(T, N, 4 * U), self.R, self.b, self.flat
        )  # (1) (2) (3) (4)
        y, S = self.y[:N], T if self.sequences else 1  # steps that y is of
        self.swap(y.reshape(N, S, U), h[1 + T - S :])
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, T, U) or (N, U) -> dx (N, T, I)."""
        N, (T, I), U = dy.shape[0], self.shape, self.units
        x_t, da, c, h = (
            self.x[: T * N],
            self.a[: T * N],
            self._states(self.c, N),
            self._states(self.h, N),
        )
        S = T if self.sequences else 1
        gates, dh = self.gates[: T * N].reshape(T, 4, N, U), self.dh[: S * N].reshape(S, N, U)
        self.swap(dh, dy.reshape(N, S, U))
        self.gradient(
            da.reshape(T, N, 4 * U), dh, gates, c, self.R, self.flat
        )  # (5) (6) (7) (8) (9) (10) (11)
        self.column_sums(da, self.db, da, da, self.add)  # (12)
        if self.trainable:
            h_before = h[:T].reshape(T * N, U)
            # (I, T N) (T N, 4U) -> (I, 4U)
            self.matmul(x_t.T, da, out=self.dW, add=self.add)  # (13)
            # (U, T N) (T N, 4U) -> (U, 4U)
            self.matmul(h_before.T, da, out=self.dR, add=self.add)  # (14)
        if self.dx is None or self.dx_t is None:
            return None
        dx, dx_t = self.dx[:N], self.dx_t[: T * N]
        self.matmul(da, self.W.T, out=dx_t)  # (T N, 4U) (4U, I) -> (T N, I)    (15)
        self.swap(dx, dx_t.reshape(T, N, I))
        return dx

    def _states(self, buffer: Array, N: int) -> Array:
        """Steps 0 ... T of N rows, (1 + T, N, U). Step 0 ends where that of all rows ends: it
        stays 0."""
        T = self.shape[0]
        return buffer[self.rows - N : self.rows + T * N].reshape(1 + T, N, self.units)
