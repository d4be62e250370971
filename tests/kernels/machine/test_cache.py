"""Loops are kept on disk where that is possible; what cannot be read or written there stops
nothing."""

import errno
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core import caching

from scratchae.kernels.machine.compile import jit

pytestmark = pytest.mark.slow

LOOP = "def double(x, out):\n    for i in range(len(x)):\n        out[i] = 2 * x[i]\n"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def source(tmp_path, monkeypatch):
    """The file of a loop, whose cache lies in a folder beside it."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "loop.py").write_text(LOOP)
    return tmp_path / "loop.py"


def compiled(source):
    """The loop as a fresh process compiles it."""
    spec = importlib.util.spec_from_file_location("loop", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return jit(module.double)


def doubles(loop):
    out = np.zeros(3)
    loop(np.arange(3.0), out)
    assert out.tolist() == [0, 2, 4]
    return sum(loop.stats.cache_hits.values())


def kept(source, end):
    (path,) = (source.parent / "cache").rglob(f"*{end}")
    return path


def test_a_loop_is_kept_on_disk(source):
    assert [doubles(compiled(source)) for _ in range(3)] == [0, 1, 1]


DAMAGE = {
    "empty": lambda raw: b"",
    "cut": lambda raw: raw[: len(raw) // 2],
    "one byte": lambda raw: raw[:1],
    "other bytes": lambda raw: b"\x80\x05" + bytes(range(256)),
    "zeros": lambda raw: bytes(len(raw)),
    "a name that is nowhere": lambda raw: b"cnowhere_at_all\nThing\n.",
    "another object": lambda raw: b"\x80\x04K\x01.",
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("end", [".nbi", ".nbc"])
def test_damaged_files_are_written_anew(source, end, damage):
    assert doubles(compiled(source)) == 0
    path = kept(source, end)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert [doubles(compiled(source)) for _ in range(2)] == [0, 1]


@pytest.mark.parametrize("end", [".nbi", ".nbc"])
def test_a_folder_in_the_place_of_a_file(source, end):
    doubles(compiled(source))
    path = kept(source, end)
    path.unlink()
    path.mkdir()
    assert doubles(compiled(source)) == 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("where", ["_save_index", "_save_data"])
def test_a_cache_that_cannot_be_written(source, monkeypatch, where, number):
    def full(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(caching.IndexDataCacheFile, where, full)
    assert [doubles(compiled(source)) for _ in range(2)] == [0, 0]


def test_a_folder_that_vanished(source):
    loop = compiled(source)
    (source.parent / "cache").rename(source.parent / "gone")
    (source.parent / "cache").write_text("no folder")
    assert doubles(loop) == 0


FULL = """
import resource, sys
import numpy as np
from test_cache import compiled, doubles
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # every write fails as on a full disk
print(doubles(compiled(Path(sys.argv[1]))))
"""


def test_a_disk_that_takes_no_byte(source):
    pytest.importorskip("resource")
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(source.parent / "cache"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(source)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
