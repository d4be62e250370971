"""The kernels of noise against their own forward passes: on numbers and noise that are given, on
and off."""

import numpy as np

from scratchae.backend import Backend
from scratchae.gradcheck.measure import Report, Row, judge, probe
from scratchae.kernels.kernel import Kernel
from scratchae.kernels.noise import GAUSSIAN_NOISE, GAUSSIAN_NOISE_GRADIENT, MASK, SALT_AND_PEPPER

N = 40  # numbers: enough that some are inside the bounds, some outside, some lost and some not


def gaussian_noise(backend: Backend) -> Report:
    """x (n,), with bounds that cut and without any, with noise and without. Source:
    kernels/noise.py (2) to (4)."""
    eps = probe((N,), 66)

    def row(what: str, on: float, *bounds: float) -> Row:
        def y(x: np.ndarray) -> np.ndarray:
            return _call(backend, GAUSSIAN_NOISE, x, eps, np.array([on]), constants=(0.7, *bounds))

        def dx(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
            return _call(
                backend,
                GAUSSIAN_NOISE_GRADIENT,
                dy,
                x,
                eps,
                np.array([on]),
                constants=(0.7, *bounds),
            )

        return judge(what, y, dx, probe((N,), 65))

    return Report(
        "gaussian_noise",
        [
            row("x, cut", 1, -0.8, 0.9),
            row("x, cut, off", 0, -0.8, 0.9),
            row("x", 1, -np.inf, np.inf),
        ],
    )


def masks(backend: Backend) -> Report:
    """x (n,) through both kernels, whose gradient is the first, with noise and without. Source: as
    above."""
    u = 0.5 + 0.5 * np.tanh(probe((N,), 67))

    def row(what: str, kernel: Kernel, on: float, *c: float) -> Row:
        def y(x: np.ndarray) -> np.ndarray:
            return _call(backend, kernel, x, u, np.array([on]), constants=(0.4, *c))

        def dx(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
            return _call(backend, MASK, dy, u, np.array([on]), constants=(0.4, *(c or (1.0,))))

        return judge(what, y, dx, probe((N,), 68))

    return Report(
        "mask",
        [
            row("x, mask", MASK, 1, 1.7),
            row("x, mask, off", MASK, 0, 1.7),
            row("x, salt and pepper", SALT_AND_PEPPER, 1),
            row("x, salt and pepper, off", SALT_AND_PEPPER, 0),
        ],
    )


def _call(
    backend: Backend, kernel: Kernel, *given: np.ndarray, constants: tuple[float, ...]
) -> np.ndarray:
    """The output (n,), on the host, of a kernel from host arrays and constants."""
    out = backend.asarray(np.full(N, np.nan))
    backend.op(kernel)(out, *(backend.asarray(a) for a in given), *constants)
    return backend.to_host(out)
