"""Measurements in child processes: a parent tells a part what to do and hears it, JSON a line.

A part is a function part(spec, line), named "package.module:function", that only the child
imports.
"""

import importlib
import json
import os
import queue
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self

ROOT = Path(__file__).resolve().parents[2]  # of this checkout, whose library is measured
# Variables that would choose a library's kernels or threads in its place.
REMOVED = (
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"),
    *("MKL_ENABLE_INSTRUCTIONS", "MKL_NUM_THREADS", "ONEDNN_MAX_CPU_ISA"),
)
# glibc's malloc gives large blocks back to the system and faults them in again, unless:
MALLOC = {
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_MMAP_MAX_": "0",  # older ones refuse a threshold of more than 32 MiB
    "MALLOC_TOP_PAD_": str(1 << 26),
}


class Failed(RuntimeError):
    """A process ended, or stayed silent, in a sentence."""


def environment(threads: int | None = None, malloc: bool = False) -> dict[str, str]:
    """The variables without those above; threads for OpenMP and MKL; malloc: keep the memory."""
    taken = (*REMOVED, *MALLOC)
    env = {name: value for name, value in os.environ.items() if name not in taken}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [env.get("PYTHONPATH")])])
    if threads is not None:
        env |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return env | (MALLOC if malloc else {})


def words(error: Exception) -> str:
    """An error as a sentence."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def interruptions() -> int:
    """How often the system has taken the processor away from this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def last_line(file: IO[str]) -> str:
    """The last line of a file that says something."""
    file.seek(0)
    return next((line for line in reversed(file.read().splitlines()) if line.strip()), "no word")


def finished(name: str, command: list[Any], env: dict[str, str], log: Path | None = None) -> float:
    """Run a script to its end, output into log -> wall seconds. Raises Failed where it fails."""
    began = time.perf_counter()
    with log.open("w+") if log else tempfile.TemporaryFile("w+") as file:
        python = [sys.executable, *map(str, command)]
        status = subprocess.run(python, env=env, stdout=file, stderr=file).returncode
        if status == 0:
            return time.perf_counter() - began
        raise Failed(f"{name} ended with status {status}: {last_line(file)}")


class Child:
    """A part in a child process: ask it and hear its answer, or hear all its answers.

    name: for messages. patience: seconds for an answer. Ctrl-C reaches the parent alone, which
    ends its children; one whose parent has died leaves when it next listens.
    """

    def __init__(self, name: str, part: str, spec: Any, env: Any = None, patience: int = 120):
        self.name, self.patience = name, patience
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (see __exit__)
        python, pipe = [sys.executable, "-P", "-m", "benchmarks.shared.processes"], subprocess.PIPE
        how: dict[str, Any] = {"stdin": pipe, "stdout": pipe, "stderr": self.errors, "text": True}
        how |= {"env": env or environment(), "start_new_session": True}
        self.process = subprocess.Popen([*python, part, json.dumps(spec)], **how)
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.put(line)
        self.lines.put("")

    def ask(self, **order: Any) -> dict[str, Any]:
        """Its answer to that order. Raises Failed where it gives none in time."""
        with suppress(BrokenPipeError):  # it has ended, and hear says how
            print(json.dumps(order), file=self.process.stdin, flush=True)
        return self.hear()

    def hear(self) -> dict[str, Any]:
        """Its next answer. Raises Failed where there is none."""
        for answer in self.answers():
            return answer
        raise Failed(f"{self.name} ended without an answer: {last_line(self.errors)}")

    def answers(self) -> Iterator[dict[str, Any]]:
        """Its answers until it ends. Raises Failed where it fails, or gives none in time."""
        while True:
            try:
                line = self.lines.get(timeout=self.patience)
            except queue.Empty:
                raise Failed(f"{self.name} gave no answer in {self.patience} s") from None
            if not line:
                self.lines.put("")  # for whoever asks again
                if status := self.process.wait():
                    words = last_line(self.errors)
                    raise Failed(f"{self.name} ended with status {status}: {words}")
                return
            answer = json.loads(line)
            if "error" in answer:
                raise Failed(f"{self.name} failed: {answer['error']}")
            yield answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.kill()
        self.process.wait()
        for file in filter(None, (self.process.stdin, self.process.stdout, self.errors)):
            with suppress(BrokenPipeError):  # of an order that was not read
                file.close()


class Line:
    """The child's end. What libraries print goes to stderr instead of into the protocol."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def say(self, **answer: Any) -> None:
        """Tell the parent."""
        print(json.dumps(answer), file=self.out, flush=True)

    def listen(self) -> dict[str, Any]:
        """Block until the parent speaks; leave when it has gone."""
        line = sys.stdin.readline()
        if not line:
            raise SystemExit
        return json.loads(line)


def main() -> None:
    """Carry out the part that is named; an error is told as a sentence."""
    (module, _, part), line = sys.argv[1].partition(":"), Line()
    try:
        getattr(importlib.import_module(module), part)(json.loads(sys.argv[2]), line)
    except Exception as error:
        line.say(error=words(error))
        raise


if __name__ == "__main__":
    main()
