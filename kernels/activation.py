"""An affine layer's last touch: bias and activation in one pass, and their gradients in one pass.
(2) to (4) carry the numbers of layers/dense.py and layers/conv.py, which have the products.

    y = phi(a + b)                         a: the product x W, rows of O columns        (2)
    da = dy phi'                           phi' written as a function of y              (3)
    db = sum over rows of da                                                            (4)

    identity    phi(a) = a                          phi' = 1                            (5)
    relu        phi(a) = max(a, 0)                  phi' = 1 if y > 0 else 0            (6)
    leaky relu  phi(a) = a if a > 0 else s a        phi' = 1 if y > 0 else s            (7)
    tanh        phi(a) = tanh(a)                    phi' = 1 - y^2                      (8)
    sigmoid     phi(a) = 1 / (1 + exp(-a))          phi' = y (1 - y)                    (9)
    softplus    phi(a) = log(1 + exp(a))            phi' = 1 - exp(-y)                  (10)

Since y > 0 where a > 0, and only there, in (6) and (7), and y is one-to-one with a in (8) to (10),
the pre-activation need not be kept. At the kink of (6) and (7) the derivative is taken from the
left. No exponential overflows: (9) and (10) use e = exp(-|a|), for instance log(1 + exp(a)) =
max(a, 0) + log1p(e).

y holds a on entry. For the identity da is dy itself and is not written. With add, db is added to,
not assigned; the sums run in float64, by fours.

Source: Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors", 1986
(2-4, 9); Glorot, Bordes, Bengio, "Deep sparse rectifier neural networks", 2011 (6, 10); Maas,
Hannun, Ng, "Rectifier nonlinearities improve neural network acoustic models", 2013 (7, with s =
0.01).
"""

from typing import Any

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.elementary import exp, expm1, log1p_unit

LEAK = 0.01  # s in (7), the value of the paper


def _sigmoid_numpy(a):
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, e) / (1.0 + e)  # (9)


# name: (phi of a, phi' of y)
DEFINITIONS: dict[str, Any] = {
    "identity": (lambda a: a, lambda y: np.ones_like(y)),  # (5)
    "relu": (lambda a: np.maximum(a, 0.0), lambda y: np.where(y > 0, 1.0, 0.0)),  # (6)
    "leaky_relu": (
        lambda a: np.where(a > 0, a, LEAK * a),
        lambda y: np.where(y > 0, 1.0, LEAK),
    ),  # (7)
    "tanh": (np.tanh, lambda y: 1.0 - y * y),  # (8)
    "sigmoid": (_sigmoid_numpy, lambda y: y * (1.0 - y)),  # (9)
    "softplus": (
        lambda a: np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a))),
        lambda y: -np.expm1(-y),
    ),  # (10)
}


def _definitions(name):
    phi, dphi = DEFINITIONS[name]

    def bias_activation(y, b):
        """y (N, O) <- phi(y + b), b (O,)."""
        y[...] = phi(y + b)  # (2)

    def activation_gradient(da, db, dy, y, add):
        """da (N, O), db (O,) <- dy (N, O), y (N, O)."""
        gradient = dy if name == "identity" else dy * dphi(y)  # (3)
        if name != "identity":
            da[...] = gradient
        total = gradient.sum(axis=0, dtype=np.float64)  # (4)
        db[...] = db + total if add else total

    return bias_activation, activation_gradient


@jit
def _column_sums(db, da, add):
    N, O = da.shape
    total = np.zeros(O)
    for n in range(0, N - N % 4, 4):
        r0, r1, r2, r3 = da[n], da[n + 1], da[n + 2], da[n + 3]
        for o in range(O):
            total[o] += (r0[o] + r1[o]) + (r2[o] + r3[o])  # (4)
    for n in range(N - N % 4, N):
        for o in range(O):
            total[o] += da[n, o]  # (4)
    for o in range(O):
        db[o] = db[o] + total[o] if add else total[o]


@jit
def _identity(y, b):
    for n in range(y.shape[0]):
        y_n = y[n]
        for o in range(b.shape[0]):
            y_n[o] += b[o]  # (2) (5)


@jit
def _identity_gradient(da, db, dy, y, add):
    _column_sums(db, dy, add)  # (3) (4) (5)


@jit
def _relu(y, b):
    zero = y.dtype.type(0)
    for n in range(y.shape[0]):
        y_n = y[n]
        for o in range(b.shape[0]):
            a = y_n[o] + b[o]
            y_n[o] = zero if a < zero else a  # (2) (6), and a NaN stays one


@jit
def _relu_gradient(da, db, dy, y, add):
    zero = y.dtype.type(0)
    for n in range(dy.shape[0]):
        da_n, dy_n, y_n = da[n], dy[n], y[n]
        for o in range(db.shape[0]):
            da_n[o] = dy_n[o] if y_n[o] > zero else zero  # (3) (6)
    _column_sums(db, da, add)  # (4)


@jit
def _leaky_relu(y, b):
    zero, leak = y.dtype.type(0), y.dtype.type(LEAK)
    for n in range(y.shape[0]):
        y_n = y[n]
        for o in range(b.shape[0]):
            a = y_n[o] + b[o]
            y_n[o] = a if a > zero else leak * a  # (2) (7)


@jit
def _leaky_relu_gradient(da, db, dy, y, add):
    zero, leak = y.dtype.type(0), y.dtype.type(LEAK)
    for n in range(dy.shape[0]):
        da_n, dy_n, y_n = da[n], dy[n], y[n]
        for o in range(db.shape[0]):
            da_n[o] = dy_n[o] if y_n[o] > zero else leak * dy_n[o]  # (3) (7)
    _column_sums(db, da, add)  # (4)


@jit
def _tanh(y, b):
    zero, two = y.dtype.type(0), y.dtype.type(2)
    for n in range(y.shape[0]):
        y_n = y[n]
        for o in range(b.shape[0]):
            a = y_n[o] + b[o]
            t = expm1(-two * abs(a))
            t = -t / (two + t)
            y_n[o] = t if a > zero else -t  # (2) (8)


@jit
def _tanh_gradient(da, db, dy, y, add):
    one = y.dtype.type(1)
    for n in range(dy.shape[0]):
        da_n, dy_n, y_n = da[n], dy[n], y[n]
        for o in range(db.shape[0]):
            da_n[o] = dy_n[o] * (one - y_n[o] * y_n[o])  # (3) (8)
    _column_sums(db, da, add)  # (4)


@jit
def _sigmoid(y, b):
    zero, one = y.dtype.type(0), y.dtype.type(1)
    for n in range(y.shape[0]):
        y_n = y[n]
        for o in range(b.shape[0]):
            a = y_n[o] + b[o]
            e = exp(-abs(a))
            y_n[o] = (one if a >= zero else e) / (one + e)  # (2) (9)


@jit
def _sigmoid_gradient(da, db, dy, y, add):
    one = y.dtype.type(1)
    for n in range(dy.shape[0]):
        da_n, dy_n, y_n = da[n], dy[n], y[n]
        for o in range(db.shape[0]):
            da_n[o] = dy_n[o] * (y_n[o] * (one - y_n[o]))  # (3) (9)
    _column_sums(db, da, add)  # (4)


@jit
def _softplus(y, b):
    zero = y.dtype.type(0)
    for n in range(y.shape[0]):
        y_n = y[n]
        for o in range(b.shape[0]):
            a = y_n[o] + b[o]
            y_n[o] = (zero if a < zero else a) + log1p_unit(exp(-abs(a)))  # (2) (10)


@jit
def _softplus_gradient(da, db, dy, y, add):
    for n in range(dy.shape[0]):
        da_n, dy_n, y_n = da[n], dy[n], y[n]
        for o in range(db.shape[0]):
            da_n[o] = -dy_n[o] * expm1(-y_n[o])  # (3) (10)
    _column_sums(db, da, add)  # (4)


LOOPS = {
    "identity": (_identity, _identity_gradient),
    "relu": (_relu, _relu_gradient),
    "leaky_relu": (_leaky_relu, _leaky_relu_gradient),
    "tanh": (_tanh, _tanh_gradient),
    "sigmoid": (_sigmoid, _sigmoid_gradient),
    "softplus": (_softplus, _softplus_gradient),
}

ROWS, BLOCKS = 256, 1024  # of a part, at least; of a launch, at most where there are several parts


def _launches(name):
    def bias_activation(gpu, y, b):
        gpu.each(f"bias_{name}", y.size, y, b, *y.shape)

    def activation_gradient(gpu, da, db, dy, y, add):
        N, O = dy.shape
        columns = gpu.tile(O)
        tiles = -(-O // columns)
        parts = max(1, min(N // ROWS, BLOCKS // tiles, gpu.partials.size // O))
        grid, shape = (tiles, parts), (N, O, parts, columns)
        gpu.blocks(f"{name}_gradient", grid, da, db, gpu.partials, dy, y, add, *shape)  # (3) (4)
        if parts > 1:
            gpu.blocks("add_partials", tiles, db, gpu.partials, add, *shape[1:])  # (4)

    return bias_activation, activation_gradient


def _kernels(i):
    return {
        name: Kernel(_definitions(name)[i], LOOPS[name][i], _launches(name)[i]) for name in LOOPS
    }


BIAS_ACTIVATION, ACTIVATION_GRADIENT = _kernels(0), _kernels(1)
