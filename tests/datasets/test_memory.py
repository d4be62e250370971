"""Data is looked at and converted in pieces: what is larger than memory trains."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scratchae as sa
from scratchae import checks

FIRST = ["float32", "int16"]
OTHERS = ["float16", ">f4", "Fortran", "one-hot", "images", "images in Fortran's order"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs the limit on memory that Linux has")
@pytest.mark.slow
@pytest.mark.parametrize("names", [FIRST, OTHERS])
def test_data_larger_than_memory_trains(names, tmp_path):
    script = Path(__file__).with_name("larger.py")
    done = subprocess.run(
        [sys.executable, script, *names], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [f"{name} trains" for name in names], done.stderr


SHAPES = [(7,), (1000, 3), (50, 4, 5, 2), (3, 100_000)]
ORDERS = pytest.mark.parametrize("order", ["C", "F"])


@ORDERS
@pytest.mark.parametrize("shape", SHAPES)
def test_pieces_are_all_rows_in_order(shape, order, monkeypatch):
    monkeypatch.setattr(checks, "PIECE", 4000)
    x = np.asarray(np.random.default_rng(0).random(shape), order=order)
    parts = list(checks.pieces(x))
    assert [start for start, _ in parts] == [*np.cumsum([0, *(len(p) for _, p in parts)])[:-1]]
    np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), x)
    assert all(np.shares_memory(part, x) for _, part in parts)
    assert all(part.nbytes <= 4000 or len(part) == 1 for _, part in parts)


@ORDERS
@pytest.mark.parametrize("at", [(0, 0), (641, 3), (999, 4)])
def test_a_bad_value_is_named_in_whichever_piece_it_lies(at, order, monkeypatch):
    """By its index in all of the data, and how often there is one in all of them."""
    monkeypatch.setattr(checks, "PIECE", 4000)
    x = np.asarray(np.random.default_rng(0).random((1000, 5)), order=order)
    words, likely = ", ".join(map(str, at)), np.eye(5)[np.arange(1000) % 5]
    likely[at] = 1 - likely[at]
    place = at if likely[at] < 0 else at[:1]
    with pytest.raises(ValueError, match=rf"at index \({place[0]},\), but a Categorical"):
        sa.Categorical().check(likely)
    x[at] = -0.25
    for likelihood in (sa.Bernoulli(), sa.Categorical()):
        y = x if isinstance(likelihood, sa.Bernoulli) else np.where(x < 0, x, likely)
        with pytest.raises(ValueError, match=rf"is -0\.25 at index \({words}\), but a"):
            likelihood.check(y)
    x[at], x[-1, -1] = 1e39, -1e39
    with pytest.raises(ValueError, match=rf"is 1e\+39 at index \({words}\), but float32|-1e\+39"):
        checks.representable(x, np.dtype("float32"), "x")
    least = np.full((2, 5), np.iinfo("int64").min)  # which has no absolute value in int64
    checks.representable(least, np.dtype("float32"), "x")
    x[at], x[-1, -1] = np.inf, np.nan
    n = 1 if at == (999, 4) else 2
    with pytest.raises(ValueError, match=rf"at index \({words}\) \({n} such values\)"):
        checks.finite(x, "x")
    checks.finite(np.full((1000, 5), np.finfo("float64").max), "x")  # whose sum is inf


def test_images_that_a_likelihood_refuses_are_named(monkeypatch):
    monkeypatch.setattr(checks, "PIECE", 4000)
    pixels = np.zeros((1000, 2, 5), np.uint8)
    pixels[..., 1] = 255
    sa.Images(pixels).check(sa.Categorical())
    pixels[900, 1, 3] = 1
    words = r"of the images from 800 on, the data sums to 1.00392 .* at index \(100, 1\)"
    with pytest.raises(ValueError, match=words):
        sa.Images(pixels).check(sa.Categorical())
