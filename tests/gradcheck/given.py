"""The kernels of what rows are given: joined to them, and as the prior of a latent."""

import numpy as np
from gradcheck.calling import called

from scratchae.backend import Backend
from scratchae.gradcheck.measure import Report, Row, judge, probe
from scratchae.kernels.given import JOIN, SPLIT
from scratchae.kernels.kernel import Kernel
from scratchae.kernels.prior import (
    PRIOR_GRADIENT,
    PRIOR_PATH,
    PRIOR_RATIO,
    PRIOR_SAMPLE,
    PRIOR_WEIGHED,
)

N, K, D, C = 3, 4, 2, 3
JOINS = JOIN, SPLIT
PRIORS = PRIOR_SAMPLE, PRIOR_GRADIENT, PRIOR_RATIO, PRIOR_WEIGHED, PRIOR_PATH


def joined(backend: Backend) -> Report:
    """x, of which a row is one of K samples of an example, through the end that it is given."""
    c, x = probe((N, C), 90), probe((N * K, D), 91)

    def y(x: np.ndarray) -> np.ndarray:
        return called(backend, JOIN, ((N * K, D + C),), x, c)[0]

    def dx(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
        return called(backend, SPLIT, ((N * K, D),), dy)[0]

    return Report("join", [judge("x", y, dx, x)])


def prior(backend: Backend) -> Report:
    """h and p through z, the kl and r, under any weights; along the path with log q held."""
    h, p, eps = probe((N, 2 * D), 92), probe((N, 2 * D), 93), probe((N * K, D), 94)
    dz, w, W = probe((N * K, D), 95), 0.5 + probe((D,), 96) ** 2, probe((N * K,), 97) ** 2
    both = (N, 2 * D), (N, 2 * D)

    def sample(h: np.ndarray, p: np.ndarray) -> list[np.ndarray]:
        return called(backend, PRIOR_SAMPLE, ((N * K, D), (N, D)), h, p, eps)

    def through_kl(h: np.ndarray, p: np.ndarray) -> float:
        z, kl = sample(h, p)
        return float((dz * z).sum() + (kl * w).sum())

    def through_r(h: np.ndarray, p: np.ndarray) -> float:
        z = sample(h, p)[0]
        (r,) = called(backend, PRIOR_RATIO, ((N * K,),), z, h, p, eps)
        return float((dz * z).sum() + W @ r)

    def on_path(other: np.ndarray, p: np.ndarray) -> float:
        z, (mu, logvar) = sample(other, p)[0], (np.repeat(a, K, axis=0) for a in halves(h))
        m, l = (np.repeat(a, K, axis=0) for a in halves(p))
        r = ((z - m) ** 2 / np.exp(l) + l - (z - mu) ** 2 / np.exp(logvar) - logvar) / 2
        return float((dz * z).sum() + W @ r.sum(axis=1))

    def slopes(kernel: Kernel, h: np.ndarray, p: np.ndarray) -> list[np.ndarray]:
        if kernel is PRIOR_GRADIENT:
            return called(backend, kernel, both, dz, h, p, eps, w)
        return called(backend, kernel, both, dz, sample(h, p)[0], h, p, eps, W)

    found: list[Row] = []
    for what, f, kernel in (
        ("z and kl", through_kl, PRIOR_GRADIENT),
        ("z and r", through_r, PRIOR_WEIGHED),
        ("the path", on_path, PRIOR_PATH),
    ):
        found += [
            judge(
                f"h through {what}",
                lambda h, f=f: f(h, p),
                lambda h, _, kernel=kernel: slopes(kernel, h, p)[0],
                h,
            ),
            judge(
                f"p through {what}",
                lambda p, f=f: f(h, p),
                lambda p, _, kernel=kernel: slopes(kernel, h, p)[1],
                p,
            ),
        ]
    return Report("prior_sample", found)


def halves(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the log variance of rows (N, 2D)."""
    return a[:, :D], a[:, D:]
