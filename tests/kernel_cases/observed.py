"""Cases of the kernels that leave out what was not observed."""

from kernel_cases.draws import easy, garbage


def observed(rng, dtype, N, D, K, key):
    """s (N, P, C), and the shape of a: one or two parameters for each number."""
    P, C = D // 3 + 1, D % 3 + 1
    s = (rng.random((N, P, C)) < 0.6).astype(dtype)
    return s, (N * K, P, C * (K % 2 + 1))


def hide(rng, dtype, N, D, K, key):
    s, shape = observed(rng, dtype, N, D, K, key)
    return [garbage(dtype, *shape)], [easy(rng, dtype, shape), s], [-1e4]


def leave_out(rng, dtype, N, D, K, key):
    s, shape = observed(rng, dtype, N, D, K, key)
    return [easy(rng, dtype, shape[0]), easy(rng, dtype, shape)], [s], [0.7]


CASES = {"observed.HIDE": hide, "observed.LEAVE_OUT": leave_out}
