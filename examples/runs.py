"""The folder that a run of an example writes to: whose it is, and what is written when."""

import argparse
import json
import math
import os
import platform
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from common import ENCODE
from output import say

import scratchae
from scratchae import Images, Values, plots

RESULTS = "config.json", "metrics.jsonl", "weights.safetensors", "*.png", "*.gif"


class Run:
    """One run: a built model, its data and the folder it writes to, which is made and tried at
    once.

    what: the model in words, for the note below each picture's title. Raises OSError for a folder
    that cannot be written to, ValueError for one that another run is writing to, and for one with
    results that no run wrote."""

    def __init__(
        self,
        options: argparse.Namespace,
        model: Any,
        optimizer: Any,
        data: tuple[Images, Images] | tuple[Values, Values],
        what: str,
    ):
        self.options, self.model, self.optimizer, self.what = options, model, optimizer, what
        self.train: Any
        self.test: Any
        self.train, self.test = data
        self.out: Path = options.out
        shards = options.shards or model.backend.default_shards(options.batch_size)
        options.shards = min(shards, options.batch_size)
        self.history = scratchae.History()
        sizes = [math.prod(shape) for shape, _ in model.parameters.declared.values()]
        config = {name: str(v) if isinstance(v, Path) else v for name, v in vars(options).items()}
        config |= {"parameters": sum(sizes), "versions": _versions()}
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            _lock(self.out)
            _set_aside(self.out)
            (self.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
            (self.out / "metrics.jsonl").write_text("")
        except OSError as error:
            raise OSError(
                f"--out is {str(self.out)!r}, which cannot be written to ({error.strerror}): give "
                "another folder"
            ) from error

    def beside(self, name: str, model: Any, optimizer: Any, what: str) -> "Run":
        """Another model on the same data, to compare with: a run of its own, in the folder of that
        name."""
        options = argparse.Namespace(**vars(self.options) | {"out": self.out / name})
        return Run(options, model, optimizer, (self.train, self.test), what)

    def fit(self, callbacks: Iterable[Callable[[Any, Any], None]] = ()) -> None:
        """Train, a line of metrics.jsonl an epoch, then save weights.safetensors, if there was an
        epoch.

        Raises NonFiniteLoss, and KeyboardInterrupt for a second Ctrl-C, which cost no weights."""
        o = self.options
        how = {
            name: getattr(o, name)
            for name in ("epochs", "batch_size", "shards", "threads", "seed")
        }
        how |= {"validation": self.test, "callbacks": (self._keep, *callbacks, self._record)}
        say(self.model)
        try:
            self.history = scratchae.fit(self.model, self.train, self.optimizer, **how)
        finally:
            if len(self.history):
                path = self.out / "weights.safetensors"
                scratchae.save(self.model, path, optimizer=self.optimizer)
        if self.history.interrupted:
            say(f"interrupted: {len(self.history)} of {o.epochs} epochs were finished")

    def _keep(self, model: Any, history: Any) -> None:
        self.history = history

    def _record(self, model: Any, history: Any) -> None:
        o = self.options
        line = history.records[-1] | {"dataset": o.dataset, "backend": o.backend}
        with (self.out / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def labels(self, picture: str) -> tuple[str, str]:
        """The title of a picture, with the data set's name, and the note below it."""
        return f"{self.test.name}: {picture}", f"{self.what}, {self._epochs()}"

    def _epochs(self) -> str:
        n = len(self.history)
        after = "interrupted after" if self.history.interrupted else "after"
        return f"{after} {n} epoch" if n == 1 else f"{after} {n} epochs"

    def reconstructions(self) -> None:
        """Write reconstructions.png: the first 30 test images, (30, 28, 28, 1)."""
        x = self.test.values(slice(30))
        words = self.labels("test images, reconstructed")
        figure = plots.image_pairs(x, self.model.reconstruct(x), *words)
        plots.save(figure, self.out / "reconstructions.png")

    def loss(
        self, unit: str = "nats per example", lines: tuple[str, str] = ("training", "test")
    ) -> None:
        """Write loss.png, if there was an epoch; lines: the names of its curves."""
        if len(self.history):
            words = self.labels("learning curves")
            figure = plots.loss_curves(self.history.records, *words, unit, lines)
            plots.save(figure, self.out / "loss.png")

    def codes(self, encode: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """encode(x) (N, D) of all test images, few of them in floating point at a time."""
        starts = range(0, len(self.test), ENCODE)
        return np.concatenate([encode(self.test.values(slice(i, i + ENCODE))) for i in starts])

    def close(self, result: Callable[[dict[str, Any]], str]) -> int:
        """Print result(last record) and where the pictures are; returns the exit status."""
        if len(self.history):
            words = f", {self._epochs()}: {result(self.history.records[-1])}"
        else:
            words = ": no epoch was finished, so there is no result"
        say(f"{self.test.name}{words}; pictures in {self.out}")
        return 130 if self.history.interrupted else 0


@cache  # once in this process, which holds the lock until it ends
def _lock(out: Path) -> None:
    """Raise ValueError for a folder that another process is writing to, if the file system has
    locks."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock

        flock(os.open(out, os.O_RDONLY), LOCK_EX | LOCK_NB)
    except BlockingIOError:
        raise ValueError(
            f"--out is {str(out)!r}, which another run is writing to: give another folder"
        ) from None
    except (ImportError, OSError):  # Windows, or a file system without locks
        pass


def _set_aside(out: Path) -> None:
    """Move what an earlier run left in the folder to earlier/ in it. Raises ValueError for what no
    run wrote."""
    old = [path for pattern in RESULTS for path in sorted(out.glob(pattern))]
    try:
        ours = "scratchae" in json.loads((out / "config.json").read_text())["versions"]
    except (OSError, ValueError, LookupError, TypeError):  # no config.json, or another program's
        ours = False
    if old and not ours:
        raise ValueError(
            f"--out is {str(out)!r}, whose {old[0].name} no earlier run left: give another folder"
        )
    for path in old:
        (out / "earlier").mkdir(exist_ok=True)
        path.replace(out / "earlier" / path.name)


def _versions() -> dict[str, str]:
    others = {name: version(name) for name in ("numpy", "numba", "matplotlib")}
    return {"scratchae": scratchae.__version__, "python": platform.python_version(), **others}
