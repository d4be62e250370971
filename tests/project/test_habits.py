"""What stands in two files of the project is the same in both: versions, pins, checks."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import setuptools
from threadpoolctl import threadpool_info

import scratchae

ROOT = Path(__file__).resolve().parents[2]
FOR_THE_TESTS_ONLY = {"pyparsing"}  # a requirement of Matplotlib, not of scratchae


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def metadata():
    """What setup.py hands to setuptools."""
    handed = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(setuptools, "setup", lambda **words: handed.update(words))
        runpy.run_path(str(ROOT / "setup.py"))
    return handed


def versions(lines, sign):
    """{name: version} of requirements such as numpy>=2.0, where no version ends in .0."""
    pairs = (re.fullmatch(rf"([\w-]+){sign}([\d.]+)", line).groups() for line in lines)
    return {name: re.sub(r"(\.0)+$", "", version) for name, version in pairs}


def pins():
    lines = (line.split("#")[0].strip() for line in read(".ci/lowest.txt").splitlines())
    return versions(filter(None, lines), "==")


def test_the_lowest_versions_are_those_of_setup(metadata):
    required = [*metadata["install_requires"], *metadata["extras_require"]["dev"]]
    pinned = pins()
    assert {name: pinned.pop(name) for name in FOR_THE_TESTS_ONLY}
    assert versions(required, ">=") == pinned


def test_a_requirement_without_a_version_is_seen():
    with pytest.raises(AttributeError):
        versions(["numpy"], ">=")
    assert versions(["numpy>=2.0", "a-b>=10"], ">=") == {"numpy": "2", "a-b": "10"}


def test_the_blas_of_numpy_is_found():
    """With threadpoolctl below 3.5 it is not: then training leaves its threads as they are."""
    np.ones((2, 2)) @ np.ones((2, 2))
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    found = {pool["internal_api"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    assert "openblas" in found or "openblas" not in blas


def test_the_version_is_the_same_everywhere(metadata):
    assert metadata["version"] == scratchae.__version__
    assert (
        re.search(r"^version: (.+)$", read("CITATION.cff"), re.MULTILINE)[1] == metadata["version"]
    )
    released = re.findall(r"^## \[?(\d[\w.]*)", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert released[0] == metadata["version"]


def test_the_workflow_tests_the_first_and_the_last_python(metadata):
    named = [re.fullmatch(r".* :: (3\.\d+)", one) for one in metadata["classifiers"]]
    pythons = [match[1] for match in named if match]
    (tested,) = re.findall(r"python: \[(.+)\]", read(".github/workflows/test.yml"))
    assert re.findall(r"3\.\d+", tested) == [pythons[0], pythons[-1]]
    assert metadata["python_requires"] == f">={pythons[0]}"


def test_the_checks_before_a_commit_are_those_of_the_whole_run():
    hooks = re.findall(r"entry: (.+)$", read(".pre-commit-config.yaml"), flags=re.MULTILINE)
    assert hooks == ["ruff check", "ruff format --check", "mypy"]
    run = read(".ci/run").splitlines()
    assert [hook for hook in hooks if hook not in run and f"{hook} ." not in run] == []
