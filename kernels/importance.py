"""K samples of a Gaussian latent, weighed by how likely they make x: log q - log p of each, the
importance weights with the bound that they give, and the gradient by h under any weights.

Rows n K + k of z, eps (N K, D), nll and r (N K,) belong to example n, whose h (N, 2D) holds mu and
logvar = log sigma^2; z = mu + sigma eps, sigma = exp(logvar / 2). With q = N(mu, sigma^2), p =
N(0, I), log w = log p(x|z) + log p(z) - log q(z|x) and nll = -log p(x|z):

    r = log q(z|x) - log p(z) = sum_d (z^2 - eps^2 - logvar) / 2                        (1)
    log w = -(nll + r),   top = max_k log w_k                                           (2)
    s = sum_k exp(log w_k - top)                                                        (3)
    bound = -log(1/K sum_k w_k) = log K - top - log s                                   (4)
    W_k = w_k / sum_j w_j = exp(log w_k - top) / s, or 0 where that is below LEAST      (5)

top keeps (3) between 1 and K, however small the likelihoods are. What LEAST leaves out is beyond
the digits of a gradient; without it, products of such W are numbers below the smallest normal one,
each of which costs a processor a hundred times the time of another. As d bound = -sum_k W_k d log
w_k, its gradient is that of sum_k W_k (nll_k + r_k) with W held: a product of each row of an
array y (M, C) with its weight,

    out = W y                                                                           (6)

and the gradient of <dz, z> + sum_m W_m r_m by h. r depends on z, and on h besides: through both,

    g = dz + W z                                as dr/dz = z with mu, sigma held        (7)
    dmu = sum_k g                                                                       (8)
    dlogvar = sum_k (g eps sigma - W) / 2       as dz/dlogvar = eps sigma / 2           (9)

where eps^2 in (1) stays as it is. Along the path alone, with log q(.|x) held as a function of z,

    g = dz + W (z - eps / sigma)                as d log q/dz = -(z - mu) / sigma^2     (10)
    dmu = sum_k g                                                                       (11)
    dlogvar = sum_k g eps sigma / 2                                                     (12)

What (10) leaves out, W times the derivative of log q by its own mu and logvar, has mean zero over
z ~ q where W is constant.

Source: Burda, Grosse, Salakhutdinov, "Importance weighted autoencoders", 2016, eq. 8 (4) and 14
(5); Roeder, Wu, Duvenaud, "Sticking the landing", 2017, eq. 7 (10).
"""

import math

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.elementary import exp

LEAST = 2.0**-50  # so small that its square is a normal number in float32 too


def gaussian_ratio(r, z, h, eps):
    """r (N K,) <- z (N K, D), h (N, 2D), eps (N K, D)."""
    D = z.shape[1]
    logvar = np.repeat(h[:, D:], z.shape[0] // max(h.shape[0], 1), axis=0)
    r[...] = ((z * z - eps * eps - logvar) / 2).sum(axis=1, dtype=np.float64)  # (1)


def importance_weights(w, bound, nll, r):
    """w (N K,), bound (N,) <- nll, r (N K,)."""
    log_w = -(nll.astype(np.float64) + r).reshape(bound.shape[0], -1)
    top = log_w.max(axis=1)  # (2)
    scaled = np.exp(log_w - top[:, None])
    s = scaled.sum(axis=1)  # (3)
    bound[...] = math.log(log_w.shape[1]) - top - np.log(s)  # (4)
    W = scaled / s[:, None]  # (5)
    w.reshape(scaled.shape)[...] = np.where(W < LEAST, 0.0, W)  # (5)


def weigh_rows(out, y, w):
    """out (M, C) <- y (M, C), w (M,); out may be y."""
    out[...] = w[:, None] * y  # (6)


def gaussian_weighed(dh, dz, z, h, eps, w):
    """dh (N, 2D) <- dz, z (N K, D), h (N, 2D), eps (N K, D), w (N K,)."""
    N, D = h.shape[0], z.shape[1]
    sigma = np.exp(h[:, None, D:] / 2)
    dz, z, eps, w = (y.reshape(N, -1, y[0].size) for y in (dz, z, eps, w))
    g = dz + w * z  # (7)
    dh[:, :D] = g.sum(axis=1)  # (8)
    dh[:, D:] = (g * eps * sigma - w).sum(axis=1) / 2  # (9)


def gaussian_path(dh, dz, z, h, eps, w):
    """dh (N, 2D) <- dz, z (N K, D), h (N, 2D), eps (N K, D), w (N K,)."""
    N, D = h.shape[0], z.shape[1]
    sigma = np.exp(h[:, None, D:] / 2)
    dz, z, eps, w = (y.reshape(N, -1, y[0].size) for y in (dz, z, eps, w))
    g = dz + w * (z - eps / sigma)  # (10)
    dh[:, :D] = g.sum(axis=1)  # (11)
    dh[:, D:] = (g * eps * sigma).sum(axis=1) / 2  # (12)


@jit
def _gaussian_ratio(r, z, h, eps):
    M, D = z.shape
    K, half = M // max(h.shape[0], 1), h.dtype.type(0.5)
    for m in range(M):
        z_m, eps_m, logvar, total = z[m], eps[m], h[m // K, D:], 0.0
        for d in range(D):
            total += half * (z_m[d] * z_m[d] - eps_m[d] * eps_m[d] - logvar[d])  # (1)
        r[m] = total


@jit
def _importance_weights(w, bound, nll, r):
    N = bound.shape[0]
    K = nll.shape[0] // max(N, 1)
    for n in range(N):
        nll_n, r_n, w_n = nll[n * K : n * K + K], r[n * K : n * K + K], w[n * K : n * K + K]
        top, s = -math.inf, 0.0
        for k in range(K):
            top = max(top, -(np.float64(nll_n[k]) + np.float64(r_n[k])))  # (2)
        for k in range(K):
            s += math.exp(-(np.float64(nll_n[k]) + np.float64(r_n[k])) - top)  # (2) (3)
        bound[n] = math.log(K) - top - math.log(s)  # (4)
        for k in range(K):
            W = math.exp(-(np.float64(nll_n[k]) + np.float64(r_n[k])) - top) / s  # (5)
            w_n[k] = 0.0 if W < LEAST else W  # (5)


@jit
def _weigh_rows(out, y, w):
    for m in range(y.shape[0]):
        out_m, y_m, w_m = out[m], y[m], w[m]
        for c in range(y.shape[1]):
            out_m[c] = w_m * y_m[c]  # (6)


@jit
def _gaussian_weighed(dh, dz, z, h, eps, w):
    N, D = h.shape[0], z.shape[1]
    K, zero, half = z.shape[0] // max(N, 1), h.dtype.type(0), h.dtype.type(0.5)
    for n in range(N):
        logvar, dmu, dlogvar, W = h[n, D:], dh[n, :D], dh[n, D:], zero
        dmu[:], dlogvar[:] = zero, zero
        for m in range(n * K, n * K + K):
            dz_m, z_m, eps_m, w_m, W = dz[m], z[m], eps[m], w[m], W + w[m]
            for d in range(D):
                g = dz_m[d] + w_m * z_m[d]  # (7)
                dmu[d] += g  # (8)
                dlogvar[d] += g * eps_m[d]
        for d in range(D):
            dlogvar[d] = half * (dlogvar[d] * exp(half * logvar[d]) - W)  # (9)


@jit
def _gaussian_path(dh, dz, z, h, eps, w):
    N, D = h.shape[0], z.shape[1]
    K, zero, half = z.shape[0] // max(N, 1), h.dtype.type(0), h.dtype.type(0.5)
    sigma = np.empty(D, h.dtype)
    for n in range(N):
        logvar, dmu, dlogvar = h[n, D:], dh[n, :D], dh[n, D:]
        dmu[:], dlogvar[:] = zero, zero
        for d in range(D):
            sigma[d] = exp(half * logvar[d])
        for m in range(n * K, n * K + K):
            dz_m, z_m, eps_m, w_m = dz[m], z[m], eps[m], w[m]
            for d in range(D):
                g = dz_m[d] + w_m * (z_m[d] - eps_m[d] / sigma[d])  # (10)
                dmu[d] += g  # (11)
                dlogvar[d] += g * eps_m[d]
        for d in range(D):
            dlogvar[d] *= half * sigma[d]  # (12)


def _gaussian_ratio_cuda(gpu, r, z, h, eps):
    M, D = z.shape
    gpu.each("gaussian_ratio", M, r, z, h, eps, M, D, M // max(h.shape[0], 1))


def _importance_weights_cuda(gpu, w, bound, nll, r):
    N = bound.shape[0]
    gpu.each("importance_weights", N, w, bound, nll, r, N, nll.shape[0] // max(N, 1), LEAST)


def _weigh_rows_cuda(gpu, out, y, w):
    M, C = y.shape
    gpu.each("weigh_rows", M * C, out, y, w, M, C)


def _gaussian_weighed_cuda(gpu, dh, dz, z, h, eps, w):
    N, D = h.shape[0], z.shape[1]
    K = z.shape[0] // max(N, 1)
    gpu.each("gaussian_weighed", N * D, dh, dz, z, h, eps, w, N, D, K)


def _gaussian_path_cuda(gpu, dh, dz, z, h, eps, w):
    N, D = h.shape[0], z.shape[1]
    K = z.shape[0] // max(N, 1)
    gpu.each("gaussian_path", N * D, dh, dz, z, h, eps, w, N, D, K)


GAUSSIAN_RATIO = Kernel(gaussian_ratio, _gaussian_ratio, _gaussian_ratio_cuda)
IMPORTANCE_WEIGHTS = Kernel(importance_weights, _importance_weights, _importance_weights_cuda)
WEIGH_ROWS = Kernel(weigh_rows, _weigh_rows, _weigh_rows_cuda)
GAUSSIAN_WEIGHED = Kernel(gaussian_weighed, _gaussian_weighed, _gaussian_weighed_cuda)
GAUSSIAN_PATH = Kernel(gaussian_path, _gaussian_path, _gaussian_path_cuda)
