"""What every exhibit of the bug museum does: it proves, plants, and proves again."""

import pytest

from scratchae.backend.cuda import source as cuda


def exhibit(proof, plant):
    """The proof holds, the bug is planted, the proof fails."""
    proof()
    plant()
    with pytest.raises(AssertionError):
        proof()


def replace_cuda(monkeypatch, file, changes):
    """Other words in the place of those of a .cu file, wherever they stand: {right: wrong}."""
    text = cuda.texts()[file]
    for right, wrong in changes.items():
        assert right in text
        text = text.replace(right, wrong)
    monkeypatch.setitem(cuda.texts(), file, text)
