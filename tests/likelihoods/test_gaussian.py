"""The Gaussian likelihood of a given spread."""

import numpy as np
import pytest

import scratchae as sa


@pytest.mark.parametrize("sigma", [0, -1, np.nan, np.inf, 1e-200, 1e200])
def test_sigma_has_a_square_and_its_inverse_in_float32(sigma):
    with pytest.raises(ValueError, match=r"sigma\) is .*, but"):
        sa.GaussianLikelihood(sigma)
