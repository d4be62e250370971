"""The Gaussian latent: a reparameterised sample with its KL, and the gradient of both, each in one
pass.

The encoder's output h (N, 2D) holds mu and logvar = log sigma^2 side by side. With K samples an
example and eps ~ N(0, I) of shape (N K, D), row n K + k belonging to example n:

    sigma = exp(logvar / 2)                                                             (1)
    z = mu + sigma eps                                                                  (2)
    kl = (mu^2 + exp(logvar) - 1 - logvar) / 2      of N(mu, sigma^2) from N(0, 1)      (3)

(3) is the integral of log q - log p over q. As log q(z) = -(eps^2 + logvar + log(2 pi)) / 2, log
p(z) = -(z^2 + log(2 pi)) / 2, E eps = 0 and E eps^2 = 1,

    kl = E_q[log q(z) - log p(z)] = E[z^2 - eps^2 - logvar] / 2
       = (E[(mu + sigma eps)^2] - 1 - logvar) / 2 = (mu^2 + sigma^2 - 1 - logvar) / 2

With dz the gradient of the loss by z and w (D,) the weight of the KL in it, the chain rule through
(2) and the derivative of (3) give

    dmu     = sum_k dz + w mu                                                           (4)
    dlogvar = sum_k dz eps sigma / 2 + w (exp(logvar) - 1) / 2                          (5)

where exp(logvar) - 1 is expm1, exact near logvar = 0, the prior. Nothing is clamped: from logvar =
89 on exp(logvar) has no float32, (3) is inf, and a run stops with the sentence that names the kl.

Source: Kingma and Welling, "Auto-encoding variational Bayes", 2014, eq. 10 and appendix B.
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.elementary import exp, expm1


def gaussian_sample(z, kl, h, eps):
    """z (N K, D), kl (N, D) <- h (N, 2D), eps (N K, D)."""
    N, D = kl.shape
    mu, logvar = h[:, :D], h[:, D:]
    sigma = np.exp(logvar / 2)  # (1)
    z.reshape(N, -1, D)[...] = mu[:, None] + sigma[:, None] * eps.reshape(N, -1, D)  # (2)
    kl[...] = (mu * mu + np.expm1(logvar) - logvar) / 2  # (3)


def gaussian_gradient(dh, dz, h, eps, w):
    """dh (N, 2D) <- dz (N K, D), h (N, 2D), eps (N K, D), w (D,)."""
    N, D = h.shape[0], h.shape[1] // 2
    mu, logvar = h[:, :D], h[:, D:]
    sigma = np.exp(logvar / 2)  # (1)
    dz, eps = dz.reshape(N, -1, D), eps.reshape(N, -1, D)
    dh[:, :D] = dz.sum(axis=1) + w * mu  # (4)
    dh[:, D:] = (dz * eps).sum(axis=1) * sigma / 2 + w * np.expm1(logvar) / 2  # (5)


@jit
def _gaussian_sample(z, kl, h, eps):
    N, D = kl.shape
    K = z.shape[0] // max(N, 1)
    half = h.dtype.type(0.5)
    for n in range(N):
        mu, logvar, kl_n = h[n, :D], h[n, D:], kl[n]
        sigma = kl_n  # until kl takes its place
        for d in range(D):
            sigma[d] = exp(half * logvar[d])  # (1)
        for m in range(n * K, n * K + K):
            z_m, eps_m = z[m], eps[m]
            for d in range(D):
                z_m[d] = mu[d] + sigma[d] * eps_m[d]  # (2)
        for d in range(D):
            kl_n[d] = half * (mu[d] * mu[d] + expm1(logvar[d]) - logvar[d])  # (3)


@jit
def _gaussian_gradient(dh, dz, h, eps, w):
    N, D = h.shape[0], h.shape[1] // 2
    K = dz.shape[0] // max(N, 1)
    zero, half = h.dtype.type(0), h.dtype.type(0.5)
    for n in range(N):
        mu, logvar, dmu, dlogvar = h[n, :D], h[n, D:], dh[n, :D], dh[n, D:]
        dmu[:], dlogvar[:] = zero, zero
        for m in range(n * K, n * K + K):
            dz_m, eps_m = dz[m], eps[m]
            for d in range(D):
                dmu[d] += dz_m[d]
                dlogvar[d] += dz_m[d] * eps_m[d]
        # so far they are sum_k dz and sum_k dz eps
        for d in range(D):
            sigma = exp(half * logvar[d])  # (1)
            dmu[d] += w[d] * mu[d]  # (4)
            dlogvar[d] = half * (dlogvar[d] * sigma + w[d] * expm1(logvar[d]))  # (5)


def _gaussian_sample_cuda(gpu, z, kl, h, eps):
    N, D = kl.shape
    gpu.each("gaussian_sample", N * D, z, kl, h, eps, N, D, z.shape[0] // max(N, 1))


def _gaussian_gradient_cuda(gpu, dh, dz, h, eps, w):
    N, D = h.shape[0], h.shape[1] // 2
    gpu.each("gaussian_gradient", N * D, dh, dz, h, eps, w, N, D, dz.shape[0] // max(N, 1))


GAUSSIAN_SAMPLE = Kernel(gaussian_sample, _gaussian_sample, _gaussian_sample_cuda)
GAUSSIAN_GRADIENT = Kernel(gaussian_gradient, _gaussian_gradient, _gaussian_gradient_cuda)
