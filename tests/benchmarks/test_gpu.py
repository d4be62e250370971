"""The GPU's benchmark: that it runs, that it counts right, that it refuses another model, and what it says without.

Here the GPU is emulated and PyTorch is on the CPU, so the times mean nothing; all else is as on a GPU.
"""

import contextlib
import importlib.util
import io
import json
import sys
from pathlib import Path

import emulator
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import gpu as bench  # noqa: E402
import gpu_job  # noqa: E402
import gpu_ours  # noqa: E402
import gpu_race  # noqa: E402
import gpu_tables  # noqa: E402
import gpu_turns  # noqa: E402
import recipes  # noqa: E402

import scratchae as sa  # noqa: E402

TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(
    not TORCH, reason="needs PyTorch, the other contestant: pip install torch"
)
HERE = gpu_turns.Place(gpu_turns.Here, "cpu")
ONE_RACE = [
    "--smoke",
    "--sections",
    "recipes",
    "--only",
    "ecg",
    "--precision",
    "float32",
    "--rounds",
    "1",
]


def printed(options, place=HERE):
    """The exit status, and what a run printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = bench.main(options, place)
    return status, out.getvalue()


@pytest.fixture(scope="module")
def smoke(gpu, tmp_path_factory):
    """One tiny run of everything, in this process."""
    out = tmp_path_factory.mktemp("smoke") / "gpu.json"
    status, words = printed(["--smoke", "--precision", "float32", "--json", str(out)])
    assert status == 0, words
    if emulator.has_compiler():
        emulator.check_guards()
    return json.loads(out.read_text()), words


def test_smoke_has_rows_in_every_section(smoke):
    result, words = smoke
    assert result["complaints"] == []
    for section in bench.SECTIONS:
        assert result[section], section
        heading = gpu_tables.heading(section)
        assert heading in words
        below = words.partition(heading)[2]
        for row in result[section]:
            assert gpu_tables.line(section, row) in below


def test_smoke_measures(smoke):
    result, _ = smoke
    chain, graph = result["launches"]
    assert (chain["how"], graph["how"]) == ("one by one", "graph")
    assert min(chain["host_us"], chain["device_us"], graph["device_us"]) > 0
    for row in result["products"]:
        assert row["tflops"] == pytest.approx(row["flops"] / row["us"] / 1e6)
        assert row["off"] < 1e-5
    assert [row["product"] for row in result["products"]][:2] == ["8x16 @ 16x4", "16x8' @ 8x4"]
    for row in result["graphs"]:
        assert row["equal"] and row["losses"] == 2 * bench.SMOKE_STEPS
        assert row["ratio"] == pytest.approx(row["eager_ms"] / row["graph_ms"])
    (job,) = result["job"]
    parts = sum(job[name] for name in ("training_s", "evaluation_s", "rest_s"))
    assert 0 < job["first_epoch_s"] < job["training_s"] and parts == pytest.approx(job["total_s"])
    assert 0 < job["test_loss"] < 784 * np.log(2)


@needs_torch
def test_smoke_races(smoke):
    rows = smoke[0]["recipes"]
    assert [(row["recipe"], row["batch"]) for row in rows] == [
        ("dense_vae", 4),
        ("tf_denoiser", 4),
    ]
    for row, count in zip(rows, (1, 2), strict=True):
        assert len(row["torch_ms"]) == count and row["ours_ms"] > 0 and row["ours_mib"] > 0
        assert (
            row["torch_best_ms"]
            == row["torch_ms"][row["torch_best"]]
            == min(row["torch_ms"].values())
        )
        assert row["ratio"] == pytest.approx(row["torch_best_ms"] / row["ours_ms"])
        assert [len(blocks) for blocks in row["ours_rounds"]] == [1, 1]


def test_the_ratio_and_its_spread():
    theirs = {
        "eager": [[6.0, 6.0, 7.0], [8.0, 8.0, 8.0]],
        "graph": [[2.0, 3.0, 9.0], [4.0, 4.0, 5.0]],
    }
    row = gpu_race.summary([[1.0, 1.0, 5.0], [2.0, 2.0, 1.0]], theirs)
    assert row["ours_ms"] == 1.5 and row["torch_ms"] == {"eager": 7.5, "graph": 4.0}
    assert row["torch_best"] == "graph" and row["ratio"] == pytest.approx(4 / 1.5)
    assert row["spread"] == [4 / 2, 3 / 1]
    about = {"recipe": "ecg", "batch": 9, "precision": "tf32", "ours_mib": 1.26, "torch_mib": None}
    cells = gpu_tables.line("recipes", about | row).split()
    assert cells == [
        "ecg",
        "9",
        "tf32",
        "1.5000",
        "4.0000",
        "2.67x",
        "2.00-3.00",
        "1.3",
        "-",
        "graph",
    ]
    alone = gpu_race.summary([[3.0]], {})
    assert alone["ours_ms"] == 3.0 and alone["torch_best"] is None
    assert gpu_tables.line("recipes", about | alone).split()[3:] == [
        "3.0000",
        "-",
        "-",
        "-",
        "1.3",
        "-",
    ]


def test_where_the_seconds_of_the_job_went():
    """Epochs of 3, 2 and 2 s; half a second from the end of each to the next; 1 s before the first."""
    found = gpu_job.seconds([3.0, 2.0, 2.0], [4.5, 7.0, 9.5], 9.5)
    assert found == {
        "training_s": 7,
        "first_epoch_s": 3,
        "evaluation_s": 1.5,
        "rest_s": 1,
        "total_s": 9.5,
    }


def test_every_setting_of_pytorch():
    names = [one.name for one in gpu_race.settings("dense_vae", gpu_race.MODES)]
    assert names == ["eager", "graph", "compile", "reduce-overhead", "compile+graph"]
    names = [one.name for one in gpu_race.settings("tf_cvae", ("compile",))]
    assert names == ["compile contiguous", "compile channels_last"]


def test_all_that_is_asked_for():
    options = bench.parser().parse_args(["--only", "dense_vae", "ecg"])
    races = bench.races(options, torch=True)
    assert [(r.recipe, r.batch, r.precision) for r in races[:2]] == [
        ("dense_vae", 128, "float32"),
        ("dense_vae", 128, "tf32"),
    ]
    assert len(races) == 2 * (4 + 1) and {r.steps for r in races} == {100}
    assert {r.batch: r.examples for r in races} == {
        128: 60_000,
        1: 60_000,
        16: 60_000,
        1024: 102_400,
        512: 60_000,
    }
    assert {r.modes for r in bench.races(options, torch=False)} == {()}
    assert [part["batch"] for part in bench.parts("graphs", options)] == [128, 512]


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_the_first_step_is_that_of_the_cpu(gpu, name, tolerance):
    """The same weights, noise and model as the recipe's on the CPU, corruption included."""
    spec = {"recipe": name, "batch": 3, "steps": 1, "examples": 3}
    ours = gpu_ours.Training(spec, sa.get_backend(gpu)).first_step()
    cpu = recipes.first_step(recipes.RECIPES[name], recipes.examples(recipes.RECIPES[name], 3))
    assert ours.keys() == cpu.keys()
    for key in ours.keys() - {"loss", "gradients"}:
        limit = tolerance("kernel", "float32") if key == "eps" else 0
        np.testing.assert_allclose(ours[key], cpu[key], rtol=limit, atol=limit)
    assert gpu_race.difference(cpu, ours, "float32") is None


def test_another_model_is_told():
    ours = {"loss": 100.0, "gradients": [1.0, 2.0]}
    assert (
        gpu_race.difference(ours, {"loss": 100.005, "gradients": [1.0005, 2.0]}, "float32") is None
    )
    words = gpu_race.difference(ours, {"loss": 100.02, "gradients": [1.0, 2.0]}, "float32")
    assert (
        "not the same model: of the loss of the first step one is 100.02 in PyTorch and 100 here"
        in words
    )
    assert gpu_race.difference(ours, {"loss": 100.02, "gradients": [1.0, 2.0]}, "tf32") is None
    assert "gradients" in gpu_race.difference(
        ours, {"loss": 100.0, "gradients": [1.0, 2.1]}, "tf32"
    )
    assert gpu_race.difference(ours, {"loss": float("nan"), "gradients": []}, "tf32")


@needs_torch
def test_another_model_does_not_race(gpu, monkeypatch):
    monkeypatch.setitem(gpu_race.TOLERANCES, "float32", {"loss": -1.0})
    status, words = printed(ONE_RACE)
    assert status == 1 and "ecg, batch 4, float32, PyTorch eager: not the same model" in words
    assert words.splitlines()[-1].split()[4:] == ["-", "-", "-", words.split()[-2], "-"]


@needs_torch
def test_a_mode_that_fails_is_told_and_the_others_go_on(gpu, monkeypatch):
    import gpu_theirs

    def captured(step, rows):
        raise RuntimeError("no\n graphs")

    monkeypatch.setattr(gpu_theirs, "captured", captured)
    status, words = printed([*ONE_RACE, "--modes", "graph", "eager"])
    assert status == 1 and words.splitlines()[-1].endswith(" eager")
    assert (
        "gpu: ecg, batch 4, float32, PyTorch graph: RuntimeError: no graphs; the others go on\n"
        in words
    )


@needs_torch
def test_precision_of_pytorch_is_put_back():
    import gpu_theirs
    import torch

    cudnn = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark
    for precision, word in (("tf32", "high"), ("float32", "highest")):
        with gpu_theirs.float32(precision):
            assert torch.get_float32_matmul_precision() == word
            assert (
                cudnn.allow_tf32 == torch.backends.cuda.matmul.allow_tf32 == (precision == "tf32")
            )
    assert before == (torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark)


def test_ours_alone_where_pytorch_sees_no_gpu(gpu, monkeypatch):
    if TORCH:
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    status, words = printed(ONE_RACE, gpu_turns.Place(gpu_turns.Here, "cuda"))
    assert status == 0 and "ours alone is measured" in words.splitlines()[1]
    assert ("sees no GPU" if TORCH else "PyTorch is not installed") in words
    assert words.splitlines()[-1].split()[4:7] == ["-"] * 3


def test_the_header():
    about = {
        "gpu": "H",
        "memory": 80 << 30,
        "driver": "580.1",
        "driver_cuda": 13010,
        "runtime": 13000,
    }
    about |= {"cupy": "14.0", "torch": None, "torch_sees": False, "device": "cuda"}
    first, second = gpu_tables.header(about, "install it").splitlines()
    assert first == "H, 80.0 GiB, driver 580.1 (CUDA up to 13.1); CuPy 14.0, CUDA runtime 13.0"
    assert second == "install it; ours alone is measured"
    about |= {"torch": "2.13", "torch_cuda": "13.0", "cudnn": 91000, "torch_sees": True}
    assert gpu_tables.header(about, "").splitlines()[1] == "PyTorch 2.13 (CUDA 13.0, cuDNN 91000)"


def test_without_a_gpu_it_is_one_sentence(gpu, monkeypatch, capsys):
    monkeypatch.setattr("cupy.cuda.runtime.driverGetVersion", lambda: 0)
    with pytest.raises(SystemExit) as ended:
        bench.main(["--smoke"], HERE)
    sentence = capsys.readouterr().err
    assert ended.value.code == 2 and sentence.count("\n") == 1
    assert sentence.startswith("gpu: backend 'cupy' needs an NVIDIA driver, and none is loaded")


SITE = """
import sys
sys.path.append({!r})
import emulator
installed = emulator.installed()
installed.__enter__()
"""


def test_a_child_answers_as_here(gpu, tmp_path, monkeypatch):
    """A process of its own, which gets the emulator too: the same rows, other times."""
    import cupy

    if not hasattr(cupy, "__version__"):
        (tmp_path / "sitecustomize.py").write_text(SITE.format(str(ROOT / "tests")))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    spec, found = {"who": "products", "precision": "tf32", "smoke": True, "blocks": 1}, []
    for start in (gpu_turns.child, gpu_turns.Here):
        with start("products", spec) as one:
            found.append([(row["product"], row["off"]) for row in gpu_turns.answers(one)])
    assert found[0] == found[1] and len(found[0]) == 4


def test_a_child_that_fails_gives_a_sentence():
    with gpu_turns.child("someone", {"who": "nobody"}) as child:
        with pytest.raises(gpu_turns.Failed, match="someone failed: KeyError: 'nobody'"):
            gpu_turns.turn(child)
        child.process.wait()


@pytest.mark.parametrize(
    ("options", "words"), [("--sections deep", "deep"), ("--rounds 0", "'0'")]
)
def test_user_errors_are_one_sentence(options, words, capsys):
    with pytest.raises(SystemExit) as ended:
        bench.main(options.split())
    sentence = capsys.readouterr().err
    assert ended.value.code == 2 and words in sentence and sentence.count("\n") == 1
