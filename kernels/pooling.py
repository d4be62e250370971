"""Max pooling and nearest-neighbour upsampling: one pixel out of many, many pixels out of one.

A window of kh kw pixels at output position (p, q) starts at row p s_h - top and column q s_w -
left of the image x (N, H, W, C); what lies outside counts as minus infinity:

    y[n, p, q, c] = max over i, j of x[n, p s_h + i - top, q s_w + j - left, c]         (1)
    winner[n, p, q, c] = i kw + j             of that maximum; of equal ones the first  (2)

A NaN is larger than any number, and of several the last one wins. The derivative of a maximum is 1
where the winner stands and 0 elsewhere; where windows overlap, a pixel may have won several:

    dx[n, p s_h + i - top, q s_w + j - left, c] += dy[n, p, q, c]   where winner = i kw + j  (3)

Upsampling repeats each pixel f_h times downwards and f_w times to the right; its adjoint adds them
up:

    y[n, h f_h + a, w f_w + b, c] = x[n, h, w, c]                   a < f_h, b < f_w    (4)
    dx[n, h, w, c] = sum over a, b of dy[n, h f_h + a, w f_w + b, c]                    (5)

The winner is one byte, so a window has at most 256 pixels; at least one of them is inside the
image. The loop of (3) asks each pixel of a window whether it won: unlike a scatter by index, this
vectorises over c. The other sizes, f_h and f_w among them, are those of the arrays.

Source: Ranzato, Huang, Boureau, LeCun, "Unsupervised learning of invariant feature hierarchies
with applications to object recognition", 2007 (1, 2); PyTorch's ``max_pool2d`` for ties and
NaN (2, 3); Odena, Dumoulin, Olah, "Deconvolution and checkerboard artifacts", 2016 (4).
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit


def _padded(x, value, P, Q, kh, kw, s_h, s_w, top, left):
    """A copy of x (N, H, W, C) within a border of that value, of the size that the windows
    span."""
    _, H, W, _ = x.shape
    bottom, right = max(0, (P - 1) * s_h + kh - top - H), max(0, (Q - 1) * s_w + kw - left - W)
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)


def max_pool(y, winner, x, kh, kw, s_h, s_w, top, left):
    """y, winner (N, P, Q, C) <- x (N, H, W, C), constants: size of a window, strides, padding."""
    _, P, Q, _ = y.shape
    padded = _padded(x, -np.inf, P, Q, kh, kw, s_h, s_w, top, left)
    i0, j0 = np.maximum(top - s_h * np.arange(P), 0), np.maximum(left - s_w * np.arange(Q), 0)
    y[...] = -np.inf
    winner[...] = (i0[:, None] * kw + j0)[..., None]  # the first inside, should all be -inf
    for i in range(kh):
        for j in range(kw):
            v = padded[:, i : i + P * s_h : s_h, j : j + Q * s_w : s_w]
            wins = (v > y) | np.isnan(v)
            y[...] = np.where(wins, v, y)  # (1)
            winner[...] = np.where(wins, i * kw + j, winner)  # (2)


def max_pool_gradient(dx, dy, winner, kh, kw, s_h, s_w, top, left):
    """dx (N, H, W, C) <- dy, winner (N, P, Q, C), constants: size of a window, strides,
    padding."""
    _, H, W, _ = dx.shape
    _, P, Q, _ = dy.shape
    padded = _padded(np.zeros_like(dx), 0, P, Q, kh, kw, s_h, s_w, top, left)
    for i in range(kh):
        for j in range(kw):
            won = np.where(winner == i * kw + j, dy, 0)
            padded[:, i : i + P * s_h : s_h, j : j + Q * s_w : s_w] += won  # (3)
    dx[...] = padded[:, top : top + H, left : left + W]


def upsample(y, x):
    """y (N, H f_h, W f_w, C) <- x (N, H, W, C)."""
    f_h, f_w = y.shape[1] // x.shape[1], y.shape[2] // x.shape[2]
    y[...] = x.repeat(f_h, axis=1).repeat(f_w, axis=2)  # (4)


def upsample_gradient(dx, dy):
    """dx (N, H, W, C) <- dy (N, H f_h, W f_w, C)."""
    N, H, W, C = dx.shape
    dx[...] = dy.reshape(N, H, dy.shape[1] // H, W, dy.shape[2] // W, C).sum(
        axis=(2, 4), dtype=np.float64
    )  # (5)


@jit
def _max_pool(y, winner, x, kh, kw, s_h, s_w, top, left):
    _, H, W, _ = x.shape
    N, P, Q, C = y.shape
    for n in range(N):
        for p in range(P):
            for q in range(Q):
                h, w = p * s_h - top, q * s_w - left
                i0, i1 = max(0, -h), min(kh, H - h)  # the i and j inside the image
                j0, j1 = max(0, -w), min(kw, W - w)
                k = np.uint8(i0 * kw + j0)
                for c in range(C):
                    y[n, p, q, c] = x[n, h + i0, w + j0, c]
                    winner[n, p, q, c] = k
                for i in range(i0, i1):
                    for j in range(j0, j1):
                        k = np.uint8(i * kw + j)
                        for c in range(C):
                            # before the choice: a read that depends on it is a masked one
                            best, before = y[n, p, q, c], winner[n, p, q, c]
                            v = x[n, h + i, w + j, c]
                            wins = (v > best) | (v != v)
                            y[n, p, q, c] = v if wins else best  # (1)
                            winner[n, p, q, c] = k if wins else before  # (2)


@jit
def _max_pool_gradient(dx, dy, winner, kh, kw, s_h, s_w, top, left):
    _, H, W, _ = dx.shape
    N, P, Q, C = dy.shape
    zero = dy.dtype.type(0)
    for n in range(N):
        dx[n] = zero
        for p in range(P):
            for q in range(Q):
                h, w = p * s_h - top, q * s_w - left
                for i in range(max(0, -h), min(kh, H - h)):
                    for j in range(max(0, -w), min(kw, W - w)):
                        k = np.uint8(i * kw + j)
                        for c in range(C):
                            won = dy[n, p, q, c] if winner[n, p, q, c] == k else zero
                            dx[n, h + i, w + j, c] += won  # (3)


@jit
def _upsample(y, x):
    N, H, W, C = x.shape
    f_h, f_w = y.shape[1] // H, y.shape[2] // W
    for n in range(N):
        for h in range(H):
            for a in range(f_h):
                for w in range(W):
                    for b in range(f_w):
                        for c in range(C):
                            y[n, h * f_h + a, w * f_w + b, c] = x[n, h, w, c]  # (4)


@jit
def _upsample_gradient(dx, dy):
    N, H, W, C = dx.shape
    f_h, f_w = dy.shape[1] // H, dy.shape[2] // W
    for n in range(N):
        for h in range(H):
            for w in range(W):
                for c in range(C):
                    dx[n, h, w, c] = 0
                for a in range(f_h):
                    for b in range(f_w):
                        for c in range(C):
                            dx[n, h, w, c] += dy[n, h * f_h + a, w * f_w + b, c]  # (5)


def _max_pool_cuda(gpu, y, winner, x, kh, kw, s_h, s_w, top, left):
    gpu.each(
        "max_pool", y.size, y, winner, x, *x.shape, *y.shape[1:3], kh, kw, s_h, s_w, top, left
    )


def _max_pool_gradient_cuda(gpu, dx, dy, winner, kh, kw, s_h, s_w, top, left):
    constants = (*dx.shape, *dy.shape[1:3], kh, kw, s_h, s_w, top, left)
    gpu.each("max_pool_gradient", dx.size, dx, dy, winner, *constants)


def _upsample_cuda(gpu, y, x):
    f_h, f_w = y.shape[1] // x.shape[1], y.shape[2] // x.shape[2]
    gpu.each("upsample", y.size, y, x, *x.shape, f_h, f_w)


def _upsample_gradient_cuda(gpu, dx, dy):
    f_h, f_w = dy.shape[1] // dx.shape[1], dy.shape[2] // dx.shape[2]
    gpu.each("upsample_gradient", dx.size, dx, dy, *dx.shape, f_h, f_w)


MAX_POOL = Kernel(max_pool, _max_pool, _max_pool_cuda)
MAX_POOL_GRADIENT = Kernel(max_pool_gradient, _max_pool_gradient, _max_pool_gradient_cuda)
UPSAMPLE = Kernel(upsample, _upsample, _upsample_cuda)
UPSAMPLE_GRADIENT = Kernel(upsample_gradient, _upsample_gradient, _upsample_gradient_cuda)
