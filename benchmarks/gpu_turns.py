"""The parent's end of gpu.py: contestants that are told something and heard, in processes of their own or here."""

import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gpu_contestant
from processes import Contestant, Failed, environment

SCRIPT = Path(__file__).with_name("gpu_contestant.py")


class Child(Contestant):
    """A contestant of gpu_contestant.py in a process of its own. patience: seconds for an answer."""

    def __init__(self, name: str, spec: dict[str, Any], patience: float = 120):
        self.name, self.patience = name, patience
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (close() closes it)
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=environment(),
            text=True,
            start_new_session=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()


class Here:
    """The same contestant in this process, which sees the emulator if that is installed."""

    def __init__(self, name: str, spec: dict[str, Any], patience: float = 120):
        self.name = name
        self.part = gpu_contestant.PARTS[spec["who"]](spec)
        self.order: dict[str, Any] | None = None
        self.turns = 0

    def tell(self, **what: Any) -> None:
        """A turn begins."""
        self.order = what

    def hear(self) -> dict[str, Any]:
        """Its answer. Raises Failed where there is an error instead."""
        try:
            answer = self.part.send(self.order if self.turns else None)
        except StopIteration:
            return gpu_contestant.OVER
        except Exception as error:
            raise Failed(f"{self.name} failed: {gpu_contestant.words(error)}") from error
        self.turns += 1
        assert "error" not in answer, "a child would have failed by that word"
        return json.loads(json.dumps(answer))

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *_: Any) -> None:
        self.part.close()


@dataclass(frozen=True)
class Place:
    """Where contestants run: start(name, spec, patience) makes one; device: what PyTorch calls the processor."""

    start: Callable[..., Any] = Child
    device: str = "cuda"


def turn(contestant: Any, **order: Any) -> dict[str, Any]:
    """Its answer to that order. Raises Failed."""
    contestant.tell(**order)
    return contestant.hear()


def answers(contestant: Any) -> Iterator[dict[str, Any]]:
    """All of its answers, a turn each, until it has no more. Raises Failed."""
    while (answer := turn(contestant)) != gpu_contestant.OVER:
        yield answer
