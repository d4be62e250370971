"""The examples, as a reader imports them, and a world without their data."""

import sys
from pathlib import Path

import pytest

from scratchae import datasets, plots
from scratchae.datasets import files

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
import common


@pytest.fixture(scope="module")
def no_data(tmp_path_factory):
    """No file, no network; strokes are drawn once, as many as a tiny run reads; pictures are
    small."""
    few = datasets.strokes.load(*common.SMOKE_IMAGES)
    beats = datasets.take(datasets.beats.everything(), slice(common.SMOKE_BEATS))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SCRATCHAE_DATA", raising=False)
        patch.setattr(files, "_cache", lambda: tmp_path_factory.getbasetemp() / "no such cache")
        patch.setattr(files, "_download", unreachable)
        patch.setattr(plots.frame, "DPI", plots.frame.DPI // 4)
        patch.setattr(plots.images, "WIDTH", plots.images.WIDTH // 4)
        patch.setattr(datasets.beats, "everything", lambda: beats)
        patch.setitem(datasets.LOADERS, "strokes", lambda data_dir=None: few)
        yield


def unreachable(url, *_):
    raise ConnectionError(f"{url} is not there")
