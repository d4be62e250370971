"""What a row is given beside x, put at its end, and taken off again on the way back.

Rows x (M, I) belong to N = M / K examples, row m to example m // K, which is given c (N, C):

    y_m = [x_m | c_(m // K)]                                                            (1)
    dx_m = the first I of dy_m                  no gradient goes to what is given       (2)

A label is given as the unit vector of its class,

    c_nj = 1 if label_(row_n) = j else 0                                                (3)

An affine layer after (1) has W = [W_x over W_c], so that y W + b = x W_x + (b + c W_c): with (3) a
bias of its own for each class.

Source: Sohn, Lee, Yan, "Learning structured output representation using deep conditional
generative models", 2015, section 4; Bishop 2006, section 4.1.3 (3).
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit


def join(y, x, c):
    """y (N K, I + C) <- x (N K, I), c (N, C)."""
    inputs = x.shape[1]
    y[:, :inputs] = x  # (1)
    y[:, inputs:] = np.repeat(c, len(x) // max(len(c), 1), axis=0)  # (1)


def split(dx, dy):
    """dx (M, I) <- dy (M, I + C)."""
    dx[...] = dy[:, : dx.shape[1]]  # (2)


def one_hot(c, labels, rows):
    """c (N, C) <- labels (M, 1) floating point, rows (N,) of them."""
    c[...] = labels[rows] == np.arange(c.shape[1])  # (3)


@jit
def _join(y, x, c):
    inputs, K = x.shape[1], x.shape[0] // max(c.shape[0], 1)
    for m in range(x.shape[0]):
        y_m, x_m, c_n = y[m], x[m], c[m // K]
        for i in range(inputs):
            y_m[i] = x_m[i]  # (1)
        for j in range(c.shape[1]):
            y_m[inputs + j] = c_n[j]  # (1)


@jit
def _split(dx, dy):
    for m in range(dx.shape[0]):
        dx_m, dy_m = dx[m], dy[m]
        for i in range(dx.shape[1]):
            dx_m[i] = dy_m[i]  # (2)


@jit
def _one_hot(c, labels, rows):
    for n in range(c.shape[0]):
        label = labels[rows[n], 0]
        for j in range(c.shape[1]):
            c[n, j] = label == j  # (3)


def _join_cuda(gpu, y, x, c):
    M, inputs = x.shape
    gpu.each("join", y.size, y, x, c, M, inputs, c.shape[1], M // max(c.shape[0], 1))


def _split_cuda(gpu, dx, dy):
    gpu.each("split", dx.size, dx, dy, *dx.shape, dy.shape[1])


def _one_hot_cuda(gpu, c, labels, rows):
    name = "one_hot_float" if labels.dtype == np.float32 else "one_hot_double"
    gpu.each(name, c.size, c, labels, rows, *c.shape)


JOIN = Kernel(join, _join, _join_cuda)
SPLIT = Kernel(split, _split, _split_cuda)
ONE_HOT = Kernel(one_hot, _one_hot, _one_hot_cuda)
