"""What README shows is what happens."""

import re
from pathlib import Path

import numpy as np
import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
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


def test_every_picture_and_file_that_readme_names_is_there():
    root = Path(__file__).parents[1]
    named = re.findall(r"!\[.*?\]\((.*?)\)", README) + re.findall(
        r"`((?:kernels|scratchae|tests|docs)/[\w/]+\.\w+)`", README
    )
    assert named
    assert [name for name in named if not (root / name).exists()] == []
