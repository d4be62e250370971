"""The folder that a run writes to: whose it is, and what becomes of an earlier run's results."""

import json
import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile

RESULTS = (
    *("config.json", "metrics.jsonl", "weights.safetensors", "health.txt", "images.scratchae"),
    *("log_p.txt", "*.png", "*.gif"),
)
LONGEST = 1 << 20  # bytes of a config.json that are read


def claim(out: Path, size: int) -> bool:
    """Make the folder, which is this process's alone from then on -> whether an earlier run's
    results are in it.

    Raises OSError for a folder that cannot be written to, or takes no file of ``size`` bytes,
    ValueError for one that another run is writing to, and for one whose results no run wrote, or
    are links."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        _lock(out)
        old = _results(out)
        if old:
            _require_a_runs(out, old)
            (out / "earlier").mkdir(exist_ok=True)
        with TemporaryFile(dir=out) as file:
            file.write(bytes(size))
    except OSError as error:
        raise OSError(
            f"--out is {str(out)!r}, which cannot be written to ({error.strerror or error}): give "
            "another folder"
        ) from error
    return bool(old)


def set_aside(out: Path) -> None:
    """Move an earlier run's results to earlier/1 in the folder, or 2, ...; config.json last, by
    which the rest is known as a run's."""
    old = _results(out)
    if old:
        earlier = out / "earlier"
        earlier.mkdir(exist_ok=True)
        taken = [int(path.name) for path in earlier.iterdir() if path.name.isdecimal()]
        place = earlier / str(1 + max(taken, default=0))
        place.mkdir()
        for path in sorted(old, key=lambda path: path.name == "config.json"):
            path.replace(place / path.name)


def write(path: Path, content: str | bytes) -> None:
    """Write a file beside its place, then move it there whole; a link is replaced, and not
    followed."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with part.open("xb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    part.replace(path)


def _results(out: Path) -> list[Path]:
    """What in the folder has the name of a result; links that lead nowhere too."""
    return sorted(path for path in out.iterdir() if any(map(path.match, RESULTS)))


def _require_a_runs(out: Path, old: list[Path]) -> None:
    """Raise ValueError unless a run wrote these, as files."""
    for path in old:
        if path.is_symlink() or not path.is_file():
            raise ValueError(
                f"--out is {str(out)!r}, whose {path.name} is no plain file: give another folder"
            )
    try:
        with (out / "config.json").open("rb") as file:
            written = "scratchae" in json.loads(file.read(LONGEST))["versions"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):  # another program's
        written = False
    if not written:
        raise ValueError(
            f"--out is {str(out)!r}, whose {old[0].name} no earlier run left: give another folder"
        )


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
