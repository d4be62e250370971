"""A Gaussian latent against a prior that is Gaussian too, with a mean and a variance of each row's
own: sample, KL, log q - log p, and the gradients of these.

h (N, 2D) holds mu and logvar of q(z|x) = N(mu, e^logvar), p (N, 2D) the m and the log-variance l
of p(z) = N(m, e^l). With K samples an example, eps ~ N(0, I) of shape (N K, D), row n K + k
belonging to example n, sigma = exp(logvar / 2):

    z = mu + sigma eps                                                                  (1)
    v = (mu - m) e^-l                                                                   (2)
    kl = ((mu - m) v + e^(logvar - l) - 1 - (logvar - l)) / 2                           (3)
    u = (z - m) e^-l                            -d log p(z)/dz                          (4)
    r = log q(z|x) - log p(z) = sum_d ((z - m) u + l - eps^2 - logvar) / 2              (5)

where e^a - 1 is expm1(a). With m = l = 0 these are (2) and (3) of gaussian.py and (1) of
importance.py. The gradient of <dz, z> + sum_nd w_d kl_nd:

    dmu = sum_k dz + w v                                                                (6)
    dlogvar = sum_k dz eps sigma / 2 + w (e^(logvar - l) - 1) / 2                       (7)
    dm = -w v                                                                           (8)
    dl = -w ((mu - m) v + e^(logvar - l) - 1) / 2                                       (9)

and that of <dz, z> + sum_m W_m r_m, W of each sample. r depends on z, on logvar, m and l:

    g = dz + W u                                                                        (10)
    dmu = sum_k g                                                                       (11)
    dlogvar = sum_k (g eps sigma - W) / 2                                               (12)
    dm = -sum_k W u                                                                     (13)
    dl = sum_k W (1 - (z - m) u) / 2                                                    (14)

Along the path alone, with log q(.|x) held as a function of z, dm and dl are the same, and

    g = dz + W (u - eps / sigma)                                                        (15)
    dlogvar = sum_k g eps sigma / 2                                                     (16)

Source: Sohn, Lee, Yan, "Learning structured output representation using deep conditional
generative models", 2015, eq. 4; Duchi, "Derivations for linear algebra and optimization", section
9 (3); Roeder, Wu, Duvenaud, "Sticking the landing", 2017, eq. 7 (15).
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.elementary import exp, expm1


def prior_sample(z, kl, h, p, eps):
    """z (N K, D), kl (N, D) <- h, p (N, 2D), eps (N K, D)."""
    N, D = kl.shape
    mu, logvar, m, l = h[:, :D], h[:, D:], p[:, :D], p[:, D:]
    sigma = np.exp(logvar / 2)
    z.reshape(N, -1, D)[...] = mu[:, None] + sigma[:, None] * eps.reshape(N, -1, D)  # (1)
    v = (mu - m) * np.exp(-l)  # (2)
    kl[...] = ((mu - m) * v + np.expm1(logvar - l) - (logvar - l)) / 2  # (3)


def prior_gradient(dh, dp, dz, h, p, eps, w):
    """dh, dp (N, 2D) <- dz (N K, D), h, p (N, 2D), eps (N K, D), w (D,)."""
    N, D = h.shape[0], h.shape[1] // 2
    mu, logvar, m, l = h[:, :D], h[:, D:], p[:, :D], p[:, D:]
    sigma, dz, eps = np.exp(logvar / 2), dz.reshape(N, -1, D), eps.reshape(N, -1, D)
    v = (mu - m) * np.exp(-l)  # (2)
    dh[:, :D] = dz.sum(axis=1) + w * v  # (6)
    dh[:, D:] = (dz * eps).sum(axis=1) * sigma / 2 + w * np.expm1(logvar - l) / 2  # (7)
    dp[:, :D] = -w * v  # (8)
    dp[:, D:] = -w * ((mu - m) * v + np.expm1(logvar - l)) / 2  # (9)


def prior_ratio(r, z, h, p, eps):
    """r (N K,) <- z (N K, D), h, p (N, 2D), eps (N K, D)."""
    D, K = z.shape[1], z.shape[0] // max(h.shape[0], 1)
    logvar, m, l = (np.repeat(a, K, axis=0) for a in (h[:, D:], p[:, :D], p[:, D:]))
    u = (z - m) * np.exp(-l)  # (4)
    r[...] = (((z - m) * u + l - eps * eps - logvar) / 2).sum(axis=1, dtype=np.float64)  # (5)


def prior_weighed(dh, dp, dz, z, h, p, eps, w):
    """dh, dp (N, 2D) <- dz, z (N K, D), h, p (N, 2D), eps (N K, D), w (N K,)."""
    N, D = h.shape[0], z.shape[1]
    sigma, m, l = np.exp(h[:, None, D:] / 2), p[:, None, :D], p[:, None, D:]
    dz, z, eps, w = (y.reshape(N, -1, y[0].size) for y in (dz, z, eps, w))
    u = (z - m) * np.exp(-l)  # (4)
    g = dz + w * u  # (10)
    dh[:, :D] = g.sum(axis=1)  # (11)
    dh[:, D:] = (g * eps * sigma - w).sum(axis=1) / 2  # (12)
    dp[:, :D] = -(w * u).sum(axis=1)  # (13)
    dp[:, D:] = (w * (1 - (z - m) * u)).sum(axis=1) / 2  # (14)


def prior_path(dh, dp, dz, z, h, p, eps, w):
    """dh, dp (N, 2D) <- dz, z (N K, D), h, p (N, 2D), eps (N K, D), w (N K,)."""
    N, D = h.shape[0], z.shape[1]
    sigma, m, l = np.exp(h[:, None, D:] / 2), p[:, None, :D], p[:, None, D:]
    dz, z, eps, w = (y.reshape(N, -1, y[0].size) for y in (dz, z, eps, w))
    u = (z - m) * np.exp(-l)  # (4)
    g = dz + w * (u - eps / sigma)  # (15)
    dh[:, :D] = g.sum(axis=1)  # (11)
    dh[:, D:] = (g * eps * sigma).sum(axis=1) / 2  # (16)
    dp[:, :D] = -(w * u).sum(axis=1)  # (13)
    dp[:, D:] = (w * (1 - (z - m) * u)).sum(axis=1) / 2  # (14)


@jit
def _prior_sample(z, kl, h, p, eps):
    N, D = kl.shape
    K, half = z.shape[0] // max(N, 1), h.dtype.type(0.5)
    for n in range(N):
        for d in range(D):
            mu, logvar, m, l = h[n, d], h[n, D + d], p[n, d], p[n, D + d]
            sigma = exp(half * logvar)
            for k in range(n * K, n * K + K):
                z[k, d] = mu + sigma * eps[k, d]  # (1)
            v = (mu - m) * exp(-l)  # (2)
            kl[n, d] = half * ((mu - m) * v + expm1(logvar - l) - (logvar - l))  # (3)


@jit
def _prior_gradient(dh, dp, dz, h, p, eps, w):
    N, D = h.shape[0], h.shape[1] // 2
    K, zero, half = dz.shape[0] // max(N, 1), h.dtype.type(0), h.dtype.type(0.5)
    for n in range(N):
        for d in range(D):
            mu, logvar, m, l = h[n, d], h[n, D + d], p[n, d], p[n, D + d]
            sigma, sum_dz, sum_dz_eps = exp(half * logvar), zero, zero
            for k in range(n * K, n * K + K):
                sum_dz += dz[k, d]
                sum_dz_eps += dz[k, d] * eps[k, d]
            v = (mu - m) * exp(-l)  # (2)
            dh[n, d] = sum_dz + w[d] * v  # (6)
            dh[n, D + d] = half * (sum_dz_eps * sigma + w[d] * expm1(logvar - l))  # (7)
            dp[n, d] = -w[d] * v  # (8)
            dp[n, D + d] = -half * w[d] * ((mu - m) * v + expm1(logvar - l))  # (9)


@jit
def _prior_ratio(r, z, h, p, eps):
    M, D = z.shape
    K, half = M // max(h.shape[0], 1), h.dtype.type(0.5)
    for i in range(M):
        h_n, p_n, total = h[i // K], p[i // K], 0.0
        for d in range(D):
            m, l = p_n[d], p_n[D + d]
            u = (z[i, d] - m) * exp(-l)  # (4)
            total += half * ((z[i, d] - m) * u + l - eps[i, d] * eps[i, d] - h_n[D + d])  # (5)
        r[i] = total


@jit
def _prior_weighed(dh, dp, dz, z, h, p, eps, w):
    N, D = h.shape[0], z.shape[1]
    K, zero, half = z.shape[0] // max(N, 1), h.dtype.type(0), h.dtype.type(0.5)
    one = h.dtype.type(1)
    for n in range(N):
        for d in range(D):
            m, sigma, scale = p[n, d], exp(half * h[n, D + d]), exp(-p[n, D + d])
            dmu, dlogvar, dm, dl = zero, zero, zero, zero
            for k in range(n * K, n * K + K):
                u = (z[k, d] - m) * scale  # (4)
                g = dz[k, d] + w[k] * u  # (10)
                dmu += g  # (11)
                dlogvar += half * (g * eps[k, d] * sigma - w[k])  # (12)
                dm -= w[k] * u  # (13)
                dl += half * w[k] * (one - (z[k, d] - m) * u)  # (14)
            dh[n, d], dh[n, D + d], dp[n, d], dp[n, D + d] = dmu, dlogvar, dm, dl


@jit
def _prior_path(dh, dp, dz, z, h, p, eps, w):
    N, D = h.shape[0], z.shape[1]
    K, zero, half = z.shape[0] // max(N, 1), h.dtype.type(0), h.dtype.type(0.5)
    one = h.dtype.type(1)
    for n in range(N):
        for d in range(D):
            m, sigma, scale = p[n, d], exp(half * h[n, D + d]), exp(-p[n, D + d])
            dmu, dlogvar, dm, dl = zero, zero, zero, zero
            for k in range(n * K, n * K + K):
                u = (z[k, d] - m) * scale  # (4)
                g = dz[k, d] + w[k] * (u - eps[k, d] / sigma)  # (15)
                dmu += g  # (11)
                dlogvar += half * g * eps[k, d] * sigma  # (16)
                dm -= w[k] * u  # (13)
                dl += half * w[k] * (one - (z[k, d] - m) * u)  # (14)
            dh[n, d], dh[n, D + d], dp[n, d], dp[n, D + d] = dmu, dlogvar, dm, dl


def _prior_sample_cuda(gpu, z, kl, h, p, eps):
    N, D = kl.shape
    gpu.each("prior_sample", N * D, z, kl, h, p, eps, N, D, z.shape[0] // max(N, 1))


def _prior_gradient_cuda(gpu, dh, dp, dz, h, p, eps, w):
    N, D = h.shape[0], h.shape[1] // 2
    K = dz.shape[0] // max(N, 1)
    gpu.each("prior_gradient", N * D, dh, dp, dz, h, p, eps, w, N, D, K)


def _prior_ratio_cuda(gpu, r, z, h, p, eps):
    M, D = z.shape
    gpu.each("prior_ratio", M, r, z, h, p, eps, M, D, M // max(h.shape[0], 1))


def _prior_weighed_cuda(gpu, dh, dp, dz, z, h, p, eps, w):
    N, D = h.shape[0], z.shape[1]
    K = z.shape[0] // max(N, 1)
    gpu.each("prior_weighed", N * D, dh, dp, dz, z, h, p, eps, w, N, D, K)


def _prior_path_cuda(gpu, dh, dp, dz, z, h, p, eps, w):
    N, D = h.shape[0], z.shape[1]
    K = z.shape[0] // max(N, 1)
    gpu.each("prior_path", N * D, dh, dp, dz, z, h, p, eps, w, N, D, K)


PRIOR_SAMPLE = Kernel(prior_sample, _prior_sample, _prior_sample_cuda)
PRIOR_GRADIENT = Kernel(prior_gradient, _prior_gradient, _prior_gradient_cuda)
PRIOR_RATIO = Kernel(prior_ratio, _prior_ratio, _prior_ratio_cuda)
PRIOR_WEIGHED = Kernel(prior_weighed, _prior_weighed, _prior_weighed_cuda)
PRIOR_PATH = Kernel(prior_path, _prior_path, _prior_path_cuda)
