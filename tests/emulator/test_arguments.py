"""What a launch takes, and what an array does not do."""

import copy

import numpy as np
import pytest

from emulator.launching import COPY, compiled, on_device, run


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {1: 1.0},
            "argument 1 of add is a Python float, which CuPy passes as float64: say np.float32",
        ),
        ({2: 5}, "argument 2 of add is a Python int, which CuPy passes as int64: say np.int32"),
        ({2: np.int64(5)}, "is of int64, but the kernel reads int32"),
        ({1: np.float64(5)}, "is of float64, but the kernel reads float32"),
        ({2: np.float32(5)}, "is of float32, but the kernel reads int32"),
        (
            {0: np.ones(5, np.float32)},
            "is a ndarray, but the kernel takes a cupy.ndarray of float32",
        ),
        ({0: "double"}, "is of float64, but the kernel reads float32"),
        ({1: "double"}, "but the kernel takes a NumPy scalar, np.float32"),
        ({2: True}, "a Python bool"),
        ({2: None}, "is a NoneType"),
    ],
)
def test_a_launch_takes_just_what_the_kernel_declares(cupy, stream, change, words):
    args = [cupy.empty(5, np.float32), np.float32(1), np.int32(5)]
    for i, value in change.items():
        args[i] = cupy.empty(5, np.float64) if isinstance(value, str) else value
    add = compiled(cupy, COPY, "add")
    with pytest.raises(TypeError, match=words):
        run(add, 1, 32, *args)
    with pytest.raises(TypeError, match="add takes 3 arguments, but 2 are given"):
        run(add, 1, 32, *args[:2])


@pytest.mark.parametrize(
    ("grid", "block", "error"),
    [
        (1, (32,), TypeError),
        ((1,), [32], TypeError),
        ((1,), (32.0,), TypeError),
        ((1, 1, 1, 1), (32,), TypeError),
        ((0,), (32,), ValueError),
        ((1, 65536), (32,), ValueError),
        ((1,), (1025,), ValueError),
        ((1,), (32, 64), ValueError),
    ],
)
def test_a_launch_stays_within_the_limits_of_cuda(cupy, stream, grid, block, error):
    args = (cupy.empty(5, np.float32), np.float32(1), np.int32(5))
    with pytest.raises(error, match=r"grid|block"):
        compiled(cupy, COPY, "add")(grid, block, args)


def test_text_that_nvrtc_would_not_take_is_refused(cupy):
    for body in ("float y = x;", "std::sqrt(2.0);", "uint32_t y = 0;", "return INFINITY;"):
        with pytest.raises(cupy.cuda.compiler.CompileException, match=r"f\.cu:1"):
            compiled(cupy, f'extern "C" __global__ void f(int n) {{ {body} }}', "f")
    with pytest.raises(RuntimeError, match="named symbol not found: g"):
        compiled(cupy, COPY, "g")
    with pytest.raises(ValueError, match="fast math"):
        cupy.RawModule(code=COPY, options=("--use_fast_math",)).get_function("copy")


def test_views_share_memory_and_copies_are_refused(cupy, stream):
    host = np.arange(24, dtype=np.float32).reshape(4, 6)
    x = on_device(cupy, host)
    assert (x.shape, x.ndim, x.size, x.nbytes, x.itemsize, x.strides, len(x)) == (
        (4, 6),
        2,
        24,
        96,
        4,
        (24, 4),
        4,
    )
    assert x.flags.c_contiguous and not x.flags.f_contiguous and x.T.flags.f_contiguous
    for view, wanted in (
        (x[1:3], host[1:3]),
        (x[1], host[1]),
        (x.T, host.T),
        (x[2, 3], host[2, 3]),
        (x[:, ::2], host[:, ::2]),
    ):
        assert np.array_equal(view.get(), wanted) and view.get().flags.c_contiguous
    assert x[1:3].data.ptr == x.data.ptr + 24 and x[2, 3].shape == ()
    assert np.array_equal(x.reshape(-1, 8).get(), host.reshape(-1, 8))
    assert x.reshape((2, 12)).data.ptr == x.data.ptr
    with pytest.raises(TypeError, match="would copy"):
        x.T.reshape(24)
    for key in ([0, 1], np.array([0]), True, host > 3):
        with pytest.raises(TypeError, match="only slices and integers"):
            x[key]
    assert cupy.empty((0, 3), np.float32).data.ptr == 0 and cupy.empty((0, 3)).get().shape == (
        0,
        3,
    )


def test_an_array_does_not_turn_into_something_else(cupy):
    x, host = cupy.empty(3, np.float32), np.ones(3)
    conversions = [
        np.asarray,
        list,
        float,
        bool,
        int,
        np.array,
        lambda x: host.__setitem__(slice(None), x),
    ]
    for convert in conversions:
        with pytest.raises(
            TypeError,
            match=r"Implicit conversion to a NumPy array is not allowed. Please use `.get\(\)`",
        ):
            convert(x if convert not in (float, int) else x[0])
    computations = [
        *(
            lambda x: x + 1,
            lambda x: host * x,
            lambda x: x == x,
            lambda x: x.sum(),
            np.exp,
            np.sum,
            copy.copy,
        ),
        *(
            copy.deepcopy,
            lambda x: x.__setitem__(0, 1),
            lambda x: x.fill(0),
            lambda x: x @ x,
            lambda x: -x,
        ),
    ]
    for compute in computations:
        with pytest.raises(TypeError, match="the library does its arithmetic in kernels"):
            compute(x)
