"""The structure of the library, read as text: who imports whom, whose equations are implemented,
what each docstring owes.

Each checker takes a source and returns its offences as sentences; a planted offender shows that it
sees them.
"""

import pytest
from project.structure import (
    CUDA,
    EVERYTHING,
    KERNELS,
    LIBRARY,
    MODULES,
    SHAPE,
    circles,
    dotted,
    foreign_imports,
    imports,
    loose_equations,
    other_numbers,
    parse,
    poor_docstrings,
    read,
    too_long,
    uneven_cuda,
    uneven_spellings,
    wrong_directions,
)


@pytest.fixture(scope="module", autouse=True)
def trees():
    """Let go at the end: garbage collection would walk through half a million nodes ever after."""
    yield
    parse.cache_clear()


def offences(checker, names):
    return [offence for name in names for offence in checker(name, read(name))]


def test_imports_point_one_way():
    assert offences(wrong_directions, LIBRARY) == []


def test_nothing_foreign_is_imported():
    assert offences(foreign_imports, LIBRARY) == []


def test_no_circle():
    assert (
        circles({m: {i for i, _ in imports(name, read(name))} for m, name in MODULES.items()})
        == []
    )


def test_every_equation_is_defined_and_used():
    assert offences(loose_equations, LIBRARY) == []


def test_a_class_has_the_numbers_of_its_kernels():
    kernels = {dotted(name): read(name) for name in KERNELS}
    found = [o for name in LIBRARY for o in other_numbers(name, read(name), kernels)]
    assert found == []
    mine = "from ..kernels.gaussian import GAUSSIAN_SAMPLE\n"
    mine += f"class A:\n {TWO_EQUATIONS}"
    kernel = {"scratchae.kernels.gaussian": '"""x.\n\n    a = b    (2)\n    c = d    (3)\n"""'}
    assert other_numbers("scratchae/latents/x.py", mine.replace("(1) (2)", "(1)"), kernel) == [
        "scratchae/latents/x.py A: a is (1), but ['2'] in its kernel"
    ]


def test_spellings_implement_the_same_equations():
    assert offences(uneven_spellings, KERNELS) == []


@pytest.mark.parametrize("name", CUDA)
def test_cuda_implements_the_same_equations(name):
    assert uneven_cuda(name, read(name.replace(".cu", ".py")), read(name)) == []


@pytest.mark.parametrize("name", [*CUDA, "kernels/device.cu"])
def test_cuda_is_no_longer_than_an_idea(name):
    assert len(read(name).splitlines()) <= 300 and max(map(len, read(name).splitlines())) <= 99


def test_docstrings_have_shapes_and_source():
    assert offences(poor_docstrings, LIBRARY) == []


def test_one_idea_at_a_time():
    assert offences(too_long, EVERYTHING) == []


TWO_EQUATIONS = '"""Doc.\n\n    a = b    (1) (2)\n    c = d    (3)\n"""\n'
TWO_SPELLINGS = "def f(x):\n    x = 1  # (1)\n\n@jit\ndef _f(x):\n    x = 1  # (1)\n"
OFFENDERS = {
    "up": (wrong_directions, "scratchae/layers/x.py", "from ..models import VAE"),
    "up, in a function": (
        wrong_directions,
        "kernels/x.py",
        "def f():\n    from scratchae import backend",
    ),
    "sideways": (
        wrong_directions,
        "scratchae/layers/x.py",
        "from ..likelihoods.base import Likelihood",
    ),
    "to the whole": (wrong_directions, "scratchae/plots/curves.py", "from .. import VAE"),
    "no protocol": (
        wrong_directions,
        "scratchae/execution/threads.py",
        "import scratchae.models.vae",
    ),
    "no level": (wrong_directions, "scratchae/nowhere.py", ""),
    "torch": (foreign_imports, "scratchae/x.py", "def f():\n    import torch.nn"),
    "torch by name": (foreign_imports, "scratchae/x.py", "torch = import_module('torch')"),
    "eager": (foreign_imports, "scratchae/x.py", "import matplotlib.pyplot as plt"),
    "eager, in a class": (
        foreign_imports,
        "scratchae/x.py",
        "class A:\n    from tqdm import tqdm",
    ),
    "pickle": (foreign_imports, "scratchae/x.py", "def f():\n    from pickle import load"),
    "pickles": (foreign_imports, "scratchae/x.py", "a = np.load(f, allow_pickle=True)"),
    "tqdm in a kernel": (foreign_imports, "kernels/x.py", "def f():\n    import tqdm"),
    "not used": (loose_equations, "x.py", TWO_EQUATIONS + "a = 1  # (1) (3)"),
    "not defined": (
        loose_equations,
        "x.py",
        TWO_EQUATIONS + "a = 1  # (N, D)  (1) (2)\nb = 1  # (3)\nc = 1  # (4)",
    ),
    "another class's": (
        loose_equations,
        "x.py",
        f"class A:\n {TWO_EQUATIONS}\nclass B:\n    a = 1  # (1) (2) (3)",
    ),
    "one spelling": (
        uneven_spellings,
        "x.py",
        TWO_SPELLINGS.replace("1  # (1)", "1  # (1) (2)", 1),
    ),
    "one spelling, not compiled": (
        uneven_spellings,
        "x.py",
        TWO_SPELLINGS.replace("1  # (1)", "1  # (1) (2)", 1).replace("@jit", "") + "Kernel(f, _f)",
    ),
    "one of a pair": (
        uneven_spellings,
        "x.py",
        TWO_SPELLINGS.replace("(1)", "(2)", 1)
        + TWO_SPELLINGS.replace("f(", "g(").replace("1  # (1)", "2  # (2)", 2)
        + "def h():\n    a = 1  # (1)\n\nKernel(f, _f)",
    ),
    "no shape": (
        poor_docstrings,
        "scratchae/layers/x.py",
        'def f(x: Array):\n    """Nothing (at all). Source: A."""',
    ),
    "no source": (
        poor_docstrings,
        "scratchae/layers/x.py",
        'class A:\n    """Shapes: (N, D)."""\n    def f(self, x: Array):\n        """x (N,)."""',
    ),
    "no docstring": (
        poor_docstrings,
        "scratchae/x.py",
        'class A:\n    """Shapes. Source: B."""\n    def f(self): ...',
    ),
    "no source in a kernel": (poor_docstrings, "kernels/x.py", '"""Doc."""'),
    "no shape in a kernel": (
        poor_docstrings,
        "kernels/x.py",
        '"""Source: A."""\ndef f(x):\n    """x."""',
    ),
    "a long file": (too_long, "scratchae/x.py", "a = 1\n" * 301),
    "a long function": (
        too_long,
        "scratchae/x.py",
        'def f():\n    """Doc."""\n' + "    a = 1\n" * 61,
    ),
}


@pytest.mark.parametrize("which", OFFENDERS)
def test_a_planted_offender_is_seen(which):
    checker, name, source = OFFENDERS[which]
    assert checker(name, source)


@pytest.mark.parametrize(
    "cuda",
    ["y = x;  // (1)", "y = x;  // (1) (2)\nz = 1;  // (3)", "y = x;  // (1)\n// see (2) there"],
)
def test_an_uneven_cuda_spelling_is_seen(cuda):
    plain = "def f(x):\n    x = 1  # (1)\n    x = 2  # (2)\n"
    assert uneven_cuda("x.cu", plain, cuda)
    assert not uneven_cuda("x.cu", plain, "y = x;  // (1), never 0\ny = 2;  // (2)")


def test_a_planted_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c", "numpy"}, "c": set()}) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"numpy"}}) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text, found",
    [
        ("(N, D)", True),
        ("(n,)", True),
        ("a (N K, ...)", True),
        ("(rows, *shape)", True),
        ("(n)", False),
    ],
)
def test_what_counts_as_a_shape(text, found):
    assert bool(SHAPE.search(text)) == found
