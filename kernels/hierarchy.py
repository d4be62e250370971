"""Two stochastic layers: log q - log p of z_1, whose prior is a normal that depends on z_2, what
each layer has in the ratio, and the gradients on the way back.

The encoder's h (N, 2D) holds mu and logvar = log sigma^2 of q(z_1|x); row n K + k of z, eps (N K,
D) belongs to example n. z is z_1 = mu + sigma eps, sigma = exp(logvar / 2), and p (N K, 2D) holds
m and l of p(z_1|z_2) = N(m, exp(l)), each row from its own z_2. With r2 the ratio log q(z_2|z_1) -
log p(z_2), which is that of importance.py, and W the weight of a row:

    v = (z - m) exp(-l / 2)                                                             (1)
    r1 = log q(z_1|x) - log p(z_1|z_2) = sum_d (v^2 + l - eps^2 - logvar) / 2           (2)
    r = r1 + r2                                                                         (3)
    kl_n = 1/K (sum_k r1_nk, sum_k r2_nk)                                               (4)

and backwards from kl, whose gradient by r1 and r2 is that of rows with the weights

    W1 = kl_weight_1 / K,   W2 = kl_weight_2 / K                                        (5)

then by p, through r1, and, once dp has gone through the network that made p and through q(z_2|z_1)
back to z_1 as dz_up, by h: of <dz, z> + sum_m W_m r_m,

    dm = -W v exp(-l / 2)                                                               (6)
    dl = W (1 - v^2) / 2                                                                (7)
    g = dz + dz_up - dm                     as dr1/dz = -dr1/dm with mu, sigma held     (8)
    dmu = sum_k g                                                                       (9)
    dlogvar = sum_k (g eps sigma - W) / 2   as dz/dlogvar = eps sigma / 2              (10)

where eps^2 in (2) stays as it is. With m = l = 0 these are the ratio and the gradient of
importance.py. Nothing is clamped: where exp(-l) leaves float32, (2) is inf, and a run stops with
the sentence that names the kl.

Source: Burda, Grosse, Salakhutdinov, "Importance weighted autoencoders", 2016, eq. 2 and 8;
Rezende, Mohamed, Wierstra, "Stochastic backpropagation", 2014, section 3 (8 to 10).
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.elementary import exp


def conditional_ratio(r, v, z, p, h, eps):
    """r (N K,), v (N K, D) <- z (N K, D), p (N K, 2D), h (N, 2D), eps (N K, D)."""
    D = z.shape[1]
    logvar = np.repeat(h[:, D:], z.shape[0] // max(h.shape[0], 1), axis=0)
    m, l = p[:, :D], p[:, D:]
    v[...] = (z - m) * np.exp(-l / 2)  # (1)
    r[...] = ((v * v + l - eps * eps - logvar) / 2).sum(axis=1, dtype=np.float64)  # (2)


def layer_terms(r, kl, r1, r2):
    """r (N K,), kl (N, 2) <- r1, r2 (N K,)."""
    r[...] = r1 + r2  # (3)
    for j, r_j in enumerate((r1, r2)):
        kl[:, j] = r_j.reshape(kl.shape[0], -1).mean(axis=1, dtype=np.float64)  # (4)


def layer_weights(w1, w2, kl_weight, K):
    """w1, w2 (N K,) <- kl_weight (2,)."""
    w1[...], w2[...] = kl_weight[0] / K, kl_weight[1] / K  # (5)


def conditional_gradient(dp, v, p, w):
    """dp (M, 2D) <- v (M, D), p (M, 2D), w (M,)."""
    D = v.shape[1]
    dp[:, :D] = -w[:, None] * v * np.exp(-p[:, D:] / 2)  # (6)
    dp[:, D:] = w[:, None] * (1 - v * v) / 2  # (7)


def lower_gradient(dh, dz, dz_up, dp, h, eps, w):
    """dh (N, 2D) <- dz, dz_up (N K, D), dp (N K, 2D), h (N, 2D), eps (N K, D), w (N K,)."""
    N, D = h.shape[0], dz.shape[1]
    sigma = np.exp(h[:, D:] / 2)
    g = (dz + dz_up - dp[:, :D]).reshape(N, -1, D)  # (8)
    dh[:, :D] = g.sum(axis=1)  # (9)
    W = w.reshape(N, -1).sum(axis=1)[:, None]
    dh[:, D:] = ((g * eps.reshape(g.shape)).sum(axis=1) * sigma - W) / 2  # (10)


@jit
def _conditional_ratio(r, v, z, p, h, eps):
    M, D = z.shape
    K, half = M // max(h.shape[0], 1), h.dtype.type(0.5)
    for m in range(M):
        mean, p_logvar, logvar, total = p[m, :D], p[m, D:], h[m // K, D:], 0.0
        v_m, z_m, eps_m = v[m], z[m], eps[m]
        for d in range(D):
            v_m[d] = (z_m[d] - mean[d]) * exp(-half * p_logvar[d])  # (1)
        for d in range(D):
            v2, eps2 = v_m[d] * v_m[d], eps_m[d] * eps_m[d]
            total += half * (v2 + p_logvar[d] - eps2 - logvar[d])  # (2)
        r[m] = total


@jit
def _layer_terms(r, kl, r1, r2):
    N = kl.shape[0]
    K = r.shape[0] // max(N, 1)
    for n in range(N):
        first, second = 0.0, 0.0
        for m in range(n * K, n * K + K):
            r[m] = r1[m] + r2[m]  # (3)
            first, second = first + r1[m], second + r2[m]
        kl[n, 0], kl[n, 1] = first / K, second / K  # (4)


@jit
def _layer_weights(w1, w2, kl_weight, K):
    for m in range(w1.shape[0]):
        w1[m], w2[m] = kl_weight[0] / K, kl_weight[1] / K  # (5)


@jit
def _conditional_gradient(dp, v, p, w):
    M, D = v.shape
    one, half = p.dtype.type(1), p.dtype.type(0.5)
    for m in range(M):
        dmean, dp_logvar, p_logvar, v_m, w_m = dp[m, :D], dp[m, D:], p[m, D:], v[m], w[m]
        for d in range(D):
            dmean[d] = -w_m * v_m[d] * exp(-half * p_logvar[d])  # (6)
        for d in range(D):
            dp_logvar[d] = half * w_m * (one - v_m[d] * v_m[d])  # (7)


@jit
def _lower_gradient(dh, dz, dz_up, dp, h, eps, w):
    N, D = h.shape[0], dz.shape[1]
    K, half, zero = dz.shape[0] // max(N, 1), h.dtype.type(0.5), h.dtype.type(0)
    for n in range(N):
        logvar, dmu, dlogvar, W = h[n, D:], dh[n, :D], dh[n, D:], zero
        dmu[:], dlogvar[:] = zero, zero
        for m in range(n * K, n * K + K):
            dz_m, up_m, dmean, eps_m, W = dz[m], dz_up[m], dp[m, :D], eps[m], W + w[m]
            for d in range(D):
                g = dz_m[d] + up_m[d] - dmean[d]  # (8)
                dmu[d] += g  # (9)
                dlogvar[d] += g * eps_m[d]
        for d in range(D):
            dlogvar[d] = half * (dlogvar[d] * exp(half * logvar[d]) - W)  # (10)


def _conditional_ratio_cuda(gpu, r, v, z, p, h, eps):
    M, D = z.shape
    gpu.each("conditional_ratio", M, r, v, z, p, h, eps, M, D, M // max(h.shape[0], 1))


def _layer_terms_cuda(gpu, r, kl, r1, r2):
    N = kl.shape[0]
    gpu.each("layer_terms", N, r, kl, r1, r2, N, r.shape[0] // max(N, 1))


def _layer_weights_cuda(gpu, w1, w2, kl_weight, K):
    M = w1.shape[0]
    gpu.each("layer_weights", M, w1, w2, kl_weight, M, K)


def _conditional_gradient_cuda(gpu, dp, v, p, w):
    M, D = v.shape
    gpu.each("conditional_gradient", M * D, dp, v, p, w, M, D)


def _lower_gradient_cuda(gpu, dh, dz, dz_up, dp, h, eps, w):
    N, D = h.shape[0], dz.shape[1]
    K = dz.shape[0] // max(N, 1)
    gpu.each("lower_gradient", N * D, dh, dz, dz_up, dp, h, eps, w, N, D, K)


CONDITIONAL_RATIO = Kernel(conditional_ratio, _conditional_ratio, _conditional_ratio_cuda)
LAYER_TERMS = Kernel(layer_terms, _layer_terms, _layer_terms_cuda)
LAYER_WEIGHTS = Kernel(layer_weights, _layer_weights, _layer_weights_cuda)
CONDITIONAL_GRADIENT = Kernel(
    conditional_gradient, _conditional_gradient, _conditional_gradient_cuda
)
LOWER_GRADIENT = Kernel(lower_gradient, _lower_gradient, _lower_gradient_cuda)
