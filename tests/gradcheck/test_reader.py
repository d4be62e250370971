"""``python -m scratchae.gradcheck FILE:NAME``: the reader's own layer, latent or likelihood."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scratchae.gradcheck import __main__ as command
from scratchae.gradcheck import reader

ROOT = Path(__file__).resolve().parents[2]
MINE = '''
import numpy as np
import scratchae as sa
from beside import EPS


class LayerNorm(sa.Layer):
    """y = (x - mean x) / sqrt(var x + eps), over a row."""

    def __init__(self, eps=EPS):
        self.eps = eps

    def declare(self, shape):
        self.shape = self.output = shape
        return shape, {}

    def bind(self, backend, rows, need_dx):
        self.host, self.asarray = backend.to_host, backend.asarray

    def forward(self, x):
        x = self.host(x)
        axes = tuple(range(1, x.ndim))
        r = x - x.mean(axis=axes, keepdims=True)
        self.s = np.sqrt((r * r).mean(axis=axes, keepdims=True) + self.eps)
        self.y, self.axes = r / self.s, axes
        return self.asarray(self.y)

    def backward(self, dy):
        dy, over = self.host(dy), {"axis": self.axes, "keepdims": True}
        inner = dy - dy.mean(**over) - self.y * (dy * self.y).mean(**over)
        return self.asarray(inner / self.s)


class Wrong(LayerNorm):
    def backward(self, dy):
        return 1.001 * super().backward(dy)


class Scaled(LayerNorm):
    def __init__(self, size, name, eps=EPS):
        self.size, self.name, self.eps = size, name, eps


class Latent(sa.Gaussian):
    def __init__(self):
        self.dimensions = 2


class OneSpread(Latent):
    """h is mu alone: its rows have D numbers."""

    def check(self, shape):
        if shape != (2,):
            raise ValueError(f"rows of shape {shape}, but (2,) is expected")

    def forward(self, h):
        return super().forward(np.concatenate([h, np.zeros_like(h)], axis=1))

    def backward(self, dz, kl_weight):
        return super().backward(dz, kl_weight)[:, :2]

    def weighed(self, dz, w):
        return super().weighed(dz, w)[:, :2]


class WrongSampler(Latent):
    def draw(self, rows, clock):
        super().draw(rows, clock)
        self.eps[...] *= 1.1


class NoConstant(sa.GaussianLikelihood):
    def constants(self, shape):
        return super().constants(shape)[0], 0.0


class Raises(LayerNorm):
    def forward(self, x):
        return x / "two"


dense, number = sa.Dense(7, 3, "tanh"), 7
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The path of the file, and of one beside it that it imports."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "beside.py").write_text("EPS = 1e-5\n")
    for name, text in {
        "broken.py": "x = (",
        "ends.py": "raise SystemExit(3)",
        "mine.txt": "",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield str(tmp_path / "mine.py")
    for name in ("mine", "beside"):
        sys.modules.pop(name, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, options, titles",
    [
        ("LayerNorm", "--shape 7", ["LayerNorm"]),
        ("LayerNorm", "--shape 4 5 2", ["LayerNorm"]),
        ("LayerNorm", "--shape 4,5,2 --backend reference", ["LayerNorm"]),
        ("LayerNorm", "--shape 7 --arguments 1e-3", ["LayerNorm"]),
        ("Scaled", "--shape 7 --arguments 7 tanh", ["Scaled"]),
        ("Scaled", "--arguments -1e-5 tanh -1e-9 --shape 7", ["Scaled"]),
        ("dense", "--shape 7", ["Dense tanh"]),
        ("Latent", "", ["Latent", "sampler of Latent"]),
        ("Latent", "--shape 4", ["Latent", "sampler of Latent"]),
        ("OneSpread", "--shape 2", ["OneSpread", "sampler of OneSpread"]),
    ],
)
def test_what_is_right(name, options, titles, mine, capsys):
    assert command.main([f"{mine}:{name}", *options.split()]) == 0
    out = capsys.readouterr().out
    assert [table.splitlines()[0] for table in out.split("\n\n")] == titles
    assert "wrong" not in out


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, options, wrong",
    [
        ("Wrong", "--shape 7", "x "),
        ("WrongSampler", "", "variance "),
        ("NoConstant", "", "integral over x (2,) "),
        ("NoConstant", "--shape 8 8 1", "integral over x (1, 1, 2) "),
    ],
)
def test_what_is_wrong(name, options, wrong, mine, capsys):
    assert command.main([f"{mine}:{name}", *options.split()]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if "  wrong " in line]
    assert any(line.startswith(wrong) for line in lines), lines


@pytest.mark.parametrize(
    "name, options, sentence",
    [
        ("Nothing", "", "has no Nothing; it has LayerNorm, Wrong, Scaled"),
        ("number", "", "is a int, but a layer (declare, bind, forward, backward), a latent or"),
        ("LayerNorm", "", "is a layer, and --shape is missing: the shape of one input row"),
        ("LayerNorm", "--shape 7 x", "--shape is 7 x, but whole numbers above 0 are expected"),
        ("LayerNorm", "--shape 0", "--shape is 0, but whole numbers above 0 are expected"),
        ("Scaled", "--shape 7", "takes (size, name, eps=1e-05): missing a required argument:"),
        ("Scaled", "--shape 7 --arguments 1 2 3 4", "too many positional arguments; hand them in"),
        ("dense", "--shape 7 --arguments 7", "is no class, so it takes no --arguments"),
        ("dense", "--shape 6", "Dense(7, 3) is handed rows of shape (6,), but it takes (7,)"),
        ("LayerNorm", "--shape 7 --backend fast", "there is no backend 'fast'"),
        ("", "", "is given, but FILE:NAME is expected, such as mine.py:LayerNorm"),
        ("Latent", "--shape 3", "gives rows of shape (3,), but Gaussian(2) takes (4,)"),
    ],
)
def test_what_is_refused(name, options, sentence, mine, capsys):
    assert sentence in refused([f"{mine}:{name}", *options.split()], capsys)


@pytest.mark.parametrize(
    "file, sentence",
    [
        ("nowhere.py", "there is no file "),
        ("broken.py", "ends in SyntaxError: "),
        ("ends.py", "ends in SystemExit: 3; run it by itself to see where"),
        ("mine.txt", "its name should end in .py"),
    ],
)
def test_a_file_that_does_not_run(file, sentence, mine, capsys):
    assert sentence in refused([f"{Path(mine).with_name(file)}:LayerNorm", "--shape", "7"], capsys)


@pytest.mark.parametrize("options", ["--shape 7", "numpy --arguments 7", "--backend numpy"])
def test_options_without_a_file(options, capsys):
    assert "name it as FILE:NAME, such as mine.py:LayerNorm" in refused(options.split(), capsys)


def refused(argv, capsys):
    """The sentence, after which the command ends with status 2."""
    with pytest.raises(SystemExit) as ended:
        command.main(argv)
    out, sentence = capsys.readouterr()
    assert (ended.value.code, out, sentence.count("\n")) == (2, "", 1)
    assert sentence.startswith("python -m scratchae.gradcheck: ")
    return sentence


def test_a_bug_of_the_reader_keeps_its_traceback(mine):
    with pytest.raises(TypeError):
        command.main([f"{mine}:Raises", "--shape", "7"])


def test_arguments_are_literals_or_words():
    words = ["7", "0.5", "True", "(1, 2)", "tanh", "-1", "__import__('os')"]
    assert [reader._value(word) for word in words] == [
        *(7, 0.5, True, (1, 2), "tanh", -1),
        "__import__('os')",
    ]


@pytest.mark.parametrize("words", ["-1e-5", "7 -2.5E+3 -.5e1 -1_000", "-3 -0.5"])
def test_an_argument_may_be_a_negative_number(words):
    given = command.Parser().parse_args(["a.py:A", "--arguments", *words.split(), "--shape", "7"])
    assert (given.arguments, given.shape) == (words.split(), ["7"])
    assert all(isinstance(reader._value(word), int | float) for word in given.arguments)


def test_the_path_may_hold_a_colon(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = tmp_path / "a:b"
    folder.mkdir()
    (folder / "numpy.py").write_text("import scratchae as sa\ndense = sa.Dense(3, 2)\n")
    assert command.main([f"{folder / 'numpy.py'}:dense", "--shape", "3"]) == 0
    assert capsys.readouterr().out.startswith("Dense identity\n")
    assert sys.modules["numpy"] is np  # a file of that name takes nobody's place


@pytest.mark.slow
@pytest.mark.parametrize("command", ["{} | head -1", "{} > /dev/full"])
def test_output_that_fails_leaves_the_status(command, mine):
    """Whoever read has left, or the disk is full: no traceback, and the status still tells."""
    run = f"{sys.executable} -m scratchae.gradcheck"
    for what, status in ((f"{mine}:LayerNorm --shape 7", 0), (f"{mine}:Wrong --shape 7", 1)):
        line = f"set -o pipefail; {command.format(f'{run} {what}')}"
        done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (status, ""), done.stderr
