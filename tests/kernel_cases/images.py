"""Cases of the kernels of images: patches, convolutions, pooling."""

import numpy as np

from kernel_cases.draws import easy, garbage
from scratchae.kernels.convolution import scratch_size
from scratchae.kernels.pooling import MAX_POOL


def geometry(rng, inside=False):
    """(H, W), (P, Q), (kh, kw), [strides, padding before]; with inside, every patch holds a
    pixel."""
    (top, bottom), (left, right) = rng.integers(0, 4, (2, 2)).tolist()
    (kh, kw), (s_h, s_w) = rng.integers(1, 6, (2, 2)).tolist()
    if inside:
        top, bottom, left, right = top % kh, bottom % kh, left % kw, right % kw
    H, W = (
        int(rng.integers(max(1, k - pad), 10))
        for k, pad in ((kh, top + bottom), (kw, left + right))
    )
    P, Q = (H + top + bottom - kh) // s_h + 1, (W + left + right - kw) // s_w + 1
    return (H, W), (P, Q), (kh, kw), [s_h, s_w, top, left]


def patches(to_cols):
    """Any kernel size, strides beyond the kernel, padding beyond it too, pixels that no patch
    reaches; channels that are fours, and others."""

    def case(rng, dtype, N, D, K, key):
        C, N = 1 + D % 8, min(N, 3)
        image, patch, kernel, constants = geometry(rng)
        x, cols = (N, *image, C), (N, *patch, *kernel, C)
        out, into = (cols, x) if to_cols else (x, cols)
        return [garbage(dtype, *out)], [easy(rng, dtype, into)], constants

    return case


def convolution(transposed, backward):
    """As for patches; channels that fill no vector, one, or more than two; the last constants are
    scratch."""

    def case(rng, dtype, N, D, K, key):
        C, O, N = D, (K * D + 3) % 37 + 1, min(N, 3)
        image, patch, kernel, constants = geometry(rng)
        # long sums, of about 1
        x, a = (easy(rng, dtype, shape) / 2 for shape in ((N, *image, C), (N, *patch, O)))
        x, a, W = *((a, x) if transposed else (x, a)), easy(rng, dtype, (*kernel, C, O)) / 8
        sizes = [(N, *image, C), (N, *patch, O), kernel]
        both, itemsize = ("numba", "cuda"), np.dtype(dtype).itemsize
        length = max(scratch_size(spelling, itemsize, *sizes, *constants) for spelling in both)
        spare = [garbage(dtype, length)]
        if not backward:
            return [garbage(dtype, *a.shape)], [x, W], [*constants, *spare]
        outs = [
            easy(rng, dtype, W.shape),
            garbage(dtype, *x.shape) if K > 1 else garbage(dtype, 0, *x.shape[1:]),
        ]
        return outs, [a, x, W], [*constants, bool(K % 2), *spare]

    return case


def max_pool(backward):
    """Windows that overlap, lie apart or hang over any side, with ties for every other K."""

    def case(rng, dtype, N, D, K, key):
        image, patch, kernel, constants = geometry(rng, inside=True)
        x, y = easy(rng, dtype, (min(N, 3), *image, D)), (min(N, 3), *patch, D)
        x, constants = np.round(x) if K % 2 else x, [*kernel, *constants]
        outs = [garbage(dtype, *y), garbage(np.uint8, *y)]
        if not backward:
            return outs, [x], constants
        MAX_POOL.definition(*outs, x, *constants)
        return [garbage(dtype, *x.shape)], [easy(rng, dtype, y), outs[1]], constants

    return case


def upsample(backward):
    def case(rng, dtype, N, D, K, key):
        (H, W), (f_h, f_w) = rng.integers(1, 6, (2, 2)).tolist()
        x, y = (min(N, 3), H, W, D), (min(N, 3), H * f_h, W * f_w, D)
        out, into = (x, y) if backward else (y, x)
        return [garbage(dtype, *out)], [easy(rng, dtype, into)], []

    return case


def rotate_kernel(rng, dtype, N, D, K, key):
    kh, kw = rng.integers(1, 5, 2).tolist()
    return [easy(rng, dtype, (kh, kw, D, N))], [easy(rng, dtype, (kh, kw, N, D))], [bool(K % 2)]


CASES = {
    "patches.IM2COL": patches(to_cols=True),
    "patches.COL2IM": patches(to_cols=False),
    "convolution.CONV": convolution(transposed=False, backward=False),
    "convolution.CONV_GRADIENT": convolution(transposed=False, backward=True),
    "convolution.CONV_TRANSPOSE": convolution(transposed=True, backward=False),
    "convolution.CONV_TRANSPOSE_GRADIENT": convolution(transposed=True, backward=True),
    "convolution.ROTATE_KERNEL": rotate_kernel,
    "pooling.MAX_POOL": max_pool(backward=False),
    "pooling.MAX_POOL_GRADIENT": max_pool(backward=True),
    "pooling.UPSAMPLE": upsample(backward=False),
    "pooling.UPSAMPLE_GRADIENT": upsample(backward=True),
}
