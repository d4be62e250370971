"""Tiles: the same bits whatever the width of the registers, and a tile that is wrong is seen."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scratchae.kernels.machine import tile
from scratchae.kernels.machine.compile import jit

ROOT = Path(__file__).resolve().parents[3]
WIDTHS = {
    "AVX2": {"avx2": True, "fma": True},
    "16 bytes": {},
    "16 bytes, 32 registers": {"neon": True},
}
PROGRAM = """
import numpy as np
from llvmlite import binding
real = binding.get_host_cpu_features()
class Features(dict):  # what the tile reads; Numba compiles for the machine as it is
    def flatten(self):
        return real.flatten()
if FEATURES is not None:
    binding.get_host_cpu_features = lambda: Features(FEATURES)
from scratchae.kernels import convolution, paint, taps
from scratchae.kernels.machine import tile
rng, out = np.random.default_rng(0), []
for C, O in ((3, 5), (6, 37)):
    x, a, W = (rng.normal(size=s).astype("f") for s in ((2, 6, 5, C), (2, 3, 4, O), (3, 2, C, O)))
    sizes = x.shape, a.shape, W.shape[:2], 2, 1, 1, 0
    flat = np.empty(convolution.scratch_size("numba", 4, *sizes), "f")
    y, dx, dW = np.empty_like(a), np.empty_like(x), np.empty_like(W)
    taps.correlate(y, x, W, 2, 1, 1, 0, flat)
    taps.weight_gradient(dW, x, a, 2, 1, 1, 0, False, flat)
    paint.paint(dx, a, W, 2, 1, 1, 0, flat)
    out += [y.tobytes().hex(), dx.tobytes().hex(), dW.tobytes().hex()]
print(tile.WIDTH, tile.R, *out)
"""


def computed(features, cache):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", PROGRAM.replace("FEATURES", repr(features))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    width, rows, *numbers = done.stdout.split()
    return (int(width), int(rows)), numbers


@pytest.fixture(scope="module")
def as_it_is(tmp_path_factory):
    """A cache, and what the machine's own registers have computed with it."""
    cache = tmp_path_factory.mktemp("cache")
    return cache, computed(None, cache)


@pytest.mark.slow
@pytest.mark.parametrize("name", WIDTHS)
def test_bits_do_not_depend_on_the_width(name, as_it_is):
    """Narrow registers, in one cache with the machine's own and the others: none may find the
    loops of another there."""
    cache, (own, numbers) = as_it_is
    other, same = computed(WIDTHS[name], cache)
    assert own == (tile.WIDTH, tile.R) and other[0] == (32 if name == "AVX2" else 16)
    assert same == numbers


@jit
def product(y, x, w, x_at, y_at, count, last):
    for m in range(0, len(x_at), tile.R):
        t, rows, to = tile.zeros(x, 2), tile.pick(x_at, m, last), tile.pick(y_at, m, last)
        for k in range(w.shape[0]):
            t = tile.multiply_add(t, x.reshape(x.size), k, rows, w.reshape(w.size), k * w.shape[1])
        tile.store(t, y.reshape(y.size), 0, to, 1, count)


def panel(w):
    """w (K, O) in rows of two whole vectors (K, 2 LANES)."""
    rows = np.zeros((len(w), 2 * tile.WIDTH // w.itemsize), w.dtype)
    rows[:, : w.shape[1]] = w
    return rows


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("M, wide", [(1, 0), (7, 0.4), (9, 0.5), (9, 0.75), (15, 1)])
def test_a_tile_is_a_product(M, wide, dtype, rng, tolerance):
    O = max(1, int(wide * 2 * tile.WIDTH / np.dtype(dtype).itemsize))  # of two vectors
    x, w = rng.normal(size=(M, 5)).astype(dtype), rng.normal(size=(5, O)).astype(dtype)
    y = np.full((M + 1, O), 77, dtype)
    product(y, x, panel(w), 5 * np.arange(M), O * np.arange(M), O, M - 1)
    np.testing.assert_allclose(y[:M], x @ w, atol=tolerance("kernel", dtype))
    assert (y[M] == 77).all()


@pytest.mark.parametrize(
    "count, last", [(1, 0), (0, 1)], ids=["a lane too many", "a row forgotten"]
)
def test_a_wrong_tile_is_seen(count, last, rng):
    """One lane beyond the end is written; the last row is never reached."""
    M, O = 9, 3
    x, w, y = rng.normal(size=(M, 5)), rng.normal(size=(5, O)), np.full((M + 1, O), 77.0)
    product(y, x, panel(w), 5 * np.arange(M), O * np.arange(M), O + count, M - 1 - last)
    assert not (np.allclose(y[:M], x @ w) and (y[M] == 77).all())
