"""Each command runs, tiny, and prints its table; a wrong option is one sentence."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {  # options, and a word of the table
    "speed/compare_torch.py": (("--smoke", "--only", "ecg"), "ecg"),
    "kernels/kernels.py": (("--smoke", "--only", "adam"), "numba"),
    "published/reproduce.py": (("--quick", "--only", "linear"), "linear, seed 0"),
    "speed/main_job.py": (("--smoke",), "theirs"),
}
pytestmark = pytest.mark.slow


def command(script, *options, cwd):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    how = {"cwd": cwd, "env": environment, "capture_output": True, "text": True, "timeout": 400}
    return subprocess.run([sys.executable, ROOT / "benchmarks" / script, *options], **how)


@pytest.mark.parametrize("script", COMMANDS)
def test_it_runs(script, tmp_path):
    options, word = COMMANDS[script]
    if "speed" in script and find_spec("torch") is None:
        pytest.skip("needs PyTorch")
    done = command(script, *options, cwd=tmp_path)
    assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr[-2000:]
    assert word in done.stdout and "Traceback" not in done.stderr


def test_without_a_gpu_it_says_so(tmp_path):
    done = command("gpu/gpu.py", "--smoke", cwd=tmp_path)
    if done.returncode == 0:
        pytest.skip("there is a GPU")
    assert done.returncode == 2 and "cupy" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("script", [*COMMANDS, "gpu/gpu.py"])
def test_a_wrong_option_is_one_sentence(script, tmp_path):
    done = command(script, "--nonsense", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
