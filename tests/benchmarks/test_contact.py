"""First contact with a GPU: what it names exists, what fails stops nothing, its parts run on the
emulated GPU and see a planted error."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from benchmarks.gpu import compare, contact, contact_parts
from benchmarks.shared.processes import ROOT
from scratchae.backend.cuda.backend import CupyBackend

SCRIPT = ROOT / "benchmarks/gpu/first_contact.sh"
SECONDS = {"a": 8 * 60, "b": 7 * 60}
TOOLS = ("bash", "dirname", "mkdir", "realpath", "sleep", "tee", "timeout")
PARSE = """import runpy, sys
script = sys.argv.pop(1)
runpy.run_path(script, run_name="asked")["parser"]().parse_args()
"""
# An interpreter: one module fails, one hangs, all else is done.
PYTHON = """#!/usr/bin/env bash
case "$*" in
    *gradcheck*) echo "a gradient is wrong"; exit 3 ;;
    *pip*) exec sleep 100 ;;
    *) echo "done: $*" ;;
esac
"""


def first_contact(*arguments, **environment):
    command = [shutil.which("bash"), SCRIPT, *arguments]
    env = os.environ | environment
    return subprocess.run(command, env=env, capture_output=True, text=True)


def steps(part, out):
    """Name, limit and command of each step."""
    listed = first_contact(part, "--list", "--out", out, PYTHON=sys.executable)
    assert listed.returncode == 0, listed.stderr
    for line in listed.stdout.splitlines():
        name, limit, *command = shlex.split(line)
        yield name, int(limit), command


def started(*command):
    """What a Python of this checkout says, and its status."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = subprocess.run([sys.executable, *command], cwd=ROOT, env=env, capture_output=True)
    return run.returncode, (run.stdout + run.stderr).decode()


def wrong(command):
    """What this tree lacks of a command of a step: a file, an option, a value, a test."""
    if sys.executable not in command:  # the driver's
        return None if command == ["nvidia-smi"] else f"{command} is unknown"
    first, *arguments = command[command.index(sys.executable) + 1 :]
    if first != "-m":
        status, said = started("-c", PARSE, first, *arguments)
    elif arguments[0] == "pytest":
        status, said = collected(arguments)
    else:
        status, said = started("-c", "import sys; __import__(sys.argv[1])", arguments[0])
    return said if status else None


def collected(arguments):
    """The tests that are chosen, on the emulated GPU; of the whole suite, one file's."""
    swapped = [word.replace("cupy", "emulated") for word in arguments]
    swapped = ["tests/backend/test_backend.py" if word == "tests" else word for word in swapped]
    files = [word.partition("=")[2] for word in swapped if word.startswith("--ignore=")]
    lacking = [file for file in files if not (ROOT / file).is_file()]
    return (1, f"there is no {lacking}") if lacking else started("-m", *swapped, "--collect-only")


@pytest.mark.parametrize("part", SECONDS)
def test_what_the_steps_name_exists(part, tmp_path):
    found = list(steps(part, tmp_path))
    assert len({name for name, _, _ in found}) == len(found) >= 4
    assert sum(limit for _, limit, _ in found) == SECONDS[part]
    for name, _, command in found:
        assert wrong(command) is None, name


@pytest.mark.parametrize(
    "command",
    [
        ["benchmarks/gpu/nothing.py"],
        ["benchmarks/gpu/gpu.py", "--modes", "fastest"],
        ["benchmarks/gpu/gpu.py", "--minutes", "3"],
        ["-m", "scratchae.nothing"],
        ["-m", "pytest", "--backend", "cupy", "tests/kernels/test_nothing.py"],
        ["-m", "pytest", "--backend", "cupy", "--ignore=tests/nothing.py", "tests"],
        ["-m", "pytest", "--backend", "cupy", "-k", "nothing", "tests"],
    ],
    ids=" ".join,
)
def test_what_does_not_exist_is_seen(command):
    assert wrong([sys.executable, *command])


def test_what_fails_or_hangs_stops_nothing(tmp_path):
    """No GPU, no network, no Python: the steps are those of a stand-in."""
    path, python = tmp_path / "bin", tmp_path / "python"
    path.mkdir()
    for tool in TOOLS:
        (path / tool).symlink_to(shutil.which(tool))
    python.write_text(PYTHON)
    python.chmod(0o755)
    out, env = tmp_path / "out", {"PYTHON": str(python), "PATH": str(path)}
    ended = first_contact("a", "--out", str(out), **env)
    *lines, last = ended.stdout.splitlines()
    said = dict(line.rpartition(" (")[0].split(": ", 1) for line in lines)
    assert ended.returncode == 1 and ended.stderr == ""
    assert said.pop("driver") == "not run: there is no nvidia-smi"
    assert said.pop("packages") == "stopped after its 10 s"
    assert said.pop("gradcheck") == "failed with status 3"
    assert set(said.values()) == {"done"} and "tests" in said
    assert last.startswith("part a: 6 done; failed or not run: driver packages gradcheck. ")
    assert (out / "a.summary.txt").read_text() == ended.stdout
    assert (out / "a.gradcheck.log").read_text() == "a gradient is wrong\n"
    one = first_contact("b", "--only", "races", "--out", str(out), **env)
    assert one.returncode == 0 and "1 done; failed or not run: none." in one.stdout
    none = first_contact("b", "--only", "tests", "--out", str(out), **env)
    assert none.returncode == 2 and "part b has no step tests" in none.stderr
    assert first_contact("c", "--out", str(out), **env).returncode == 2


def test_the_parts_run(children, tmp_path, monkeypatch):
    monkeypatch.setattr(contact, "PARTS", dict.fromkeys(contact.PARTS, 600))
    out = tmp_path / "out"
    status = contact.main(["--smoke", "--out", str(out)])
    found = json.loads((out / "contact.json").read_text())
    assert status == 0 and found.pop("complaints") == []
    assert list(found) == list(contact.PARTS) and all(found.values())
    asked = {row["what"] for rows in found.values() for row in rows}
    assert {"cupy", "cuBLAS", "in a recorded step, an array"} <= asked
    assert {"ecg 4 tf32: us a replay, nothing read", "losses of ecg, relative difference"} <= asked


def answers(part, **spec):
    """What a part says in this process."""
    said = []
    part({"smoke": True} | spec, SimpleNamespace(say=lambda **row: said.append(row)))
    return {row["what"]: row.get("ok") for row in said}


def test_a_wrong_product_is_seen(gpu, monkeypatch):
    right = CupyBackend.matmul
    monkeypatch.setattr(
        CupyBackend, "matmul", lambda self, a, b, out, add=False: right(self, a, b, out)
    )
    found = answers(contact_parts.products)
    assert [ok for what, ok in found.items() if what.startswith("products")] == [False] * 3


def test_what_a_recorded_step_does_not_refuse_is_seen(gpu, monkeypatch):
    monkeypatch.setattr(CupyBackend, "capture", lambda self, body: body())
    found = answers(contact_parts.recording)
    assert list(found.values()) == [False, False, False, True]


def test_other_losses_are_seen(gpu, monkeypatch):
    losses = iter((1.0, 1.01))
    monkeypatch.setattr(contact_parts, "fit", lambda *_, **__: {"train_loss": [next(losses)] * 4})
    assert list(answers(contact_parts.losses).values()) == [False]


def test_what_is_wrong_is_a_complaint(monkeypatch, capsys):
    def child(*_):
        rows = [{"what": "x", "found": 1, "ok": False}, {"what": "y", "found": 2}]
        return nullcontext(SimpleNamespace(answers=lambda: rows))

    monkeypatch.setattr(contact, "Child", child)
    complain = contact.Complaints()
    assert len(contact.ask("products", {}, complain)) == 2
    assert complain == ["products: x is wrong"] and "1  WRONG\n" in capsys.readouterr().out


def test_two_runs_are_compared(tmp_path, capsys):
    def run(name, *losses):
        rows = [{"epoch": i, "train_loss": x, "test_loss": x} for i, x in enumerate(losses, 1)]
        (tmp_path / name).mkdir()
        text = "".join(json.dumps(row | {"seconds": 1.0}) + "\n" for row in rows)
        (tmp_path / name / "metrics.jsonl").write_text(text)
        return str(tmp_path / name)

    one, near, far = run("one", 2.0, 1.0), run("near", 2.0, 1.001), run("far", 2.0, 1.02)
    assert compare.main([one, near]) == 0
    assert compare.main([one, far]) == 1
    assert "epoch 2: test_loss differs by 2.0e-02" in capsys.readouterr().out
    assert compare.main([one, run("short", 2.0)]) == 1
    with pytest.raises(SystemExit, match="2"):
        compare.main([one, str(tmp_path / "none")])
