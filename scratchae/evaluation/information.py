"""What Gaussian codes tell of x, and how far all of them together lie from the prior.

N examples have q(z|x_n) = N(mu_n, diag sigma_n^2), of which the mixture, their aggregate posterior
q(z) = 1/N sum_n q(z|x_n), is what the decoder is handed in training. With one z_n ~ q(z|x_n) each:

    log q(z_n) = log(1/N sum_j q(z_n|x_j))                                              (1)
    MI = 1/N sum_n (log q(z_n|x_n) - log q(z_n))                                        (2)
    KL(q(z), p(z)) = 1/N sum_n KL(q(z|x_n), p(z)) - MI                                  (3)

(1) holds the code's own term, so that (2) is at most log N, and 0 where all codes are one. What is
estimated, MI and (3), is not negative, so what noise makes of it beyond that is cut. A MI near log
N says that N codes lie apart, and that more of them would show more: (3) is then the distance
of these N lumps, which is more than that of the density that the data as a whole has. What does
not depend on that are the moments: of all densities with mean m and covariance S, the normal one
has the largest entropy, so it is the nearest to N(0, I):

    m = 1/N sum mu_n,   S = 1/N sum ((mu_n - m) (mu_n - m)^T + diag sigma_n^2)          (4)
    KL(q(z), N(0, I)) >= (tr S + m.m - D - log det S) / 2                               (5)

with equality where q(z) is normal. Source: Hoffman and Johnson, "ELBO surgery: yet another way to
carve up the variational evidence lower bound", 2016, section 2 (1 to 3); Cover and Thomas,
"Elements of information theory", 2006, theorem 8.6.5 (5).
"""

import math

import numpy as np

from ..randomness import EVALUATION, LATENT, Draws

ROWS = 16  # of z that are held against all codes at once: a few numbers stay in the cache


def surplus(mu: np.ndarray, logvar: np.ndarray, seed: int = 0) -> np.ndarray:
    """mu, logvar (N, D) -> log q(z_n|x_n) - log q(z_n) (N,), in nats, of one z_n each: the mean is
    MI.

    Nothing of size N x N is held. Source: the module, (1) (2).
    """
    mu, logvar = mu.astype(np.float64), logvar.astype(np.float64)
    N, sigma = len(mu), np.exp(logvar / 2)
    z = mu + sigma * Draws(seed, LATENT + EVALUATION).normal(mu.shape)
    m, precision = np.ascontiguousarray(mu.T), np.ascontiguousarray(1 / sigma.T)  # (D, N)
    constant, found = -logvar.sum(axis=1) / 2, np.empty(N)
    log_q, u = np.empty((2, ROWS, N))
    for first in range(0, N, ROWS):
        rows = z[first : first + ROWS]
        n = len(rows)
        log_q[:n] = constant  # log q(z|x_j), less log(2 pi) D / 2 everywhere
        for d in range(len(m)):
            np.subtract(rows[:, d : d + 1], m[d], out=u[:n])
            u[:n] *= precision[d]
            np.square(u[:n], out=u[:n])
            u[:n] *= 0.5
            log_q[:n] -= u[:n]
        own = log_q[np.arange(n), np.arange(first, first + n)]
        top = log_q[:n].max(axis=1)
        every = np.exp(log_q[:n] - top[:, None]).sum(axis=1)
        found[first : first + n] = own - (top + np.log(every) - math.log(N))  # (1) (2)
    return found


def mutual_information(found: np.ndarray, kl: float = math.inf) -> float:
    """The surplus (N,) of N codes -> MI in nats, between 0 and the smaller of log N and the mean
    kl. Source: the module, (2)."""
    return float(np.clip(found.mean(), 0, min(math.log(len(found)), kl)))


def distance(kl: float, information: float) -> float:
    """The mean KL and MI, in nats -> KL(q(z), p(z)). Source: the module, (3)."""
    return kl - information  # (3)


def distance_of_moments(mu: np.ndarray, logvar: np.ndarray) -> float:
    """mu, logvar (N, D) -> the least that KL(q(z), N(0, I)) can be, in nats.

    Source: the module, (4) (5)."""
    mu, variance = mu.astype(np.float64), np.exp(logvar.astype(np.float64))
    m = mu.mean(axis=0)
    S = (mu - m).T @ (mu - m) / len(mu) + np.diag(variance.mean(axis=0))  # (4)
    return float((np.trace(S) + m @ m - len(m) - np.linalg.slogdet(S)[1]) / 2)  # (5)
