"""The Gaussian latent."""

import pytest

import scratchae as sa


@pytest.mark.parametrize("n", [0, -2, 1.5])
def test_dimensions_are_a_count(n):
    with pytest.raises(ValueError, match=rf"dimensions\) is {n}, but"):
        sa.Gaussian(n)
