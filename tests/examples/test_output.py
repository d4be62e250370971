"""What is said when an output is full, broken, closed, absent, or has no code for a letter."""

import ast
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from examples.helpers import metrics
from matplotlib.image import imread
from output import OUTPUTS, say, warn

import scratchae

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class Failing(io.TextIOWrapper):
    """An output that raises at each line."""

    def __init__(self, error):
        super().__init__(io.BytesIO())
        self.error = error

    def write(self, text):
        raise self.error

    def flush(self):
        pass


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def letters(code):
    return io.TextIOWrapper(io.BytesIO(), encoding=code, newline="")


def text(stream):
    return stream.buffer.getvalue().decode(stream.encoding)


@pytest.mark.parametrize(
    "broken",
    [lambda: None, closed, lambda: Failing(BrokenPipeError()), lambda: Failing(OSError(28, ""))],
)
@pytest.mark.parametrize("tell, first", [(say, "stdout"), (warn, "stderr")])
def test_a_line_goes_where_it_can(tell, first, broken, monkeypatch):
    (second,) = set(OUTPUTS) - {first}
    monkeypatch.setattr(sys, first, broken())
    monkeypatch.setattr(sys, second, io.StringIO())
    tell("a line")
    assert getattr(sys, second).getvalue() == "a line\n"
    monkeypatch.setattr(sys, second, broken())
    tell("a line")


@pytest.mark.parametrize(
    "code, written",
    [
        ("ascii", r"\xfc \u6a21 \udcff"),
        ("latin-1", r"ü \u6a21 \udcff"),
        ("utf-8", r"ü 模 \udcff"),
        ("cp1252", r"ü \u6a21 \udcff"),
    ],
)
def test_a_letter_that_has_no_code_is_a_number(code, written, monkeypatch):
    monkeypatch.setattr(sys, "stdout", letters(code))
    say(Path("ü 模 \udcff"))
    assert text(sys.stdout) == written + "\n"


def test_every_line_of_an_example_is_said():
    """print would end a run whose output ends."""
    printing = {
        path.name
        for path in EXAMPLES.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id == "print"
    }
    assert printing == {"output.py"}


FAILING = {
    "| head -1": "{ %s; echo $? >status; } | head -1 >out",
    "unbuffered | head -1": "{ PYTHONUNBUFFERED=1 %s; echo $? >status; } | head -1 >out",
    "| true": "{ %s; echo $? >status; } | true",
    "> /dev/full": "%s >/dev/full; echo $? >status",
    "ascii": "PYTHONIOENCODING=ascii %s >out; echo $? >status",
    "latin-1": "PYTHONIOENCODING=latin-1 %s >out; echo $? >status",
    ">&-": "%s >&-; echo $? >status",
    "2>&-": "%s 2>&- >out; echo $? >status",
    "2> /dev/full": "%s 2>/dev/full >out; echo $? >status",
    "both": "%s >/dev/full 2>&1; echo $? >status",
    "neither": "%s >&- 2>&-; echo $? >status",
}
SAID = {
    "| head -1",
    "unbuffered | head -1",
    "| true",
    "> /dev/full",
    ">&-",
}  # on stderr, since stdout takes no line
full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")


def shell(case, folder, *command):
    """The exit status of that command of Python under that output, and what stderr says."""
    words = shlex.join(map(str, (sys.executable, *command)))
    paths = os.pathsep.join(map(str, (EXAMPLES.parent, EXAMPLES)))
    env = os.environ | {"PYTHONPATH": paths, "PYTHONUNBUFFERED": ""}
    done = subprocess.run(
        ["sh", "-c", FAILING[case] % words], cwd=folder, env=env, stderr=subprocess.PIPE
    )
    return int((folder / "status").read_text()), done.stderr.decode()


@full
@pytest.mark.parametrize("case", FAILING)
def test_the_interpreter_ends_with_status_0(case, tmp_path):
    many = "for i in range(9999): say('a line that is long enough, ü')"
    code = f"import sys; from output import say; say('first'); {many}"
    status, err = shell(case, tmp_path, "-c", code.replace("; for", "\nfor"))
    assert status == 0 and "rror" not in err and "Exception" not in err
    assert ("a line" in err) == (case in SAID)
    status, err = shell(case, tmp_path, "-c", "import output; print('x')")  # another's line
    assert status == 0 and "rror" not in err and "Exception" not in err


@full
@pytest.mark.parametrize("case", FAILING)
@pytest.mark.slow
def test_output_that_fails_costs_nothing(case, tmp_path):
    out = tmp_path / "模型 ü"
    example = EXAMPLES / "vae_mnist.py"
    options = ("--smoke", "--dataset", "strokes", "--latent-dim", "2", "--gif", "--out", out.name)
    status, err = shell(case, tmp_path, example, *options)
    assert status == 0 and "Traceback" not in err and "Exception" not in err
    assert scratchae.load(out / "weights.safetensors").objective.epoch == 2
    assert len(metrics(out)) == 2
    pictures = {path.name for path in out.iterdir() if path.suffix in (".png", ".gif")}
    assert pictures == {
        *("reconstructions.png", "loss.png", "samples.png"),
        *("latent.png", "manifold.png", "samples.gif"),
    }
    if case in SAID:
        assert "after 2 epochs: test ELBO" in err


@full
@pytest.mark.parametrize("case", FAILING)
@pytest.mark.parametrize("name", ["quickstart", "vae_by_hand"])
@pytest.mark.slow
def test_a_page_under_an_output_that_fails(name, case, tmp_path):
    """On few images: what is written is whole."""
    code = (
        "import runpy; from scratchae import datasets; few = datasets.strokes.load(256, 64)\n"
        "datasets.LOADERS['strokes'] = lambda data_dir=None: few\n"
        f"runpy.run_path({str(EXAMPLES / f'{name}.py')!r}, run_name='__main__')"
    )
    status, err = shell(case, tmp_path, "-c", code)
    assert status == 0 and "Traceback" not in err and "Exception" not in err
    assert imread(tmp_path / "runs" / name / "samples.png").std() > 0.05
    if name == "quickstart":
        assert scratchae.load(tmp_path / "runs/quickstart/vae.safetensors").objective.epoch == 10


@full
@pytest.mark.parametrize("case", ["| true", "> /dev/full", "2>&-"])
@pytest.mark.parametrize("options, status", [("--help", 0), ("--epochs none", 2)])
@pytest.mark.slow
def test_help_and_refusals_end_as_they_would(case, options, status, tmp_path):
    found, err = shell(case, tmp_path, EXAMPLES / "linear_pca.py", *options.split())
    assert found == status and "Traceback" not in err and "Exception" not in err


@pytest.mark.parametrize("flag", ["-P", "-I"])
@pytest.mark.parametrize(
    "name", sorted(path.name for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text())
)
@pytest.mark.slow
def test_pythons_flags_leave_no_example_behind(flag, name, tmp_path):
    code = (
        f"import sys, runpy; sys.path.append({str(EXAMPLES.parent)!r}); sys.argv[1:] = ['--help']"
        f"; runpy.run_path({str(EXAMPLES / name)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, flag, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.startswith(f"usage: {name.removesuffix('.py')}")
