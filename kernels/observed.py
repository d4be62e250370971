"""A likelihood of what was observed: places of x that were not take no part.

s (N, P, C) is 1 where x was observed, else 0. Row m of K samples belongs to example m // K; a (M,
P, L) has L / C parameters for each number of x, those of number c at c, C + c, ... Where s is 0, a
is replaced by a number a0, and x is 0 there, for which -log p(x | a) is a known f0, so that the
likelihood's own kernel gives, with s of m // K and of j mod C,

    a0_mpj = a_mpj if s = 1 else a0                                                     (1)
    nll_m <- nll_m - f0 sum_pc (1 - s)          what the places left out have added     (2)
    da_mpj <- da_mpj if s = 1 else 0                                                    (3)

If p is a product over places, as of every likelihood here, (2) is -log p of what was observed: the
other places integrate to one. With s = 1 everywhere nothing changes, to the bit.

Source: Little and Rubin, "Statistical analysis with missing data", 2002, section 6.2 (ignorable);
Nazabal, Olmos, Ghahramani, Valera, "Handling incomplete heterogeneous data using VAEs", 2020, eq.
5.
"""

import numpy as np

from .kernel import Kernel
from .machine.compile import jit


def hide(out, a, s, a0):
    """out (M, P, L) <- a (M, P, L), s (N, P, C), constant a0."""
    out[...] = np.where(_of_samples(s, a), a, a.dtype.type(a0))  # (1)


def leave_out(nll, da, s, f0):
    """nll (M,), da (M, P, L) <- themselves, s (N, P, C), constant f0."""
    missing = (s == 0).sum(axis=(1, 2))
    nll -= f0 * np.repeat(missing, len(nll) // max(len(s), 1))  # (2)
    da[~_of_samples(s, da)] = 0  # (3)


def _of_samples(s, a):
    """Whether the number of x was observed that each of a (M, P, L) is about."""
    s = np.repeat(s, a.shape[0] // max(s.shape[0], 1), axis=0)
    return np.tile(s, (1, 1, a.shape[2] // s.shape[2])) != 0


@jit
def _side_by_side(a, s):
    """a (M, P, L) and s (N, P, C) as (M, P, L / C, C) and (N, P, C), or, where L = C, as a row of
    P L numbers each, (M, 1, 1, P L) and (N, 1, P L): the last axis is a longer loop."""
    (M, P, L), (N, _, C) = a.shape, s.shape
    if L == C:
        return a.reshape(M, 1, 1, P * L), s.reshape(N, 1, P * C)
    return a.reshape(M, P, L // C, C), s.reshape(N, P, C)


@jit
def _hide(out, a, s, a0):
    K, other = a.shape[0] // max(s.shape[0], 1), a.dtype.type(a0)
    to, _ = _side_by_side(out, s)
    from_a, observed = _side_by_side(a, s)
    M, P, parts, C = to.shape
    for m in range(M):
        for p in range(P):
            for i in range(parts):
                for c in range(C):
                    one = from_a[m, p, i, c]
                    to[m, p, i, c] = one if observed[m // K, p, c] != 0 else other  # (1)


@jit
def _leave_out(nll, da, s, f0):
    K, zero = da.shape[0] // max(s.shape[0], 1), da.dtype.type(0)
    gradient, observed = _side_by_side(da, s)
    M, P, parts, C = gradient.shape
    for m in range(M):
        missing = 0
        for p in range(P):
            for c in range(C):
                missing += observed[m // K, p, c] == 0
            for i in range(parts):
                for c in range(C):
                    one = gradient[m, p, i, c]
                    gradient[m, p, i, c] = one if observed[m // K, p, c] != 0 else zero  # (3)
        nll[m] -= f0 * missing  # (2)


def _hide_cuda(gpu, out, a, s, a0):
    M, P, L = a.shape
    gpu.each("hide", a.size, out, a, s, M // max(s.shape[0], 1), M, P, L, s.shape[2], a0)


def _leave_out_cuda(gpu, nll, da, s, f0):
    M, P, L = da.shape
    K = M // max(s.shape[0], 1)
    gpu.each("leave_out", M, nll, s, K, M, P, s.shape[2], f0)
    gpu.each("leave_out_gradient", da.size, da, s, K, M, P, L, s.shape[2])


HIDE = Kernel(hide, _hide, _hide_cuda)
LEAVE_OUT = Kernel(leave_out, _leave_out, _leave_out_cuda)
