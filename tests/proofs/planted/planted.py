"""Errors to plant in what has no equation beside it: constants, streams, seeds, schedules, readers
of files. Each has a name in a table: the file, what it says there once, the error in its place,
and the test that must fail.
"""

from typing import NamedTuple


class Planted(NamedTuple):
    """In that file before becomes after; test is the file, or the test, that must see it."""

    file: str
    before: str
    after: str
    test: str
