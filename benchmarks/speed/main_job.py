"""The main job as a user waits for it: whole processes, here and in PyTorch, and how soon ours starts.

    python benchmarks/speed/main_job.py
    python benchmarks/speed/main_job.py --rounds 5 --json main_job.json

The job is ``python examples/vae_mnist.py``: the dense VAE, 10 epochs in batches of 128, the test loss after each,
weights, three pictures. PyTorch does the same in torch_main_job.py, on 1 thread and on all, with malloc as it is
and told to keep its memory; the setting whose job of 2 epochs is the fastest races. The two take turns, every other
round backwards; the medians of their wall seconds are given, and both test losses, to show that the same was
learnt. Ours is warm: Numba has its cache.

The start of ours is measured from the start of the process: cold, with an empty cache, until the first step of the
optimiser is done and until the line of the first epoch; warm, until the first step. The data is MNIST where
SCRATCHAE_DATA is set, and the generated stand-in otherwise. Linux and macOS.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.shared.command import Parser, count
from benchmarks.shared.machine import INSTALL, described, machine
from benchmarks.shared.processes import Failed, environment
from scratchae import datasets

HERE = Path(__file__).resolve().parent
EXAMPLE, START, THEIRS = (
    HERE.parents[1] / "examples/vae_mnist.py",
    HERE / "first_step.py",
    HERE / "torch_main_job.py",
)
MODELS = {"dense": "dense VAE", "conv": "convolutional VAE"}
EPOCHS, TRIAL = 10, 2  # of the job, of a trial of PyTorch's settings
SMOKE_IMAGES, SMOKE_EPOCHS = (512, 256), 2  # as --smoke of the example
PATIENCE = 3600  # seconds for a process
JOBS = "{:8} {:40} {:>8} {:>13} {:>10}"
STARTS = "{:20} {:>17} {:>18} {:>17}"
HEADINGS = ("start, seconds", "cold: first step", "cold: first epoch", "warm: first step")


def parser() -> Parser:
    p = Parser("main_job", __doc__)
    p.add_argument("--rounds", type=count, metavar="R", help="default 3")
    p.add_argument("--json", type=Path, metavar="FILE", help="also write everything there")
    p.add_argument(
        "--smoke", action="store_true", help="a tiny run: few images, 1 round, the dense VAE only"
    )
    return p


def wait(name: str, command: list[Any], env: dict[str, str]) -> float:
    """Run a script to its end -> wall seconds. Raises Failed, in a sentence, where it fails."""
    began = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{name} was not done in {PATIENCE} s") from None
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if line.strip()]
        raise Failed(
            f"{name} ended with status {done.returncode}: {words[-1] if words else 'no word'}"
        )
    return time.perf_counter() - began


@dataclass
class Work:
    """Where everything is done: a temporary folder, tiny or not, with the data that is there."""

    folder: Path
    smoke: bool

    def __post_init__(self) -> None:
        real = bool(os.environ.get("SCRATCHAE_DATA"))
        self.options = (
            ["--dataset", "mnist", "--strict-data"] if real else ["--dataset", "strokes"]
        )
        self.options += ["--smoke"] * self.smoke
        splits = datasets.load(self.options[1])
        self.name = splits[0].name
        for name, images, few in zip(("train", "test"), splits, SMOKE_IMAGES, strict=True):
            pixels = images.pixels[: few if self.smoke else None]
            np.save(self.folder / f"{name}.npy", pixels.reshape(len(pixels), -1))

    def ours(self, cache: Path) -> dict[str, str]:
        """Our environment, with Numba's cache in that folder."""
        return environment() | {"NUMBA_CACHE_DIR": str(cache)}

    def start(self, arch: str, cache: Path, until: str) -> dict[str, float]:
        """Seconds from the start of a process until its first step is done, and its first epoch if asked."""
        began = time.time()
        wait(
            arch,
            [START, until, "--arch", arch, "--out", self.folder / "start", *self.options],
            self.ours(cache),
        )
        moments = json.loads((self.folder / "start" / "moments.json").read_text())
        return {name: moment - began for name, moment in moments.items()}

    def starts(self, arch: str, rounds: int) -> dict[str, Any]:
        """Cold once, warm as often as there are rounds."""
        cache = self.folder / f"cache_{arch}"
        cold = self.start(arch, cache, "epoch")
        warm = [self.start(arch, cache, "step")["step"] for _ in range(rounds)]
        return {
            "cold_step": cold["step"],
            "cold_epoch": cold["epoch"],
            "warm": warm,
            "warm_step": median(warm),
        }

    def our_job(self, *more: str) -> float:
        """Wall seconds of the example, with more options."""
        command = [EXAMPLE, "--out", self.folder / "ours", *self.options, *more]
        return wait("ours", command, self.ours(self.folder / "cache_dense"))

    def their_job(self, setting: tuple[int, bool], epochs: int | None = None) -> float:
        """Wall seconds of PyTorch on that many threads, with malloc told to keep its memory or not."""
        threads, malloc = setting
        epochs = epochs or (SMOKE_EPOCHS if self.smoke else EPOCHS)
        command = [THEIRS, self.folder, "--out", self.folder / "theirs", "--name", self.name]
        command += ["--epochs", epochs, "--threads", threads]
        return wait(f"PyTorch, {words(setting)}", command, environment(threads, malloc))

    def settings(self) -> dict[tuple[int, bool], float]:
        """How PyTorch may be run -> wall seconds of a short job, the better of two: noise may not choose for it."""
        threads = [1] if self.smoke else sorted({1, os.cpu_count() or 1})
        every = list(product(threads, (False,) if self.smoke else (False, True)))
        trials = [1] if self.smoke else [1, 2]
        return {setting: min(self.their_job(setting, TRIAL) for _ in trials) for setting in every}

    def test_loss(self, who: str) -> float:
        """Of the last epoch, in nats per example."""
        return json.loads((self.folder / who / "metrics.jsonl").read_text().splitlines()[-1])[
            "test_loss"
        ]


def words(setting: tuple[int, bool]) -> str:
    """1, True -> 1 thread, malloc."""
    return f"{setting[0]} thread{'s' * (setting[0] > 1)}{', malloc' * setting[1]}"


def race(work: Work, rounds: int, torch: bool) -> dict[str, Any]:
    """Ours and theirs in turns -> their wall seconds, medians, test losses, the ratio."""
    racing: dict[str, Callable[[], float]] = {"ours": work.our_job}
    settings = work.settings() if torch else {}
    best = min(settings, key=lambda setting: settings[setting]) if torch else None
    if best:
        racing["theirs"] = partial(work.their_job, best)
    if not work.smoke:
        work.our_job("--smoke")  # compiles what is still missing
    spent: dict[str, list[float]] = {who: [] for who in racing}
    for i in range(rounds):
        for who in list(racing)[:: -1 if i % 2 else 1]:
            spent[who].append(racing[who]())
    jobs: dict[str, Any] = {
        who: {"seconds": times, "median": median(times), "test_loss": work.test_loss(who)}
        for who, times in spent.items()
    }
    if best:
        jobs["theirs"] |= {
            "setting": words(best),
            "trials": {words(s): t for s, t in settings.items()},
        }
        jobs["ratio"] = jobs["ours"]["median"] / jobs["theirs"]["median"]
    return jobs


def job_lines(jobs: dict[str, Any]) -> list[str]:
    """The table of the whole jobs."""
    lines = [JOBS.format("", "whole process", "seconds", "min-max", "test loss")]
    how = {"ours": "python examples/vae_mnist.py", "theirs": jobs.get("theirs", {}).get("setting")}
    for who, name in (("ours", "ours"), ("theirs", "PyTorch")):
        if job := jobs.get(who):
            span = f"{min(job['seconds']):.2f}-{max(job['seconds']):.2f}"
            lines += [
                JOBS.format(
                    name, how[who], f"{job['median']:.2f}", span, f"{job['test_loss']:.2f}"
                )
            ]
    if "ratio" in jobs:
        lines += [JOBS.format("", "ours / PyTorch", f"{jobs['ratio']:.2f}", "", "").rstrip()]
    return lines


def start_line(arch: str, start: dict[str, Any]) -> str:
    """A row of the table of starts."""
    return STARTS.format(
        MODELS[arch], *(f"{start[k]:.2f}" for k in ("cold_step", "cold_epoch", "warm_step"))
    )


def run(options: argparse.Namespace, p: Parser) -> int:
    """Starts, then jobs; returns the exit status."""
    about = machine()
    if not about["torch"]:
        if not options.smoke:
            p.error(INSTALL)
        print(f"{INSTALL}; ours alone is measured")
    rounds = 1 if options.smoke else options.rounds or 3
    print(described(about), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Work(Path(folder), options.smoke)
        print(f"data: {work.name}; rounds: {rounds}\n\n{STARTS.format(*HEADINGS)}", flush=True)
        result: dict[str, Any] = {
            "machine": about,
            "data": work.name,
            "rounds": rounds,
            "starts": {},
        }
        for arch in ("dense",) if options.smoke else MODELS:
            result["starts"][arch] = work.starts(arch, rounds)
            print(start_line(arch, result["starts"][arch]), flush=True)
        result["jobs"] = race(work, rounds, bool(about["torch"]))
    print("", *job_lines(result["jobs"]), sep="\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    p = parser()
    options = p.parse_args(argv)
    return p.carry_out(lambda: run(options, p), Failed, OSError, file=options.json)


if __name__ == "__main__":
    raise SystemExit(main())
