"""The kernels of importance weights against the bound and the ratio that they are gradients of."""

import numpy as np
from gradcheck.calling import called

from scratchae.backend import Backend
from scratchae.gradcheck.measure import Report, judge, probe
from scratchae.kernels.importance import (
    GAUSSIAN_PATH,
    GAUSSIAN_RATIO,
    GAUSSIAN_WEIGHED,
    IMPORTANCE_WEIGHTS,
    WEIGH_ROWS,
)
from scratchae.kernels.kernel import Kernel

N, K, D = 3, 4, 2
RATIOS = GAUSSIAN_RATIO, GAUSSIAN_WEIGHED, GAUSSIAN_PATH
WEIGHTS = IMPORTANCE_WEIGHTS, WEIGH_ROWS


def ratio(backend: Backend) -> Report:
    """h through z and r, under any weights; with log q held at the h of the check for the path."""
    h, eps = probe((N, 2 * D), 80), probe((N * K, D), 81)
    w, dz = probe((N * K,), 82) ** 2, probe((N * K, D), 83)

    def sampled(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """mu and logvar, a row each for the K samples."""
        return np.repeat(h[:, :D], K, axis=0), np.repeat(h[:, D:], K, axis=0)

    def z_of(h: np.ndarray) -> np.ndarray:
        mu, logvar = sampled(h)
        return mu + np.exp(logvar / 2) * eps

    def weighed(h: np.ndarray) -> float:
        r = called(backend, GAUSSIAN_RATIO, ((N * K,),), z_of(h), h, eps)[0]
        return float((dz * z_of(h)).sum() + w @ r)

    def path(other: np.ndarray) -> float:
        (mu, logvar), z = sampled(h), z_of(other)
        r = (z * z - (z - mu) ** 2 / np.exp(logvar) - logvar).sum(axis=1) / 2
        return float((dz * z).sum() + w @ r)

    def slope(kernel: Kernel) -> object:
        return lambda h, _: called(backend, kernel, ((N, 2 * D),), dz, z_of(h), h, eps, w)[0]

    return Report(
        "gaussian_ratio",
        [
            judge("h through z and r", weighed, slope(GAUSSIAN_WEIGHED), h),
            judge("h along the path", path, slope(GAUSSIAN_PATH), h),
        ],
    )


def weights(backend: Backend) -> Report:
    """The bound by nll and by r, whose gradients are the weights, put on rows."""
    nll, r, c = 3 * probe((N * K, 1), 84), probe((N * K,), 85), probe((N,), 86)

    def both(nll: np.ndarray) -> list[np.ndarray]:
        return called(backend, IMPORTANCE_WEIGHTS, ((N * K,), (N,)), nll.reshape(-1), r)

    def slope(nll: np.ndarray, _: np.ndarray) -> np.ndarray:
        rows = np.repeat(c, K)[:, None]
        return called(backend, WEIGH_ROWS, ((N * K, 1),), rows, both(nll)[0])[0]

    return Report(
        "importance_weights", [judge("nll", lambda nll: float(both(nll)[1] @ c), slope, nll)]
    )
