"""What an example says: a line on stdout, or on stderr where stdout takes none. No line can end a
run."""

import atexit
import os
import sys
from contextlib import suppress

OUTPUTS = "stdout", "stderr"
BROKEN = AttributeError, OSError, ValueError  # there is no such output; it is full; it is closed


def say(words: object, outputs: tuple[str, ...] = OUTPUTS) -> None:
    r"""A line, at once, on the first of these outputs that takes it, if one does; a letter that
    the output has no code for is written as a number, such as \xfc."""
    for name in outputs:
        stream = getattr(sys, name)
        with suppress(*BROKEN):
            code = stream.encoding or "utf-8"
            line = str(words).encode(code, "backslashreplace").decode(code)
            print(line, file=stream, flush=True)
            return


def warn(words: object) -> None:
    """A line on stderr, or on stdout where stderr takes none."""
    say(words, OUTPUTS[::-1])


@atexit.register
def _let_go() -> None:
    """Drop what an output did not take, upon which Python would end with a traceback and status
    120."""
    for name in OUTPUTS:
        stream = getattr(sys, name)
        try:
            stream.flush()
        except BROKEN:
            with suppress(*BROKEN):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
