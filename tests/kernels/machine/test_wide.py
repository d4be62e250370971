"""The loops take the widest registers there are, and nobody else's do."""

import numba
import numpy as np
import pytest

from scratchae.kernels import bernoulli
from scratchae.kernels.machine.compile import FASTMATH
from scratchae.kernels.machine.elementary import exp
from scratchae.kernels.machine.tile import WIDTH
from scratchae.kernels.machine.wide import WISH, Wide


def exponentials(y, x):
    for i in range(x.size):
        y[i] = exp(x[i])


def compiled(**how):
    """What the compiler was given, and what it made of it; of a cached loop it does not tell."""
    loop = numba.njit(fastmath=FASTMATH, error_model="numpy", **how)(exponentials)
    loop(np.zeros(64, np.float32), np.ones(64, np.float32))
    (signature,) = loop.signatures
    return loop.inspect_llvm(signature), loop.inspect_asm(signature)


def test_a_loop_asks_for_the_widest_registers_and_has_them():
    assert bernoulli.BERNOULLI_NLL.numba._compiler.pipeline_class is Wide
    llvm, asm = compiled(pipeline_class=Wide)
    assert WISH in llvm
    if WIDTH < 64:
        pytest.skip("needs a processor with registers of 512 bits")
    assert "zmm" in asm


def test_no_other_loop_of_the_process_is_touched():
    llvm, _ = compiled()
    assert WISH not in llvm
