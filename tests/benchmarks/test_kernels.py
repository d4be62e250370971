"""The speed of kernels: each has a case, a case is a right call, and it counts right."""

import inspect
import json

import numpy as np
import pytest

from benchmarks.kernels import cases, kernels

KERNELS = cases.collected()


def made(name):
    return [make(name.split(".")[-1]) for make in cases.makers(name)]


def test_every_kernel_has_a_case():
    assert {".".join(name.split(".")[:2]) for name in KERNELS} == set(cases.CASES)


@pytest.mark.parametrize("name", KERNELS)
def test_both_spellings_do_the_same(name, tolerance):
    """A wrong argument would be timed without a word, or crash."""
    kernel, tol = KERNELS[name], 10 * tolerance("kernel", "float32")
    for case in made(name):
        args = case.calls[0]
        both = [[a.copy() if isinstance(a, np.ndarray) else a for a in args] for _ in range(2)]
        if name.endswith("ACTIVATION_GRADIENT.identity"):
            both = [[a[2], *a[1:]] for a in both]  # da is dy itself
        kernel.definition(*both[0])
        kernel.numba(*both[1])
        names = inspect.signature(kernel.definition).parameters
        for parameter, left, right in zip(names, *both, strict=True):
            scale = max(1.0, float(np.abs(left).max(initial=0)))
            if parameter not in ("flat", "part"):  # scratch
                np.testing.assert_allclose(right, left, rtol=tol, atol=tol * scale)


def test_bytes_and_flops():
    """What is read or written once, what is both twice; 2 a multiply-add."""
    moved = {name: made(name)[0].moved for name in KERNELS}
    assert moved["activation.BIAS_ACTIVATION.relu"] == 4 * (2 * 128 * 400 + 400)
    assert moved["activation.ACTIVATION_GRADIENT.identity"] == 4 * (128 * 400 + 400)
    assert moved["adam.ADAM"] == 4 * 652_896 * (2 * 3 + 1)
    assert moved["batch.GATHER_GREY"] == 128 * 784 * (4 + 1) + 4 * 128
    assert moved["batch.TAKE"] == 2 * 4 * 128 + 8
    assert moved["pooling.MAX_POOL"] == 16 * 14 * 14 * 32 * (4 * 5 + 1)
    small, large = 2 * 16 * 13 * 13 * 9 * 32, 2 * 16 * 6 * 6 * 9 * 32 * 64
    assert [case.flops for case in made("convolution.CONV")] == [small, large]
    assert [case.flops for case in made("convolution.CONV_GRADIENT")] == [small, 2 * large]
    assert made("lstm.THROUGH_TIME")[0].flops == 2 * 48 * 32 * 16 * 4 * 16


def test_arguments_alternate_and_the_nearest_copy_is_the_limit():
    seen = []
    times = kernels.repeat(seen.append, [(1,), (2,)], repetitions=3, seconds=0)
    assert seen == [1, 2, 1, 2, 1, 2] and len(times) == 3
    bounds = {"copies": {"L2": {"up_to": 10}, "middle": {"up_to": 20}, "memory": {"up_to": 99}}}
    assert [kernels.near(n, bounds) for n in (10, 11, 21)] == ["L2", "middle", "memory"]


def test_smoke(tmp_path, capsys):
    out = tmp_path / "kernels.json"
    kernels.main(["--smoke", "--json", str(out), "--only", "gaussian", "convolution.CONV"])
    result, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert len(result["rows"]) == 2 * (1 + 1 + 2)
    for row in result["rows"]:
        copies, work = result["limits"]["copies"], row["flops"] or row["bytes"]
        limit = result["limits"]["sgemm"] if row["flops"] else copies[row["limit"]]["rate"]
        assert row["rate"] == pytest.approx(work / row["us"] / 1e3)
        assert row["share"] == pytest.approx(row["rate"] / limit)
        assert f"\n{row['kernel']} " in printed
