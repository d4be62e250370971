"""An LSTM through time: all its steps forward, and all of them backward, each of which needs the
one before.

At step t there are the state h_{t-1}, c_{t-1} of N rows, and x_t W, which is one product for all
t. The four gates i, f, g, o stand side by side in a (N, 4U), and one below the other in what comes
out (4, N, U), so that a loop over one of them is a long one. The equations carry the numbers of
layers/lstm.py, which has the others:

    a_t = x_t W + h_{t-1} R + b                                                         (1)
    i, f, o = sigmoid(a_i, a_f, a_o),   g = tanh(a_g)                                   (2)
    c_t = f c_{t-1} + i g                                                               (3)
    h_t = o tanh(c_t)                                                                   (4)

Backward, dh_t is dy_t at first, and dc the gradient by c_t that comes from step t + 1. The chain
rule through (1), (4), (3) and (2), with sigmoid' = s (1 - s) and tanh' = 1 - t^2 as functions of
their values, gives

    dh_t = dy_t + da_{t+1} R^T                                                          (5)
    dc <- dc + dh_t o (1 - tanh(c_t)^2)                                                 (6)
    da_o = dh_t tanh(c_t) o (1 - o)                                                     (7)
    da_i = dc g i (1 - i)                                                               (8)
    da_f = dc c_{t-1} f (1 - f)                                                         (9)
    da_g = dc i (1 - g^2)                                                               (10)
    dc <- dc f                               for the step before                        (11)

Where dy is that of the last step alone, dh is too, (1, N, U), and (5) has no dy_t for t < T.

tanh(c) is computed twice, which is cheaper than to keep it. No exponential overflows: as in
activation.py they are of -|a|. The loops go through their numbers several times, since a compiler
finds out for a few arrays at once only that they do not overlap. They multiply by R in tiles
(product.py), since it is the same in all steps. Scratch comes last: flat, as long as
``scratch_size`` says.

Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997 (3, 4); Gers, Schmidhuber,
Cummins, "Learning to forget", 2000, for the forget gate f; Werbos, "Backpropagation through time",
1990 (5).
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.copy import copy
from .machine.elementary import exp, expm1
from .machine.product import panel_size, panels, product, transposed_panels

ROWS, UNITS = 4, 128  # as in lstm.cu


def scratch_size(N, U, itemsize):
    """That of flat (scratch_size,) for N rows of U units: R in panels, da_t and dc."""
    return panel_size(4 * U, U, itemsize) + 5 * N * U


def _sigmoid_numpy(a):
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, e) / (1.0 + e)


def through_time(gates, c, h, a, R, b, flat):
    """gates (T, 4, N, U), c, h (1 + T, N, U) from step 1 on <- a (T, N, 4U), which is x W,
    R (U, 4U), b (4U,)."""
    for t in range(len(a)):
        total = a[t] + h[t] @ R + b  # (1)
        a_i, a_f, a_g, a_o = np.split(total, 4, axis=1)
        i, f, o = _sigmoid_numpy(a_i), _sigmoid_numpy(a_f), _sigmoid_numpy(a_o)  # (2)
        g = np.tanh(a_g)  # (2)
        gates[t] = i, f, g, o
        c[t + 1] = f * c[t] + i * g  # (3)
        h[t + 1] = o * np.tanh(c[t + 1])  # (4)


def through_time_gradient(da, dh, gates, c, R, flat):
    """da (T, N, 4U), dh (T or 1, N, U), which is dy on entry <- gates (T, 4, N, U), c (1 + T, N,
    U), R (U, 4U)."""
    T, every, dc = len(da), len(dh) == len(da), np.zeros_like(c[0])
    for t in reversed(range(T)):
        dh_t = dh[t if every else 0]
        if t < T - 1:
            dh_t[...] = (dh_t if every else 0) + da[t + 1] @ R.T  # (5)
        (i, f, g, o), tanh_c = gates[t], np.tanh(c[t + 1])
        da_i, da_f, da_g, da_o = np.split(da[t], 4, axis=1)
        dc = dc + dh_t * o * (1.0 - tanh_c * tanh_c)  # (6)
        da_o[...] = dh_t * tanh_c * o * (1.0 - o)  # (7)
        da_i[...] = dc * g * i * (1.0 - i)  # (8)
        da_f[...] = dc * c[t] * f * (1.0 - f)  # (9)
        da_g[...] = dc * i * (1.0 - g * g)  # (10)
        dc = dc * f  # (11)


@jit
def _sigmoid(a):
    zero, one = a.dtype.type(0), a.dtype.type(1)
    for k in range(a.shape[0]):
        e = exp(-abs(a[k]))
        a[k] = (one if a[k] >= zero else e) / (one + e)


@jit
def _tanh(a):
    zero, two = a.dtype.type(0), a.dtype.type(2)
    for k in range(a.shape[0]):
        e = expm1(-two * abs(a[k]))
        e = -e / (two + e)
        a[k] = e if a[k] > zero else -e


@jit
def _below(gates, a, b):
    """gates (4, N, U) <- a (N, 4U), which is side by side, + b (4U,)."""
    _, N, U = gates.shape
    for n in range(N):
        for gate in range(4):
            out, a_n, b_gate = (
                gates[gate, n],
                a[n, gate * U : (gate + 1) * U],
                b[gate * U : (gate + 1) * U],
            )
            for u in range(U):
                out[u] = a_n[u] + b_gate[u]  # (1)


@jit
def _beside(a, gates):
    """a (N, 4U) <- gates (4, N, U)."""
    _, N, U = gates.shape
    for n in range(N):
        for gate in range(4):
            copy(a[n, gate * U : (gate + 1) * U], gates[gate, n], U)


@jit
def _new_state(c, h, gates, before):
    """c, h (N U,) <- gates (4, N U), before (N U,)."""
    i, f, g, o = gates[0], gates[1], gates[2], gates[3]
    for k in range(c.shape[0]):
        c[k] = f[k] * before[k] + i[k] * g[k]  # (3)
    copy(h, c, len(c))
    _tanh(h)  # (4)
    for k in range(c.shape[0]):
        h[k] *= o[k]  # (4)


@jit
def _through_time(gates, c, h, a, R, b, flat):
    T, _, N, U = gates.shape
    rows, all_units = U * np.arange(N), np.zeros((1, 2), np.int64)
    size, at = panel_size(U, U, a.itemsize), 4 * U * np.arange(U)
    by_gate = flat[: 4 * size].reshape(4, size)
    for gate in range(4):
        panels(by_gate[gate], R.reshape(4 * U * U), at + gate * U, U)
    for t in range(T):
        _below(gates[t], a[t], b)  # (1)
        at_t, before = gates[t].reshape(4, N * U), h[t].reshape(N * U)
        for gate in range(4):
            product(at_t[gate], rows, before, rows, by_gate[gate], U, all_units, U, U, True)  # (1)
        _sigmoid(at_t[:2].reshape(2 * N * U))  # (2)
        _tanh(at_t[2])  # (2)
        _sigmoid(at_t[3])  # (2)
        _new_state(
            c[t + 1].reshape(N * U), h[t + 1].reshape(N * U), at_t, c[t].reshape(N * U)
        )  # (3) (4)


@jit
def _step_gradient(da, dc, dh, gates, c, before):
    """da (4, N U), dc (N U,) <- dc, dh (N U,), gates (4, N U), c, before (N U,)."""
    one, i, f, g, o = c.dtype.type(1), gates[0], gates[1], gates[2], gates[3]
    da_i, da_f, da_g, da_o = da[0], da[1], da[2], da[3]
    copy(da_o, c, len(c))
    _tanh(da_o)
    for k in range(c.shape[0]):
        dc[k] += dh[k] * o[k] * (one - da_o[k] * da_o[k])  # (6)
    for k in range(c.shape[0]):
        da_o[k] *= dh[k] * o[k] * (one - o[k])  # (7)
    for k in range(c.shape[0]):
        da_i[k] = dc[k] * g[k] * i[k] * (one - i[k])  # (8)
    for k in range(c.shape[0]):
        da_f[k] = dc[k] * before[k] * f[k] * (one - f[k])  # (9)
    for k in range(c.shape[0]):
        da_g[k] = dc[k] * i[k] * (one - g[k] * g[k])  # (10)
    for k in range(c.shape[0]):
        dc[k] *= f[k]  # (11)


@jit
def _through_time_gradient(da, dh, gates, c, R, flat):
    T, _, N, U = gates.shape
    every, rows = len(dh) == T, U * np.arange(N)
    size = panel_size(4 * U, U, R.itemsize)
    Rt, at_t = flat[:size], flat[size : size + 4 * N * U]
    dc = flat[size + 4 * N * U : size + 5 * N * U]
    start = np.zeros(1, np.int64)
    transposed_panels(Rt, R.reshape(1, U, 4 * U), start, start, 4 * U)
    by_gate = np.empty((4, 2), np.int64)
    for gate in range(4):
        by_gate[gate, 0], by_gate[gate, 1] = gate * N * U, gate * U
    dc[:] = 0
    for t in range(T - 1, -1, -1):
        dh_t = dh[t if every else 0].reshape(N * U)
        if t < T - 1:
            product(dh_t, rows, at_t, rows, Rt, 4 * U, by_gate, U, U, every)  # (5)
        past, state = c[t].reshape(N * U), c[t + 1].reshape(N * U)
        _step_gradient(
            at_t.reshape(4, N * U), dc, dh_t, gates[t].reshape(4, N * U), state, past
        )  # (6) (7) (8) (9) (10) (11)
        _beside(da[t], at_t.reshape(4, N, U))


def _rows(gpu, N):
    """Of a block: as few as leave no multiprocessor idle, and else as many as read R together."""
    return ROWS if gpu.multiprocessors < N else 1


def _through_time_cuda(gpu, gates, c, h, a, R, b, flat):
    T, _, N, U = gates.shape
    if U <= UNITS:
        rows = _rows(gpu, N)
        gpu.blocks("through_time", -(-N // rows), gates, c, h, a, R, b, rows, T, N, U)
        return
    r = flat[: 4 * N * U].reshape(N, 4 * U)
    for t in range(T):
        gpu.matmul(h[t], R, r)  # (1)
        gpu.each("lstm_gates", N * U, gates[t], c[t + 1], h[t + 1], a[t], r, b, c[t], N, U)


def _through_time_gradient_cuda(gpu, da, dh, gates, c, R, flat):
    T, _, N, U = gates.shape
    every = dh.shape[0] == T
    if U <= UNITS:
        Rt, rows = flat[: 4 * U * U], _rows(gpu, N)
        gpu.each("swap", 4 * U * U, Rt, R, U, 4 * U, 1)
        given = da, dh, gates, c, Rt, every, rows, T, N, U
        gpu.blocks("through_time_gradient", -(-N // rows), *given)
        return
    dc = flat[: N * U].reshape(N, U)
    for t in reversed(range(T)):
        dh_t, last = dh[t if every else 0], t == T - 1
        if not last:
            gpu.matmul(da[t + 1], R.T, dh_t, add=every)  # (5)
        gpu.each("lstm_gradient", N * U, da[t], dc, dh_t, gates[t], c[t + 1], c[t], last, N, U)


THROUGH_TIME = Kernel(through_time, _through_time, _through_time_cuda)
THROUGH_TIME_GRADIENT = Kernel(
    through_time_gradient, _through_time_gradient, _through_time_gradient_cuda
)
