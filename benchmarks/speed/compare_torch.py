"""Speed of whole training steps here and in PyTorch: the published recipes, side by side in one run.

    python benchmarks/speed/compare_torch.py
    python benchmarks/speed/compare_torch.py --compile --rounds 9 --json speed.json
    python benchmarks/speed/compare_torch.py --only tf_cvae --threads 1

A step is: gather the shuffled batch from uint8, scale it, noise, forward, loss, backward, Adam. Ours is the
public fit(); PyTorch is a tight loop with fused Adam, in each layout, with glibc's malloc as it is and told to
keep its memory ("malloc"), and with --compile compiled too; the best of these counts. Each contestant is a
process of its own; in each round each runs one epoch of about half a second while the others sleep, and
medians over the rounds are given. Before that the first step must give all of them the same loss and
gradient. The floor is the time of the step's matrix products at the best rate of NumPy's BLAS, measured in
the same rounds on as many threads. Linux and macOS.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.shared.command import Parser, count
from benchmarks.shared.machine import INSTALL, described, machine
from benchmarks.shared.processes import Failed
from benchmarks.shared.recipes import RECIPES
from benchmarks.speed.race import DISTURBED, Race

SMOKE = {"dense_vae": (16,), "tf_cvae": (32,)}
COLUMNS = "{:14} {:>5} {:>7} {:>9} {:>10} {:>8} {:>13} {:>9} {:>10}  {}"
HEADINGS = (
    "recipe",
    "batch",
    "threads",
    "ours ms",
    "PyTorch ms",
    "faster",
    "min-max",
    "floor ms",
    "ours/floor",
)


def parser() -> Parser:
    p = Parser("compare_torch", __doc__)
    p.add_argument(
        "--compile", action="store_true", help="PyTorch also with torch.compile (minutes)"
    )
    p.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the table there, with every setting"
    )
    p.add_argument(
        "--only", nargs="+", choices=sorted(RECIPES), metavar="RECIPE", help=", ".join(RECIPES)
    )
    p.add_argument(
        "--threads", nargs="+", type=count, metavar="N", help="default: 1 and all cores"
    )
    p.add_argument("--rounds", type=count, metavar="R", help="default 7")
    p.add_argument(
        "--smoke", action="store_true", help="a tiny run: 2 recipes, 1 thread, 2 rounds of 2 steps"
    )
    return p


def races(options: argparse.Namespace, torch: bool) -> list[Race]:
    """All that the options ask for."""
    batches = {
        name: RECIPES[name].batches
        for name in options.only or (SMOKE if options.smoke else RECIPES)
    }
    if options.smoke:
        batches |= {name: SMOKE[name] for name in batches if name in SMOKE}
    threads = options.threads or ([1] if options.smoke else sorted({1, os.cpu_count() or 1}))
    rounds, steps = options.rounds or (2 if options.smoke else 7), 2 if options.smoke else None
    return [
        Race(name, batch, t, rounds, torch, options.compile, steps)
        for name in batches
        for batch in batches[name]
        for t in dict.fromkeys(threads)
    ]


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    theirs = ["-"] * 3
    if row["torch_best"]:
        low, high = row["spread"]
        theirs = [f"{row['torch_best_ms']:.3f}", f"{row['ratio']:.2f}x", f"{low:.2f}-{high:.2f}"]
    cells = [row["recipe"], row["batch"], row["threads"], f"{row['ours_ms']:.3f}", *theirs]
    cells += [f"{row['floor_ms']:.3f}", f"{row['floor_ratio']:.2f}", row["torch_best"] or ""]
    if row["interruptions"] > DISTURBED:
        cells[-1] += f"  (disturbed: {row['interruptions']:.0f} interruptions a second)"
    return COLUMNS.format(*cells).rstrip()


def run(options: argparse.Namespace, p: Parser) -> int:
    """Race after race, a line each; returns the exit status."""
    about = machine()
    if not about["torch"]:
        if not options.smoke:
            p.error(INSTALL)
        print(f"{INSTALL}; ours alone is measured")
    print(
        described(about),
        "",
        COLUMNS.format(*HEADINGS, "PyTorch's best setting").rstrip(),
        sep="\n",
        flush=True,
    )
    rows: list[dict[str, Any]] = []
    complaints: list[str] = []

    def complain(sentence: str) -> None:
        complaints.append(sentence)
        print(f"{p.prog}: {sentence}", flush=True)

    for race in races(options, bool(about["torch"])):
        try:
            rows.append(race.run(complain) | {"machine": about})
        except Failed as failure:
            complain(str(failure))
            continue
        print(line(rows[-1]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if complaints else 0


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns the exit status: 1 where a contestant failed."""
    p = parser()
    options = p.parse_args(argv)
    return p.carry_out(lambda: run(options, p), Failed, OSError, file=options.json)


if __name__ == "__main__":
    raise SystemExit(main())
