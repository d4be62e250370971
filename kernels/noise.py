"""Corruption and dropout: noise that lies in a buffer, applied to x, and what it lets through
backwards.

Whether a layer is noisy is one number, on, which a launch sets from the clock (4,) of the step:
inside a recorded CUDA graph nobody asks the host. Training has purpose 0, everything else another
(philox.py):

    on = 1 if purpose = 0, or always, else 0                                            (1)

With eps ~ N(0, 1), and u uniform in [0, 1) so that u < p has probability p:

    a = x + on sigma eps                                                                (2)
    y = min(max(a, low), high)                                                          (3)
    dx = dy where low <= a <= high, else 0                                              (4)

    m = 0 if u < p, else 1                                                              (5)
    f = c m if on, else 1                                                               (6)
    y = f x,   so dx = f dy                                                             (7)

    s = on if p / 2 <= u < p, else 0                                                    (8)
    y = f x + s with c = 1,   so dx = f dy                                              (9)

Gaussian noise is (2, 3); masking (7) with c = 1; dropout (7) with c = 1 / (1 - p), so that the
mean over m is x; salt and pepper (9): what is masked becomes 0 or 1 alike often. Where on = 0, y =
x to the bit in all of them, apart from (3). p is compared in float64, in which every u is exact:
the decisions are equal to the bit everywhere. A bound that is infinite clips nothing.

Source: Vincent et al., "Stacked denoising autoencoders", 2010, section 3.3 (2, 7, 9); Srivastava
et al., "Dropout", 2014, sections 4 and 10 (6, 7); PyTorch's ``clamp`` for the derivative at the
bounds (4).
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit


def gate(on, clock, always):
    """on (1,) <- clock (4,) uint32, constant: whether to be noisy whatever the purpose."""
    on[0] = clock[3] == 0 or always  # (1)


def gaussian_noise(y, x, eps, on, sigma, low, high):
    """y (n,) <- x, eps (n,), on (1,), constants: sigma, the bounds of y."""
    a = x + on * sigma * eps  # (2)
    y[...] = np.clip(a, low, high)  # (3)


def gaussian_noise_gradient(dx, dy, x, eps, on, sigma, low, high):
    """dx (n,) <- dy, x, eps (n,), on (1,), constants: sigma, the bounds of y."""
    a = x + on * sigma * eps  # (2)
    dx[...] = np.where((a < low) | (a > high), 0, dy)  # (4)


def _factor_numpy(u, on, p, c):
    m = u >= np.float64(p)  # (5)
    return np.where(on, c * m, 1)  # (6)


def mask(y, x, u, on, p, c):
    """y (n,) <- x, u (n,), on (1,), constants: the probability of 0, the factor of what stays."""
    y[...] = _factor_numpy(u, on, p, c) * x  # (7)


def salt_and_pepper(y, x, u, on, p):
    """y (n,) <- x, u (n,), on (1,), constant: the probability of becoming 0 or 1."""
    s = np.where((u >= np.float64(p / 2)) & (u < np.float64(p)), on, 0)  # (8)
    y[...] = _factor_numpy(u, on, p, 1) * x + s  # (9)


@jit
def _gaussian_noise(y, x, eps, on, sigma, low, high):
    real = x.dtype.type
    scale, least, most = on[0] * real(sigma), real(low), real(high)
    for i in range(x.size):
        a = x[i] + scale * eps[i]  # (2)
        y[i] = least if a < least else (most if a > most else a)  # (3)


@jit
def _gaussian_noise_gradient(dx, dy, x, eps, on, sigma, low, high):
    real = x.dtype.type
    scale, least, most, zero = on[0] * real(sigma), real(low), real(high), real(0)
    for i in range(x.size):
        a = x[i] + scale * eps[i]  # (2)
        dx[i] = zero if (a < least) | (a > most) else dy[i]  # (4)


@jit
def _factors(real, on, c):
    """f where m is 0 and where it is 1."""
    return (real(0), real(c)) if on != 0 else (real(1), real(1))  # (6)


@jit
def _mask(y, x, u, on, p, c):
    gone, stays = _factors(x.dtype.type, on[0], c)
    for i in range(x.size):
        y[i] = (gone if u[i] < p else stays) * x[i]  # (5) (7)


@jit
def _salt_and_pepper(y, x, u, on, p):
    gone, stays = _factors(x.dtype.type, on[0], 1)
    salt, none, half = on[0], x.dtype.type(0), p / 2
    for i in range(x.size):
        s = salt if (u[i] >= half) & (u[i] < p) else none  # (8)
        y[i] = (gone if u[i] < p else stays) * x[i] + s  # (5) (9)


def _gate_cuda(gpu, on, clock, always):
    gpu.each("gate", 1, on, clock, always)


def _gaussian_noise_cuda(gpu, y, x, eps, on, sigma, low, high):
    gpu.each("gaussian_noise", x.size, y, x, eps, on, sigma, low, high, x.size)


def _gaussian_noise_gradient_cuda(gpu, dx, dy, x, eps, on, sigma, low, high):
    gpu.each("gaussian_noise_gradient", x.size, dx, dy, x, eps, on, sigma, low, high, x.size)


def _mask_cuda(gpu, y, x, u, on, p, c):
    gpu.each("mask", x.size, y, x, u, on, p, c, x.size)


def _salt_and_pepper_cuda(gpu, y, x, u, on, p):
    gpu.each("salt_and_pepper", x.size, y, x, u, on, p, x.size)


GATE = Kernel(gate, None, _gate_cuda)
GAUSSIAN_NOISE = Kernel(gaussian_noise, _gaussian_noise, _gaussian_noise_cuda)
GAUSSIAN_NOISE_GRADIENT = Kernel(
    gaussian_noise_gradient, _gaussian_noise_gradient, _gaussian_noise_gradient_cuda
)
MASK = Kernel(mask, _mask, _mask_cuda)
SALT_AND_PEPPER = Kernel(salt_and_pepper, _salt_and_pepper, _salt_and_pepper_cuda)
