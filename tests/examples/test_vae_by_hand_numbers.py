"""The numbers of the page of the VAE are those of the library's files, and it is one page."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
from examples.page import LINES, ROOT, SOURCE, cited

FILES = {name: f"kernels/{name}.py" for name in ("gaussian", "bernoulli", "activation", "adam")}
FILES |= {"dense": "scratchae/layers/dense.py", "elbo": "scratchae/objectives/elbo.py"}
ENDS = re.compile(r"(?:\(\d+\)\s*)+$")


def documented(tree):
    """The lines of the docstrings of a module, of its classes and of its functions."""
    nodes = [
        node
        for node in (tree, *tree.body)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
    ]
    return [line for node in nodes for line in (ast.get_docstring(node) or "").splitlines()]


def loose_numbers(source):
    """The numbers that stand twice, that no code or no docstring of the page has, or that the
    library has not."""
    defined = Counter(number for line in documented(ast.parse(source)) for number in cited(line))
    implemented = {
        number for line in source.splitlines() if "  # " in line for number in cited(line)
    }
    found = [number for number, times in defined.items() if times > 1] + [
        *(defined.keys() ^ implemented)
    ]
    for family, n in implemented:
        lines = documented(ast.parse((ROOT / FILES[family]).read_text(encoding="utf-8")))
        if not any(f"({n})" in ends[0].split() for line in lines if (ends := ENDS.search(line))):
            found.append((family, n))
    return found


def test_every_number_stands_once_and_is_the_librarys():
    assert loose_numbers(SOURCE) == []
    assert all(
        family in SOURCE and Path(file).parent.as_posix() in SOURCE
        for family, file in FILES.items()
    )


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("dmu = dz + mu  # (N, D)    gaussian (4)", "dmu = dz + mu  # (N, D)    gaussian (5)"),
        ("g = G / N  # adam (1)", "g = G / N"),
        ("dense (4) (5) (6)\n", "dense (4) (5)\n"),
        ("elbo (6) (7)", "elbo (6) (8)"),
        ("adam (6)", "adam (7)"),
    ],
)
def test_a_wrong_number_is_seen(right, wrong):
    assert right in SOURCE and loose_numbers(SOURCE.replace(right, wrong))


def test_it_is_one_page():
    assert len(LINES) <= 140 and max(map(len, LINES)) <= 100
