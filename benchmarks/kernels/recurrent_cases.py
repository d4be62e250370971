"""Cases of the kernels of recurrent layers, for kernel_cases.py: days of 48 steps, heartbeats of 140."""

import numpy as np

from benchmarks.kernels.case import Case, Maker, array, size
from scratchae.kernels.lstm import scratch_size


def lstm(T: int, N: int, U: int, backward: bool) -> Maker:
    """All steps; R is 0, since every call adds to dh what comes back through it."""

    def make(key: str) -> Case:
        gates, a, dh = array(T, 4, N, U), array(T, N, 4 * U), array(T, N, U)
        c, h, R = array(1 + T, N, U), array(1 + T, N, U), array(U, 4 * U)
        b, flat = array(4 * U), array(scratch_size(N, U))
        np.clip(gates, 0.1, 0.9, out=gates)
        R[:] = 0
        args = (a, dh, gates, c, R, flat) if backward else (gates, c, h, a, R, b, flat)
        return Case(
            f"{T}x{N}x{U}", [args], size(*args[:-1], *[dh] * backward), flops=8 * T * N * U * U
        )

    return make


def swap(N: int, T: int, D: int) -> Maker:
    def make(key: str) -> Case:
        out, x = array(T, N, D), array(N, T, D)
        return Case(f"{N}x{T}x{D}", [(out, x)], size(out, x))

    return make


CASES: dict[str, list[Maker]] = {
    "lstm.THROUGH_TIME": [lstm(48, 32, 16, backward=False), lstm(140, 128, 64, backward=False)],
    "lstm.THROUGH_TIME_GRADIENT": [
        lstm(48, 32, 16, backward=True),
        lstm(140, 128, 64, backward=True),
    ],
    "swap.SWAP": [swap(128, 140, 1), swap(128, 140, 64)],
}
