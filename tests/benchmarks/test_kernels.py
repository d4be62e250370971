"""The speed of the kernels: that each has a case, that a case is a right call, that it counts right."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import kernel_cases  # noqa: E402
import kernel_speed  # noqa: E402

KERNELS = kernel_cases.collected()
COMMAND = [sys.executable, ROOT / "benchmarks" / "kernels.py"]
ONLY = ["activation.BIAS_ACTIVATION.relu", "gaussian", "convolution.CONV"]
SCRATCH = {"flat", "Wt", "part"}
FIELDS = {
    "kernel",
    "size",
    "spelling",
    "us",
    "bytes",
    "flops",
    "rate",
    "limit",
    "limit_rate",
    "share",
    "faster",
}


def start(cwd, *options):
    env = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_CORETYPE": "Haswell"}
    return subprocess.run(
        [*COMMAND, *options], cwd=cwd, env=env, capture_output=True, text=True, timeout=120
    )


def test_every_kernel_has_a_case():
    assert all(kernel_cases.makers(name) for name in KERNELS)
    assert {".".join(name.split(".")[:2]) for name in KERNELS} == set(kernel_cases.CASES)


def test_a_kernel_without_a_case_is_named(monkeypatch):
    monkeypatch.delitem(kernel_cases.CASES, "adam.ADAM")
    with pytest.raises(LookupError, match=r"the kernel adam\.ADAM has no case"):
        kernel_cases.makers("adam.ADAM")


@pytest.mark.parametrize("name", KERNELS)
def test_both_spellings_do_the_same(name, tolerance):
    """A wrong argument would be timed without a word, or crash."""
    for make in kernel_cases.makers(name):
        args = make(name.split(".")[-1]).calls[0]
        mine = [
            [a.copy(order="K") if isinstance(a, np.ndarray) else a for a in args] for _ in range(2)
        ]
        named = zip(inspect.signature(KERNELS[name].definition).parameters, args, strict=True)
        doubles = {parameter for parameter, a in named if getattr(a, "dtype", None) == np.float64}
        assert doubles <= {"s", "total", "q", "c"}  # sums over a batch or a column
        if name.endswith("ACTIVATION_GRADIENT.identity"):
            mine = [[a[2], *a[1:]] for a in mine]  # da is dy itself
        kernel, tol = KERNELS[name], 10 * tolerance("kernel", "float32")
        kernel.definition(*mine[0])
        kernel.numba(*mine[1])
        names = inspect.signature(kernel.definition).parameters
        for parameter, left, right in zip(names, *mine, strict=True):
            if parameter in SCRATCH:
                continue
            scale = max(1.0, float(np.abs(left).max(initial=0)))
            np.testing.assert_allclose(right, left, rtol=tol, atol=tol * scale)


def test_bytes_and_flops():
    def first(name):
        return kernel_cases.makers(name)[0](name.split(".")[-1])

    assert first("activation.BIAS_ACTIVATION.relu").moved == 4 * (
        2 * 128 * 400 + 400
    )  # y is read and written
    assert first("activation.ACTIVATION_GRADIENT.identity").moved == 4 * (128 * 400 + 400)
    assert first("adam.ADAM").moved == 4 * 652_896 * (2 * 3 + 1)
    assert first("batch.GATHER_GREY").moved == 128 * 784 * (4 + 1) + 4 * 128
    assert first("batch.GATHER_GREY").flops == 0
    assert (
        first("batch.TAKE").moved == 2 * 4 * 128 + 8
        and first("convolution.ROTATE_KERNEL").moved == 2 * 4 * 9 * 32
    )
    small, large = (make("CONV") for make in kernel_cases.makers("convolution.CONV"))
    assert small.flops == 2 * 16 * 13 * 13 * 9 * 32 and large.flops == 2 * 16 * 6 * 6 * 9 * 32 * 64
    small, large = (make("") for make in kernel_cases.makers("convolution.CONV_GRADIENT"))
    assert (
        small.flops == 2 * 16 * 13 * 13 * 9 * 32
        and large.flops == 2 * 2 * 16 * 6 * 6 * 9 * 32 * 64
    )


def test_arguments_are_taken_in_turn():
    seen = []
    times = kernel_speed.repeat(seen.append, [(1,), (2,)], repetitions=3, seconds=0)
    assert seen == [1, 2, 1, 2, 1, 2] and len(times) == 3 and min(times) >= 0
    seen.clear()
    kernel_speed.repeat(seen.append, [(1,), (2,)], repetitions=1, seconds=1e-3)
    assert len(seen) > 20  # each repetition is long enough


def test_the_nearest_copy_is_the_limit():
    bounds = {"copies": {"L2": {"up_to": 10}, "middle": {"up_to": 20}, "memory": {"up_to": 99}}}
    assert [kernel_speed.near(moved, bounds) for moved in (10, 11, 21)] == [
        "L2",
        "middle",
        "memory",
    ]


def test_smoke(tmp_path):
    out = tmp_path / "kernels.json"
    done = start(tmp_path, "--smoke", "--json", out, "--only", *ONLY)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(out.read_text())
    sizes = {
        ONLY[0]: 1,
        "gaussian.GAUSSIAN_SAMPLE": 1,
        "gaussian.GAUSSIAN_GRADIENT": 1,
        "convolution.CONV": 2,
    }
    expected = [
        (n, s)
        for n in KERNELS
        if n in sizes
        for _ in range(sizes[n])
        for s in ("definition", "numba")
    ]
    assert [(row["kernel"], row["spelling"]) for row in result["rows"]] == expected
    for row in result["rows"]:
        assert row.keys() == FIELDS
        work = row["flops"] or row["bytes"]
        assert row["rate"] == pytest.approx(work / row["us"] / 1e3)
        assert row["share"] == pytest.approx(row["rate"] / row["limit_rate"])
        copies, limit = result["limits"]["copies"], row["limit"]
        assert row["limit_rate"] == (
            result["limits"]["sgemm"] if row["flops"] else copies[limit]["rate"]
        )
        assert any(line.startswith(f"{row['kernel']} ") for line in done.stdout.splitlines())
    assert "taken out of the children's environment: OPENBLAS_CORETYPE" in done.stdout
    assert "limits, one thread: sgemm " in done.stdout


def test_a_name_that_is_none_is_one_sentence(tmp_path):
    done = start(tmp_path, "--only", "adam", "deep")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "no kernel's name begins with 'deep'" in done.stderr
