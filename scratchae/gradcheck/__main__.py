"""Check every gradient of the library, its samplers and bounds, or a layer, latent or likelihood
of your own; the exit status is 1 if anything is wrong."""

import argparse
import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..backend import get_backend
from . import reader, table

PROG = "python -m scratchae.gradcheck"
BOTH = ("reference", "numpy")
EXAMPLES = """examples:
  python -m scratchae.gradcheck                               the library, on reference and numpy
  python -m scratchae.gradcheck cupy                          the library, on a GPU
  python -m scratchae.gradcheck mine.py:LayerNorm --shape 7   class LayerNorm in your file mine.py
  python -m scratchae.gradcheck mine.py:Norm --shape 28 28 1 --arguments 1e-5 tanh"""


class Parser(argparse.ArgumentParser):
    """A backend, FILE:NAME, or neither; errors are one sentence and end with status 2. Source:
    argparse."""

    def __init__(self) -> None:
        form = argparse.RawDescriptionHelpFormatter
        super().__init__(PROG, description=__doc__, epilog=EXAMPLES, formatter_class=form)
        self._negative_number_matcher = re.compile(
            r"-\.?\d"
        )  # -1e-5 too, as later Pythons have it
        self.add_argument(
            "what",
            nargs="?",
            help="numpy, reference or cupy: check the library on that (default: the first two); "
            "FILE:NAME: check what has that name in that file",
        )
        self.add_argument(
            "--shape",
            nargs="+",
            metavar="N",
            default=[],
            help="of one input row; a layer needs it",
        )
        self.add_argument(
            "--arguments", nargs="+", metavar="VALUE", default=[], help="of the constructor"
        )
        self.add_argument("--backend", help="for FILE:NAME (default: numpy)")

    def error(self, message: str) -> NoReturn:
        """End with that sentence."""
        self.exit(2, f"{self.prog}: {message}\n")


def main(argv: list[str] | None = None) -> int:
    """Check on that backend; returns the exit status. Source: ``table``, ``reader``."""
    p = Parser()
    given = p.parse_args(argv)
    ones_own = given.what is not None and ":" in given.what
    if not ones_own and (given.shape or given.arguments or given.backend):
        p.error(
            "--shape, --arguments and --backend are for something of your own: name it as "
            f"FILE:NAME, such as {reader.EXAMPLE}"
        )
    backends = BOTH if given.what is None else (given.what,)
    try:
        get_backend(given.backend or "numpy" if ones_own else backends[0])
    except (
        ValueError,
        ImportError,
        RuntimeError,
    ) as error:  # only here: those of a check are bugs
        p.error(str(error))
    try:
        return _run(p, given, backends)
    except KeyboardInterrupt:
        p.exit(130, f"\n{p.prog}: interrupted\n")
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        # whoever read has left, or the disk is full: check all the same, for the exit status
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _run(p, given, backends)


def _run(p: Parser, given: argparse.Namespace, backends: Sequence[str]) -> int:
    return table.main(backends) if ":" not in (given.what or "") else _ones_own(p, given)


def _ones_own(p: Parser, given: argparse.Namespace) -> int:
    """Print the checks of FILE:NAME; 1 if anything is wrong."""
    try:
        reports = reader.reports_on(
            given.what, given.arguments, given.shape, given.backend or "numpy"
        )
    except ValueError as error:  # in a sentence; other errors are bugs, and keep their traceback
        p.error(str(error))
    print("\n\n".join(map(str, reports)), flush=True)
    return 0 if all(report.ok for report in reports) else 1


if __name__ == "__main__":
    raise SystemExit(main())
