"""The kernels of likelihoods against their own values, with one and with several samples an
example."""

import numpy as np

from scratchae.backend import Backend
from scratchae.gradcheck.measure import Report, Row, judge, probe
from scratchae.kernels.kernel import Kernel

Constants = tuple[float, ...]


def nll(kernel: Kernel, x: np.ndarray, constants: Constants, backend: Backend) -> Report:
    """x (N, ...), a (N K, ...) with rows like those of x. Source: the kernel's docstring."""
    return Report(
        kernel.name, [_row("a", kernel, x, x.shape[1:], constants, backend, K) for K in (1, 3)]
    )


def learned_gaussian(kernel: Kernel, backend: Backend) -> Report:
    """One place and several, with a floor and without: x (N, P, C). Source:
    kernels/learned_gaussian.py."""
    one, several = probe((4, 1, 5), 75), probe((4, 3, 2), 76)
    rows = [_row("a, with a floor", kernel, one, (1, 10), (-0.5,), backend, K) for K in (1, 3)]
    rows += [_row("a, without", kernel, several, (3, 4), (-np.inf,), backend, K) for K in (1, 3)]
    return Report(kernel.name, rows)


def discretised_logistic(kernel: Kernel, backend: Backend) -> Report:
    """The first and the last bin and those inside, scales of many bins and of less than one.

    Source: kernels/discretised_logistic.py."""
    k = np.arange(12) % 4
    one, several = (-1 + 0.5 * k.reshape(shape) for shape in ((4, 1, 3), (4, 3, 1)))
    rows = [_row("a", kernel, one, (1, 6), (-1.0, 0.5, 4), backend, K) for K in (1, 3)]
    sharp = 8 * several, (-8.0, 4.0, 4)
    rows += [_row("a, sharp", kernel, sharp[0], (3, 2), sharp[1], backend, K) for K in (1, 3)]
    return Report(kernel.name, rows)


def optimal_gaussian(kernel: Kernel, backend: Backend) -> Report:
    """The gradient of N D / 2 log of the mean square, by a, over K = 2 samples. Source:
    kernels/optimal_gaussian.py."""
    x, a, K = np.repeat(probe((4, 5), 81), 2, axis=0), probe((8, 5), 82), 2

    def loss(a: np.ndarray) -> float:
        return float(4 * 5 / 2 * np.log(((a - x) ** 2).mean()))

    def da(a: np.ndarray, _: object) -> np.ndarray:
        y, out = backend.asarray(2 * (a - x)), backend.asarray(np.full(a.shape, np.nan))
        total = backend.asarray(np.array([4.0, ((a - x) ** 2).sum()]))
        backend.op(kernel)(out, y, total, K * 5)
        return backend.to_host(out) / K  # the share of each sample

    return Report(kernel.name, [judge("a", loss, da, a)])


def shared_gaussian(nll: Kernel, gradient: Kernel, backend: Backend) -> Report:
    """By a and by logvar, with weights, with a floor and nearly without. Source:
    kernels/shared_gaussian.py."""
    x, a, w = probe((4, 5), 78), probe((12, 5), 79), 0.5 + probe((12,), 80) ** 2

    def call(kernel: Kernel, shapes: list[tuple[int, ...]], *given: object) -> list[np.ndarray]:
        outs = [backend.asarray(np.full(shape, np.nan)) for shape in shapes]
        arrays = [backend.asarray(g) if isinstance(g, np.ndarray) else g for g in given]
        backend.op(kernel)(*outs, *arrays)
        return [backend.to_host(out) for out in outs]

    def forward(a: np.ndarray, logvar: np.ndarray, L: float) -> list[np.ndarray]:
        return call(nll, [a.shape[:1], a.shape, a.shape[:1]], a, x, logvar, L)

    def by_logvar(logvar: np.ndarray, L: float) -> np.ndarray:
        q = forward(a, logvar, L)[2]
        return call(gradient, [(1,)], q, w, logvar, L, a.shape[1], False)[0]

    rows = []
    for what, L in (("with a floor", -0.5), ("nearly without", -20.0)):
        logvar = np.array([-0.3])
        rows += [
            judge(
                f"a, {what}",
                lambda a, L=L, v=logvar: forward(a, v, L)[0],
                lambda a, d, L=L, v=logvar: d[:, None] * forward(a, v, L)[1],
                a,
            ),
            judge(
                f"logvar, {what}",
                lambda v, L=L: float(w @ forward(a, v, L)[0]),
                lambda v, _, L=L: by_logvar(v, L),
                logvar,
            ),
        ]
    return Report(nll.name, rows)


def _row(
    what: str,
    kernel: Kernel,
    x: np.ndarray,
    row: tuple[int, ...],
    constants: Constants,
    backend: Backend,
    K: int,
) -> Row:
    """row: the shape of one row of a."""
    data, a = backend.asarray(x), 2 * probe((len(x) * K, *row), 49 + K)

    def both(a: np.ndarray) -> list[np.ndarray]:
        outs = [backend.asarray(np.full(shape, np.nan)) for shape in (a.shape[:1], a.shape)]
        backend.op(kernel)(*outs, backend.asarray(a), data, *constants)
        return [backend.to_host(out) for out in outs]

    def da(a: np.ndarray, dnll: np.ndarray) -> np.ndarray:
        return dnll.reshape(-1, *(1 for _ in row)) * both(a)[1]

    return judge(f"{what}, K = {K}", lambda a: both(a)[0], da, a)
