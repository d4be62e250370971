"""Check every gradient of the library; the exit status is 1 if any is wrong."""

import argparse
from typing import NoReturn

from ..backend import get_backend
from . import library

PROG = "python -m scratchae.gradcheck"
BOTH = ("reference", "numpy")


class Parser(argparse.ArgumentParser):
    """One backend, or none; errors are one sentence and end with status 2. Source: argparse."""

    def __init__(self) -> None:
        super().__init__(PROG, description=__doc__)
        self.add_argument(
            "backend", nargs="?", help="numpy, reference or cupy (default: the first two)"
        )

    def error(self, message: str) -> NoReturn:
        """End with that sentence."""
        self.exit(2, f"{self.prog}: {message}\n")


def main(argv: list[str] | None = None) -> int:
    """Check on that backend; returns the exit status. Source: ``library``."""
    p = Parser()
    backend = p.parse_args(argv).backend
    backends = BOTH if backend is None else (backend,)
    try:
        get_backend(backends[0])
    except (
        ValueError,
        ImportError,
        RuntimeError,
    ) as error:  # only here: those of a check are bugs
        p.error(str(error))
    try:
        return library.main(backends)
    except KeyboardInterrupt:
        p.exit(130, f"\n{p.prog}: interrupted\n")


if __name__ == "__main__":
    raise SystemExit(main())
