"""What a comparison with PyTorch needs."""

import pytest
from blocks import held


@pytest.fixture
def whole_shards(monkeypatch):
    """Shards go through in one block, so that the noise of all their rows can be read back."""
    monkeypatch.setattr("scratchae.execution.threads.blocks_of", held(1 << 40))


@pytest.fixture
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
