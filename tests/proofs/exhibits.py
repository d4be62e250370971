"""What every exhibit of the bug museum does."""

import pytest


def exhibit(proof, plant):
    """The proof holds, the bug is planted, the proof fails."""
    proof()
    plant()
    with pytest.raises(AssertionError):
        proof()
