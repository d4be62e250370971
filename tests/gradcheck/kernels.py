"""Every differentiable kernel against its own forward pass, in the spelling that a backend runs.

Inputs are drawn by Philox; outputs are handed over full of NaN, so that what is not written shows.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from gradcheck import given, hierarchy, importance, kl_weights, likelihoods, penalties
from gradcheck.calling import called
from gradcheck.noise import gaussian_noise, masks

from scratchae.backend import Backend, get_backend
from scratchae.gradcheck.measure import Report, Row, judge, probe
from scratchae.kernels.activation import ACTIVATION_GRADIENT, BIAS_ACTIVATION
from scratchae.kernels.bernoulli import BERNOULLI_NLL
from scratchae.kernels.categorical import CATEGORICAL_NLL
from scratchae.kernels.continuous_bernoulli import CONTINUOUS_BERNOULLI_NLL
from scratchae.kernels.convolution import (
    CONV,
    CONV_GRADIENT,
    CONV_TRANSPOSE,
    CONV_TRANSPOSE_GRADIENT,
)
from scratchae.kernels.convolution import scratch_size as conv_scratch_size
from scratchae.kernels.discretised_logistic import DISCRETISED_LOGISTIC_NLL
from scratchae.kernels.errors import ABSOLUTE_ERROR, SQUARED_ERROR
from scratchae.kernels.gaussian import GAUSSIAN_GRADIENT, GAUSSIAN_SAMPLE
from scratchae.kernels.kernel import Kernel
from scratchae.kernels.learned_gaussian import LEARNED_GAUSSIAN_NLL
from scratchae.kernels.lstm import THROUGH_TIME, THROUGH_TIME_GRADIENT, scratch_size
from scratchae.kernels.noise import GAUSSIAN_NOISE, GAUSSIAN_NOISE_GRADIENT, MASK, SALT_AND_PEPPER
from scratchae.kernels.optimal_gaussian import OPTIMAL_GAUSSIAN_GRADIENT
from scratchae.kernels.patches import COL2IM, IM2COL
from scratchae.kernels.penalties import RATE_GRADIENT, SUM_UNITS
from scratchae.kernels.poisson import POISSON_NLL
from scratchae.kernels.pooling import MAX_POOL, MAX_POOL_GRADIENT, UPSAMPLE, UPSAMPLE_GRADIENT
from scratchae.kernels.shared_gaussian import SHARED_GAUSSIAN_GRADIENT, SHARED_GAUSSIAN_NLL
from scratchae.kernels.swap import SWAP

Family = tuple[tuple[Kernel, ...], Callable[[Backend], Report]]


def check_kernel(kernel: Kernel, backend: str) -> Report:
    """Check the one family that the kernel belongs to, in the spelling of that backend."""
    (report,) = (report for kernels, report in families() if kernel in kernels)
    return report(get_backend(backend, "float64"))


def families() -> Iterator[Family]:
    """The kernels that are checked together, and their check: a forward pass and its gradient."""
    for name in BIAS_ACTIVATION:
        yield (BIAS_ACTIVATION[name], ACTIVATION_GRADIENT[name]), partial(_activation, name)
    yield (GAUSSIAN_SAMPLE, GAUSSIAN_GRADIENT), _gaussian
    yield importance.RATIOS, importance.ratio
    yield importance.WEIGHTS, importance.weights
    yield hierarchy.RATIOS, hierarchy.ratio
    yield hierarchy.TERMS, hierarchy.terms
    yield kl_weights.KERNELS, kl_weights.both
    yield given.JOINS, given.joined
    yield given.PRIORS, given.prior
    pixels = 0.5 + 0.5 * np.tanh(probe((4, 5), 40))  # grey, as Bernoulli takes them
    for kernel in (BERNOULLI_NLL, CONTINUOUS_BERNOULLI_NLL):
        yield (kernel,), partial(likelihoods.nll, kernel, pixels, ())
    yield (SQUARED_ERROR,), partial(likelihoods.nll, SQUARED_ERROR, probe((4, 5), 41), (1.7, 0.3))
    yield (
        (ABSOLUTE_ERROR,),
        partial(likelihoods.nll, ABSOLUTE_ERROR, probe((4, 5), 42), (1.7, 0.3)),
    )
    yield (
        (CATEGORICAL_NLL,),
        partial(likelihoods.nll, CATEGORICAL_NLL, probe((4, 3, 5), 74) ** 2, ()),
    )
    counts = np.rint(3 + 3 * np.tanh(probe((4, 5), 77)))
    yield (POISSON_NLL,), partial(likelihoods.nll, POISSON_NLL, counts, ())
    yield (LEARNED_GAUSSIAN_NLL,), partial(likelihoods.learned_gaussian, LEARNED_GAUSSIAN_NLL)
    yield (
        (DISCRETISED_LOGISTIC_NLL,),
        partial(likelihoods.discretised_logistic, DISCRETISED_LOGISTIC_NLL),
    )
    yield (
        (OPTIMAL_GAUSSIAN_GRADIENT,),
        partial(likelihoods.optimal_gaussian, OPTIMAL_GAUSSIAN_GRADIENT),
    )
    pair = SHARED_GAUSSIAN_NLL, SHARED_GAUSSIAN_GRADIENT
    yield pair, partial(likelihoods.shared_gaussian, *pair)
    yield (IM2COL, COL2IM), _patches
    yield (CONV, CONV_GRADIENT), partial(_convolution, CONV, CONV_GRADIENT)
    yield (
        (CONV_TRANSPOSE, CONV_TRANSPOSE_GRADIENT),
        partial(_convolution, CONV_TRANSPOSE, CONV_TRANSPOSE_GRADIENT),
    )
    yield (MAX_POOL, MAX_POOL_GRADIENT), _max_pool
    yield (UPSAMPLE, UPSAMPLE_GRADIENT), _upsample
    yield (GAUSSIAN_NOISE, GAUSSIAN_NOISE_GRADIENT), gaussian_noise
    yield (MASK, SALT_AND_PEPPER), masks
    yield (THROUGH_TIME, THROUGH_TIME_GRADIENT), _lstm
    yield (SWAP,), _swap
    for pair in penalties.PAIRS:
        yield pair, partial(penalties.of_rows, *pair)
    yield (SUM_UNITS, RATE_GRADIENT), penalties.rate
    yield penalties.CONTRACTIONS, penalties.contraction


def _activation(name: str, backend: Backend) -> Report:
    a, b, before = 2 * probe((6, 5), 43), probe((5,), 44), probe((5,), 45)

    def y(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        inout = backend.asarray(a)
        backend.op(BIAS_ACTIVATION[name])(inout, backend.asarray(b))
        return backend.to_host(inout)

    def gradient(
        a: np.ndarray, b: np.ndarray, dy: np.ndarray, add: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        da, db = backend.asarray(np.nan * a), backend.asarray(before if add else np.nan * b)
        backend.op(ACTIVATION_GRADIENT[name])(
            da, db, backend.asarray(dy), backend.asarray(y(a, b)), add
        )
        return (dy if name == "identity" else backend.to_host(da)), backend.to_host(db)

    return Report(
        f"bias_activation {name}",
        [
            judge("a", lambda a: y(a, b), lambda a, dy: gradient(a, b, dy, False)[0], a),
            judge("b", lambda b: y(a, b), lambda b, dy: gradient(a, b, dy, False)[1], b),
            judge(
                "b, added",
                lambda b: y(a, b),
                lambda b, dy: gradient(a, b, dy, True)[1] - before,
                b,
            ),
        ],
    )


def _gaussian(backend: Backend) -> Report:
    N, K, D = 4, 3, 5
    h, eps, w = probe((N, 2 * D), 46), probe((N * K, D), 47), 0.5 + probe((D,), 48) ** 2

    def both(h: np.ndarray) -> list[np.ndarray]:
        return called(backend, GAUSSIAN_SAMPLE, ((N * K, D), (N, D)), h, eps)

    def dh(h: np.ndarray, dz: np.ndarray, w: np.ndarray) -> np.ndarray:
        return called(backend, GAUSSIAN_GRADIENT, ((N, 2 * D),), dz, h, eps, w)[0]

    nothing = np.zeros((N * K, D))
    return Report(
        "gaussian_sample",
        [
            judge("h through z", lambda h: both(h)[0], lambda h, dz: dh(h, dz, 0 * w), h),
            judge(
                "h through kl", lambda h: (both(h)[1] * w).sum(), lambda h, _: dh(h, nothing, w), h
            ),
        ],
    )


def _patches(backend: Backend) -> Report:
    """Strides and padding that differ by side; each is the other's gradient, being its adjoint."""
    image, cols, geometry = (2, 6, 5, 3), (2, 3, 5, 3, 2, 3), (2, 1, 1, 0)

    def im2col(x: np.ndarray) -> np.ndarray:
        return called(backend, IM2COL, (cols,), x, *geometry)[0]

    def col2im(c: np.ndarray) -> np.ndarray:
        return called(backend, COL2IM, (image,), c, *geometry)[0]

    return Report(
        "im2col, col2im",
        [
            judge("im2col", im2col, lambda _, dcols: col2im(dcols), probe(image, 55)),
            judge("col2im", col2im, lambda _, dx: im2col(dx), probe(cols, 56)),
        ],
    )


def _convolution(there: Kernel, back: Kernel, backend: Backend) -> Report:
    """Strides and padding that differ by side; an image of few channels and one of many."""
    return Report(
        there.name, [row for C in (2, 6) for row in _convolution_rows(there, back, C, backend)]
    )


def _convolution_rows(there: Kernel, back: Kernel, C: int, backend: Backend) -> list[Row]:
    image, grid, weights, geometry = (2, 6, 5, C), (2, 3, 5, 3), (3, 2, C, 3), (2, 1, 1, 0)
    x_shape, a_shape = (image, grid) if there is CONV else (grid, image)
    x, W, before = probe(x_shape, 57), probe(weights, 58), probe(weights, 59)
    flat = np.empty(conv_scratch_size(backend.spelling, 8, image, grid, weights[:2], *geometry))

    def a(x: np.ndarray, W: np.ndarray) -> np.ndarray:
        return called(backend, there, (a_shape,), x, W, *geometry, flat)[0]

    def gradients(x: np.ndarray, W: np.ndarray, da: np.ndarray) -> list[np.ndarray]:
        return called(backend, back, (weights, x_shape), da, x, W, *geometry, False, flat)

    def added(da: np.ndarray) -> np.ndarray:
        dW, dx = backend.asarray(before), backend.empty((0, *x_shape[1:]))
        arrays, spare = [[backend.asarray(v) for v in given] for given in ((da, x, W), (flat,))]
        backend.op(back)(dW, dx, *arrays, *geometry, True, *spare)
        return backend.to_host(dW) - before

    return [
        judge(f"x, C = {C}", lambda x: a(x, W), lambda x, da: gradients(x, W, da)[1], x),
        judge(f"W, C = {C}", lambda W: a(x, W), lambda W, da: gradients(x, W, da)[0], W),
        judge(f"W, added, C = {C}", lambda W: a(x, W), lambda _, da: added(da), W),
    ]


def _max_pool(backend: Backend) -> Report:
    """Windows that overlap, with padding that differs by side."""
    image, geometry = (2, 6, 5, 3), (3, 2, 2, 1, 1, 0)
    y, winner = (
        backend.asarray(np.zeros((2, 3, 5, 3))),
        backend.asarray(np.full((2, 3, 5, 3), 255), np.uint8),
    )

    def pool(x: np.ndarray) -> np.ndarray:
        backend.write(y, np.nan)
        backend.op(MAX_POOL)(y, winner, backend.asarray(x), *geometry)
        return backend.to_host(y)

    def gradient(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
        pool(x)
        return called(
            backend, MAX_POOL_GRADIENT, (image,), dy, backend.to_host(winner), *geometry
        )[0]

    return Report("max_pool", [judge("x", pool, gradient, probe(image, 57))])


def _upsample(backend: Backend) -> Report:
    """Each is the other's gradient, being its adjoint."""
    small, large = (2, 3, 2, 3), (2, 6, 6, 3)

    def up(x: np.ndarray) -> np.ndarray:
        return called(backend, UPSAMPLE, (large,), x)[0]

    def down(dy: np.ndarray) -> np.ndarray:
        return called(backend, UPSAMPLE_GRADIENT, (small,), dy)[0]

    return Report(
        "upsample",
        [
            judge("upsample", up, lambda _, dy: down(dy), probe(small, 58)),
            judge("its gradient", down, lambda _, dx: up(dx), probe(large, 59)),
        ],
    )


def _lstm(backend: Backend) -> Report:
    """Three steps; y is every h_t, or the last one alone."""
    T, N, U = 3, 4, 5
    start = {"a": probe((T, N, 4 * U), 60), "R": probe((U, 4 * U), 61), "b": probe((4 * U,), 62)}
    c, h = (
        np.concatenate([probe((1, N, U), seed), np.full((T, N, U), np.nan)]) for seed in (63, 65)
    )
    flat = backend.empty((scratch_size(N, U, backend.dtype.itemsize),))

    def states(given: dict[str, np.ndarray]) -> list[np.ndarray]:
        outs = [backend.asarray(value) for value in (np.full((T, 4, N, U), np.nan), c, h)]
        backend.op(THROUGH_TIME)(*outs, *map(backend.asarray, given.values()), flat)
        return [backend.to_host(out) for out in outs]

    def row(name: str, first: int) -> Row:
        def gradient(value: np.ndarray, dy: np.ndarray) -> np.ndarray:
            given = start | {name: value}
            gates, c, h = states(given)
            da, dh = backend.asarray(np.nan * given["a"]), backend.asarray(dy)
            ins = [backend.asarray(value) for value in (gates, c, given["R"])]
            backend.op(THROUGH_TIME_GRADIENT)(da, dh, *ins, flat)
            da = backend.to_host(da)
            return {"a": da, "R": np.einsum("tnu,tnk->uk", h[:T], da), "b": da.sum(axis=(0, 1))}[
                name
            ]

        what = f"{name}, last step" if first == T else name
        return judge(
            what, lambda value: states(start | {name: value})[2][first:], gradient, start[name]
        )

    return Report("through_time", [row(name, first) for first in (1, T) for name in start])


def _swap(backend: Backend) -> Report:
    """It is its own gradient, with the first two sizes exchanged."""

    def swap(x: np.ndarray) -> np.ndarray:
        return called(backend, SWAP, ((x.shape[1], x.shape[0], x.shape[2]),), x)[0]

    return Report("swap", [judge("x", swap, lambda _, dy: swap(dy), probe((3, 4, 2), 64))])
