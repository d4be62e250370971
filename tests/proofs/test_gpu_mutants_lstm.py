"""Ways to get the LSTM's steps on a GPU wrong, planted one by one, each caught by a test with a
name: as in test_gpu_mutants.py, which has what is not the LSTM's."""

from functools import partial

import emulator
import pytest
from proofs import lstm_claims as claims

from scratchae.backend.cuda import source as cuda

SEEN = (AssertionError, RuntimeError)  # comparisons, the emulator

NARROW, WIDE, BATCH, STEPS = (4, 6, 5), (3, 6, 100), (3, 70, 3), (3, 2, 131)


def right(sizes, **given):
    return partial(claims.all_steps_are_those_of_the_definition, sizes=sizes, **given)


def ordered(gpu, tolerance, sizes=NARROW):
    claims.all_steps_do_not_depend_on_the_order_of_threads(gpu, sizes)


MUTANTS = {  # what is wrong: the text before and after, and the test that sees it
    "h is multiplied before all of it is there": (
        "            __syncthreads();  // before is whole\n",
        "",
        ordered,
    ),
    "sums of h R are read before they are there": (
        "            __syncthreads();  // part is whole, and before has been read\n",
        "",
        ordered,
    ),
    "da is multiplied before all of it is there": (
        "                __syncthreads();  // after is whole\n",
        "",
        ordered,
    ),
    "sums of da R are read before they are there": (
        "                __syncthreads();  // part is whole, and after has been read\n",
        "",
        ordered,
    ),
    "a barrier that only some threads reach": (
        "            __syncthreads();  // before is whole\n",
        "            if (my.g < rows) __syncthreads();\n",
        right(NARROW),
    ),
    "input and forget gate exchanged": ("f * c + i * g", "i * c + f * g", right(NARROW)),
    "the candidate is taken for the output": (
        "g = tanh(a[2]), o = sigmoid(a[3])",
        "g = tanh(a[3]), o = sigmoid(a[2])",
        right(NARROW),
    ),
    "da of the output gate in the forget gate's place": (
        "da[3] = dh * t * o * (1 - o);  ",
        "da[1] = dh * t * o * (1 - o);  ",
        right(NARROW),
    ),
    "the bias of the first gate for all": ("b[gate * U + my.u]", "b[my.u]", right(NARROW)),
    "c is stored a step early": (
        "c[(t + 1) * N * U + k] = c_t[m]",
        "c[t * N * U + k] = c_t[m]",
        right(NARROW),
    ),
    "backward begins at the second to last step": (
        "for (int t = T - 1; t >= 0; --t)",
        "for (int t = T - 2; t >= 0; --t)",
        right(NARROW),
    ),
    "backward ends before the first step": ("t >= 0; --t", "t > 0; --t", right(NARROW)),
    "the first step is taken for the last": (
        "const bool last = t == T - 1;",
        "const bool last = t == 0;",
        right(NARROW),
    ),
    "dy of the last step is added at every step": (
        "dy[m] = every || last ? dh_t[k] : 0;",
        "dy[m] = dh_t[k];",
        right(NARROW),
    ),
    "dy of the steps before the last is lost": (
        "dy[m] = every || last ? dh_t[k] : 0;",
        "dy[m] = last ? dh_t[k] : 0;",
        right(NARROW),
    ),
    "dh is not handed back": ("dh_t[k] = dy[m];", "dh_t[k] *= 1;", right(NARROW)),
    "c of the last step at every step": (
        "                c_t[m] = c_before[m];\n",
        "",
        right(NARROW),
    ),
    "h of the first step stays in shared memory": (
        "before[my.u * B + row] = new_state(gates_t, c_t[m], a_t[m]);",
        "const REAL h_t = new_state(gates_t, c_t[m], a_t[m]);\n"
        "                if (t == 0) before[my.u * B + row] = h_t;",
        right(NARROW),
    ),
    "da of the last step stays in shared memory": (
        "after[j * B + row] = da_t[gate];",
        "da_t[gate];\n                    if (last) after[j * B + row] = da_t[gate];",
        right(NARROW),
    ),
    "the rows of a block start from the states of those before": (
        "            if (row < rows)\n                c_t[m]",
        "            if (row < rows && first < int(gridDim.x) * B)\n                c_t[m]",
        right(BATCH),
    ),
    "a block has no second rows": ("first += gridDim.x * B", "first += 1 << 20", right(BATCH)),
    "a thread has no second row": (
        "MINE = (B * UNITS + THREADS - 1) / THREADS;",
        "MINE = 1;",
        right(WIDE),
    ),
    "rows beyond the batch": (
        "const int rows = min(B, N - first)",
        "const int rows = B",
        right(NARROW),
    ),
    "columns beyond the threads of a block": (
        "i < by.S * by.J; i += THREADS",
        "i < by.S * by.J; i += 1 << 20",
        right(WIDE),
    ),
    "the last part of a sum is left out": (
        "s < by.S; ++s",
        "s < by.S - (by.S > 1); ++s",
        right(NARROW),
    ),
    "what is left of a sum is left out": (
        "        add_terms<B, 1>(sum, x, M, K, i - by.s * by.J, k, by);\n",
        "",
        right((3, 6, 33)),
    ),
    "R in the place of its transpose": (
        "x[(n * T + t) * D + d]",
        "x[(t * N + n) * D + d]",
        right(NARROW),
    ),
    "step by step: the bias is left out": (
        "a[at] + r[at] + b[j]",
        "a[at] + r[at]",
        right(STEPS),
    ),
    "step by step: dc begins with what lies there": (
        "dc_k = last ? 0 : dc[k]",
        "dc_k = dc[k]",
        right(STEPS),
    ),
    "step by step: dc is not kept": ("        dc[k] = dc_k;\n", "", right(STEPS)),
}


@pytest.fixture
def forgotten():
    """What a bug wrote beside its arrays is no error of the next test."""
    yield
    while True:
        try:
            return emulator.check_guards()
        except RuntimeError:
            continue


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_caught(name, gpu, forgotten, request, monkeypatch, tolerance):
    if "emulated" not in request.node.name:
        pytest.skip("needs the emulator: on a GPU such a bug may hang or spoil the device")
    before, after, test = MUTANTS[name]
    test(gpu, tolerance)
    files = [file for file in ("lstm.cu", "swap.cu") if before in cuda.texts()[file]]
    assert len(files) == 1, f"the kernels no longer have {before!r}"
    text = cuda.texts()[files[0]]
    monkeypatch.setitem(cuda.texts(), files[0], text.replace(before, after))
    with pytest.raises(SEEN):
        test(gpu, tolerance)
