"""exp, expm1 and log1p of the loops, over every range: the error bounds that their docstring
states."""

import numpy as np
import pytest

from scratchae.kernels.machine import elementary
from scratchae.kernels.machine.compile import jit


@jit
def exp(y, x):
    for i in range(x.shape[0]):
        y[i] = elementary.exp(x[i])


@jit
def expm1(y, x):
    for i in range(x.shape[0]):
        y[i] = elementary.expm1(x[i])


@jit
def log1p_unit(y, x):
    for i in range(x.shape[0]):
        y[i] = elementary.log1p_unit(x[i])


# what it is: (the loop, its definition, the range, the bound in units of the last place)
SWEEPS = {
    "exp": (exp, np.exp, (-86.9, 88.72), 1.2),
    "exp near 0": (exp, np.exp, (-1e-3, 1e-3), 1.2),
    "expm1": (expm1, np.expm1, (-86.9, 88.72), 2.1),
    "expm1 below 1": (expm1, np.expm1, (-1, 1), 2.1),
    "expm1 near 0": (expm1, np.expm1, (-1e-3, 1e-3), 2.1),
    "log1p": (log1p_unit, np.log1p, (0, 1), 2.0),
    "log1p near 0": (log1p_unit, np.log1p, (0, 1e-3), 2.0),
}


def evaluated(loop, x):
    y = np.empty_like(x)
    loop(y, x)
    return y


def last_places(y, exact):
    return np.abs(y - exact) / np.spacing(np.abs(exact).astype(np.float32)).clip(
        np.finfo(np.float32).tiny
    )


@pytest.mark.parametrize("name", SWEEPS)
def test_error_stays_below_its_bound(name):
    loop, definition, ends, bound = SWEEPS[name]
    x = np.linspace(*ends, 2_000_001).astype(np.float32)
    errors = last_places(evaluated(loop, x), definition(x.astype(np.float64)))
    assert errors.max() <= bound, f"{errors.max():.2f} at {x[errors.argmax()]}"


@pytest.mark.parametrize("name", SWEEPS)
def test_float64_is_the_c_library(name):
    loop, definition, ends, _ = SWEEPS[name]
    x = np.linspace(*ends, 10_001)
    np.testing.assert_allclose(evaluated(loop, x), definition(x), rtol=1e-15)


def test_a_term_left_out_is_seen():
    x = np.linspace(0, np.log(2) / 2, 1001)
    without_the_last = sum(x**k / np.prod(np.arange(1.0, k + 1)) for k in range(7)).astype(
        np.float32
    )
    assert last_places(without_the_last, np.exp(x)).max() > 1.2


def test_ends_of_the_range():
    """Beyond the ends: inf above, a small positive number below, NaN for NaN."""
    x = np.array([np.nan, np.inf, 1e30, 88.73, -87, -1e30, -np.inf, 0], np.float32)
    np.testing.assert_array_equal(np.isnan(evaluated(exp, x)), np.isnan(x))
    y = evaluated(exp, x)[1:]
    assert (y[:3] == np.inf).all() and ((y[3:6] > 0) & (y[3:6] < 2e-38)).all() and y[6] == 1
    assert evaluated(expm1, x)[1:].tolist() == [np.inf] * 3 + [-1.0] * 3 + [0.0]
    assert np.isnan(evaluated(log1p_unit, x)[0]) and evaluated(log1p_unit, x)[-1] == 0


@jit
def log(y, x):
    for i in range(x.shape[0]):
        y[i] = elementary.log(x[i])


@jit
def cosines(c, s, u):
    for i in range(u.shape[0]):
        c[i], s[i] = elementary.cos_sin(u[i])


@pytest.mark.slow
def test_log_of_every_float32_that_a_normal_may_ask_for():
    v = (np.arange(1, 2**24 + 1) / 2**24).astype(np.float32)
    y, exact = evaluated(log, v), np.log(v.astype(np.float64))
    assert y[-1] == 0 and last_places(y[:-1], exact[:-1]).max() <= 1.7


@pytest.mark.parametrize("dtype, bound", [("float32", 1.2e-7), ("float64", 1e-15)])
def test_cosine_and_sine_of_a_turn(dtype, bound):
    u = np.linspace(0, 1, 2_000_001).astype(dtype)
    c, s = np.empty_like(u), np.empty_like(u)
    cosines(c, s, u)
    angle = 2 * np.pi * u.astype(np.float64)
    assert np.abs(c - np.cos(angle)).max() <= bound and np.abs(s - np.sin(angle)).max() <= bound
