"""The parent's end of gpu.py: contestants that are told something and heard, in processes of their own or here."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu import contestant as gpu_contestant
from benchmarks.shared.processes import Contestant, Failed, environment
from benchmarks.speed.contestants import words

SCRIPT = Path(__file__).with_name("contestant.py")


def child(name: str, spec: dict[str, Any], patience: float = 120) -> Contestant:
    """A contestant of gpu_contestant.py in a process of its own. patience: seconds for an answer."""
    return Contestant(name, spec, environment(), patience, SCRIPT)


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
            raise Failed(f"{self.name} failed: {words(error)}") from error
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

    start: Callable[..., Any] = child
    device: str = "cuda"


def turn(contestant: Any, **order: Any) -> dict[str, Any]:
    """Its answer to that order. Raises Failed."""
    contestant.tell(**order)
    return contestant.hear()


def answers(contestant: Any) -> Iterator[dict[str, Any]]:
    """All of its answers, a turn each, until it has no more. Raises Failed."""
    while (answer := turn(contestant)) != gpu_contestant.OVER:
        yield answer
