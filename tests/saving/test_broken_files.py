"""A file that is not whole is never loaded, and a save that fails leaves the old file."""

import os

import numpy as np
import pytest
from safetensors.numpy import save_file
from saving.broken import flipped, header_size, refused
from saving.models import built, save, train

import scratchae as sa


@pytest.fixture
def saved(tmp_path):
    """A model's file, and its bytes."""
    model = built()
    train(model, sa.Adam(0.01))
    save(model, tmp_path / "model")
    return tmp_path / "model", (tmp_path / "model").read_bytes()


def test_a_flipped_bit_in_a_tensor(saved):
    path, raw = saved
    start = header_size(raw)
    for at in (start, start + 1001, len(raw) - 1):
        assert "is damaged: it has the SHA-256" in refused(path, flipped(raw, at, 1 << at % 8))


def test_a_flipped_bit_in_the_header(saved):
    """lr, sigma, beta and t are in the header: a flipped digit there is a model that nobody
    trained."""
    path, raw = saved
    for at in range(0, header_size(raw), 7):
        if raw[at : at + 1] != b" ":
            refused(path, flipped(raw, at))


@pytest.mark.parametrize("part", [0, 7, 8, 100, 0.5, 0.99, -1])
def test_a_file_cut_short(saved, part):
    path, raw = saved
    size = int(part * len(raw)) if isinstance(part, float) else part
    assert "no whole safetensors file" in refused(path, raw[:size])


def test_files_of_others(saved):
    path, _ = saved
    assert "no whole safetensors file" in refused(path, b"\x80\x04K\x01.")  # a pickle
    save_file({"W": np.zeros((2, 3), np.float32)}, path)
    assert "'no format', but 'scratchae 4' is expected" in refused(path, path.read_bytes())
    save_file({"W": np.zeros((2, 3), np.float32)}, path, {"format": "pt"})
    assert "says 'pt'" in refused(path, path.read_bytes())


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_save_leaves_the_old_file(saved, monkeypatch, broken):
    path, raw = saved

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="no space left"):
        save(built("squared"), path)
    assert path.read_bytes() == raw
    assert [p.name for p in path.parent.iterdir()] == ["model"]
