"""The speed comparison: that it runs, that it counts right, that it refuses another model."""

import functools
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scratchae as sa

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import compare_torch  # noqa: E402
import processes  # noqa: E402
import race  # noqa: E402
import recipes  # noqa: E402

TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(
    not TORCH, reason="needs PyTorch, the other contestant: pip install torch"
)
FIELDS = {
    "recipe",
    "batch",
    "threads",
    "ours_ms",
    "torch_ms",
    "torch_best",
    "torch_best_ms",
    "ratio",
    "spread",
}
FIELDS |= {"floor_ms", "floor_ratio", "gflops"}
OUR_TENSORS = [
    (name, tensor)
    for name in recipes.RECIPES
    for tensor in recipes.build(recipes.RECIPES[name]).parameters.views()
]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """One tiny run as a user starts it, with a variable set that would choose NumPy's kernels."""
    out = tmp_path_factory.mktemp("smoke") / "speed.json"
    command = [sys.executable, ROOT / "benchmarks" / "compare_torch.py", "--smoke", "--json", out]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_CORETYPE": "Haswell"}
    done = subprocess.run(
        command, cwd=out.parent, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(out.read_text()), done.stdout


def test_smoke_measures_ours_and_the_floor(smoke):
    rows, printed = smoke
    assert [(row["recipe"], row["batch"], row["threads"]) for row in rows] == [
        ("dense_vae", 16, 1),
        ("tf_cvae", 32, 1),
    ]
    for row in rows:
        assert row.keys() >= FIELDS
        assert row["ours_ms"] > 0 and row["floor_ms"] > 0 and row["gflops"] > 0
        assert row["floor_ratio"] == pytest.approx(row["ours_ms"] / row["floor_ms"])
        assert row["floor_ms"] == pytest.approx(row["flops"] / row["gflops"] / 1e6)
        assert any(line.startswith(f"{row['recipe']} ") for line in printed.splitlines())
    assert "taken out of the children's environment: OPENBLAS_CORETYPE" in printed
    assert f"NumPy {np.__version__} with " in printed


@needs_torch
def test_smoke_measures_pytorch(smoke):
    rows, _ = smoke
    for row, count in zip(rows, (2, 4), strict=True):
        assert len(row["torch_ms"]) == count and min(row["torch_ms"].values()) > 0
        assert (
            row["torch_best_ms"]
            == row["torch_ms"][row["torch_best"]]
            == min(row["torch_ms"].values())
        )
        assert row["ratio"] == pytest.approx(row["torch_best_ms"] / row["ours_ms"])
        assert row["spread"][0] <= row["spread"][1]


def test_without_pytorch(monkeypatch, capsys):
    about = {
        "torch": None,
        "cpu": "x",
        "cores": 1,
        "python": "3",
        "numba": "0",
        "numpy": "2",
        "blas": "x",
    }
    monkeypatch.setattr(compare_torch, "machine", lambda: about | {"removed": []})
    monkeypatch.setattr(race.Race, "run", lambda self, complain: pytest.fail("it must not start"))
    with pytest.raises(SystemExit) as ended:
        compare_torch.main([])
    assert ended.value.code == 2 and "pip install torch==2.13.0" in capsys.readouterr().err
    alone = {
        "recipe": "r",
        "batch": 1,
        "threads": 1,
        "ours_ms": 2.0,
        "torch_best": None,
        "floor_ms": 1.0,
    }
    alone |= {"floor_ratio": 2.0, "interruptions": 0}
    monkeypatch.setattr(race.Race, "run", lambda self, complain: dict(alone))
    assert compare_torch.main(["--smoke"]) == 0
    assert "pip install torch==2.13.0; ours alone is measured" in capsys.readouterr().out


def flops(encoder, decoder, shape, batch):
    model = sa.Autoencoder(sa.Sequential(*encoder), sa.Sequential(*decoder)).build(shape)
    return recipes.flops(model, batch)


def test_flops_of_dense_layers():
    """2 passes through 5x3, no input gradient there; 3 through 3x5; 2 operations each, 7 rows."""
    assert flops([sa.Dense(5, 3)], [sa.Dense(3, 5)], 5, 7) == 7 * 2 * (2 * 15 + 3 * 15)


def test_flops_of_convolutions():
    """8x8x1 -> 4x4x2, 18 weights used 16 times; 4x4x2 -> 8x8x1 the same; then 8x8, 9 weights, 64 times."""
    encoder = [recipes.Corrupt(0.1), sa.Conv2d(1, 2, 3, 2, "same")]
    decoder = [sa.ConvTranspose2d(2, 1, 3, 2, "same", "relu"), sa.Conv2d(1, 1, 3, 1, "same")]
    expected = 2 * (2 * 16 * 18 + 3 * 16 * 18 + 3 * 64 * 9)
    assert flops(encoder, decoder, (8, 8, 1), 1) == expected
    assert flops(encoder, decoder, (8, 8, 1), 10) == 10 * expected


def test_flops_of_lstms():
    """7 steps: W of 1x12 in 2 passes, R of 3x12 in 3; then W of 3x20, R of 5x20 and 5x1 on each step in 3."""
    encoder, decoder = (
        [sa.LSTM(1, 3, False)],
        [sa.Repeat(7), sa.LSTM(3, 5, True), sa.Conv1d(5, 1, 1)],
    )
    expected = 7 * 2 * (2 * 12 + 3 * 36 + 3 * 60 + 3 * 100 + 3 * 5)
    assert (
        flops(encoder, decoder, (7, 1), 1) == expected
        and flops(encoder, decoder, (7, 1), 9) == 9 * expected
    )


def test_flops_of_the_dense_vae():
    weights = 784 * 400 + 400 * 40 + 20 * 400 + 400 * 784
    expected = 128 * 2 * (3 * weights - 784 * 400)
    assert recipes.flops(recipes.build(recipes.RECIPES["dense_vae"]), 128) == expected


@functools.cache
def first_step(name):
    """Nine examples of a recipe, and our first step with them."""
    data = recipes.examples(recipes.RECIPES[name], 9)
    return data, recipes.first_step(recipes.RECIPES[name], data)


def both(name, tensor=None, layouts=(False, True)):
    """Race's check of the first step, with one W or R wrong by 0.1 %, or one b by 0.001."""
    torch_recipes = pytest.importorskip(
        "torch_recipes", reason="needs PyTorch, the other contestant"
    )
    data, first = first_step(name)
    weights = dict(first)
    if tensor is not None:
        weights[tensor] = (
            weights[tensor] * 1.001 if tensor[-1] in "WR" else weights[tensor] + 0.001
        )
    for last in layouts if data.ndim == 4 else (False,):
        model = torch_recipes.build(name, weights, last)
        theirs = torch_recipes.first_step(
            model, torch_recipes.tensor(data, last), first.get("eps"), last
        )
        race.require_same(first, theirs, name)


@needs_torch
@pytest.mark.parametrize("name", recipes.RECIPES)
def test_the_models_are_the_same(name):
    both(name)


@needs_torch
@pytest.mark.parametrize("name, tensor", OUR_TENSORS)
def test_a_wrong_tensor_is_seen(name, tensor):
    with pytest.raises(race.Failed, match=f"{name}: not the same model"):
        both(name, tensor, (False,))


def test_a_failing_contestant_gives_a_sentence():
    spec = {"who": "ours", "recipe": "no such", "batch": 1, "threads": 1}
    with processes.Contestant("ours", spec, processes.environment()) as child:
        child.tell()
        with pytest.raises(processes.Failed, match="ours failed: KeyError: 'no such'"):
            child.hear()
        child.process.wait()
        with pytest.raises(processes.Failed, match="ours ended with status 1: KeyError"):
            child.hear()
    assert child.process.returncode is not None


def test_a_silent_contestant_is_ended():
    child = processes.Contestant("sgemm", {"who": "sgemm"}, processes.environment(), patience=0.01)
    with child, pytest.raises(processes.Failed, match=r"sgemm gave no answer in 0\.01 s"):
        child.hear()
    assert child.process.returncode == -9


def test_the_environment_of_a_child(monkeypatch):
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    monkeypatch.setenv("MALLOC_TOP_PAD_", "1")
    env = processes.environment()
    assert not env.keys() & {*processes.REMOVED, *processes.MALLOC}
    assert processes.environment(threads=2, malloc=True) == env | processes.MALLOC | {
        "OMP_NUM_THREADS": "2",
        "MKL_NUM_THREADS": "2",
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [("--only deep", "deep"), ("--rounds 0", "'0'"), ("--threads two", "'two'")],
)
def test_user_errors_are_one_sentence(options, words, capsys):
    with pytest.raises(SystemExit) as ended:
        compare_torch.main(options.split())
    sentence = capsys.readouterr().err
    assert ended.value.code == 2 and words in sentence and sentence.count("\n") == 1
