"""Are two runs of an example the same run? Of each epoch: the losses, how far apart, the seconds.

    python benchmarks/gpu/compare.py contact/main_gpu contact/main_cpu

Each folder is what --out of examples/vae_mnist.py named. Same seed, data and recipe give the same
losses but for rounding, whose way through ten epochs was not measured on a GPU: 1 % is allowed.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.shared.command import Complaints, Parser

LOSSES, ALLOWED = ("train_loss", "test_loss"), 0.01


def records(folder: Path) -> list[dict[str, Any]]:
    """The epochs of a run. Raises OSError where it left none."""
    text = (folder / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def run(options: argparse.Namespace) -> int:
    """An epoch a line; returns the exit status: 1 where the runs differ."""
    one, other = map(records, (options.one, options.other))
    complain = Complaints()
    if len(one) != len(other) or not one:
        complain(f"{len(one)} and {len(other)} epochs, but as many of both are expected")
    for a, b in zip(one, other, strict=False):
        said = [f"{a['epoch']:3}"]
        for name in LOSSES:
            off = abs(a[name] / b[name] - 1)
            said.append(f"{name} {a[name]:.4f} {b[name]:.4f} ({off:.1e})")
            if not off <= ALLOWED:
                complain(f"epoch {a['epoch']}: {name} differs by {off:.1e}")
        print(*said, f"{a['seconds']:.3f} s {b['seconds']:.3f} s", sep="  ")
    return 1 if complain else 0


def parser() -> Parser:
    """The options."""
    p = Parser("compare", __doc__)
    for name in ("one", "other"):
        p.add_argument(name, type=Path, metavar="DIR", help="of a run's results")
    return p


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
