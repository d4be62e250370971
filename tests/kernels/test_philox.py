"""Philox: the published vectors, the same bits in every spelling, and draws that are what they
claim to be."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchae import get_backend
from scratchae.backend.cuda import source as cuda
from scratchae.kernels import philox

QUICK = settings(derandomize=True, max_examples=25, deadline=None, database=None)
UINT32, SIZE = st.integers(0, 2**32 - 1), st.integers(1, 17)

# Random123 1.14, examples/kat_vectors, "philox4x32 10": counter, key -> words.
KNOWN = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]
ONE_BLOCK = """
extern "C" __global__ void one_block(unsigned* w, const unsigned* c)
{
    philox(w, c[0], c[1], c + 2, 0);
}
"""


def block_on_gpu(c0, c1, c2, c3, k0, k1):
    """One block of the CUDA text itself: four words as counter, two as key -> four words."""
    gpu = get_backend("cupy")
    w, c = (gpu.asarray(np.array(a), "uint32") for a in ([0] * 4, [c0, c1, k0, k1, c2, c3]))
    module = gpu.cupy.RawModule(
        code=cuda.unit("philox.cu", "float32") + ONE_BLOCK, options=("-std=c++17",)
    )
    with gpu.stream:
        module.get_function("one_block")((1,), (1,), (w, c))
    return gpu.to_host(w)


BLOCKS = {"reference": philox._philox_numpy, "numpy": philox.philox, "cupy": block_on_gpu}


def spelling(kernel, backend):
    """The spelling of a backend as a function of host arrays."""
    if backend != "cupy":
        return kernel.definition if backend == "reference" else kernel.numba

    def call(out, *ins):
        gpu = get_backend("cupy", out.dtype.name if out.dtype.kind == "f" else "float32")
        there = [gpu.asarray(a, a.dtype) if isinstance(a, np.ndarray) else a for a in (out, *ins)]
        gpu.op(kernel)(*there)
        out[...] = gpu.to_host(there[0])

    return call


def clock(seed=7, epoch=1, purpose=0):
    return np.array([seed & 0xFFFFFFFF, seed >> 32, epoch, purpose], np.uint32)


def draw(kernel, shape, backend="numpy", dtype="float64", rows=None, seed=7, epoch=1, stream=3):
    out = np.empty(shape, dtype)
    rows = np.arange(shape[0], dtype=np.uint32) if rows is None else np.asarray(rows, np.uint32)
    spelling(kernel, backend)(out, rows, clock(seed, epoch), stream)
    return out


def known(block, counter, key):
    words = [np.uint64(int(word, 16)) for word in f"{counter} {key}".split()]
    return " ".join(f"{int(word):08x}" for word in block(*words))


@pytest.mark.parametrize("counter, key, words", KNOWN)
def test_known_answers(backend, counter, key, words):
    assert known(BLOCKS[backend], counter, key) == words


@pytest.mark.parametrize("name", ["M0", "M1", "W0", "W1"])
def test_known_answers_see_a_wrong_constant(monkeypatch, name):
    monkeypatch.setattr(philox, name, getattr(philox, name) ^ np.uint64(1 << 7))
    counter, key, words = KNOWN[2]
    assert known(philox._philox_numpy, counter, key) != words


@pytest.mark.parametrize("name", ["M0", "M1", "W0", "W1"])
def test_known_answers_see_a_wrong_constant_of_a_gpu(gpu, monkeypatch, name):
    right = re.search(rf"{name} = 0x(\w+)", cuda.texts()["philox.cu"])
    replace_cuda(monkeypatch, right[0], f"{name} = 0x{int(right[1], 16) ^ 1 << 7:X}")
    counter, key, words = KNOWN[2]
    assert known(BLOCKS[gpu], counter, key) != words


def replace_cuda(monkeypatch, right, wrong):
    """Another text in the place of one that stands once in philox.cu."""
    text = cuda.texts()["philox.cu"]
    assert text.count(right) == 1
    monkeypatch.setitem(cuda.texts(), "philox.cu", text.replace(right, wrong))


def test_the_counter_is_block_row_epoch_stream(backend):
    """The vectors again, through the kernel: row, clock and stream land where the docstring
    says."""
    _, row, epoch, purpose = (int(word, 16) for word in KNOWN[2][0].split())
    k0, k1 = (int(word, 16) for word in KNOWN[2][1].split())
    out = np.empty((1, 9), np.uint32)
    now = np.array([k0, k1, epoch, purpose - 5], np.uint32)
    spelling(philox.WORDS, backend)(out, np.array([row], np.uint32), now, 5)
    for block in range(3):
        counter = f"{block:08x} {row:08x} {epoch:08x} {purpose:08x}"
        words = known(philox._philox_numpy, counter, KNOWN[2][1]).split()
        assert [f"{word:08x}" for word in out[0, 4 * block : 4 * block + 4]] == words[
            : 9 - 4 * block
        ]


@QUICK
@given(SIZE, SIZE, st.lists(UINT32, min_size=21, max_size=21), st.integers(0, 2**31 - 1))
def test_words_are_the_same_to_the_bit(backend, N, P, numbers, stream):
    rows, now = np.array(numbers[:N], np.uint32), np.array(numbers[-4:], np.uint32)
    out = [np.empty((N, P), np.uint32) for _ in range(2)]
    for words, name in zip(out, ("reference", backend), strict=True):
        spelling(philox.WORDS, name)(words, rows, now, stream)
    np.testing.assert_array_equal(*out)


def test_uniform_is_the_words_top_24_bits(backend):
    words = draw(philox.WORDS, (13, 11), backend, np.uint32)
    single, double = (
        draw(philox.UNIFORM, (13, 11), backend, dtype) for dtype in ("float32", "float64")
    )
    np.testing.assert_array_equal(single.astype("float64"), double)  # exact in float32
    np.testing.assert_array_equal(double, (words >> 8) / 2**24)


def edge(kernel, word, monkeypatch, shape=(1, 4)):
    """The kernel in both spellings, where every word drawn is this one."""
    monkeypatch.setattr(philox, "_words_numpy", lambda *_: np.full(shape, word, np.uint64))
    monkeypatch.setattr(philox, "_row_words", lambda w, *_: w.fill(word))
    for f in (kernel.definition, kernel.numba.py_func):
        for dtype in ("float32", "float64"):
            out = np.empty(shape, dtype)
            f(out, np.zeros(1, np.uint32), clock(), 0)
            yield out


WORDS = pytest.mark.parametrize("word", [0, 0xFF, 0xFFFFFFFF])


@WORDS
def test_the_extreme_words(monkeypatch, word):
    in_range(edge(philox.UNIFORM, word, monkeypatch), edge(philox.NORMAL, word, monkeypatch))


@WORDS
def test_the_extreme_words_of_a_gpu(gpu, monkeypatch, word):
    replace_cuda(
        monkeypatch,
        "w[0] = c0, w[1] = c1, w[2] = c2, w[3] = c3;",
        f"w[0] = w[1] = w[2] = w[3] = {word}u;",
    )
    in_range(
        *(
            [draw(k, (1, 4), gpu, t) for t in ("float32", "float64")]
            for k in (philox.UNIFORM, philox.NORMAL)
        )
    )


def in_range(uniforms, normals):
    for u in uniforms:
        assert ((u >= 0) & (u < 1)).all()
    for e in normals:
        assert np.isfinite(e).all() and np.abs(e).max() < np.sqrt(48 * np.log(2)) + 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normals_of_two_spellings(backend, dtype, tolerance):
    pair = [draw(philox.NORMAL, (300, 101), name, dtype) for name in ("reference", backend)]
    tol = tolerance("kernel", dtype)
    np.testing.assert_allclose(*pair, rtol=tol, atol=tol)


def correlation(a, b):
    return np.mean((a - a.mean()) * (b - b.mean())) / (a.std() * b.std())


def strange(e):
    """The statistics of draws (N, P) that lie more than 4 standard errors from those of
    N(0, 1)."""
    n = e.size
    found = {
        "mean": (e.mean(), 0, 1),
        "variance": (e.var(), 1, 2),
        "skewness": ((e**3).mean(), 0, 15),
        "kurtosis": ((e**4).mean(), 3, 96),
    }
    for t, p in ((1, 0.3173105), (2, 0.0455003), (3, 0.0026998), (4, 6.334e-5)):
        found[f"tail beyond {t}"] = ((np.abs(e) > t).mean(), p, p * (1 - p))
    for name, a, b in (("position", e[:, :-1], e[:, 1:]), ("row", e[:-1], e[1:])):
        found[f"correlation with the next {name}"] = correlation(a, b), 0, 1
        found[f"correlation of squares with the next {name}"] = correlation(a**2, b**2), 0, 1
    return [
        name
        for name, (value, mean, var) in found.items()
        if abs(value - mean) > 4 * np.sqrt(var / n)
    ]


def test_normal_moments_tails_and_neighbours(backend):
    assert strange(draw(philox.NORMAL, (500, 500), backend)) == []


def test_these_statistics_see_what_is_wrong():
    e = draw(philox.NORMAL, (500, 500))
    assert "variance" in strange(1.02 * e)
    assert "mean" in strange(e + 0.02)
    assert {"kurtosis", "tail beyond 3"} <= set(strange(np.clip(e, -3, 3)))
    uniform = draw(philox.UNIFORM, (500, 500))
    assert "skewness" in strange(-np.log1p(-uniform) - 1)
    # one scale a row
    assert any("squares" in name for name in strange(e * np.sqrt(2 * uniform[:, :1])))


def test_uniform_moments(backend):
    u = draw(philox.UNIFORM, (500, 500), backend)
    n, counts = u.size, np.bincount((256 * u).astype(int).ravel(), minlength=256)
    assert abs(u.mean() - 1 / 2) < 4 * np.sqrt(1 / 12 / n)
    assert abs(u.var() - 1 / 12) < 4 * np.sqrt(1 / 180 / n)
    chi2 = ((counts - n / 256) ** 2 / (n / 256)).sum()
    assert abs(chi2 - 255) < 4 * np.sqrt(2 * 255)


@pytest.mark.parametrize("kernel", [philox.UNIFORM, philox.NORMAL], ids=lambda kernel: kernel.name)
def test_a_draw_does_not_depend_on_how_the_batch_is_cut(backend, kernel):
    rows = np.array([5, 1, 4_000_000_000, 8, 13], np.uint32)
    whole = draw(kernel, (5, 7), backend, rows=rows)
    np.testing.assert_array_equal(draw(kernel, (2, 7), backend, rows=rows[:2]), whole[:2])
    np.testing.assert_array_equal(draw(kernel, (3, 7), backend, rows=rows[2:]), whole[2:])
    np.testing.assert_array_equal(draw(kernel, (5, 7), backend, rows=rows[::-1]), whole[::-1])
    np.testing.assert_array_equal(draw(kernel, (5, 3), backend, rows=rows), whole[:, :3])


@pytest.mark.parametrize(
    "change",
    [{"seed": 8}, {"seed": 7 + (1 << 40)}, {"epoch": 2}, {"stream": 4}, {"rows": range(40, 80)}],
    ids=str,
)
def test_a_draw_depends_on_who_asks(backend, change):
    before, after = (
        draw(philox.NORMAL, (40, 64), backend),
        draw(philox.NORMAL, (40, 64), backend, **change),
    )
    assert (before == after).mean() < 0.01
    assert abs(correlation(before, after)) < 4 / np.sqrt(before.size)
