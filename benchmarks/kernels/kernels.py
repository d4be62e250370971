"""Speed of every kernel, in every spelling, against what this machine can do at most.

    python benchmarks/kernels/kernels.py --json kernels.json --only philox adam.ADAM

One thread, float32, sizes as the recipes have them (cases.py). A time is the median of nine
repetitions of 10 ms or more. A kernel with matrix products is held against the best rate of
NumPy's BLAS, any other against a copy: its bytes are those that it must read and write, each once,
and the limit is the copy of the nearest size in the same run, best of nine: one that stays in the
second cache (L2), one of 16 MiB (middle), one that no cache holds (memory). Arrays lie where the
repetition before left them; gathers alone read other rows at each call. A pass that changes an
array in place touches half of what a copy does, and may be above 100 %. "faster" is definition /
this spelling.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.kernels.cases import collected, makers
from benchmarks.shared.command import Complaints, Parser, headings, machine, write
from benchmarks.shared.limits import sgemm
from benchmarks.shared.processes import Child, Failed, Line, environment, words

MIB = 1 << 20
SIZES = {"middle": 16 * MIB, "memory": 512 * MIB}  # bytes that a copy reads and writes
SMOKE_SIZES = SIZES | {"memory": 64 * MIB}
FULL, SMOKE = (9, 0.01), (3, 0.001)  # of each measurement: how many, and how many seconds at least
PATIENCE = 600  # seconds for a row
COLUMNS = (
    "{kernel:41} {size:24} {spelling:10} {us:>10} {work:>11} {rate:>14} {limit:>7} {share:>6} "
    "{faster:>8}"
)


def chosen(only: list[str] | None) -> list[str]:
    """The kernels whose names begin with the given parts. Raises Failed where there is none."""
    names = [name for name in collected() if makers(name)]
    for part in only or ():
        if not any(f"{name}.".startswith(f"{part}.") for name in names):
            modules = ", ".join(sorted({name.split(".")[0] for name in names}))
            raise Failed(f"no kernel's name begins with {part!r}: choose from {modules}")
    parts = tuple(f"{part}." for part in only or names)
    return [name for name in names if f"{name}.".startswith(parts)]


def repeat(f: Any, calls: list[Any], repetitions: int, seconds: float) -> list[float]:
    """Seconds of a call f(*args), the mean of each repetition; calls are taken one by one.

    The first call compiles, the second is timed and gives the number of calls in a repetition.
    """
    arguments = cycle(calls)

    def run(count: int) -> float:
        began = time.perf_counter()
        for args in islice(arguments, count):
            f(*args)
        return (time.perf_counter() - began) / count

    run(1)
    count = max(1, math.ceil(seconds / run(1)))
    run(count)
    return [run(count) for _ in range(repetitions)]


def limits(smoke: bool) -> dict[str, Any]:
    """GFLOP/s of sgemm; of each copy the bytes up to which it counts, and the best GB/s."""
    cache, copies = Path("/sys/devices/system/cpu/cpu0/cache/index2/size"), {}
    text = cache.read_text().strip() if cache.exists() else "1M"  # of the second cache
    half = int(text.rstrip("KM")) * (MIB if text.endswith("M") else 1024) // 2
    for name, moved in {"L2": half, **(SMOKE_SIZES if smoke else SIZES)}.items():
        a, b = np.ones(moved // 8, np.float32), np.zeros(moved // 8, np.float32)
        best = min(repeat(np.copyto, [(b, a)], *(SMOKE if smoke else FULL)))
        up_to = sys.maxsize if name == "memory" else 2 * moved
        copies[name] = {"bytes": moved, "up_to": up_to, "rate": moved / best / 1e9}
    return {"sgemm": sgemm(1), "copies": copies}


def near(moved: int, bounds: dict[str, Any]) -> str:
    """The name of the smallest copy that counts for that many bytes."""
    return next(name for name, copy in bounds["copies"].items() if moved <= copy["up_to"])


def rows(name: str, kernel: Any, bounds: dict[str, Any], smoke: bool) -> Iterator[dict[str, Any]]:
    """Each case of a kernel in each spelling: microseconds, rate, the limit, the share of it."""
    for make in makers(name):
        case, first = make(name.split(".")[-1]), None
        work = case.flops or case.moved
        limit = "sgemm" if case.flops else near(case.moved, bounds)
        most = bounds["sgemm"] if case.flops else bounds["copies"][limit]["rate"]
        for spelling, f in (("definition", kernel.definition), ("numba", kernel.numba)):
            spent = median(repeat(f, case.calls, *(SMOKE if smoke else FULL)))
            first, rate = first or spent, work / spent / 1e9
            row = {"kernel": name, "size": case.size, "spelling": spelling, "us": 1e6 * spent}
            row |= {"bytes": case.moved, "flops": case.flops, "rate": rate, "limit": limit}
            yield row | {"limit_rate": most, "share": rate / most, "faster": first / spent}


def timed(spec: dict[str, Any], line: Line) -> None:
    """A part: the limits, then the rows of the kernels that spec names, on one thread."""
    from threadpoolctl import threadpool_limits

    kernels = collected()
    with threadpool_limits(1, "blas"):
        bounds = limits(spec["smoke"])
        line.say(limits=bounds)
        for name in spec["names"]:
            try:
                for row in rows(name, kernels[name], bounds, spec["smoke"]):
                    line.say(**row)
            except Exception as error:
                line.say(failed=f"{name} failed: {words(error)}")


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    work, unit = (row["flops"], "FLOP") if row["flops"] else (row["bytes"], "B")
    shown = {"us": f"{row['us']:.1f}", "work": f"{work / 1e6:.2f} M{unit}"}
    shown |= {"rate": f"{row['rate']:.1f} G{unit}/s", "share": f"{row['share']:.0%}"}
    shown["faster"] = f"{row['faster']:.1f}x" if row["spelling"] != "definition" else ""
    return COLUMNS.format(**row | shown).rstrip()


def run(options: argparse.Namespace) -> int:
    """A line a case and spelling; returns the exit status: 1 where a kernel failed."""
    spec = {"names": chosen(options.only), "smoke": options.smoke}
    complain, found = Complaints(), list[dict[str, Any]]()
    result: dict[str, Any] = {"machine": machine(needs_torch=False), "rows": found}
    part = "benchmarks.kernels.kernels:timed"
    with Child("the child that times", part, spec, environment(1), PATIENCE) as child:
        for said in child.answers():
            if "limits" in said:
                result |= said
                copies = {
                    name: round(c["rate"], 1) for name, c in said["limits"]["copies"].items()
                }
                print(f"sgemm, GFLOP/s: {said['limits']['sgemm']:.1f}; copies, GB/s: {copies}\n")
                print(headings(COLUMNS), flush=True)
            elif "failed" in said:
                complain(said["failed"])
            else:
                found.append(said)
                print(line(said), flush=True)
            write(options.json, result)
    return 1 if complain else 0


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    p = Parser("kernels", __doc__, smoke="repetitions of 1 ms, whose times mean little")
    p.add_argument("--only", nargs="+", metavar="NAME", help="kernels, by first parts of names")
    return p.carry_out(run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
