"""Three ways to paint an image: each is the adjoint of a convolution, and each is the shortest
somewhere."""

import numpy as np
import pytest

from scratchae.kernels import paint
from scratchae.kernels.convolution import conv_transpose
from scratchae.kernels.taps import TOGETHER

WAYS = {
    "by remainders": paint._by_remainders,
    "by blocks": paint._by_blocks,
    "by patches": paint._by_patches,
}
SHAPES = {  # H, W, C, P, Q, O, kh, kw, s_h, s_w, top, left
    "odd numbers": (9, 7, 3, 5, 4, 17, 5, 5, 2, 2, 2, 1),
    "a stride beyond the kernel": (8, 9, 2, 3, 3, 5, 1, 2, 3, 3, 0, 0),
    "a run longer than two registers": (5, 6, 33, 3, 2, 2, 2, 6, 2, 3, 1, 5),
    "padding wider than a run": (4, 6, 5, 3, 6, 3, 3, 7, 2, 1, 2, 6),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("way", WAYS)
def test_each_way_is_the_adjoint(way, shape, rng, tolerance):
    """Two images more than go through together; scratch holds garbage, and what lies behind the
    images is left alone."""
    H, W, C, P, Q, O, kh, kw, *geometry = SHAPES[shape]
    N = TOGETHER // (P * Q) + 2
    a, weights = rng.normal(size=(N, P, Q, O)), rng.normal(size=(kh, kw, C, O))
    right, whole = np.empty((N, H, W, C)), np.full((2 * N, H, W, C), np.nan)
    x = whole[:N]
    sizes = paint.scratch_sizes(x.shape, a.shape, (kh, kw), *geometry, 8)
    flat = np.full(sizes[list(WAYS).index(way)], np.nan)
    conv_transpose(right, a, weights, *geometry, None)
    WAYS[way](x, a, weights, *geometry, flat)
    np.testing.assert_allclose(x, right, atol=tolerance("kernel"))
    assert np.isnan(whole[N:]).all()


@pytest.mark.parametrize(
    "way, C, O, k, s",
    [("by remainders", 32, 64, 3, 2), ("by blocks", 3, 32, 4, 2), ("by patches", 1, 32, 3, 1)],
)
def test_each_way_is_the_shortest_somewhere(way, C, O, k, s):
    assert paint.way(C, O, k, k, s, s) == list(WAYS).index(way)
