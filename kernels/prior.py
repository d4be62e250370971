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
        mu, logvar, m, l, kl_n = h[n, :D], h[n, D:], p[n, :D], p[n, D:], kl[n]
        sigma = kl_n  # until kl takes its place
        for d in range(D):
            sigma[d] = exp(half * logvar[d])
        for k in range(n * K, n * K + K):
            z_k, eps_k = z[k], eps[k]
            for d in range(D):
                z_k[d] = mu[d] + sigma[d] * eps_k[d]  # (1)
        for d in range(D):
            v, apart = (mu[d] - m[d]) * exp(-l[d]), logvar[d] - l[d]  # (2)
            kl_n[d] = half * ((mu[d] - m[d]) * v + expm1(apart) - apart)  # (3)


@jit
def _prior_gradient(dh, dp, dz, h, p, eps, w):
    N, D = h.shape[0], h.shape[1] // 2
    K, half = dz.shape[0] // max(N, 1), h.dtype.type(0.5)
    for n in range(N):
        mu, logvar, m, l = h[n, :D], h[n, D:], p[n, :D], p[n, D:]
        dmu, dlogvar, dm, dl = dh[n, :D], dh[n, D:], dp[n, :D], dp[n, D:]
        for d in range(D):
            dm[d] = -w[d] * (mu[d] - m[d]) * exp(-l[d])  # (2) (8)
        for d in range(D):
            dl[d] = -half * w[d] * expm1(logvar[d] - l[d])  # (9)
        for d in range(D):
            dmu[d], dlogvar[d] = -dm[d], 0  # (6)
        for k in range(n * K, n * K + K):
            dz_k, eps_k = dz[k], eps[k]
            for d in range(D):
                dmu[d] += dz_k[d]  # (6)
                dlogvar[d] += dz_k[d] * eps_k[d]
        for d in range(D):
            dlogvar[d] = half * dlogvar[d] * exp(half * logvar[d]) - dl[d]  # (7)
        for d in range(D):
            dl[d] += half * (mu[d] - m[d]) * dm[d]  # (9)


@jit
def _prior_ratio(r, z, h, p, eps):
    M, D = z.shape
    K, half = M // max(h.shape[0], 1), h.dtype.type(0.5)
    for i in range(M):
        z_i, eps_i, logvar, m, l = z[i], eps[i], h[i // K, D:], p[i // K, :D], p[i // K, D:]
        total = 0.0
        for d in range(D):
            u = (z_i[d] - m[d]) * exp(-l[d])  # (4)
            total += half * ((z_i[d] - m[d]) * u + l[d] - eps_i[d] * eps_i[d] - logvar[d])  # (5)
        r[i] = total


@jit
def _by_prior(dm, dl, z_k, m, scale, w_k):
    """dm, dl (D,), added to, <- one sample: z_k, m, scale = e^-l (D,), w_k."""
    one, half = m.dtype.type(1), m.dtype.type(0.5)
    for d in range(m.shape[0]):
        u = (z_k[d] - m[d]) * scale[d]  # (4)
        dm[d] -= w_k * u  # (13)
        dl[d] += half * w_k * (one - (z_k[d] - m[d]) * u)  # (14)


@jit
def _prior_weighed(dh, dp, dz, z, h, p, eps, w):
    N, D = h.shape[0], z.shape[1]
    K, zero, half = z.shape[0] // max(N, 1), h.dtype.type(0), h.dtype.type(0.5)
    scale = np.empty(D, h.dtype)
    for n in range(N):
        logvar, m, l, W = h[n, D:], p[n, :D], p[n, D:], zero
        dmu, dlogvar, dm, dl = dh[n, :D], dh[n, D:], dp[n, :D], dp[n, D:]
        dmu[:], dlogvar[:], dm[:], dl[:] = zero, zero, zero, zero
        for d in range(D):
            scale[d] = exp(-l[d])
        for k in range(n * K, n * K + K):
            dz_k, z_k, eps_k, w_k, W = dz[k], z[k], eps[k], w[k], W + w[k]
            for d in range(D):
                g = dz_k[d] + w_k * (z_k[d] - m[d]) * scale[d]  # (4) (10)
                dmu[d] += g  # (11)
                dlogvar[d] += g * eps_k[d]
            _by_prior(dm, dl, z_k, m, scale, w_k)  # (13) (14)
        for d in range(D):
            dlogvar[d] = half * (dlogvar[d] * exp(half * logvar[d]) - W)  # (12)


@jit
def _prior_path(dh, dp, dz, z, h, p, eps, w):
    N, D = h.shape[0], z.shape[1]
    K, zero, half = z.shape[0] // max(N, 1), h.dtype.type(0), h.dtype.type(0.5)
    sigma, scale = np.empty(D, h.dtype), np.empty(D, h.dtype)
    for n in range(N):
        logvar, m, l = h[n, D:], p[n, :D], p[n, D:]
        dmu, dlogvar, dm, dl = dh[n, :D], dh[n, D:], dp[n, :D], dp[n, D:]
        dmu[:], dlogvar[:], dm[:], dl[:] = zero, zero, zero, zero
        for d in range(D):
            sigma[d] = exp(half * logvar[d])
            scale[d] = exp(-l[d])
        for k in range(n * K, n * K + K):
            dz_k, z_k, eps_k, w_k = dz[k], z[k], eps[k], w[k]
            for d in range(D):
                u = (z_k[d] - m[d]) * scale[d]  # (4)
                g = dz_k[d] + w_k * (u - eps_k[d] / sigma[d])  # (15)
                dmu[d] += g  # (11)
                dlogvar[d] += g * eps_k[d]
            _by_prior(dm, dl, z_k, m, scale, w_k)  # (13) (14)
        for d in range(D):
            dlogvar[d] *= half * sigma[d]  # (16)


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
