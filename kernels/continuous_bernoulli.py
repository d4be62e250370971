"""The continuous Bernoulli negative log-likelihood in its natural parameter: value and gradient in
one pass.

For x in [0, 1], grey values included, and a any real number:

    p(x | a) = exp(x a - A),   A = log of int_0^1 exp(t a) dt = log((exp(a) - 1) / a)   (1)
    |a| >= 1/2: A = max(a, 0) + log(m / |a|),   m = 1 - exp(-|a|)                       (2)
    |a| < 1/2:  A = a / 2 + c_1 q + c_2 q^2 + ... + c_6 q^6,   q = a^2                  (3)
    nll = sum over the D values of A - x a                                              (4)
    |a| >= 1/2: A' = g if a >= 0 else 1 - g,   g = 1 / m - 1 / |a|                      (5)
    |a| < 1/2:  A' = 1/2 + a (2 c_1 + 4 c_2 q + ... + 12 c_6 q^5)                       (6)
    da = A' - x                                                                         (7)

with c_k = B_2k / (2k (2k)!) from Bernoulli's numbers B; what (3) and (6) leave out is below 2e-15.
A' is the mean of x. Other codes start from lambda = sigmoid(a), whose normaliser is
2 artanh(1 - 2 lambda) / (1 - 2 lambda): 0 / 0 at lambda = 1/2, so they cut a band out around it,
and infinite at 0 and 1, so they clamp lambda. In a there is nothing to cut and nothing to clamp:
each term is finite for every finite a. With K samples an example, rows n K to n K + K - 1 of a are
held against row n of x. The sums run in float64.

Source: Loaiza-Ganem and Cunningham, "The continuous Bernoulli: fixing a pervasive error in
variational autoencoders", 2019, eq. 6 to 8 (in lambda); Olver et al., "NIST handbook of
mathematical functions", 2010, 4.19.7 at z = i a / 2 (3: the logarithm of sinh(a / 2) / (a / 2)).
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit
from .machine.elementary import expm1, log

NEAR = 0.5  # below it, in size, (2) and (5) lose digits and the series has them
# B_2k / (2k (2k)!) for k = 1, ..., 6, and 2k times that
SERIES = 1 / 24, -1 / 2880, 1 / 181440, -1 / 9676800, 1 / 479001600, -691 / 15692092416000
SLOPES = tuple(2 * k * c for k, c in enumerate(SERIES, 1))


def slope(a):
    """a (any shape) -> A' = the mean of p(x | a), same shape."""
    near, far = np.clip(a, -NEAR, NEAR), np.maximum(np.abs(a), NEAR)
    g = 1 / -np.expm1(-far) - 1 / far  # (5)
    small = 0.5 + near * _series(SLOPES, near * near)  # (6)
    return np.where(np.abs(a) < NEAR, small, np.where(a >= 0, g, 1 - g))  # (5) (6)


def _series(c, q):
    """c_1 + c_2 q + ... + c_6 q^5, shaped like q."""
    return c[0] + q * (c[1] + q * (c[2] + q * (c[3] + q * (c[4] + q * c[5]))))


def continuous_bernoulli_nll(nll, da, a, x):
    """nll (N K,), da (N K, D) <- a (N K, D), x (N, D) in [0, 1]."""
    x, is_near = np.repeat(x, a.shape[0] // max(x.shape[0], 1), axis=0), np.abs(a) < NEAR
    q, far = np.clip(a, -NEAR, NEAR) ** 2, np.maximum(np.abs(a), NEAR)
    linear = np.where(is_near, a / 2, np.maximum(a, 0.0)) - x * a  # (1) (2) (3) (4)
    rest = np.where(is_near, q * _series(SERIES, q), np.log(-np.expm1(-far) / far))  # (2) (3)
    nll[...] = (linear + rest).sum(axis=1, dtype=np.float64)  # (4)
    da[...] = slope(a) - x  # (5) (6) (7)


@jit
def _continuous_bernoulli_nll(nll, da, a, x):
    M, D = a.shape
    K, real = M // max(x.shape[0], 1), a.dtype.type
    zero, half, one, bound = real(0), real(0.5), real(1), real(NEAR)
    c1, c2, c3 = real(SERIES[0]), real(SERIES[1]), real(SERIES[2])
    c4, c5, c6 = real(SERIES[3]), real(SERIES[4]), real(SERIES[5])
    d1, d2, d3 = real(SLOPES[0]), real(SLOPES[1]), real(SLOPES[2])
    d4, d5, d6 = real(SLOPES[3]), real(SLOPES[4]), real(SLOPES[5])
    for k in range(M):
        a_k, x_n, da_k, total = a[k], x[k // K], da[k], 0.0
        for d in range(D):
            t, size = a_k[d], abs(a_k[d])
            is_near, q, far = size < bound, t * t, bound if size < bound else size
            m = -expm1(-far)  # (2)
            value = c1 + q * (c2 + q * (c3 + q * (c4 + q * (c5 + q * c6))))  # (3)
            change = d1 + q * (d2 + q * (d3 + q * (d4 + q * (d5 + q * d6))))  # (6)
            start = half * t if is_near else (zero if t < zero else t)
            rest = q * value if is_near else log(m / far)  # (2) (3)
            total += (start - x_n[d] * t) + rest  # (1) (2) (3) (4)
            g = one / m - one / far  # (5)
            A1 = half + t * change if is_near else (g if t >= zero else one - g)  # (5) (6)
            da_k[d] = A1 - x_n[d]  # (7)
        nll[k] = total


def _continuous_bernoulli_nll_cuda(gpu, nll, da, a, x):
    M, D = a.shape
    gpu.blocks("continuous_bernoulli_nll", M, nll, da, a, x, M, D, M // max(x.shape[0], 1))


CONTINUOUS_BERNOULLI_NLL = Kernel(
    continuous_bernoulli_nll, _continuous_bernoulli_nll, _continuous_bernoulli_nll_cuda
)
