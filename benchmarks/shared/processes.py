"""The parent's end: contestants as child processes that take turns, in an environment of its choosing."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

import scratchae

CONTESTANT = Path(__file__).parents[1] / "speed" / "contestants.py"
LIBRARY = Path(scratchae.__file__).resolve().parents[1]
# Variables that would choose a library's kernels or threads in its place.
REMOVED = (
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"),
    *("MKL_ENABLE_INSTRUCTIONS", "MKL_NUM_THREADS", "ONEDNN_MAX_CPU_ISA"),
)
# glibc's malloc gives large blocks back to the system and faults them in again at the next step, unless:
MALLOC = {
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_MMAP_MAX_": "0",  # older ones refuse a threshold of more than 32 MiB
    "MALLOC_TOP_PAD_": str(1 << 26),
}


class Failed(RuntimeError):
    """A contestant ended, or stayed silent, in a sentence."""


def environment(threads: int | None = None, malloc: bool = False) -> dict[str, str]:
    """The parent's variables without those above; threads for OpenMP and MKL; malloc: keep the memory."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in REMOVED and name not in MALLOC
    }
    env["PYTHONPATH"] = os.pathsep.join([str(LIBRARY), *filter(None, [env.get("PYTHONPATH")])])
    if threads is not None:
        env |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return env | (MALLOC if malloc else {})


class Contestant:
    """A child process that speaks JSON lines: tell it something, hear its answer, close it.

    name: for messages. patience: seconds for an answer. script: what it runs. It has a session of its own,
    so that Ctrl-C reaches the parent alone, which ends its children; one whose parent has died leaves at its
    next turn.
    """

    def __init__(
        self,
        name: str,
        spec: dict[str, Any],
        env: dict[str, str],
        patience: float = 120,
        script: Path = CONTESTANT,
    ):
        self.name, self.patience = name, patience
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (close() closes it)
        self.process = subprocess.Popen(
            [sys.executable, str(script), json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=env,
            text=True,
            start_new_session=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def tell(self, **what: Any) -> None:
        """A turn begins."""
        assert self.process.stdin is not None
        try:
            print(json.dumps(what), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            raise Failed(self._last_words()) from None

    def hear(self) -> dict[str, Any]:
        """Its answer. Raises Failed where it gives none in time."""
        try:
            line = self.lines.get(timeout=self.patience)
        except queue.Empty:
            raise Failed(f"{self.name} gave no answer in {self.patience:g} s") from None
        if not line:
            raise Failed(self._last_words())
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{self.name} failed: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        status = self.process.wait()
        self.errors.seek(0)
        words = self.errors.read().split("\n")
        return f"{self.name} ended with status {status}: {next((w for w in reversed(words) if w.strip()), 'no word')}"

    def close(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.errors):
            if file is not None:
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
