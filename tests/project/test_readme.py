"""What README shows is what happens."""

import re
from pathlib import Path

import numpy as np
import pytest

from scratchae.datasets import ecg5000
from scratchae.datasets.generated import beats

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=lambda code: code.split("\n")[0])
def test_every_python_block_runs(code):
    names: dict = {}
    exec(code.replace("epochs=10", "epochs=1"), names)
    if "digits" in names:
        digits, history = names["digits"], names["history"]
        assert digits.shape == (64, 28, 28, 1)
        assert np.all((digits >= 0) & (digits <= 1))
        assert history["test_loss"][-1] < 300


def test_the_real_beats_take_the_place_of_the_generated_ones(monkeypatch):
    """By the words that README says, as it says them; the real ones' file is not needed for that."""
    said = re.search(r"`(.+)` in the\s+place of `(.+)` in the second line's import", README)
    assert said
    (code,) = (code for code in BLOCKS if "Detector(" in code)
    lines = code.replace("epochs=20", "epochs=1").split("\n")
    lines[1] = lines[1].replace(said[2], said[1])
    monkeypatch.setattr(ecg5000, "everything", beats.everything)
    monkeypatch.setattr(beats, "everything", None)
    exec("\n".join(lines), {})


def test_every_folder_of_data_is_named():
    for folder in ("mnist/", "fashion_mnist/", "ecg5000/"):
        assert re.search(rf"SCRATCHAE_DATA=.*{folder}", README), folder
        assert re.search(rf"that `SCRATCHAE_DATA` names \([^)]*`{folder}`", CONTRIBUTING), folder


def test_every_picture_and_file_that_readme_names_is_there():
    root = Path(__file__).parents[2]
    named = re.findall(r"!\[.*?\]\((.*?)\)", README) + re.findall(
        r"`((?:kernels|scratchae|tests|docs)/[\w/]+\.\w+)`", README
    )
    assert named
    assert [name for name in named if not (root / name).exists()] == []
