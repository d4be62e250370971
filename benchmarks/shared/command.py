"""The command line that the benchmarks share."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """name, and the script's docstring as its help; errors are one sentence and end with status 2."""

    def __init__(self, name: str, words: str | None):
        super().__init__(
            name, description=words, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")

    def carry_out(
        self, work: Callable[[], Any], *errors: type[Exception], file: Path | None = None
    ) -> Any:
        """work(), with those errors and Ctrl-C as sentences; file: tried first, before anything is measured."""
        if file:
            self._try(file)
        try:
            return work()
        except KeyboardInterrupt:
            self.exit(130, f"\n{self.prog}: interrupted\n")
        except errors as error:
            self.error(str(error.args[0] if isinstance(error, LookupError) else error))

    def _try(self, file: Path) -> None:
        """End with a sentence where the file of --json cannot be written; what it holds stays until work writes."""
        there = file.exists()
        try:
            file.open("a").close()
            if not there:
                file.resolve().unlink()
        except OSError as error:
            self.error(
                f"--json is {str(file)!r}, which cannot be written to ({error.strerror}): give another file"
            )


def count(text: str) -> int:
    """An option's text as a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is given, but it must be a whole number of at least 1"
        )
    return int(text)
