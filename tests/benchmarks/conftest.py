"""The benchmarks are a package of this checkout, not of the library: its folder is searched. What
they start finds the emulator too."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
SITE = f"import sys; sys.path.append({str(ROOT / 'tests')!r})\n"
SITE += "import emulator\ninstalled = emulator.installed()\ninstalled.__enter__()\n"


@pytest.fixture
def one_thread():
    """PyTorch on one thread: small tensors wait for others longer than they take."""
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def children(gpu, tmp_path, monkeypatch):
    """The child processes find the emulator too, where it stands for a GPU."""
    import cupy

    if not hasattr(cupy, "__version__"):
        (tmp_path / "sitecustomize.py").write_text(SITE)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
