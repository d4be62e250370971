"""A batch is made: rows of a data set are gathered, scaled and, if asked, binarised in one pass.

Images stay uint8 in memory, g in 0..255; x is what the model sees:

    x = g / 255                             grey                                        (1)
    x = 1 if g / 255 > 1/2 else 0           threshold                                   (2)
    x = 1 if 255 u < g else 0               dynamic: u uniform in [0, 1), drawn anew    (3)
    x = g                                   values that are floating point already      (4)
    row_n = order[t B + first + n]          the rows of batch t, of B examples          (5)

255 is divided by as one rounded reciprocal, the same in every spelling. (3) makes every grey value
the probability of ink; its u is Philox's at (pixel, row, epoch, stream), so it changes with the
epoch and with nothing else. u has 24 bits, so 255 u is exact in float64 and no pixel hangs on a
rounding. In (5) order is that of an epoch, and t is read from memory, so that a recorded launch
goes on from batch to batch; a shard begins at first.

Source: Salakhutdinov and Murray, "On the quantitative analysis of deep belief networks", 2008 (3);
TensorFlow's tutorial "Convolutional variational autoencoder" (2).
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit

WHITE = 255
UNIT = 1 / 255  # times 255 it is exactly 1, in float32 as in float64


def gather_grey(x, data, rows):
    """x (N, D) <- rows (N,) of data (M, D) uint8."""
    x[...] = data[rows] * x.dtype.type(UNIT)  # (1)


def gather_threshold(x, data, rows):
    """x (N, D) <- rows (N,) of data (M, D) uint8."""
    x[...] = data[rows] / WHITE > 0.5  # (2)


def gather_dynamic(x, data, rows, u):
    """x (N, D) <- rows (N,) of data (M, D) uint8, and u (N, D) in [0, 1)."""
    x[...] = WHITE * u.astype(np.float64) < data[rows]  # (3)


def gather_values(x, data, rows):
    """x (N, D) <- rows (N,) of data (M, D) floating point."""
    x[...] = data[rows]  # (4)


def take(rows, order, state, first, batch):
    """rows (N,) uint32 <- order (M,) uint32, state (2,) int32 = (t, ...), constants: where to
    begin, B."""
    start = int(state[0]) * batch + first
    rows[...] = order[start : start + len(rows)]  # (5)


@jit
def _gather_grey(x, data, rows):
    unit = x.dtype.type(UNIT)
    for n in range(x.shape[0]):
        g = data[rows[n]]
        for d in range(x.shape[1]):
            x[n, d] = x.dtype.type(g[d]) * unit  # (1)


@jit
def _gather_threshold(x, data, rows):
    for n in range(x.shape[0]):
        g = data[rows[n]]
        for d in range(x.shape[1]):
            x[n, d] = 2 * np.int32(g[d]) > WHITE  # (2)


@jit
def _gather_dynamic(x, data, rows, u):
    for n in range(x.shape[0]):
        g = data[rows[n]]
        for d in range(x.shape[1]):
            x[n, d] = WHITE * np.float64(u[n, d]) < g[d]  # (3)


@jit
def _gather_values(x, data, rows):
    for n in range(x.shape[0]):
        g = data[rows[n]]
        for d in range(x.shape[1]):
            x[n, d] = g[d]  # (4)


@jit
def _take(rows, order, state, first, batch):
    start = state[0] * batch + first
    for n in range(rows.shape[0]):
        rows[n] = order[start + n]  # (5)


def _gather_grey_cuda(gpu, x, data, rows):
    gpu.each("gather_grey", x.size, x, data, rows, *x.shape, UNIT)


def _gather_threshold_cuda(gpu, x, data, rows):
    gpu.each("gather_threshold", x.size, x, data, rows, *x.shape, WHITE)


def _gather_dynamic_cuda(gpu, x, data, rows, u):
    gpu.each("gather_dynamic", x.size, x, data, rows, u, *x.shape, WHITE)


def _gather_values_cuda(gpu, x, data, rows):
    name = "gather_values_float" if data.dtype == np.float32 else "gather_values_double"
    gpu.each(name, x.size, x, data, rows, *x.shape)


def _take_cuda(gpu, rows, order, state, first, batch):
    gpu.each("take", rows.size, rows, order, state, first, batch, rows.size)


GATHER_GREY = Kernel(gather_grey, _gather_grey, _gather_grey_cuda)
GATHER_THRESHOLD = Kernel(gather_threshold, _gather_threshold, _gather_threshold_cuda)
GATHER_DYNAMIC = Kernel(gather_dynamic, _gather_dynamic, _gather_dynamic_cuda)
GATHER_VALUES = Kernel(gather_values, _gather_values, _gather_values_cuda)
TAKE = Kernel(take, _take, _take_cuda)
