"""The contraction of a code: how far it moves when its input does, and the gradient of that.

For one layer h = phi(x W + b), phi a sigmoid or tanh, x (N, I), W (I, O), h (N, O), the Jacobian
is dh_nj / dx_ni = s_nj W_ij with the slope s = phi', a function of h: with the constant b = 1 for
the sigmoid and b = 0 for tanh, a = 1 - b,

    s = a + b h - h^2                             h (1 - h), or 1 - h^2                 (1)
    q_j = sum_i W_ij^2                                                                  (2)
    v_n = ||J_n||^2 = sum_j s_nj^2 q_j            the squared Frobenius norm            (3)

and for w sum_n v_n, through h, with ds/dh = b - 2h, and straight through W, which stands in q:

    dh_nj += 2 w s_nj (b - 2 h_nj) q_j                                                  (4)
    c_j = sum_n s_nj^2                                                                  (5)
    dW_ij += 2 w W_ij c_j                                                               (6)

Sums over units and rows run in float64.

Source: Rifai, Vincent, Muller, Glorot, Bengio, "Contractive auto-encoders: explicit invariance
during feature extraction", 2011, the penalty and its closed form for the sigmoid (1 to 3).
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit


def squared_columns(q, W):
    """q (O,) float64 <- W (I, O)."""
    q[...] = (W * W).sum(axis=0, dtype=np.float64)  # (2)


def contraction(v, h, q, b):
    """v (N,) <- h (N, O), q (O,) float64."""
    s = (1.0 - b) + b * h - h * h  # (1)
    v[...] = (s * s * q).sum(axis=1, dtype=np.float64)  # (3)


def contraction_gradient(out, dh, h, q, w, b):
    """out (N, O) <- dh (N, O), h (N, O), q (O,) float64."""
    s = (1.0 - b) + b * h - h * h  # (1)
    out[...] = dh + 2.0 * w * s * (b - 2.0 * h) * q  # (4)


def squared_slopes(c, h, b):
    """c (O,) float64 <- h (N, O)."""
    s = (1.0 - b) + b * h - h * h  # (1)
    c[...] = (s * s).sum(axis=0, dtype=np.float64)  # (5)


def contraction_weights(dW, W, c, w):
    """dW (I, O), added to, <- W (I, O), c (O,) float64."""
    dW[...] += 2.0 * w * W * c  # (6)


@jit
def _squared_columns(q, W):
    for j in range(W.shape[1]):
        q[j] = 0.0
    for i in range(W.shape[0]):
        W_i = W[i]
        for j in range(W.shape[1]):
            q[j] += W_i[j] * W_i[j]  # (2)


@jit
def _contraction(v, h, q, b):
    B = h.dtype.type(b)
    A = h.dtype.type(1) - B
    for n in range(h.shape[0]):
        total = 0.0
        for j in range(h.shape[1]):
            s = A + B * h[n, j] - h[n, j] * h[n, j]  # (1)
            total += s * s * q[j]
        v[n] = total  # (3)


@jit
def _contraction_gradient(out, dh, h, q, w, b):
    B, two = h.dtype.type(b), h.dtype.type(2)
    A = h.dtype.type(1) - B
    for n in range(h.shape[0]):
        for j in range(h.shape[1]):
            s = A + B * h[n, j] - h[n, j] * h[n, j]  # (1)
            out[n, j] = dh[n, j] + s * (B - two * h[n, j]) * h.dtype.type(2.0 * w * q[j])  # (4)


@jit
def _squared_slopes(c, h, b):
    B = h.dtype.type(b)
    A = h.dtype.type(1) - B
    for j in range(h.shape[1]):
        c[j] = 0.0
    for n in range(h.shape[0]):
        h_n = h[n]
        for j in range(h.shape[1]):
            s = A + B * h_n[j] - h_n[j] * h_n[j]  # (1)
            c[j] += s * s  # (5)


@jit
def _contraction_weights(dW, W, c, w):
    for i in range(W.shape[0]):
        for j in range(W.shape[1]):
            dW[i, j] += W[i, j] * W.dtype.type(2.0 * w * c[j])  # (6)


def _squared_columns_cuda(gpu, q, W):
    gpu.columns("squared_columns", W.shape[1], q, W, *W.shape)  # (2)


def _contraction_cuda(gpu, v, h, q, b):
    gpu.blocks("contraction", h.shape[0], v, h, q, b, *h.shape)  # (1) (3)


def _contraction_gradient_cuda(gpu, out, dh, h, q, w, b):
    gpu.each("contraction_gradient", out.size, out, dh, h, q, w, b, *out.shape)  # (1) (4)


def _squared_slopes_cuda(gpu, c, h, b):
    gpu.columns("squared_slopes", h.shape[1], c, h, b, *h.shape)  # (1) (5)


def _contraction_weights_cuda(gpu, dW, W, c, w):
    gpu.each("contraction_weights", dW.size, dW, W, c, w, *dW.shape)  # (6)


SQUARED_COLUMNS = Kernel(squared_columns, _squared_columns, _squared_columns_cuda)
CONTRACTION = Kernel(contraction, _contraction, _contraction_cuda)
CONTRACTION_GRADIENT = Kernel(
    contraction_gradient, _contraction_gradient, _contraction_gradient_cuda
)
SQUARED_SLOPES = Kernel(squared_slopes, _squared_slopes, _squared_slopes_cuda)
CONTRACTION_WEIGHTS = Kernel(contraction_weights, _contraction_weights, _contraction_weights_cuda)
