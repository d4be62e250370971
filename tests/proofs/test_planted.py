"""Errors planted one by one in a copy of the library, in what has no equation beside it:
constants, streams, seeds, schedules, readers of files. The test that is named for each must fail,
and passes where nothing was planted."""

import os
import shutil
from pathlib import Path

import pytest
from proofs.planted import constants, draws, importance, kl_control, likelihoods, steps
from proofs.planted.runs import Runs

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PLANTED = (
    constants.CONSTANTS
    | constants.GENERATED_DATA
    | likelihoods.LIKELIHOODS
    | draws.STREAMS
    | draws.SEEDS
    | steps.SCHEDULE
    | steps.RATE
    | steps.READERS
    | importance.IMPORTANCE
    | kl_control.KL_CONTROL
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The library and its tests, with the loops that Numba has kept: it looks at a file's age and
    size, and a copy has the same."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("scratchae", "kernels", "tests"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True)
    shutil.copy2(ROOT / "pyproject.toml", copy)
    return copy


@pytest.fixture(scope="module")
def status(tree):
    """status(backend, *tests): pytest's, of those tests in the tree, and its output; 0 where all
    pass, 1 where one fails."""
    # no bytecode: two errors of one length, planted within a second, would share it
    own = {"PYTHONPATH": str(tree), "SCRATCHAE_DATA": "", "PYTHONDONTWRITEBYTECODE": "1"}
    runs = Runs(tree, own)
    yield lambda backend, *tests: runs(
        *("-x", "-p", "no:cacheprovider", "--backend", backend), *tests
    )
    runs.end()


@pytest.mark.parametrize("name", ["numpy", "reference"])
def test_without_an_error_they_pass(status, name):
    """What a kernel's file says is planted for the definitions: its loops would be compiled
    anew."""
    of_kernels = name == "reference"
    planted = [p for p in PLANTED.values() if p.file.startswith("kernels/") == of_kernels]
    found, output = status(name, *sorted({p.test for p in planted}))
    assert found == 0, output


@pytest.mark.parametrize("name", PLANTED)
def test_an_error_is_seen(tree, status, name):
    planted = PLANTED[name]
    file = tree / planted.file
    text, before = file.read_text(encoding="utf-8"), file.stat()
    assert text.count(planted.before) == 1, (
        f"{planted.file} no longer says {planted.before!r} once"
    )
    file.write_text(text.replace(planted.before, planted.after), encoding="utf-8")
    backend = "reference" if planted.file.startswith("kernels/") else "numpy"
    try:
        found, output = status(backend, planted.test)
    finally:
        file.write_text(text, encoding="utf-8")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert found == 1 and "\nFAILED tests/" in output, output


def test_there_are_enough_of_them():
    assert len(PLANTED) >= 90
    assert len({(p.file, p.before, p.after) for p in PLANTED.values()}) == len(PLANTED)
