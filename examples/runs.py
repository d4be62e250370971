"""One run of an example: a model, its data, the folder it writes to, and what is written when."""

import argparse
import json
import math
import platform
import re
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import folder
import numpy as np
from common import ENCODE
from output import say, warn

import scratchae
from scratchae import datasets, plots
from scratchae.execution.shards import shards_of

WEIGHTS, CONFIG, METRICS = "weights.safetensors", "config.json", "metrics.jsonl"
NEW = "weights.new.safetensors"  # until they are whole and an earlier run's files are set aside
TRAINING = "epochs", "batch_size", "lr", "seed", "shards"  # options that nothing else reads
STATE = 3 * 4  # bytes for each parameter: a float32 of its own and two of Adam's


class Run:
    """One run: a built model, its data and the folder it writes to, which is made and tried at
    once.

    The results of an earlier run stay in the folder until this one's first epoch is saved. what:
    the model in words, for the note below each picture's title. Raises what ``folder.claim``
    does."""

    def __init__(
        self,
        options: argparse.Namespace,
        model: Any,
        optimizer: Any,
        data: tuple[Any, Any],
        what: str,
    ):
        self.options, self.model, self.optimizer, self.what = options, model, optimizer, what
        self.train: Any
        self.test: Any
        self.held: Any
        self.train, self.test = data
        self.held = self.test
        self.out: Path = options.out
        options.shards = shards_of(model, options.batch_size, options.shards)
        self.history = scratchae.History()
        self.best: scratchae.EarlyStopping | None = None
        self.values: np.ndarray  # (n,), the parameters of the epoch that is kept
        self.kept = self.saved = 0  # the epoch that is kept; that whose weights were written
        self.metrics = ""  # lines of all epochs
        self.signal: int | None = None  # which ended the run, or a measurement after it
        self.compared: list[Run] = []
        self.told = set[str]()
        n = sum(math.prod(shape) for shape, _ in model.parameters.declared.values())
        config = {name: str(v) if isinstance(v, Path) else v for name, v in vars(options).items()}
        if optimizer is None:  # nothing is trained
            config = {name: v for name, v in config.items() if name not in TRAINING}
        config |= {"parameters": n, "versions": _versions()}
        self.config = json.dumps(config, indent=2) + "\n"
        self.begun = not folder.claim(self.out, STATE * n)  # whether it is this run's alone
        self._write(CONFIG, lambda path: folder.write(path, self.config))
        self._write(METRICS, lambda path: folder.write(path, ""))

    def beside(
        self,
        name: str,
        model: Any,
        optimizer: Any,
        what: str,
        data: tuple[Any, Any] | None = None,
    ) -> "Run":
        """Another model, on the same data unless there is some given, to compare with: a run of
        its own, in the folder of that name."""
        options = argparse.Namespace(**vars(self.options) | {"out": self.out / name})
        run = Run(options, model, optimizer, data or (self.train, self.test), what)
        if data is None:
            run.held = self.held
        self.compared.append(run)
        return run

    def fit(
        self,
        callbacks: Iterable[Callable[[Any, Any], None]] = (),
        best: scratchae.EarlyStopping | None = None,
    ) -> None:
        """Train; after each epoch write weights.safetensors, the optimiser's state included, and a
        line of metrics.jsonl. With best, the weights are those of its best epoch so far, and the
        model ends with them.

        A run that is interrupted ends with the parameters of its last whole epoch, or of its best.
        Raises NonFiniteLoss, and KeyboardInterrupt where there is no such epoch, and for a second
        Ctrl-C: none of these costs the weights."""
        o = self.options
        how = {
            name: getattr(o, name)
            for name in ("epochs", "batch_size", "shards", "threads", "seed")
        }
        self.best, first = best, () if best is None else (best,)
        all_callbacks = (*first, self._keep, *callbacks, self._record)
        how |= {"validation": self.held, "callbacks": all_callbacks}
        say(self.model)
        self.history = scratchae.fit(self.model, self.train, self.optimizer, **how)
        self.signal = self.history.signal
        if self.history.interrupted:
            if not len(self.history):
                words = "interrupted before an epoch was finished, so there is no result"
                raise KeyboardInterrupt(self.history.signal, words)
            say(f"interrupted: {len(self.history)} of {o.epochs} epochs were finished")
            self.model.backend.write(self.model.parameters.values, self.values)

    def _keep(self, model: Any, history: Any) -> None:
        """Save what the epoch gave, before anything else can fail, unless an epoch was better."""
        self.history = history
        if self.best is not None and self.best.epoch < len(history):
            return
        self.kept, self.values = len(history), model.backend.to_host(model.parameters.values)
        try:
            self._save()
        except KeyboardInterrupt:  # a second Ctrl-C ends the run, but not this
            self._save()
            raise

    def keep(self) -> None:
        """Save a model that was not trained here, in the place of an earlier run's."""
        self._save()

    @contextmanager
    def measuring(self, what: str) -> Iterator[None]:
        """What is measured once, after training: Ctrl-C ends it and costs these numbers alone, and
        the exit status says so."""
        try:
            yield
        except KeyboardInterrupt:
            self.signal = signal.SIGINT
            say(f"interrupted: {what} was not measured")

    def also(self, numbers: dict[str, float]) -> None:
        """Add numbers to the last epoch's line of metrics.jsonl, or to a line of their own where
        nothing was trained."""
        o = self.options
        lines = self.metrics.splitlines()
        if len(self.history):
            self.history.records[-1] |= numbers
        else:
            lines = [json.dumps({"dataset": o.dataset, "backend": o.backend})]
        lines[-1] = json.dumps(json.loads(lines[-1]) | numbers)
        self.metrics = "\n".join(lines) + "\n"
        self._write(METRICS, lambda path: folder.write(path, self.metrics))

    def _save(self) -> None:
        """Write weights.safetensors, and config.json beside it, in the place of an earlier
        run's."""
        with self._goes_on():
            self.out.mkdir(parents=True, exist_ok=True)
            scratchae.save(self.model, self.out / NEW, optimizer=self.optimizer)
            if not self.begun:
                folder.set_aside(self.out)
                self.begun = True
            folder.write(self.out / CONFIG, self.config)
            (self.out / NEW).replace(self.out / WEIGHTS)
            self.saved = self.kept

    def is_saved(self) -> bool:
        """Whether the weights that are kept are in the folder; if not, as where that was removed,
        they are written once more."""
        if not (self.out / WEIGHTS).exists():
            self.saved = 0
        if self.saved < self.kept and not self.history.interrupted:
            self._save()
            self._write(METRICS, lambda path: folder.write(path, self.metrics))
        return self.saved == self.kept and self.begun and (self.out / WEIGHTS).exists()

    def _record(self, model: Any, history: Any) -> None:
        """Add the epoch's line: what fit calls test_ is validation_ where other data was
        scored."""
        o = self.options
        line = history.records[-1] | {"dataset": o.dataset, "backend": o.backend}
        if self.held is not self.test:
            line = {re.sub("^test_", "validation_", name): v for name, v in line.items()}
        self.metrics += json.dumps(line) + "\n"
        self._write(METRICS, lambda path: folder.write(path, self.metrics))

    def _write(self, name: str, write: Callable[[Path], Any]) -> None:
        """write(path) of that file, unless it could take the place of an earlier run's."""
        if self.begun:
            with self._goes_on():
                self.out.mkdir(parents=True, exist_ok=True)
                write(self.out / name)

    @contextmanager
    def _goes_on(self) -> Iterator[None]:
        """What cannot be written is told, once, and ends nothing."""
        try:
            yield
        except OSError as error:
            if str(error) not in self.told:
                self.told.add(str(error))
                warn(f"{error}. The run goes on.")

    def data(self, name: str, content: bytes) -> None:
        """Write bytes to the folder under that name."""
        self._write(name, lambda path: folder.write(path, content))

    def picture(self, name: str, figure: Any) -> None:
        """Write a figure to the folder under that name."""
        self._write(name, lambda path: plots.save(figure, path))

    def text(self, name: str, words: str) -> None:
        """Write words to the folder under that name."""
        self._write(name, lambda path: folder.write(path, words))

    def film(self, name: str, figures: Iterable[Any]) -> None:
        """Write figures of one size to the folder as an animation of that name."""
        self._write(name, lambda path: plots.write_gif(figures, path))

    def labels(self, picture: str) -> tuple[str, str]:
        """The title of a picture, with the data set's name, and the note below it."""
        trained = f", {self._epochs()}" if len(self.history) else ""  # or loaded
        return f"{self.test.name}: {picture}", f"{self.what}{trained}"

    def _epochs(self) -> str:
        n = len(self.history)
        after = "interrupted after" if self.history.interrupted else "after"
        words = f"{after} {n} epoch" + "s" * (n != 1)
        return words if self.best is None else f"{words}, weights of epoch {self.kept}"

    def reconstructions(self, images: str = "test images") -> None:
        """Write reconstructions.png: the first 30 test images, (30, 28, 28, 1); images: what the
        title calls them."""
        first = datasets.take(self.test, slice(30))
        words = self.labels(f"{images}, reconstructed")
        self.picture(
            "reconstructions.png",
            plots.image_pairs(first.values(), self.model.reconstruct(first), *words),
        )

    def loss(
        self, unit: str = "nats per example", lines: tuple[str, str] = ("training", "test")
    ) -> None:
        """Write loss.png; lines: the names of its curves."""
        words = self.labels("learning curves")
        self.picture("loss.png", plots.loss_curves(self.history.records, *words, unit, lines))

    def codes(self, encode: Callable[[Any], np.ndarray]) -> np.ndarray:
        """encode(some) (N, D) of all test images, few of them in floating point at a time."""
        starts = range(0, len(self.test), ENCODE)
        parts = (datasets.take(self.test, slice(i, i + ENCODE)) for i in starts)
        return np.concatenate([encode(part) for part in parts])

    def close(self, result: Callable[[dict[str, Any]], str]) -> int:
        """Say result(last record), where the pictures are, and which weights could not be written;
        returns the exit status."""
        words = f"{self._epochs()}: {result(self.history.records[-1])}"
        say(f"{self.test.name}, {words}; pictures in {self.out}")
        lost = [run for run in (self, *self.compared) if not run.is_saved()]
        for run in lost:
            there = f"those of epoch {run.saved}" if run.saved else "none of this run"
            warn(f"the weights could not be written to {run.out}: {there} are there")
        return 128 + self.signal if self.signal else int(bool(lost))


def _versions() -> dict[str, str]:
    others = {name: version(name) for name in ("numpy", "numba", "matplotlib")}
    return {"scratchae": scratchae.__version__, "python": platform.python_version(), **others}
