"""Penalties on a code h (N, D), each with its gradient: what keeps a code from copying where it is
wide.

Summed over the units of an example, with weight w in the loss of the example:

    v_n = sum_d |h_nd|                  dh_nd += w sign(h_nd)                           (1)
    v_n = sum_d log(1 + h_nd^2)         dh_nd += w 2 h_nd / (1 + h_nd^2)                (2)

(1) and (2) are -log of a Laplace and of a Student-t prior on the code, less their constants. A
target rate rho looks at a unit over the whole batch instead: its mean activity rho_d, of numbers
between 0 and 1, is to be rho, and KL_d = rho log(rho / rho_d) + (1 - rho) log((1 - rho) / (1 -
rho_d)) is the price:

    s_d = sum_n h_nd,   NaN if an h_nd is outside [0, 1];   rho_d = s_d / N             (3)
    dh_nd += w ((1 - rho) / (1 - rho_d) - rho / rho_d),   0 if rho_d <= LEAST or rho_d >= MOST  (4)

(4) is the gradient of N w KL_d, as all gradients here are of sums over the batch: d rho_d / d h_nd
is 1 / N. It reads total (k,), the sums over all shards: the count N first, the s_d from place
``first`` on. Sums are float64. A sigmoid that rounds to 0 or 1 for the whole batch has an infinite
KL_d, so rho_d is held between LEAST and MOST, and has no slope there.

Source: Olshausen and Field, "Emergence of simple-cell receptive field properties by learning a
sparse code for natural images", 1996 (1, 2); Ng, "Sparse autoencoder", CS294A lecture notes,
2011 (3, 4); Goodfellow, Bengio, Courville, "Deep Learning", 2016, section 14.2.1.
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit

LEAST, MOST = 1e-30, 1 - 1e-16  # of rho_d: float32 holds w rho / LEAST


def l1(v, h):
    """v (N,) <- h (N, D)."""
    v[...] = np.abs(h).sum(axis=1, dtype=np.float64)  # (1)


def l1_gradient(out, dh, h, w):
    """out (N, D) <- dh (N, D), h (N, D)."""
    out[...] = dh + w * np.sign(h)  # (1)


def student_t(v, h):
    """v (N,) <- h (N, D)."""
    v[...] = np.log1p(h * h).sum(axis=1, dtype=np.float64)  # (2)


def student_t_gradient(out, dh, h, w):
    """out (N, D) <- dh (N, D), h (N, D)."""
    out[...] = dh + w * (2.0 * h / (1.0 + h * h))  # (2)


def sum_units(s, h):
    """s (D,) float64 <- h (N, D)."""
    s[...] = np.where((h >= 0) & (h <= 1), h, np.nan).sum(axis=0, dtype=np.float64)  # (3)


def rate_gradient(out, dh, total, w, rho, first):
    """out (N, D) <- dh (N, D), total (k,) float64."""
    rate = total[first : first + out.shape[1]] / total[0]  # (3)
    held = (rate <= LEAST) | (rate >= MOST)
    rate[held] = 0.5  # any, there is no slope
    out[...] = dh + np.where(held, 0.0, w * ((1.0 - rho) / (1.0 - rate) - rho / rate))  # (4)


@jit
def _l1(v, h):
    for n in range(h.shape[0]):
        total = 0.0
        for d in range(h.shape[1]):
            total += abs(h[n, d])
        v[n] = total  # (1)


@jit
def _l1_gradient(out, dh, h, w):
    weight = h.dtype.type(w)
    for n in range(h.shape[0]):
        for d in range(h.shape[1]):
            out[n, d] = dh[n, d] + weight * np.sign(h[n, d])  # (1)


@jit
def _student_t(v, h):
    for n in range(h.shape[0]):
        total = 0.0
        for d in range(h.shape[1]):
            total += math.log1p(h[n, d] * h[n, d])
        v[n] = total  # (2)


@jit
def _student_t_gradient(out, dh, h, w):
    one, two = h.dtype.type(1), h.dtype.type(2.0 * w)
    for n in range(h.shape[0]):
        for d in range(h.shape[1]):
            out[n, d] = dh[n, d] + two * h[n, d] / (one + h[n, d] * h[n, d])  # (2)


@jit
def _sum_units(s, h):
    for d in range(h.shape[1]):
        s[d] = 0.0
    for n in range(h.shape[0]):
        h_n = h[n]
        for d in range(h.shape[1]):
            s[d] += h_n[d] if 0 <= h_n[d] <= 1 else np.nan  # (3)


@jit
def _rate_gradient(out, dh, total, w, rho, first):
    N = total[0]
    for d in range(out.shape[1]):
        rate = total[first + d] / N  # (3)
        held = rate <= LEAST or rate >= MOST
        pull = 0.0 if held else w * ((1.0 - rho) / (1.0 - rate) - rho / rate)  # (4)
        slope = out.dtype.type(pull)
        for n in range(out.shape[0]):
            out[n, d] = dh[n, d] + slope  # (4)


def _row_cuda(name):
    def value(gpu, v, h):
        gpu.blocks(name, h.shape[0], v, h, *h.shape)  # (1) (2)

    def gradient(gpu, out, dh, h, w):
        gpu.each(f"{name}_gradient", out.size, out, dh, h, w, out.size)  # (1) (2)

    return value, gradient


def _sum_units_cuda(gpu, s, h):
    gpu.columns("sum_units", h.shape[1], s, h, *h.shape)  # (3)


def _rate_gradient_cuda(gpu, out, dh, total, w, rho, first):
    gpu.each("rate_gradient", out.size, out, dh, total, w, rho, first, *out.shape)  # (3) (4)


_L1_CUDA, _STUDENT_T_CUDA = _row_cuda("l1"), _row_cuda("student_t")
L1 = Kernel(l1, _l1, _L1_CUDA[0])
L1_GRADIENT = Kernel(l1_gradient, _l1_gradient, _L1_CUDA[1])
STUDENT_T = Kernel(student_t, _student_t, _STUDENT_T_CUDA[0])
STUDENT_T_GRADIENT = Kernel(student_t_gradient, _student_t_gradient, _STUDENT_T_CUDA[1])
SUM_UNITS = Kernel(sum_units, _sum_units, _sum_units_cuda)
RATE_GRADIENT = Kernel(rate_gradient, _rate_gradient, _rate_gradient_cuda)
