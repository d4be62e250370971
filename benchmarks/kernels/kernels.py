"""Speed of every kernel, in every spelling, against what this machine can do at most.

    python benchmarks/kernels/kernels.py
    python benchmarks/kernels/kernels.py --only philox adam.ADAM activation.BIAS_ACTIVATION.relu --json kernels.json

One thread, float32, sizes as the recipes have them (kernel_cases.py). A time is the median of nine repetitions of
10 ms or more. A kernel with matrix products is held against the best rate of NumPy's BLAS (floor.py). Any other is
held against a copy: its bytes are those that it must read and write, each once, and the limit is the copy of the
nearest size in the same run, best of nine: one that stays in the second cache (L2), one of 16 MiB (middle), one
that no cache holds (memory). Arrays lie where the repetition before left them, in the best cache that holds them;
gathers alone read other rows at each call. A pass that changes an array in place touches half of what a copy
does, and may be above 100 %. Where a pass computes much (exponentials, random words), its share is small, and
memory is not what it waits for. "faster" is definition / this spelling.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.kernels import cases as kernel_cases
from benchmarks.shared.command import Parser
from benchmarks.shared.machine import described, machine
from benchmarks.shared.processes import Failed, environment

CHILD = Path(__file__).with_name("speed.py")
COLUMNS = "{:41} {:24} {:10} {:>10} {:>11} {:>14} {:>7} {:>6} {:>8}"
HEADINGS = ("kernel", "size", "spelling", "us", "work", "rate", "limit", "share", "faster")


def parser() -> Parser:
    p = Parser("kernels", __doc__)
    p.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the table there, with the limits"
    )
    p.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="kernels, by their whole names or the first parts",
    )
    p.add_argument(
        "--smoke",
        action="store_true",
        help="a tiny run: repetitions of 1 ms, whose times mean little",
    )
    return p


def chosen(only: list[str] | None) -> list[str]:
    """The kernels whose names begin with the given parts, all by default.

    Raises LookupError for one without a case and for a name that is none.
    """
    names = list(kernel_cases.collected())
    for name in names:
        kernel_cases.makers(name)
    for part in only or ():
        if not any(f"{name}.".startswith(f"{part}.") for name in names):
            rooms = ", ".join(sorted({name.split(".")[0] for name in names}))
            raise LookupError(
                f"no kernel's name begins with {part!r}: choose from {rooms}, or see the table"
            )
    return [
        name
        for name in names
        if not only or any(f"{name}.".startswith(f"{part}.") for part in only)
    ]


def measured(names: list[str], smoke: bool) -> Iterator[dict[str, Any]]:
    """What the child says: the limits, then the rows. Raises Failed where it ends early."""
    command = [sys.executable, str(CHILD), json.dumps({"names": names, "smoke": smoke})]
    child = subprocess.Popen(command, env=environment(1), stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        for line in child.stdout:
            yield json.loads(line)
        if status := child.wait():
            raise Failed(f"the child that times the kernels ended with status {status}")
    finally:
        child.kill()
        child.wait()


def header(about: dict[str, Any], limits: dict[str, Any]) -> str:
    """The machine, what it can do at most on one thread, the headings."""
    copies = [
        f"{c['rate']:.1f} {name} ({c['bytes'] / 1e6:.1f} MB)"
        for name, c in limits["copies"].items()
    ]
    lines = [
        f"limits, one thread: sgemm {limits['sgemm']:.1f} GFLOP/s; copy, GB/s: {', '.join(copies)}"
    ]
    return "\n".join([described(about), *lines, "", COLUMNS.format(*HEADINGS)])


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    work, unit = (row["flops"], "FLOP") if row["flops"] else (row["bytes"], "B")
    cells = [
        row["kernel"],
        row["size"],
        row["spelling"],
        f"{row['us']:.1f}",
        f"{work / 1e6:.2f} M{unit}",
    ]
    cells += [f"{row['rate']:.1f} G{unit}/s", row["limit"], f"{row['share']:.0%}"]
    return COLUMNS.format(
        *cells, f"{row['faster']:.1f}x" if row["spelling"] != "definition" else ""
    ).rstrip()


def run(options: argparse.Namespace, p: Parser) -> int:
    """A line a case and spelling; returns the exit status."""
    names, failures = chosen(options.only), 0
    rows: list[dict[str, Any]] = []
    about = machine()
    result: dict[str, Any] = {"machine": about, "rows": rows}
    for said in measured(names, options.smoke):
        if "limits" in said:
            result |= said
            print(header(about, said["limits"]), flush=True)
        elif "error" in said:
            failures += 1
            print(f"{p.prog}: {said['error']}", flush=True)
        else:
            rows.append(said)
            print(line(said), flush=True)
        if options.json:
            options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if failures else 0


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns the exit status: 1 where a kernel failed."""
    p = parser()
    options = p.parse_args(argv)
    return p.carry_out(lambda: run(options, p), Failed, LookupError, OSError, file=options.json)


if __name__ == "__main__":
    raise SystemExit(main())
