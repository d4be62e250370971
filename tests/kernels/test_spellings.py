"""Every kernel of the library: each spelling against its definition, over odd shapes and hard
values."""

import importlib
import pkgutil
import runpy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchae import get_backend, kernels
from scratchae.kernels.activation import DEFINITIONS
from scratchae.kernels.convolution import scratch_size
from scratchae.kernels.kernel import Kernel

QUICK = settings(derandomize=True, deadline=None, database=None)
SHAPES = pytest.mark.parametrize(
    "shapes", [8, pytest.param(25, marks=pytest.mark.slow)], ids=["few", "many"]
)
SIZE = st.integers(1, 17)
HARD = (0.0, 50.0, -50.0, 100.0, -100.0)


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

# A case: (rng, dtype, N, D, K, ...) -> outs, ins, constants. Outs hold what a kernel reads on
# entry, if it does.


def hard(rng, dtype, shape, most=100.0):
    """Standard normal, with 0, +-50 and +-100 strewn in."""
    x = rng.normal(size=shape)
    values = [v for v in HARD if abs(v) <= most]
    return np.where(rng.random(shape) < 0.3, rng.choice(values, shape), x).astype(dtype)


def easy(rng, dtype, shape):
    return rng.normal(size=shape).astype(dtype)


def garbage(dtype, *shape):
    """What must be overwritten."""
    return np.full(shape, 77, dtype)


def bias_activation(rng, dtype, N, D, K, key):
    return [hard(rng, dtype, (N, D))], [easy(rng, dtype, D)], []


def activation_gradient(rng, dtype, N, D, K, key):
    a = hard(rng, dtype, (N, D))
    a.flat[a.size // 2] = 1  # a unit that is on: where the test of NaNs strikes
    y = DEFINITIONS[key][0](a).astype(dtype)
    dy = easy(rng, dtype, (N, D))
    # "for the identity da is dy itself"
    da = dy.copy() if key == "identity" else garbage(dtype, N, D)
    return [da, easy(rng, dtype, D)], [dy, y], [bool(K % 2)]


def optimizer(vectors, changing, constants):
    def case(rng, dtype, N, D, K, key):
        # a second moment is positive
        state = [np.abs(easy(rng, dtype, N * D)) for _ in range(vectors)]
        row = rng.uniform(0.1, 0.9, changing).astype(dtype)
        part = [1, N * D - 1] if N * D > 2 else [0, N * D]
        return (
            state,
            [easy(rng, dtype, (K, N * D)), row],
            [*rng.uniform(0.1, 0.9, constants).tolist(), *part],
        )

    return case


def gather(dtypes, noise=False):
    def case(rng, dtype, N, D, K, key):
        kind = dtypes[K % len(dtypes)]
        data = rng.integers(0, 256, (N, D)).astype(np.uint8)
        data = data if kind == "uint8" else easy(rng, kind, data.shape)
        ins = [data, rng.permutation(N).astype(np.uint32)]
        u = (rng.integers(0, 2**24, (N, D)) / 2**24).astype(dtype)
        return [garbage(dtype, N, D)], [*ins, u] if noise else ins, []

    return case


def likelihood(kind):
    def case(rng, dtype, N, D, K, key):
        a = hard(rng, dtype, (N * K, D))
        grey, near = (
            rng.choice([0.0, 1.0, 0.3, 0.97], (N, D)),
            a[::K] + rng.integers(-1, 2, (N, D)),
        )
        x = grey if kind == "bernoulli" else near
        outs = [garbage(dtype, N * K), garbage(dtype, N * K, D)]
        return outs, [a, x.astype(dtype)], [1.7, -0.4] if kind == "squared" else []

    return case


def latent(rng, dtype, N, D):
    """h (N, 2D): the largest number that exp(logvar) may be of is float32's, so +-50 there."""
    return hard(rng, dtype, (N, 2 * D), 50.0 if dtype == "float32" else 100.0)


def gaussian_sample(rng, dtype, N, D, K, key):
    outs = [garbage(dtype, N * K, D), garbage(dtype, N, D)]
    return outs, [latent(rng, dtype, N, D), easy(rng, dtype, (N * K, D))], []


def gaussian_gradient(rng, dtype, N, D, K, key):
    dz, h, eps = (
        easy(rng, dtype, (N * K, D)),
        latent(rng, dtype, N, D),
        easy(rng, dtype, (N * K, D)),
    )
    return [garbage(dtype, N, 2 * D)], [dz, h, eps, easy(rng, dtype, D)], []


def geometry(rng, inside=False):
    """(H, W), (P, Q), (kh, kw), [strides, padding before]; with inside, every patch holds a
    pixel."""
    (top, bottom), (left, right) = rng.integers(0, 4, (2, 2)).tolist()
    (kh, kw), (s_h, s_w) = rng.integers(1, 6, (2, 2)).tolist()
    if inside:
        top, bottom, left, right = top % kh, bottom % kh, left % kw, right % kw
    H, W = (
        int(rng.integers(max(1, k - pad), 10))
        for k, pad in ((kh, top + bottom), (kw, left + right))
    )
    P, Q = (H + top + bottom - kh) // s_h + 1, (W + left + right - kw) // s_w + 1
    return (H, W), (P, Q), (kh, kw), [s_h, s_w, top, left]


def patches(to_cols):
    """Any kernel size, strides beyond the kernel, padding beyond it too, pixels that no patch
    reaches."""

    def case(rng, dtype, N, D, K, key):
        C, N = min(D, 6), min(N, 3)
        image, patch, kernel, constants = geometry(rng)
        x, cols = (N, *image, C), (N, *patch, *kernel, C)
        out, into = (cols, x) if to_cols else (x, cols)
        return [garbage(dtype, *out)], [easy(rng, dtype, into)], constants

    return case


def convolution(transposed, backward):
    """As for patches; channels that fill no vector, one, or more than two; the last constants are
    scratch."""

    def case(rng, dtype, N, D, K, key):
        C, O, N = D, (K * D + 3) % 37 + 1, min(N, 3)
        image, patch, kernel, constants = geometry(rng)
        # long sums, of about 1
        x, a = (easy(rng, dtype, shape) / 2 for shape in ((N, *image, C), (N, *patch, O)))
        x, a, W = *((a, x) if transposed else (x, a)), easy(rng, dtype, (*kernel, C, O)) / 8
        sizes = [(N, *image, C), (N, *patch, O), kernel]
        spare = [
            garbage(
                dtype,
                max(scratch_size(spelling, *sizes, *constants) for spelling in ("numba", "cuda")),
            )
        ]
        spare += [garbage(dtype, *kernel, O, C)] if transposed != backward else []
        if not backward:
            return [garbage(dtype, *a.shape)], [x, W], [*constants, *spare]
        outs = [
            easy(rng, dtype, W.shape),
            garbage(dtype, *x.shape) if K > 1 else garbage(dtype, 0, *x.shape[1:]),
        ]
        return outs, [a, x, W], [*constants, bool(K % 2), *spare]

    return case


def max_pool(backward):
    """Windows that overlap, lie apart or hang over any side, with ties for every other K."""

    def case(rng, dtype, N, D, K, key):
        image, patch, kernel, constants = geometry(rng, inside=True)
        x, y = easy(rng, dtype, (min(N, 3), *image, D)), (min(N, 3), *patch, D)
        x, constants = np.round(x) if K % 2 else x, [*kernel, *constants]
        outs = [garbage(dtype, *y), garbage(np.uint8, *y)]
        if not backward:
            return outs, [x], constants
        KERNELS["pooling.MAX_POOL"].definition(*outs, x, *constants)
        return [garbage(dtype, *x.shape)], [easy(rng, dtype, y), outs[1]], constants

    return case


def upsample(backward):
    def case(rng, dtype, N, D, K, key):
        (H, W), (f_h, f_w) = rng.integers(1, 6, (2, 2)).tolist()
        x, y = (min(N, 3), H, W, D), (min(N, 3), H * f_h, W * f_w, D)
        out, into = (x, y) if backward else (y, x)
        return [garbage(dtype, *out)], [easy(rng, dtype, into)], []

    return case


def philox(kind):
    def case(rng, dtype, N, D, K, key):
        rows, clock = (rng.integers(0, 2**32, n, dtype=np.uint32) for n in (N, 4))
        out = garbage("uint32" if kind == "words" else dtype, N, D)
        return [out], [rows, clock], [int(rng.integers(100))]

    return case


def rotate_kernel(rng, dtype, N, D, K, key):
    kh, kw = rng.integers(1, 5, 2).tolist()
    return [easy(rng, dtype, (kh, kw, D, N))], [easy(rng, dtype, (kh, kw, N, D))], [bool(K % 2)]


def take(rng, dtype, N, D, K, key):
    order, state = rng.permutation(100).astype(np.uint32), np.array([K, 0], np.int32)
    return [garbage("uint32", N)], [order, state], [D, N]


def advance(rng, dtype, N, D, K, key):
    """N rows in the ring, K sums, D constants; the step lies between 0 and 4."""
    state = np.array([rng.integers(5), D % 3 == 0], np.int32)
    outs = [easy(rng, "float64", (N, K)), garbage("float64", K), garbage(dtype, D), state]
    return outs, [easy(rng, "float64", (min(N, 3), K)), easy(rng, dtype, (5, D))], []


def sums(rng, dtype, N, D, K, key):
    terms = [easy(rng, dtype, shape) for shape in ((N,), (N, D), (N, 2 * D))[: min(K, 3)]]
    return [garbage("float64", len(terms) + 1)], terms, []


CASES = {
    "activation.BIAS_ACTIVATION": bias_activation,
    "activation.ACTIVATION_GRADIENT": activation_gradient,
    "adam.ADAM": optimizer(3, 4, 3),
    "adadelta.ADADELTA": optimizer(3, 2, 2),
    "adagrad.ADAGRAD": optimizer(2, 2, 1),
    "adamw.ADAMW": optimizer(3, 4, 4),
    "rmsprop.RMSPROP": optimizer(2, 2, 2),
    "sgd.SGD": optimizer(2, 2, 1),
    "batch.GATHER_GREY": gather(["uint8"]),
    "batch.GATHER_THRESHOLD": gather(["uint8"]),
    "batch.GATHER_DYNAMIC": gather(["uint8"], noise=True),
    "batch.GATHER_VALUES": gather(["float32", "float64"]),
    "batch.TAKE": take,
    "step.ADVANCE": advance,
    "sums.SUMS": sums,
    "bernoulli.BERNOULLI_NLL": likelihood("bernoulli"),
    "errors.SQUARED_ERROR": likelihood("squared"),
    "errors.ABSOLUTE_ERROR": likelihood("absolute"),
    "gaussian.GAUSSIAN_SAMPLE": gaussian_sample,
    "gaussian.GAUSSIAN_GRADIENT": gaussian_gradient,
    "patches.IM2COL": patches(to_cols=True),
    "patches.COL2IM": patches(to_cols=False),
    "convolution.CONV": convolution(transposed=False, backward=False),
    "convolution.CONV_GRADIENT": convolution(transposed=False, backward=True),
    "convolution.CONV_TRANSPOSE": convolution(transposed=True, backward=False),
    "convolution.CONV_TRANSPOSE_GRADIENT": convolution(transposed=True, backward=True),
    "convolution.ROTATE_KERNEL": rotate_kernel,
    "pooling.MAX_POOL": max_pool(backward=False),
    "pooling.MAX_POOL_GRADIENT": max_pool(backward=True),
    "pooling.UPSAMPLE": upsample(backward=False),
    "pooling.UPSAMPLE_GRADIENT": upsample(backward=True),
    "philox.WORDS": philox("words"),
    "philox.UNIFORM": philox("uniform"),
    "philox.NORMAL": philox("normal"),
} | {
    name: case
    for family in ("contraction", "likelihood", "lstm", "noise", "penalty")
    for name, case in runpy.run_path(__file__.replace("test_spellings", f"{family}_cases"))[
        "CASES"
    ].items()
}
PLAIN = {"step.ADVANCE", "sums.SUMS", "noise.GATE"}  # the CPU runs their definitions
# Draws and decisions: equal to the bit, and no place for a NaN.
EXACT = {f"philox.{name}" for name in ("WORDS", "UNIFORM")} | {
    f"batch.GATHER_{name}" for name in ("THRESHOLD", "DYNAMIC")
}
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


def test_every_kernel_has_a_case():
    assert {".".join(name.split(".")[:2]) for name in KERNELS} == set(CASES)
    assert all(kernel.cuda is not None for kernel in KERNELS.values())
    assert {name for name, kernel in KERNELS.items() if kernel.numba is None} == PLAIN


@DTYPES
@EVERY
@SHAPES
def test_a_spelling_against_the_definition(name, backend, dtype, shapes, tolerance):
    kernel, tol = KERNELS[name], 0 if name in EXACT else tolerance("kernel", dtype)
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
    kernel, tol = KERNELS[name], 0 if name in EXACT else tolerance("kernel", dtype)
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
        # room for the error
        wrong = [np.resize(c, 4 * c.size + 5000) if np.ndim(c) == 1 else c for c in constants]
        wrong[i] = constant - 1 if (name, i) in BOUNDS else off(constant)
        mutants.append(run(spelling, outs, ins, wrong))
    for mutant in mutants:
        with pytest.raises(AssertionError):
            same(mutant, right, tol)


def read(name, ins):
    """Which inputs carry values; the y of a gradient and noise choose, and one row of a schedule
    is read."""
    every = [i for i, a in enumerate(ins) if a.dtype.kind == "f"]
    return (
        every[:1]
        if name.startswith(("activation.ACTIVATION_GRADIENT", "step.ADVANCE", "noise."))
        else every
    )


@DTYPES
@pytest.mark.parametrize("name", [name for name in KERNELS if name not in EXACT])
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
