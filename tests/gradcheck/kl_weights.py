"""The kernels that weigh the KL by its sum over the batch, against the cost they are slopes of."""

from collections.abc import Callable

import numpy as np

from scratchae.backend import Array, Backend
from scratchae.gradcheck.measure import Report, judge, probe
from scratchae.kernels.kernel import Kernel
from scratchae.kernels.kl_weights import CAPACITY, FREE_BITS, GROUP_SUMS

N, G, SIZE, FLOOR, GAMMA = 5, 3, 2, 1.2, 1.7
J = G * SIZE
KERNELS = GROUP_SUMS, FREE_BITS, CAPACITY


def both(backend: Backend) -> Report:
    """kl (N, J) through N beta sum_g max(FLOOR, s_g / N) and through N GAMMA |S / N - C|, C below
    and above. Source: kernels/kl_weights.py."""
    kl, beta = probe((N, J), 87) ** 2, 0.5 + probe((J,), 88) ** 2
    beta[1::SIZE] = beta[::SIZE]  # one weight for a group, as one max has

    def total(kl: np.ndarray) -> np.ndarray:
        s = backend.asarray(np.full(G, np.nan), np.float64)
        backend.op(GROUP_SUMS)(s, backend.asarray(kl))
        s = backend.to_host(s)
        return np.concatenate([[N, np.nan, s.sum()], s])

    def floored(kl: np.ndarray) -> float:
        return float(N * (beta[::SIZE] * np.maximum(FLOOR, total(kl)[3:] / N)).sum())

    def held(C: float) -> Callable[[np.ndarray], float]:
        return lambda kl: float(N * GAMMA * abs(total(kl)[2] / N - C))

    def slope(kernel: Kernel, row: np.ndarray, *constants: float) -> object:
        def gradient(kl: np.ndarray, _: np.ndarray) -> np.ndarray:
            w: Array = backend.asarray(np.full(J, np.nan))
            sums = backend.asarray(total(kl), np.float64)
            backend.op(kernel)(w, sums, backend.asarray(row), *constants)
            return np.broadcast_to(backend.to_host(w), kl.shape)

        return gradient

    rates = total(kl)[3:] / N
    assert rates.min() < FLOOR < rates.max()  # groups on both sides
    rows = [judge("kl through free bits", floored, slope(FREE_BITS, beta, FLOOR), kl)]
    for C in (0.1, 9.0):
        gradient = slope(CAPACITY, np.array([GAMMA, C]))
        rows.append(judge(f"kl through the capacity {C}", held(C), gradient, kl))
    return Report("kl_weights", rows)
