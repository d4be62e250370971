"""All steps of an LSTM on the GPU: sizes around those of a block, in how many launches."""

import re

import emulator
import pytest
from proofs import lstm_claims as claims

from scratchae.backend.cuda import source as cuda
from scratchae.kernels import lstm

# T, N, U: rows that have a block each, which are 2 on the emulated GPU, that share one, and more
# than all its blocks have (70); fewer units than rows of a block, columns around its threads (63
# to 65, 127, 128), and, from 129 units on, a launch for each step
SIZES = [
    *((1, 1, 1), (3, 5, 1), (2, 3, 2), (4, 2, 7), (4, 9, 17), (3, 2, 33), (2, 4, 63), (2, 7, 64)),
    *((2, 5, 65), (3, 70, 3), (2, 70, 66), (2, 1, 100), (2, 6, 100), (3, 3, 127), (2, 5, 128)),
    *((3, 2, 128), (1, 3, 129), (3, 2, 131), (2, 1, 260)),
]
EVERY = pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "x".join(map(str, sizes)))


@EVERY
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_and_units_of_every_number(gpu, tolerance, sizes, dtype):
    claims.all_steps_are_those_of_the_definition(gpu, tolerance, sizes, dtype)


@pytest.mark.parametrize("sizes", [(3, 5, 7), (2, 6, 100)], ids=["narrow", "wide"])
def test_rows_do_not_depend_on_the_order_of_threads(gpu, request, sizes):
    if "emulated" not in request.node.name:
        pytest.skip("needs the emulator, which runs threads in any order")
    claims.all_steps_do_not_depend_on_the_order_of_threads(gpu, sizes)


@pytest.mark.parametrize("sizes", [(3, 6, 5), (2, 5, 90)], ids=["narrow", "wide"])
def test_rows_of_one_block_are_what_they_are_alone(gpu, tolerance, sizes):
    claims.each_row_is_what_it_is_alone(gpu, tolerance, sizes)


def test_the_sizes_of_a_block_are_those_of_its_text():
    text = cuda.texts()["lstm.cu"]
    (rows, units), *others = re.findall(r"ROWS = (\d+), UNITS = (\d+);", text)
    assert not others and (int(rows), int(units)) == (lstm.ROWS, lstm.UNITS)


@pytest.mark.parametrize("U", [128, 129])
def test_how_many_launches_go_through_all_steps(gpu, request, U):
    """One each way, and one that transposes R; with more units one for each step."""
    if "emulated" not in request.node.name:
        pytest.skip("needs the emulator, which keeps a log of launches")
    T, one = 5, U <= lstm.UNITS
    for kernel, outs, arrays in claims.cases("float32", T, 9, U):
        emulator.log.clear()
        claims.on_gpu(gpu, "float32", kernel, outs, arrays)
        found = [launch.name for launch in emulator.log]
        if outs == 3:
            assert found == (["through_time"] if one else T * ["lstm_gates"])
        else:
            assert found == (["swap", "through_time_gradient"] if one else T * ["lstm_gradient"])
