"""The GPU's benchmark on an emulated GPU, PyTorch on the CPU: the times mean nothing."""

import json

import pytest

from benchmarks.gpu import gpu as bench
from benchmarks.shared import measure, recipes
from benchmarks.shared.processes import ROOT

SITE = f"import sys; sys.path.append({str(ROOT / 'tests')!r})\n"
SITE += "import emulator\ninstalled = emulator.installed()\ninstalled.__enter__()\n"


@pytest.fixture
def children(gpu, tmp_path, monkeypatch):
    """The child processes find the emulator too, where it stands for a GPU."""
    import cupy

    pytest.importorskip("torch", reason="needs PyTorch")
    if not hasattr(cupy, "__version__"):
        (tmp_path / "sitecustomize.py").write_text(SITE)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(bench, "DEVICE", "cpu")


def test_smoke(children, tmp_path, capsys):
    out = tmp_path / "gpu.json"
    status = bench.main(["--smoke", "--precision", "float32", "--json", str(out)])
    printed, result = capsys.readouterr().out, json.loads(out.read_text())
    assert status == 0 and result["complaints"] == [], printed
    for section in bench.TABLES:
        assert result[section] and f"\n{section}\n" in printed
    assert [row["product"] for row in result["products"]][:2] == ["8x16 @ 16x4", "16x8' @ 8x4"]
    for row in result["products"]:
        assert row["tflops"] == pytest.approx(row["flops"] / row["us"] / 1e6)
        assert row["off_by"] < 1e-5
    for row in result["graphs"]:
        assert row["same"] == row["losses"] == 2 * bench.SMOKE_STEPS
    assert [len(row["torch_ms"]) for row in result["recipes"]] == [1, 2]
    (job,) = result["job"]
    assert 0 < job["first_epoch_s"] < job["training_s"] < job["total_s"] and job["test_loss"] < 544


def test_another_model_does_not_race(children, monkeypatch, capsys):
    monkeypatch.setitem(bench.ALLOWED, "float32", {"loss": -1.0})
    options = ["--smoke", "--sections", "recipes", "--only", "ecg", "--precision", "float32"]
    assert bench.main(options) == 1
    printed = capsys.readouterr().out
    assert "ecg, batch 4, float32, eager contiguous: not the same model" in printed
    assert printed.splitlines()[-1].split()[4:7] == ["-"] * 3


@pytest.mark.parametrize("name", recipes.PUBLISHED)
def test_the_first_step_is_that_of_the_cpu(gpu, name):
    recipe = recipes.RECIPES[name]
    cpu, device = recipes.first_step(recipe, 3), recipes.first_step(recipe, 3, gpu)
    assert measure.difference(cpu, device, bench.ALLOWED["float32"]) is None
