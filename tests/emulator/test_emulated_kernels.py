"""The CUDA text under its own instruments: which of its lines the tests execute, what the
sanitizers say, and what it computes where it is compiled as CuPy does."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import emulator
from emulator import build
from scratchae.backend.cuda import source as cuda

ROOT = Path(__file__).resolve().parents[2]
KERNELS = [f"tests/kernels/test_{name}.py" for name in ("spellings", "many_rows", "lstm")]
EVERY_LINE = [*KERNELS, "-k", "(definition and many) or rows or zero"]
EVERY_PART = [
    *KERNELS,
    "tests/execution/test_graphs.py",
    "-k",
    "(definition and many) or rows or zero or bits or finite",
]
SANITIZERS = ("libasan.so", "libubsan.so")


@pytest.fixture(autouse=True)
def needs(request):
    if not emulator.has_compiler():
        pytest.skip("needs g++, which compiles the GPU's code for the CPU")


def run_variant(variant, folder, selection, **environment):
    """A run of some emulated tests in a variant of the compiled text -> what it printed; it
    passed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "",
        "--backend",
        "emulated",
    ]
    environment |= {"SCRATCHAE_EMULATOR": variant, "SCRATCHAE_EMULATOR_CACHE": str(folder)}
    done = subprocess.run(
        [*command, *selection],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


def executed(folder):
    """(file, line) of the CUDA text -> how often it was executed, by gcov."""
    counts, notes = Counter(), sorted(str(path) for path in (folder / "coverage").glob("*.gcda"))
    command = ["gcov", "--json-format", "--stdout", *notes]
    for text in subprocess.run(
        command, cwd=folder, capture_output=True, text=True
    ).stdout.splitlines():
        for file in json.loads(text)["files"] if text.startswith("{") else ():
            if file["file"].endswith(".cu"):
                for line in file["lines"]:
                    counts[file["file"], line["line_number"]] += line["count"]
    return counts


def test_every_line_is_executed(tmp_path):
    if shutil.which("gcov") is None:
        pytest.skip("needs gcov, which comes with g++")
    run_variant("coverage", tmp_path, EVERY_LINE)
    counts = executed(tmp_path)
    assert {file for file, _ in counts} == {f"kernels/{name}" for name in cuda.texts()}
    assert [place for place, count in counts.items() if not count] == []


def preload():
    """The environment under which a Python process can load what was compiled with the
    sanitizers."""
    paths = [
        subprocess.run(
            ["g++", f"-print-file-name={name}"], capture_output=True, text=True
        ).stdout.strip()
        for name in SANITIZERS
    ]
    if not all(os.path.isabs(path) for path in paths):
        pytest.skip("needs the sanitizers' libraries, libasan and libubsan, which come with g++")
    return {
        "LD_PRELOAD": ":".join(paths),
        "ASAN_OPTIONS": "detect_leaks=0",
    }  # Python itself leaks on purpose


def test_the_sanitizers_are_content(tmp_path):
    run_variant("sanitize", tmp_path, EVERY_PART, **preload())


def test_results_are_those_of_cupys_compiler_too(tmp_path):
    """Fused multiply-adds, and no numbers below the smallest normal one."""
    if not build.has_fma():
        pytest.skip("needs an x86 processor with FMA")
    run_variant("fused", tmp_path, EVERY_PART)
