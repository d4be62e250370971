"""What is claimed of an LSTM's kernels on the GPU and is asked twice: of the code as it is
(kernels/test_lstm.py), where it holds, and of the code with an error planted
(test_gpu_mutants_lstm.py), where it must not.
"""

import emulator
import numpy as np

import scratchae as sa
from scratchae.kernels.lstm import THROUGH_TIME, THROUGH_TIME_GRADIENT, scratch_size


def forward(rng, dtype, T, N, U):
    """Outputs and inputs: steps from a state that is not 0, sums that neither grow nor vanish with
    U."""
    c, h = (rng.uniform(-1, 1, (1 + T, N, U)) for _ in range(2))
    c[1:], h[1:] = np.nan, np.nan
    ins = (
        rng.normal(size=(T, N, 4 * U)),
        rng.normal(size=(U, 4 * U)) / U**0.5,
        rng.normal(size=4 * U),
    )
    return 3, [a.astype(dtype) for a in (np.full((T, 4, N, U), np.nan), c, h, *ins)]


def backward(rng, dtype, T, N, U, every):
    da, dh = np.full((T, N, 4 * U), np.nan), rng.normal(size=(T if every else 1, N, U))
    gates = rng.uniform(0, 1, (T, 4, N, U))
    gates[:, 2] = 2 * gates[:, 2] - 1
    R = rng.normal(size=(U, 4 * U)) / U**0.5
    return 2, [a.astype(dtype) for a in (da, dh, gates, rng.normal(size=(1 + T, N, U)), R)]


def cases(dtype, T, N, U):
    """(kernel, how many outputs, arrays): all steps forward, and backward from dy of every step
    and of the last one."""
    rng = np.random.default_rng(0)
    yield THROUGH_TIME, *forward(rng, dtype, T, N, U)
    for every in (True, False):
        yield THROUGH_TIME_GRADIENT, *backward(rng, dtype, T, N, U, every)


def on_gpu(gpu, dtype, kernel, outs, arrays):
    """The outputs, on the host; the inputs are as they were."""
    backend = sa.get_backend(gpu, dtype)
    N, U = arrays[1].shape[1:]
    flat = backend.empty((scratch_size(N, U, backend.dtype.itemsize),))
    there = [backend.asarray(a, a.dtype) for a in arrays]
    backend.op(kernel)(*there, flat)
    found = [backend.to_host(a) for a in there]
    for after, before in zip(found[outs:], arrays[outs:], strict=True):
        np.testing.assert_array_equal(after, before)
    return found[:outs]


def all_steps_are_those_of_the_definition(gpu, tolerance, sizes, dtype="float64"):
    for kernel, outs, arrays in cases(dtype, *sizes):
        expected, tol = [a.copy() for a in arrays], tolerance("layer", dtype)
        kernel.definition(*expected, None)
        found = on_gpu(gpu, dtype, kernel, outs, arrays)
        for a, right in zip(found, expected[:outs], strict=True):
            assert np.isfinite(right).all()
            np.testing.assert_allclose(a, right, rtol=tol, atol=tol)
    emulator.check_guards()


def all_steps_do_not_depend_on_the_order_of_threads(gpu, sizes, dtype="float32"):
    for kernel, outs, arrays in cases(dtype, *sizes):
        found = []
        for seed in range(4):
            with emulator.order(seed):
                found.append(on_gpu(gpu, dtype, kernel, outs, arrays))
        for other in found[1:]:
            for a, right in zip(other, found[0], strict=True):
                assert np.isfinite(right).all()
                np.testing.assert_array_equal(a, right)


def each_row_is_what_it_is_alone(gpu, tolerance, sizes, dtype="float32"):
    """Whatever rows share its block. Not to the bit: a compiler may fuse other products and sums
    where a block has one row than where it has several."""
    N, tol = sizes[1], tolerance("kernel", dtype)
    for kernel, outs, arrays in cases(dtype, *sizes):
        whole = on_gpu(gpu, dtype, kernel, outs, arrays)
        axes = [a.shape.index(N) if a.ndim > 2 else None for a in arrays]
        for n in range(N):
            alone = [
                a if axis is None else np.ascontiguousarray(np.take(a, [n], axis))
                for a, axis in zip(arrays, axes, strict=True)
            ]
            found = on_gpu(gpu, dtype, kernel, outs, alone)
            for a, right, axis in zip(found, whole, axes, strict=False):
                np.testing.assert_allclose(a, np.take(right, [n], axis), rtol=tol, atol=tol)
