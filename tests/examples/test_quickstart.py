"""The quickstart as a reader runs it, on few images."""

import runpy
from pathlib import Path

import numpy as np

from scratchae import datasets

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart.py"


def test_it_runs(tmp_path, monkeypatch, capsys):
    few = datasets.strokes.load(256, 64)
    monkeypatch.setitem(datasets.LOADERS, "strokes", lambda data_dir=None: few)
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(QUICKSTART))
    assert {path.name for path in Path("runs/quickstart").iterdir()} == {
        "samples.png",
        "vae.safetensors",
    }
    x = names["test"].values()
    np.testing.assert_array_equal(names["again"].reconstruct(x), names["model"].reconstruct(x))
    printed = capsys.readouterr().out
    assert "'kl'" in printed and "640,804 parameters" in printed


def test_its_files_are_written_before_its_lines():
    """An output that fails ends the script, and costs nothing."""
    source = QUICKSTART.read_text(encoding="utf-8")
    assert source.index("say(") > max(map(source.index, ("scratchae.save(", "plots.save(")))


def test_it_is_25_lines_at_most():
    assert len(QUICKSTART.read_text(encoding="utf-8").splitlines()) <= 25
