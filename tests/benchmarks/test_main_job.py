"""The main job side by side: that it runs, that it measures what it says, that a failure is a sentence."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import main_job  # noqa: E402
import processes  # noqa: E402

TORCH = importlib.util.find_spec("torch") is not None


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """One tiny run as a user starts it."""
    out = tmp_path_factory.mktemp("smoke") / "main_job.json"
    command = [sys.executable, ROOT / "benchmarks" / "main_job.py", "--smoke", "--json", out]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=out.parent, env=env, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(out.read_text()), done.stdout, out.parent


def test_smoke(smoke):
    result, printed, folder = smoke
    start, ours = result["starts"]["dense"], result["jobs"]["ours"]
    assert 0 < start["cold_step"] < start["cold_epoch"]
    assert start["warm_step"] > 0 and 0 < ours["median"] == ours["seconds"][0]
    assert 0 < ours["test_loss"] < 544  # 784 log 2, what no learning costs
    assert "start, seconds" in printed and "python examples/vae_mnist.py" in printed
    assert [path.name for path in folder.iterdir()] == [
        "main_job.json"
    ]  # all else went to a temporary folder
    assert ("PyTorch is not installed" in printed) == (not TORCH)


@pytest.mark.skipif(not TORCH, reason="needs PyTorch, the other contestant: pip install torch")
def test_smoke_of_pytorch(smoke):
    jobs = smoke[0]["jobs"]
    theirs, ours = jobs["theirs"], jobs["ours"]
    assert jobs["ratio"] == pytest.approx(ours["median"] / theirs["median"])
    assert theirs["setting"] in theirs["trials"] and theirs["median"] > 0
    assert theirs["test_loss"] == pytest.approx(ours["test_loss"], rel=0.1)


class Fake:
    """A Work whose jobs take no time."""

    smoke = False

    def __init__(self):
        self.turns = []

    def our_job(self, *more):
        self.turns.append(" ".join(["ours", *more]))
        return 2.0

    def their_job(self, setting):
        self.turns.append(main_job.words(setting))
        return 4.0

    def settings(self):
        return {(1, False): 3.0, (2, True): 1.0}

    def test_loss(self, who):
        return 100.0


def test_turns_and_the_best_setting():
    work = Fake()
    jobs = main_job.race(work, 3, torch=True)
    pair = ["ours", "2 threads, malloc"]
    assert work.turns == ["ours --smoke", *pair, *pair[::-1], *pair]
    assert jobs["ratio"] == 0.5 and jobs["theirs"]["setting"] == "2 threads, malloc"
    lines = main_job.job_lines(jobs)
    assert lines[-1].split() == ["ours", "/", "PyTorch", "0.50"] and len(lines) == 4


def test_without_pytorch(monkeypatch, capsys):
    jobs = main_job.race(Fake(), 1, torch=False)
    assert jobs.keys() == {"ours"} and len(main_job.job_lines(jobs)) == 2
    monkeypatch.setattr(main_job, "machine", lambda: {"torch": None})
    with pytest.raises(SystemExit) as ended:
        main_job.main([])
    assert ended.value.code == 2 and "pip install torch==2.13.0" in capsys.readouterr().err


def test_a_failing_process_gives_a_sentence(tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text("raise SystemExit('no luck')")
    with pytest.raises(processes.Failed, match="ours ended with status 1: no luck"):
        main_job.wait("ours", [script], dict(os.environ))
    script.write_text("import time; time.sleep(30)")
    monkeypatch.setattr(main_job, "PATIENCE", 0.2)
    with pytest.raises(processes.Failed, match=r"ours was not done in 0\.2 s"):
        main_job.wait("ours", [script], dict(os.environ))


def test_user_errors_are_one_sentence(capsys):
    with pytest.raises(SystemExit) as ended:
        main_job.main(["--rounds", "0"])
    sentence = capsys.readouterr().err
    assert ended.value.code == 2 and "'0'" in sentence and sentence.count("\n") == 1
