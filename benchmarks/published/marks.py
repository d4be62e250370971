"""What is known of a run that reproduce.py has done, or is doing: its commit, its mark, its lock."""

import fcntl
import json
import subprocess
from pathlib import Path
from typing import IO, Any

from benchmarks.shared.processes import Failed

HERE = Path(__file__).resolve().parents[2]
LEFT = ("metrics.jsonl", "weights.safetensors")  # by every run


def commit() -> str | None:
    """The commit of this checkout, marked where files of it were changed since; None outside a checkout."""

    def git(*command: str) -> str:
        return subprocess.run(
            ["git", *command], cwd=HERE, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != HERE:
            return None
        changed = git("status", "--porcelain", "--untracked-files=no", ".", ":!docs/results.*")
        return git("rev-parse", "--short", "HEAD") + "-dirty" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return None


class Mark:
    """A file that stands in a run's folder when it has ended well at a commit without changes."""

    def __init__(self, folder: Path, what: dict[str, Any]):
        self.folder, self.path, self.what = folder, folder / "done.json", what
        folder.mkdir(parents=True, exist_ok=True)

    def seconds(self) -> float | None:
        """How long that run took; None, and no mark any more, if it was another, or has not left all."""
        at = self.what["commit"]
        try:
            found = json.loads(self.path.read_text())
            there = all((self.folder / name).is_file() for name in LEFT)
            if at and not at.endswith("-dirty") and there and self.what.items() <= found.items():
                return float(found["seconds"])
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            pass  # no mark, or a damaged one: the run is repeated
        self.forget()
        return None

    def forget(self) -> None:
        """Let the run be repeated the next time."""
        self.path.unlink(missing_ok=True)

    def set(self, seconds: float) -> float:
        """The run has ended well, after so many seconds, which are returned."""
        self.path.write_text(json.dumps(self.what | {"seconds": seconds}))
        return seconds


def lock(log: IO[str], who: str) -> None:
    """Hold a run's log until it is closed, by its process too. Raises Failed where another process holds it."""
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failed(f"{who} is being trained by another process: wait for it") from None
