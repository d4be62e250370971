"""The stand-in for CuPy as a module, and the compiler behind it; what they do is tested in
tests/emulator/."""

import json
import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import emulator
import emulator.cupy
from emulator import build
from emulator.launching import COPY

needs_compiler = pytest.mark.skipif(not emulator.has_compiler(), reason="needs g++")


@needs_compiler
def test_the_stand_in_is_found_and_taken_away_again():
    before = sys.modules.get("cupy")
    with emulator.installed():
        import cupy.cuda
        from cupy.cuda import runtime

        assert find_spec("cupy") is not None
        assert (runtime.driverGetVersion(), runtime.getDeviceCount(), cupy.cuda.Device().id) == (
            13000,
            1,
            0,
        )
        assert runtime.runtimeGetVersion() == 13000 and runtime.deviceGetAttribute(16, 0) == 2
    assert sys.modules.get("cupy") is before


def compare(stand_in, real, path, missing):
    for name in getattr(stand_in, "__all__", None) or [
        name for name in vars(stand_in) if not name.startswith("_")
    ]:
        if not hasattr(real, name):
            missing.append(f"{path}.{name}")
        elif isinstance(getattr(stand_in, name), ModuleType | type):
            compare(getattr(stand_in, name), getattr(real, name), f"{path}.{name}", missing)


def test_every_name_of_the_stand_in_exists_in_cupy():
    if find_spec("cupy") is None:
        pytest.skip("needs the real CuPy, on a machine with or without a GPU")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import cupy
        from cuda import pathfinder
    assert "emulat" not in str(cupy.__file__)
    missing = []
    compare(emulator.cupy, cupy, "cupy", missing)
    compare(emulator.array.Flags(True, True), cupy._core.flags.Flags, "flags", missing)
    assert not missing
    assert callable(pathfinder.load_nvidia_dynamic_lib)
    versions = emulator.runtime
    for name in versions.__all__:
        if isinstance(getattr(versions, name), int):
            assert getattr(cupy.cuda.runtime, name) == getattr(versions, name)


STORE_BEHIND = """
import emulator
import numpy as np

with emulator.installed():
    import cupy

    with cupy.cuda.Stream(non_blocking=True) as stream:
        code = 'extern "C" __global__ void f(float* y, int i)\\n{\\n    y[i] = 1;\\n}'
        y, module = cupy.empty(10, np.float32), cupy.RawModule(code="#define REAL float\\n" + code)
        f = module.get_function("f")
        f((1,), (40,), (y, np.int32(INDEX)))
        stream.synchronize()
    emulator.flush_coverage()
"""


def variant(name, index, folder, **environment):
    environment |= {"SCRATCHAE_EMULATOR": name, "SCRATCHAE_EMULATOR_CACHE": str(folder)}
    environment = os.environ | environment | {"PYTHONPATH": str(Path(__file__).parents[1])}
    script = STORE_BEHIND.replace("INDEX", str(index))
    return subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )


@needs_compiler
def test_the_sanitizers_name_the_line_of_a_wrong_store():
    files = [
        subprocess.run(
            ["g++", f"-print-file-name={name}.so"], capture_output=True, text=True
        ).stdout.strip()
        for name in ("libasan", "libubsan")
    ]
    if not all(Path(file).is_absolute() for file in files):
        pytest.skip("needs the libraries of the sanitizers, libasan and libubsan")
    preload = {"LD_PRELOAD": ":".join(files), "ASAN_OPTIONS": "detect_leaks=0"}
    folder = build.folder("sanitize").parent
    fine, wrong = (
        variant("sanitize", 9, folder, **preload),
        variant("sanitize", 10, folder, **preload),
    )
    assert fine.returncode == 0, fine.stderr
    assert (
        wrong.returncode != 0 and "use-after-poison" in wrong.stderr and ":4 in f" in wrong.stderr
    )


@needs_compiler
def test_coverage_counts_the_lines_of_a_kernel(tmp_path):
    assert variant("coverage", 9, tmp_path).returncode == 0
    (counts,) = (tmp_path / "coverage").glob("*.gcda")
    done = subprocess.run(
        ["gcov", "--json-format", "--stdout", str(counts)], capture_output=True, text=True
    )
    files = {file["file"]: file["lines"] for file in json.loads(done.stdout)["files"]}
    assert {line["line_number"]: line["count"] for line in files["<stdin>"]}[4] == 40


FUSED = """
import emulator
import numpy as np
from emulator.launching import on_device

TEXT = 'extern "C" __global__ void f(float* y, const float* x) { y[0] = x[0] * x[1] + x[2]; }'
with emulator.installed():
    import cupy

    with cupy.cuda.Stream(non_blocking=True):
        f, y = cupy.RawModule(code=TEXT).get_function("f"), cupy.empty(1, np.float32)
        once, small = (1 + 2**-12, 1 + 2**-12, -1 - 2**-11), (2**-100, 2**-40, 0)
        for x in (once, small, (2**-140, 2**99, 0)):
            f((1,), (1,), (y, on_device(cupy, np.array(x, np.float32))))
            print(float(y.get()[0]))
assert np.float32(2) ** -140 > 0  # outside of kernels nothing is flushed
"""


@needs_compiler
@pytest.mark.parametrize("name", ["plain", "fused"])
def test_fused_rounds_once_and_keeps_no_subnormal_numbers(name, tmp_path):
    if not build.has_fma():
        pytest.skip("needs an x86 processor with FMA")
    environment = {"SCRATCHAE_EMULATOR": name, "SCRATCHAE_EMULATOR_CACHE": str(tmp_path)}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", FUSED], env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    expected = {"fused": [2**-24, 0, 0], "plain": [0, 2**-140, 2**-41]}
    assert [float(line) for line in done.stdout.split()] == expected[name]


def test_signatures_are_read_through_comments_and_lines():
    text = """// extern "C" __global__ void no(int a)
    extern "C" __global__ void f(REAL* __restrict__ y, const REAL *x,  // (n,)
                                 unsigned char* /* (m,) */ z, bool add)
    {
    }
    extern "C" __global__ void g() {}"""
    wanted = [("REAL*", "y"), ("const REAL*", "x"), ("unsigned char*", "z"), ("bool", "add")]
    assert build.signatures(text) == {"f": wanted, "g": []}


def test_a_missing_compiler_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SCRATCHAE_EMULATOR_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"g\+\+, which is not installed"):
        build.kernels(COPY)
