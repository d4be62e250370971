"""Every kernel of the library: each spelling against its definition, over odd shapes and hard
values."""

import importlib
import pkgutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import CASES

from scratchae import get_backend, kernels
from scratchae.kernels.activation import DEFINITIONS
from scratchae.kernels.kernel import Kernel

QUICK = settings(derandomize=True, deadline=None, database=None)
SHAPES = pytest.mark.parametrize(
    "shapes", [6, pytest.param(25, marks=pytest.mark.slow)], ids=["few", "many"]
)
SIZE = st.integers(1, 17)


def collected():
    """Every Kernel that a module of kernels/ holds, by name."""
    found = {}
    for entry in pkgutil.iter_modules(kernels.__path__):
        module = importlib.import_module(f"scratchae.kernels.{entry.name}")
        for name, value in vars(module).items():
            several = value.items() if isinstance(value, dict) else [(None, value)]
            for key, kernel in several:
                if isinstance(kernel, Kernel):
                    found[f"{entry.name}.{name}" + (f".{key}" if key else "")] = kernel
    return found


KERNELS = collected()


PLAIN = {"step.ADVANCE", "sums.SUMS", "noise.GATE", "clip.CLIP"}  # the CPU runs their definitions
PLAIN |= {f"kl_weights.{name}" for name in ("GROUP_SUMS", "FREE_BITS", "CAPACITY")}
# Draws and decisions: equal to the bit, and no place for a NaN.
EXACT = {f"philox.{name}" for name in ("WORDS", "UNIFORM")} | {
    f"batch.GATHER_{name}" for name in ("THRESHOLD", "DYNAMIC")
}
EXACT |= {"given.ONE_HOT"}
# They leave out what was not observed, whatever it is.
LEAVES_OUT = {"observed.HIDE", "observed.LEAVE_OUT"}
# (kernel, constant): it bounds a search that has found all there is, so it is planted too small.
BOUNDS = {("pooling.MAX_POOL_GRADIENT", 0)}
GUARD = 64  # numbers before and after an array
SEED = 383  # 5 x 4 pixels in 3 x 2 overlapping patches of 2 x 5, padded above and on the left
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
EVERY = pytest.mark.parametrize("name", KERNELS)


def case_of(name, seed, dtype, N, D, K):
    module, variable, *key = name.split(".")
    return CASES[f"{module}.{variable}"](
        np.random.default_rng(seed), dtype, N, D, K, *key or [None]
    )


def guarded(a):
    """A copy of a in the middle of memory that nobody may write, and that memory."""
    guard = np.full(a.size + 2 * GUARD, 77, a.dtype)
    guard[GUARD : GUARD + a.size] = a.reshape(-1)
    return guard[GUARD : GUARD + a.size].reshape(a.shape), guard


def spelled(kernel, backend, dtype):
    """The spelling of a backend as a function of host arrays."""
    if backend != "cupy":
        return (
            kernel.definition if backend == "reference" or kernel.numba is None else kernel.numba
        )
    gpu = get_backend(backend, dtype)

    def call(*arguments):
        there = [gpu.asarray(a, a.dtype) if isinstance(a, np.ndarray) else a for a in arguments]
        gpu.op(kernel)(*there)
        for host, device in zip(arguments, there, strict=True):
            if isinstance(host, np.ndarray):
                host[...] = gpu.to_host(device)

    return call


def run(f, outs, ins, constants):
    """The outputs of one spelling on copies; it left its inputs alone, and all memory that is not
    its own."""
    pairs = [
        [guarded(a) for a in arrays]
        for arrays in (outs, ins, [c for c in constants if np.ndim(c)])
    ]
    mine, given, spare = ([view for view, _ in arrays] for arrays in pairs)
    assert f(*mine, *given, *[c for c in constants if not np.ndim(c)], *spare) is None
    for before, after in zip(ins, given, strict=True):
        np.testing.assert_array_equal(before, after, err_msg="an input was changed")
    for _, guard in (pair for arrays in pairs for pair in arrays):
        np.testing.assert_array_equal(
            guard[:GUARD], guard.dtype.type(77), err_msg="memory before an array was written"
        )
        np.testing.assert_array_equal(
            guard[-GUARD:], guard.dtype.type(77), err_msg="memory after an array was written"
        )
    return mine


def same(found, expected, tol):
    for out, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(out, right, rtol=tol, atol=tol)


# sums over samples of large terms of both signs: fused multiply-adds leave more of them
CANCELLING = ("importance.GAUSSIAN_WEIGHED", "importance.GAUSSIAN_PATH")


def claimed(name):
    """What the table calls the equality of that kernel's spellings."""
    return "cancelling" if name.startswith(CANCELLING) else "kernel"


def test_every_kernel_has_a_case():
    assert {".".join(name.split(".")[:2]) for name in KERNELS} == set(CASES)
    assert all(kernel.cuda is not None for kernel in KERNELS.values())
    assert {name for name, kernel in KERNELS.items() if kernel.numba is None} == PLAIN


@DTYPES
@EVERY
@SHAPES
def test_a_spelling_against_the_definition(name, backend, dtype, shapes, tolerance):
    kernel, tol = KERNELS[name], 0 if name in EXACT else tolerance(claimed(name), dtype)
    spelling = spelled(kernel, backend, dtype)

    @settings(QUICK, max_examples=shapes)
    @given(SIZE, SIZE, st.integers(1, 4), st.integers(0, 1000))
    def check(N, D, K, seed):
        outs, ins, constants = case_of(name, seed, dtype, N, D, K)
        expected = run(kernel.definition, outs, ins, constants)
        assert all(np.isfinite(out).all() for out in expected)
        same(run(spelling, outs, ins, constants), expected, tol)

    check()


@DTYPES
@EVERY
def test_a_planted_error_is_seen(name, backend, dtype, tolerance):
    """0.1 % on one output, one element forgotten, a constant that is off: each must fail the
    comparison."""
    kernel, tol = KERNELS[name], 0 if name in EXACT else tolerance(claimed(name), dtype)
    spelling = spelled(kernel, backend, dtype)
    outs, ins, constants = case_of(name, SEED, dtype, 5, 7, 3)
    right = run(kernel.definition, outs, ins, constants)
    mutants = []
    for i, out in enumerate(right):
        scaled, forgotten = [list(right) for _ in range(2)]
        scaled[i] = out + 1 if out.dtype == np.uint32 else out * 1.001
        forgotten[i] = out.copy()
        forgotten[i].flat[-1] = outs[i].flat[-1]
        mutants += [scaled, forgotten] if (forgotten[i] != out).any() else [scaled]
    for i, constant in enumerate(constants):
        if isinstance(constant, np.ndarray):
            continue
        off = {bool: lambda c: not c, int: lambda c: c + 1}.get(type(constant), lambda c: 1.01 * c)
        # space for the error
        wrong = [np.resize(c, 4 * c.size + 5000) if np.ndim(c) == 1 else c for c in constants]
        wrong[i] = constant - 1 if (name, i) in BOUNDS else off(constant)
        mutants.append(run(spelling, outs, ins, wrong))
    for mutant in mutants:
        with pytest.raises(AssertionError):
            same(mutant, right, tol)


def read(name, ins):
    """Which inputs carry values; the y of a gradient and noise choose, one row of a schedule is
    read, of a prior's gradient one half, and a norm that is NaN is no reason to scale."""
    every = [i for i, a in enumerate(ins) if a.dtype.kind == "f"]
    if name == "clip.CLIP":
        return []
    if name == "hierarchy.LOWER_GRADIENT":  # of dp, with the NaN in dl, it takes dm
        return [i for i in every if i != 2]
    return (
        every[:1]
        if name.startswith(("activation.ACTIVATION_GRADIENT", "step.ADVANCE", "noise."))
        else every
    )


@DTYPES
@pytest.mark.parametrize("name", sorted(set(KERNELS) - EXACT - LEAVES_OUT))
def test_a_nan_stays_one(name, backend, dtype):
    """One NaN in any array that a kernel reads comes out, at the same places in every spelling."""
    kernel, spelling = KERNELS[name], spelled(KERNELS[name], backend, dtype)
    outs, ins, constants = case_of(name, SEED, dtype, 5, 7, 3)
    for i in read(name, ins):
        poisoned = [a.copy() for a in ins]
        poisoned[i].flat[poisoned[i].size // 2] = np.nan
        pair = [run(f, outs, poisoned, constants) for f in (kernel.definition, spelling)]
        for left, right in zip(*pair, strict=True):
            np.testing.assert_array_equal(np.isnan(left), np.isnan(right))
        assert any(np.isnan(out).any() for out in pair[0]), f"a NaN in input {i} is lost"


@DTYPES
@pytest.mark.parametrize("activation", DEFINITIONS)
def test_a_nan_product_is_not_taken_for_zero(backend, activation, dtype):
    """max(a, 0) and a > 0 both know a way to lose a NaN; y is an output, so the test above does
    not see it."""
    kernel = KERNELS[f"activation.BIAS_ACTIVATION.{activation}"]
    y = np.array([[np.nan, 1.0], [-1.0, np.nan]], dtype)
    spelled(kernel, backend, dtype)(y, np.zeros(2, dtype))
    np.testing.assert_array_equal(np.isnan(y), np.eye(2, dtype=bool))
