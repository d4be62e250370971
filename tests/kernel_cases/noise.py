"""Cases of the kernels of noise."""

import numpy as np

from kernel_cases.draws import garbage

P = 0.5


def gate(rng, dtype, N, D, K, key):
    """In training and not, always noisy and not: all four."""
    purpose = 0 if N % 2 == 0 else int(rng.integers(1, 2**32))
    return [garbage(dtype, 1)], [np.array([3, 1, 4, purpose], np.uint32)], [bool(K % 2)]


def switched(dtype, D):
    """on (1,): off for every fifth case."""
    return np.array([D % 5 > 0], dtype)


def gaussian(backward):
    def case(rng, dtype, N, D, K, key):
        n = N * D
        x, eps, dy = (rng.normal(size=n).astype(dtype) for _ in range(3))
        bounds = [-np.inf, np.inf] if K == 4 else [-0.4, 0.6]
        if not backward and K != 4:
            x[0], eps[0] = 100, 0  # at the upper bound, whatever the noise
        return [garbage(dtype, n)], [*[dy] * backward, x, eps, switched(dtype, D)], [0.7, *bounds]

    return case


def clipped_gradient(rng, dtype, N, D, K, key):
    """Two numbers just inside the bounds: 1 % more of each bound, or of sigma, and one of them is
    outside."""
    outs, (dy, x, eps, on), constants = gaussian(backward=True)(rng, dtype, N, D, K, key)
    if K != 4 and x.size > 3:
        x[:4], eps[:4], dy[:4] = [-0.402, 0.602, 0, 0], [0, 0, 0.85, -0.56], 1
        x[x.size // 2], eps[x.size // 2] = 0, 0  # inside: where the test of NaNs strikes
    return outs, [dy, x, eps, on], constants


def draws(rng, dtype, n):
    """u (n,) in [0, 1), of 24 bits, some of them at the borders of the decisions."""
    u = (rng.integers(0, 2**24, n) / 2**24).astype(dtype)
    u[0] = P
    u[1:2], u[2:3] = P / 2, P - 2**-24
    return u


def mask(rng, dtype, N, D, K, key):
    x, n = rng.normal(size=N * D).astype(dtype), N * D
    return [garbage(dtype, n)], [x, draws(rng, dtype, n), switched(dtype, D)], [P, 1 / 0.7]


def salt_and_pepper(rng, dtype, N, D, K, key):
    outs, ins, constants = mask(rng, dtype, N, D, K, key)
    return outs, ins, constants[:1]


CASES = {
    "noise.GATE": gate,
    "noise.GAUSSIAN_NOISE": gaussian(backward=False),
    "noise.GAUSSIAN_NOISE_GRADIENT": clipped_gradient,
    "noise.MASK": mask,
    "noise.SALT_AND_PEPPER": salt_and_pepper,
}
