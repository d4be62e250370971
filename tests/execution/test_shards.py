"""How a batch is cut: by what weights, gradients and activations move, and by nothing of the
machine."""

import pytest

import scratchae as sa
from scratchae.execution import shards
from scratchae.execution.shards import CACHE, PASSES, blocks_of, shards_of

MB = 1_000_000


@pytest.mark.parametrize(
    "activations, weights, blocks",
    [
        (CACHE, MB, 1),
        (CACHE + 1, 1000, 2),
        (10 * CACHE, 1000, 10),
        (10 * CACHE, 0, 10),
        (10 * CACHE, 3 * MB, 1 + 10 * CACHE // (PASSES * 3 * MB)),
        (48 * MB, 14 * MB, 1),
    ],
)
def test_no_more_blocks_than_pay_for_the_weights_they_move(activations, weights, blocks):
    """By the cache alone it would be 1, 2, 10, 10, 10 and 8."""
    assert blocks_of(activations, weights) == blocks


def test_large_matrices_are_one_shard(monkeypatch):
    """Whose gradient is large, and whose products threads share. A large kernel, which meets every
    pixel, is no such matrix."""
    monkeypatch.setattr(shards, "LEAST", 1000)
    dense = sa.Autoencoder(sa.Dense(60, 30), sa.Dense(30, 60)).build(60)
    kernels = sa.Conv2d(4, 16, 5, 6, "same"), sa.ConvTranspose2d(16, 4, 5, 6, "same")
    conv = sa.Autoencoder(*kernels).build((6, 6, 4))
    for held, found in ((20_000, [2, 2]), (10_000, [1, 2])):  # of about 14 kB
        monkeypatch.setattr(shards, "HELD", held)
        assert [shards_of(model, 40) for model in (dense, conv)] == found
