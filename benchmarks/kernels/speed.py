"""The child of benchmarks/kernels.py: it times kernels on one thread and says each row as a JSON line.

Its first line holds the limits of this run: the rate of matrix products (floor.py), and of copies of three sizes.
"""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.kernels import cases as kernel_cases
from benchmarks.shared import floor

MIB = 1 << 20
MIDDLE, LARGE = (
    16 * MIB,
    512 * MIB,
)  # bytes that a copy reads and writes: in a last cache, and in none
REPETITIONS, SECONDS = 9, 0.01  # of each measurement: how many, and how long at least
SMOKE = 3, 0.001


def second_cache() -> int:
    """Bytes of the processor's second cache, 1 MiB where the system does not say."""
    try:
        text = Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text().strip()
    except OSError:
        return MIB
    return int(text.rstrip("KM")) * (MIB if text.endswith("M") else 1024)


def repeat(
    f: Callable[..., Any], calls: list[tuple[Any, ...]], repetitions: int, seconds: float
) -> list[float]:
    """Seconds of a call f(*args), the mean of each repetition; args are those of calls in turn.

    The first call compiles, the second is timed and gives the number of calls in a repetition.
    """
    turns = cycle(calls)

    def run(count: int) -> float:
        began = time.perf_counter()
        for args in islice(turns, count):
            f(*args)
        return (time.perf_counter() - began) / count

    run(1)
    count = max(1, math.ceil(seconds / run(1)))
    run(count)
    return [run(count) for _ in range(repetitions)]


def copy_rate(moved: int, smoke: bool) -> float:
    """GB/s of the best copy that reads and writes that many bytes together."""
    a, b = np.ones(moved // 8, np.float32), np.zeros(moved // 8, np.float32)
    return (
        moved
        / min(repeat(np.copyto, [(b, a)], *(SMOKE if smoke else (REPETITIONS, SECONDS))))
        / 1e9
    )


def limits(smoke: bool) -> dict[str, Any]:
    """GFLOP/s of sgemm; for each copy its name, the bytes up to which it counts, and its GB/s."""
    cache = second_cache()
    sizes = {
        "L2": (cache // 2, cache),
        "middle": (MIDDLE, 2 * MIDDLE),
        "memory": (LARGE, sys.maxsize),
    }
    if smoke:
        sizes["memory"] = (4 * MIDDLE, sys.maxsize)
    copies = {
        name: {"bytes": moved, "up_to": up_to, "rate": copy_rate(moved, smoke)}
        for name, (moved, up_to) in sizes.items()
    }
    return {"sgemm": floor.best_rate(1), "copies": copies}


def rows(name: str, kernel: Any, bounds: dict[str, Any], smoke: bool) -> Iterator[dict[str, Any]]:
    """Each case of a kernel in each spelling: microseconds, rate, the limit, the share of it."""
    spellings = {"definition": kernel.definition, "numba": kernel.numba}
    for make in kernel_cases.makers(name):
        case, first = make(name.split(".")[-1]), None
        work = case.flops or case.moved
        limit = "sgemm" if case.flops else near(case.moved, bounds)
        most = bounds["sgemm"] if case.flops else bounds["copies"][limit]["rate"]
        for spelling, f in spellings.items():
            if f is None:
                continue
            spent = median(repeat(f, case.calls, *(SMOKE if smoke else (REPETITIONS, SECONDS))))
            first, rate = first or spent, work / spent / 1e9
            row = {"kernel": name, "size": case.size, "spelling": spelling, "us": 1e6 * spent}
            row |= {
                "bytes": case.moved,
                "flops": case.flops,
                "rate": rate,
                "limit": limit,
                "limit_rate": most,
            }
            yield row | {"share": rate / most, "faster": first / spent}


def near(moved: int, bounds: dict[str, Any]) -> str:
    """The name of the smallest copy that counts for that many bytes."""
    return next(name for name, copy in bounds["copies"].items() if moved <= copy["up_to"])


def main() -> None:
    """Time the kernels that the specification names."""
    spec = json.loads(sys.argv[1])
    kernels = kernel_cases.collected()
    with threadpool_limits(1, "blas"):
        bounds = limits(spec["smoke"])
        print(json.dumps({"limits": bounds}), flush=True)
        for name in spec["names"]:
            try:
                for row in rows(name, kernels[name], bounds, spec["smoke"]):
                    print(json.dumps(row), flush=True)
            except Exception as error:
                words = (
                    f"{name} failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
                )
                print(json.dumps({"error": words}), flush=True)


if __name__ == "__main__":
    main()
