"""The gradient of weights where pixels are put further apart than they are long."""

import numpy as np
import pytest

from scratchae.kernels import taps
from scratchae.kernels.convolution import conv_gradient

SHAPES = {  # H, W, C, P, Q, O, kh, kw, s_h, s_w, top, left
    "64 channels": (4, 5, 64, 4, 5, 3, 3, 3, 1, 1, 1, 1),
    "32 channels with stride 2": (5, 7, 32, 3, 4, 40, 2, 3, 2, 2, 1, 1),
}


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_pixels_far_apart(shape, add, rng, tolerance):
    """Three images; scratch holds garbage."""
    H, W, C, P, Q, O, kh, kw, *geometry = SHAPES[shape]
    x, a = rng.normal(size=(3, H, W, C)), rng.normal(size=(3, P, Q, O))
    weights, dW = np.zeros((kh, kw, C, O)), rng.normal(size=(kh, kw, C, O))
    sizes = x.shape, a.shape, (kh, kw), *geometry
    assert taps._spaced(*sizes)[-1] == C + taps.LINE
    right, flat = dW.copy(), np.full(taps.scratch_size(*sizes, 8), np.nan)
    conv_gradient(right, np.empty((0, H, W, C)), a, x, weights, *geometry, add, None)
    taps.weight_gradient(dW, x, a, *geometry, add, flat)
    np.testing.assert_allclose(dW, right, atol=tolerance("kernel"))
