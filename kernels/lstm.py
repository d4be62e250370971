"""The gates of an LSTM: one time step of it after its matrix products, forward and backward, each in one pass.

All numbers here are of one step t; the state before it is h' and c', and a has its four quarters a_i, a_f, a_g, a_o
side by side, (N, 4U). The equations carry the numbers of layers/lstm.py, which has the others:

    a = x W + r + b                          r = h' R, what the state before adds       (1)
    i, f, o = sigmoid(a_i, a_f, a_o),   g = tanh(a_g)                                   (2)
    c = f c' + i g                                                                      (3)
    h = o tanh(c)                                                                       (4)

Backward, dh is the gradient by h, complete, and dc that by c which comes from the step after. The chain rule
through (4), (3) and (2), with sigmoid' = s (1 - s) and tanh' = 1 - t^2 as functions of their values, gives

    dc + dh o (1 - tanh(c)^2)                in the place of dc, complete               (6)
    da_o = dh tanh(c) o (1 - o)                                                         (7)
    da_i = dc g i (1 - i)                                                               (8)
    da_f = dc c' f (1 - f)                                                              (9)
    da_g = dc i (1 - g^2)                                                               (10)
    dc' = dc f                               for the step before                        (11)

Forward, a holds x W on entry, and i, f, g, o on return, which backward reads. tanh(c) is computed twice, which is
cheaper than to keep it. No exponential overflows: as in activation.py they are of -|a|. The loops go through a row
several times, since a compiler finds out for a few arrays at once only that they do not overlap.

Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997 (3, 4); Gers, Schmidhuber, Cummins, "Learning to
forget", 2000, for the forget gate f.
"""

import numpy as np

from .elementary import exp, expm1
from .kernel import Kernel, jit


def _sigmoid_numpy(a):
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, e) / (1.0 + e)


def lstm_gates(a, c, h, r, b, c_before):
    """a (N, 4U), c, h (N, U) <- a, r (N, 4U), b (4U,), c_before (N, U)."""
    U = c.shape[1]
    total = a + r + b  # (1)
    a[...] = _sigmoid_numpy(total)  # (2)
    a[:, 2 * U : 3 * U] = np.tanh(total[:, 2 * U : 3 * U])  # (2)
    i, f, g, o = np.split(a, 4, axis=1)
    c[...] = f * c_before + i * g  # (3)
    h[...] = o * np.tanh(c)  # (4)


def lstm_gradient(da, dc_before, dh, dc, gates, c, c_before):
    """da (N, 4U), dc_before (N, U) <- dh, dc (N, U), gates (N, 4U), c, c_before (N, U)."""
    (i, f, g, o), t = np.split(gates, 4, axis=1), np.tanh(c)
    da_i, da_f, da_g, da_o = np.split(da, 4, axis=1)
    dc = dc + dh * o * (1.0 - t * t)  # (6)
    da_o[...] = dh * t * o * (1.0 - o)  # (7)
    da_i[...] = dc * g * i * (1.0 - i)  # (8)
    da_f[...] = dc * c_before * f * (1.0 - f)  # (9)
    da_g[...] = dc * i * (1.0 - g * g)  # (10)
    dc_before[...] = dc * f  # (11)


@jit
def _sigmoid_gate(a, r, b):
    zero, one = a.dtype.type(0), a.dtype.type(1)
    for k in range(a.shape[0]):
        total = a[k] + r[k] + b[k]  # (1)
        e = exp(-abs(total))
        a[k] = (one if total >= zero else e) / (one + e)  # (2)


@jit
def _tanh_gate(a, r, b):
    zero, two = a.dtype.type(0), a.dtype.type(2)
    for k in range(a.shape[0]):
        total = a[k] + r[k] + b[k]  # (1)
        t = expm1(-two * abs(total))
        t = -t / (two + t)
        a[k] = t if total > zero else -t  # (2)


@jit
def _tanh_of(t, c):
    zero, two = c.dtype.type(0), c.dtype.type(2)
    for u in range(c.shape[0]):
        e = expm1(-two * abs(c[u]))
        e = -e / (two + e)
        t[u] = e if c[u] > zero else -e


@jit
def _lstm_gates(a, c, h, r, b, c_before):
    N, U = c.shape
    for n in range(N):
        a_n, r_n, c_n, h_n, before = a[n], r[n], c[n], h[n], c_before[n]
        _sigmoid_gate(a_n[: 2 * U], r_n[: 2 * U], b[: 2 * U])  # (1) (2)
        _tanh_gate(a_n[2 * U : 3 * U], r_n[2 * U : 3 * U], b[2 * U : 3 * U])  # (1) (2)
        _sigmoid_gate(a_n[3 * U :], r_n[3 * U :], b[3 * U :])  # (1) (2)
        i, f, g, o = a_n[:U], a_n[U : 2 * U], a_n[2 * U : 3 * U], a_n[3 * U :]
        for u in range(U):
            c_n[u] = f[u] * before[u] + i[u] * g[u]  # (3)
        _tanh_of(h_n, c_n)
        for u in range(U):
            h_n[u] *= o[u]  # (4)


@jit
def _lstm_gradient(da, dc_before, dh, dc, gates, c, c_before):
    N, U = c.shape
    one = c.dtype.type(1)
    for n in range(N):
        da_n, gates_n, dh_n, dc_n, total, before = da[n], gates[n], dh[n], dc[n], dc_before[n], c_before[n]
        i, f, g, o = gates_n[:U], gates_n[U : 2 * U], gates_n[2 * U : 3 * U], gates_n[3 * U :]
        da_i, da_f, da_g, da_o = da_n[:U], da_n[U : 2 * U], da_n[2 * U : 3 * U], da_n[3 * U :]
        _tanh_of(da_o, c[n])
        for u in range(U):
            total[u] = dc_n[u] + dh_n[u] * o[u] * (one - da_o[u] * da_o[u])  # (6)
        for u in range(U):
            da_o[u] *= dh_n[u] * o[u] * (one - o[u])  # (7)
        for u in range(U):
            da_i[u] = total[u] * g[u] * i[u] * (one - i[u])  # (8)
        for u in range(U):
            da_f[u] = total[u] * before[u] * f[u] * (one - f[u])  # (9)
        for u in range(U):
            da_g[u] = total[u] * i[u] * (one - g[u] * g[u])  # (10)
        for u in range(U):
            total[u] *= f[u]  # (11)


def _lstm_gates_cuda(gpu, a, c, h, r, b, c_before):
    gpu.each("lstm_gates", c.size, a, c, h, r, b, c_before, *c.shape)


def _lstm_gradient_cuda(gpu, da, dc_before, dh, dc, gates, c, c_before):
    gpu.each("lstm_gradient", c.size, da, dc_before, dh, dc, gates, c, c_before, *c.shape)


LSTM_GATES = Kernel(lstm_gates, _lstm_gates, _lstm_gates_cuda)
LSTM_GRADIENT = Kernel(lstm_gradient, _lstm_gradient, _lstm_gradient_cuda)
