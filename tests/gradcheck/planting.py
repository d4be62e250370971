"""Errors of 0.1 %, planted in a kernel or in the CUDA text, and what a report says of them."""

import numpy as np

from scratchae.backend.cuda import source as cuda
from scratchae.kernels.kernel import Kernel

OFF = 1.001  # the planted error, 0.1 %
# how the rows of check_likelihood begin that are about p itself, and not about a gradient
PROOFS = ("integral over", "sum over", "mean", "sample,", "grey x")


def spoiled(kernel, spoil):
    """The kernel with an error planted in every spelling: spoil(*args) after each call."""

    def wrap(spelling):
        def run(*args):
            spelling(*args)
            spoil(*args)

        return run

    def launch(gpu, *args):
        kernel.cuda(gpu, *args)
        on_host(gpu, spoil, args)

    return Kernel(wrap(kernel.definition), kernel.numba and wrap(kernel.numba), launch)


def on_host(gpu, change, args):
    """change(*args) with copies on the host of what lies on the GPU; what it changes goes back."""
    runtime = gpu.cupy.cuda.runtime
    with gpu.stream:
        hosts = [a.get() if isinstance(a, gpu.cupy.ndarray) else a for a in args]
        before = [np.copy(a) for a in hosts]
        change(*hosts)
        for there, host, old in zip(args, hosts, before, strict=True):
            if not np.array_equal(host, old, equal_nan=True):
                way = runtime.memcpyHostToDevice, gpu.stream.ptr
                runtime.memcpyAsync(there.data.ptr, host.ctypes.data, host.nbytes, *way)
        gpu.stream.synchronize()


def scaled(n):
    """Plant OFF in output number n."""

    def spoil(*args):
        args[n][...] *= OFF

    return spoil


def replace_cuda(monkeypatch, file, right, wrong):
    """Another text in the place of one that stands once in a .cu file."""
    text = cuda.texts()[file]
    assert text.count(right) == 1
    monkeypatch.setitem(cuda.texts(), file, text.replace(right, wrong))


def wrong(report):
    """What is wrong in a report: {what: error}."""
    return {row.what: row.error for row in report.rows if row.verdict == "wrong"}


def gradients(report):
    """The rows of a report that are about a gradient."""
    return [row for row in report.rows if not row.what.startswith(PROOFS)]
