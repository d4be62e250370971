"""What the tests of the emulator share: two small kernels, and how they are launched."""

import numpy as np

COPY = """
extern "C" __global__ void copy(REAL* y, const REAL* x, int n)
{
    const unsigned step = gridDim.x * blockDim.x;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < unsigned(n); i += step)
        y[i] = x[i];
}
extern "C" __global__ void add(REAL* y, REAL constant, int n)
{
    for (unsigned i = threadIdx.x; i < unsigned(n); i += blockDim.x)
        y[i] += constant;
}
"""


def compiled(cupy, text, name, real="float"):
    return cupy.RawModule(code=f'#define REAL {real}\n#line 1 "{name}.cu"\n{text}').get_function(
        name
    )


def on_device(cupy, host):
    host = np.ascontiguousarray(host)
    array = cupy.empty(host.shape, host.dtype)
    runtime = cupy.cuda.runtime
    stream = cupy.cuda.get_current_stream()
    runtime.memcpyAsync(
        array.data.ptr, host.ctypes.data, host.nbytes, runtime.memcpyHostToDevice, stream.ptr
    )
    return array


def run(kernel, grid, block, *args):
    kernel((grid,), (block,), args)
