"""The line of an epoch: its parts add up to its loss."""

import io
import re
import sys

import numpy as np
import pytest

import scratchae as sa

X = np.linspace(0, 1, 40 * 6, dtype=np.float32).reshape(40, 6)
PARTS = "reconstruction", "kl", "penalty"


def autoencoder(penalty=None):
    return sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6), penalty=penalty)


def vae(beta):
    return sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), beta=beta)


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (autoencoder, {"reconstruction"}),
        (lambda: autoencoder(sa.L1(2.0)), {"reconstruction", "penalty"}),
        (lambda: vae(1), {"reconstruction", "kl"}),
        (lambda: vae(4), {"reconstruction", "kl", "penalty"}),
        (lambda: vae(0.5), {"reconstruction", "kl", "penalty"}),
    ],
)
def test_the_parts_add_up_to_the_loss(make, parts, capsys):
    history = sa.fit(make().build(6), X, sa.Adam(), epochs=1, validation=X)
    shown = dict(re.findall(r"  ([a-z ]+) ([\d.e+-]+)(?=  )", capsys.readouterr().out))
    assert set(shown) == {"train loss", "test loss"} | {f"test {part}" for part in parts}
    loss, sum_of = float(shown["test loss"]), sum(float(shown[f"test {part}"]) for part in parts)
    # of numbers with two decimals each
    assert loss == pytest.approx(sum_of, abs=0.005 * (1 + len(parts)))
    record = history.records[-1]
    assert sum(record.get(f"test_{part}", 0.0) for part in PARTS) == pytest.approx(
        record["test_loss"]
    )


class Broken(io.StringIO):
    """A stream that writes a few lines and then nothing."""

    def __init__(self, error, after=0):
        super().__init__()
        self.error, self.left = error, after

    def write(self, text):
        if self.left <= 0:
            raise self.error
        self.left -= text.count("\n")
        return super().write(text)


FULL = OSError(28, "No space left on device")
ERRORS = [BrokenPipeError(32, "Broken pipe"), FULL, ValueError("I/O operation on closed file")]
CODEC = UnicodeEncodeError("ascii", "\u00fc", 0, 1, "ordinal not in range(128)")


@pytest.mark.parametrize("error", [*ERRORS, CODEC], ids=str)
@pytest.mark.parametrize("after", [0, 1])
def test_lines_that_cannot_be_written_cost_no_training(error, after, monkeypatch):
    out, err = Broken(error, after), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    history = sa.fit(autoencoder().build(6), X, sa.Adam(), epochs=3)
    assert len(history) == 3 and out.getvalue().count("\n") == after
    assert err.getvalue().count("\n") == 1 and str(error) in err.getvalue()


def test_a_buffer_that_cannot_be_emptied():
    """A pipe takes a line into its buffer, and fails as that is flushed."""

    class Pipe(io.StringIO):
        def flush(self):
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", Pipe())
        assert len(sa.fit(autoencoder().build(6), X, sa.Adam(), epochs=2)) == 2


@pytest.mark.parametrize("none", [("stdout",), ("stderr",), ("stdout", "stderr")])
def test_a_program_without_a_console(none, monkeypatch):
    for name in none:
        monkeypatch.setattr(sys, name, None)
    assert len(sa.fit(autoencoder().build(6), X, sa.Adam(), epochs=2)) == 2


@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_a_bar_whose_terminal_is_gone(error, monkeypatch):
    class Terminal(Broken):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal(error, after=0))
    assert len(sa.fit(autoencoder().build(6), X, sa.Adam(), epochs=2)) == 2


def test_a_closed_stderr(monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    assert len(sa.fit(autoencoder().build(6), X, sa.Adam(), epochs=1)) == 1
