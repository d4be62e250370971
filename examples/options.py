"""The options that all examples share, and how an example ends: in a result, or in one
sentence."""

import argparse
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from output import warn

import scratchae
from scratchae import NonFiniteLoss, datasets
from scratchae.checks import real32

USER_ERRORS = ValueError, OSError, ImportError, RuntimeError, MemoryError
RUN_ERRORS = NonFiniteLoss, OSError, MemoryError
IMAGE_SETS = tuple(sorted(datasets.LOADERS))
SMOKE = {"epochs": 2}


class Parser(argparse.ArgumentParser):
    """The options that every example has; errors are one sentence and end with status 2."""

    def __init__(self, example: str, doc: str, choices: tuple[str, ...] = IMAGE_SETS):
        lines = argparse.RawDescriptionHelpFormatter
        super().__init__(prog=example, description=doc, formatter_class=lines)
        add = self.add_argument
        add("--backend", default="numpy", help="numpy (default), reference, or cupy")
        add("--dataset", choices=choices, help="default: the recipe's")
        add("--data-dir", metavar="DIR", help="searched before $SCRATCHAE_DATA and the cache")
        add("--strict-data", action="store_true", help="no stand-in: missing data is an error")
        add("--epochs", type=count, help="default: the recipe's, as for the next two")
        add("--batch-size", type=count)
        add("--lr", type=float, help="learning rate")
        add("--seed", type=int, default=0, help="of weights, order and noise (default 0)")
        add("--shards", type=count, help="parts of a batch, decide the bits (default: by size)")
        add("--threads", type=count, help="change no bit (default: the cores)")
        out = Path("runs", example)
        add("--out", type=folder, default=out, help="folder (default %(default)s)")
        add("--smoke", action="store_true", help="a tiny run: few examples, 2 epochs")

    def carry_out(
        self, argv: list[str] | None, prepare: Callable[[Any], Any], work: Callable[[Any], int]
    ) -> int:
        """prepare(options), which checks everything, then work(what that made) -> the exit
        status."""
        options = self.parse_args(argv)
        with warnings.catch_warnings():
            warnings.showwarning = partial(self._tell, warnings.showwarning)
            with _sentences(self, USER_ERRORS):
                made = prepare(options)
            with _sentences(self, RUN_ERRORS):
                return work(made)

    def _tell(self, show: Callable[..., None], message: Any, category: Any, *where: Any) -> None:
        """Say a warning of the library as one sentence; any other is a bug's, and keeps its
        place."""
        if category.__module__.partition(".")[0] == scratchae.__name__:
            warn(f"{self.prog}: {message}")
        else:
            show(message, category, *where)

    def error(self, message: str) -> NoReturn:
        warn(f"{self.prog}: {message}")
        self.exit(2)


def count(text: str) -> int:
    """An option's text as a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is given, but 1, 2, 3 ... is expected")
    return int(text)


def folder(text: str) -> Path:
    """An option's text as the path of a folder."""
    if not text.strip():  # an unset variable, which is not meant to be the current folder
        raise argparse.ArgumentTypeError(f"{text!r} is given, but a folder is expected")
    return Path(text)


def fill(options: argparse.Namespace, recipe: dict[str, Any]) -> None:
    """Let the recipe decide every option that was not given. Raises ValueError for --lr that is no
    rate."""
    if options.smoke:
        recipe = recipe | SMOKE
    for name, value in recipe.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    real32("--lr", options.lr, 0, strict=True)


@contextmanager
def _sentences(parser: Parser, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """What a user can mend ends as one sentence and status 2, without a traceback; a bug keeps its
    own."""
    try:
        yield
    except KeyboardInterrupt as end:  # Ctrl-C, or what a Run says that a signal has ended
        number, words = end.args or (signal.SIGINT, "interrupted")
        warn(f"\n{parser.prog}: {words}")
        parser.exit(128 + number)
    except errors as error:
        parser.error(str(error))
