"""The name scratchae.kernels in every way it can be had, and nothing heavy at import."""

import importlib
import os
import re
import shutil
import subprocess
import sys
import types
import zipfile
from importlib import metadata
from pathlib import Path

import numba
import pytest

from scratchae.backend.cuda import driver
from scratchae.kernels.bernoulli import _bernoulli_nll
from scratchae.kernels.machine.compile import EDITION, jit

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "matplotlib",
    "tqdm",
    "safetensors",
    "pooch",
    "torch",
    "cupy",
    "threadpoolctl",
    "requests",
    "PIL",
)


def python(code, path, cwd):
    """Run code in a new interpreter that finds packages in path first -> (exit status, stdout,
    stderr)."""
    environment = os.environ | {"PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def test_the_name_kernels_is_refused(tmp_path):
    status, _, said = python("import kernels", ROOT, tmp_path)
    assert status == 1
    assert "this folder was imported as 'kernels', a name that belongs to another package" in said
    assert "import scratchae.kernels" in said


def test_a_checkout_works_uninstalled(tmp_path):
    code = (
        "import scratchae.kernels.philox as p; from scratchae import kernels; "
        "print(p.__name__, kernels.__file__)"
    )
    status, told, said = python(code, ROOT, tmp_path)
    assert status == 0, said
    name, file = told.split()
    assert name == "scratchae.kernels.philox"
    assert Path(file) == ROOT / "scratchae" / "kernels" / "__init__.py"


def test_import_is_light(tmp_path):
    heavy = f"[m for m in {HEAVY} if m in sys.modules]"
    # the check sees what is there
    code = f"import sys, scratchae, scratchae.plots; print({heavy}); import tqdm; print({heavy})"
    assert python(code, ROOT, tmp_path) == (0, "[]\n['tqdm']", "")


def built_wheel(folder):
    """A wheel of a copy of the tree, so that the checkout stays clean."""
    tree = folder / "tree"
    tree.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for name in ("kernels", "scratchae"):
        shutil.copytree(
            ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    done = subprocess.run(
        [*pip, "--wheel-dir", folder, tree], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("scratchae-*.whl")
    return wheel


def why_no_wheel():
    """What is missing to build a wheel without the network, or None."""
    needed = int((ROOT / "pyproject.toml").read_text().split("setuptools>=")[1].split('"')[0])
    try:  # not find_spec, which lets setuptools replace a distutils that others have imported
        metadata.version("pip")
        found = metadata.version("setuptools")
    except metadata.PackageNotFoundError:
        return "needs pip and setuptools in this environment"
    old = int(found.split(".")[0]) < needed
    return f"needs setuptools >= {needed}, found {found}" if old else None


@pytest.mark.slow
def test_a_wheel_holds_the_kernels_once_and_works(tmp_path):
    if reason := why_no_wheel():
        pytest.skip(reason)
    unzipped = tmp_path / "unzipped"
    with zipfile.ZipFile(built_wheel(tmp_path)) as wheel:
        names = wheel.namelist()
        wheel.extractall(unzipped)
    modules = [path.relative_to(ROOT).as_posix() for path in (ROOT / "scratchae").rglob("*.py")]
    modules = [name for name in modules if not name.startswith("scratchae/kernels/")]
    modules += [
        f"scratchae/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "kernels").rglob("*.py")
    ]
    assert sorted(n for n in names if n.endswith(".py")) == sorted(modules)
    assert [n for n in names if n.endswith("philox.py")] == ["scratchae/kernels/philox.py"]
    assert "scratchae/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"scratchae"}
    code = "import scratchae; from scratchae.kernels import philox; print(philox.__file__)"
    status, told, said = python(code, unzipped, tmp_path)
    assert status == 0, said
    assert Path(told) == unzipped / "scratchae" / "kernels" / "philox.py"


def test_an_extra_brings_the_parts_of_cuda_that_are_used_and_no_others():
    """CuPy's own extra brings 957 MB more; what an error says is what setup.py says."""
    extras = (ROOT / "setup.py").read_text()
    assert "[ctk]" not in extras and "[ctk]" not in driver.INSTALL
    for major in (12, 13):
        cupy, toolkit = driver.PARTS.format(major).removeprefix("pip install ").split()
        assert f'"cuda{major}": ["{cupy}>=14", "{toolkit[1:-1]}"]' in extras
    used = {"cublas", "cudart", "nvrtc"}  # products; the headers of the compiler; the compiler
    assert set(re.findall(r"[a-z]+", toolkit.partition("[")[2])) == used


def test_kernels_compile_where_no_cache_can_be_kept(monkeypatch):
    """Source without a file has no cache to go to, just as when neither folder can be written."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    scope = {}
    exec(compile("def add(x, y):\n    return x + y", "<nowhere>", "exec"), scope)
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(scope["add"])
    assert jit(scope["add"])(2, 3) == 5


def test_kernels_are_cached_where_that_is_possible():
    """A kernel of a file has a cache; what stands in no file is compiled without one."""
    scope = {}
    exec("def nowhere(x):\n    return 2 * x", scope)
    loop = jit(scope["nowhere"])
    assert loop(2) == 4 and loop.stats.cache_path is None
    assert Path(_bernoulli_nll.stats.cache_path).is_dir()


def test_every_file_of_the_kernels_is_part_of_a_loops_name_in_the_cache(tmp_path, monkeypatch):
    """Numba looks at the age of a loop's own file only; the name changes with the content of all
    of them."""
    assert _bernoulli_nll.py_func.__qualname__ == f"_bernoulli_nll_{EDITION}"
    tree = tmp_path / "kernels"
    shutil.copytree(ROOT / "kernels", tree, ignore=shutil.ignore_patterns("__pycache__"))

    def edition():
        """Of the copy, which is imported as another package, and anew each time."""
        copy = types.ModuleType("copied_kernels")
        copy.__path__ = [str(tree)]
        with monkeypatch.context() as patch:
            for name in ("", ".machine", ".machine.tile", ".machine.wide", ".machine.compile"):
                patch.delitem(sys.modules, copy.__name__ + name, raising=False)
            patch.setitem(sys.modules, copy.__name__, copy)
            return importlib.import_module("copied_kernels.machine.compile").EDITION

    same = edition()
    with (tree / "machine" / "elementary.py").open("a") as file:
        file.write("# changed")
    assert same == EDITION != edition()
