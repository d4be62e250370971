"""The main job as whole processes, here and in PyTorch, and how soon ours starts.

    python benchmarks/speed/main_job.py --rounds 5 --json main_job.json

The job is ``python examples/vae_mnist.py``: the dense VAE, 10 epochs in batches of 128, the test
loss after each, weights, three pictures; torch_main_job.py does the same, on 1 thread and on all,
with malloc as it is and told to keep its memory: the setting whose job of 2 epochs is the fastest
races. Ours is warm: Numba has its cache. The start of ours is measured from the start of the
process: cold, with an empty cache, until the first step and the first epoch are done; warm, until
the first step. Data: MNIST where SCRATCHAE_DATA is set, or the generated stand-in.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.shared.command import Parser, count, headings, machine, write
from benchmarks.shared.measure import alternate
from benchmarks.shared.processes import ROOT, Child, environment, finished
from scratchae import datasets

EXAMPLE, THEIRS = ROOT / "examples/vae_mnist.py", Path(__file__).with_name("torch_main_job.py")
MODELS = {"dense": "dense VAE", "conv": "convolutional VAE"}
EPOCHS, TRIAL = 10, 2  # of the job, of a trial of PyTorch's settings
SMOKE_IMAGES, SMOKE_EPOCHS = (512, 256), 2  # as --smoke of the example
PATIENCE = 600  # seconds until a cold start has done its first epoch
JOBS = "{who:8} {how:32} {seconds:>8.2f} {least:>8.2f} {most:>8.2f} {test_loss:>10.2f}"
STARTS = "{model:20} {cold_first_step:>16.2f} {cold_first_epoch:>17.2f} {warm_first_step:>16.2f}"


class Work:
    """A temporary folder with the data that is there, and the jobs in it; smoke: tiny ones."""

    def __init__(self, folder: Path, smoke: bool):
        self.folder, self.smoke = folder, smoke
        real = ["--dataset", "mnist", "--strict-data"]
        self.options = real if os.environ.get("SCRATCHAE_DATA") else ["--dataset", "strokes"]
        self.options += ["--smoke"] * smoke
        splits = datasets.load(self.options[1])
        self.name = splits[0].name
        for name, images, few in zip(("train", "test"), splits, SMOKE_IMAGES, strict=True):
            pixels = images.pixels[: few if smoke else None]
            np.save(folder / f"{name}.npy", pixels.reshape(len(pixels), -1))

    def ours(self, arch: str) -> dict[str, str]:
        """Our environment, with a cache of Numba's for that model."""
        return environment() | {"NUMBA_CACHE_DIR": str(self.folder / f"cache_{arch}")}

    def start(self, arch: str, moments: int) -> list[float]:
        """Seconds from a process's start until its first step is done, and its first epoch."""
        spec = ["--arch", arch, "--out", str(self.folder / "start"), *self.options]
        part, env, began = "benchmarks.speed.contestants:moments", self.ours(arch), time.time()
        with Child(arch, part, spec, env, PATIENCE) as child:
            return [child.hear()["moment"] - began for _ in range(moments)]

    def starts(self, arch: str, rounds: int) -> dict[str, Any]:
        """Cold once, warm as often as there are rounds."""
        step, epoch = self.start(arch, 2)
        warm = [self.start(arch, 1)[0] for _ in range(rounds)]
        found = {"model": MODELS[arch], "cold_first_step": step, "cold_first_epoch": epoch}
        return found | {"warm_first_step": median(warm), "warm": warm}

    def our_job(self, *more: str) -> float:
        """Wall seconds of the example, with more options."""
        command = [EXAMPLE, "--out", self.folder / "ours", *self.options, *more]
        return finished("ours", command, self.ours("dense"))

    def their_job(self, setting: tuple[int, bool], epochs: int | None = None) -> float:
        """Wall seconds of PyTorch on so many threads, malloc keeping its memory or not."""
        epochs = epochs or (SMOKE_EPOCHS if self.smoke else EPOCHS)
        command = [THEIRS, self.folder, "--out", self.folder / "theirs", "--name", self.name]
        command += ["--epochs", epochs, "--threads", setting[0]]
        return finished(f"PyTorch, {words(setting)}", command, environment(*setting))

    def trials(self) -> dict[tuple[int, bool], float]:
        """PyTorch's settings -> wall seconds of a short job, the better of two."""
        if self.smoke:
            return {(1, False): self.their_job((1, False), TRIAL)}
        every = product(sorted({1, os.cpu_count() or 1}), (False, True))
        return {one: min(self.their_job(one, TRIAL) for _ in range(2)) for one in every}

    def test_loss(self, who: str) -> float:
        """Of the last epoch, in nats per example."""
        lines = (self.folder / who / "metrics.jsonl").read_text().splitlines()
        return json.loads(lines[-1])["test_loss"]


def words(setting: tuple[int, bool]) -> str:
    """2, True -> threads 2, malloc."""
    return f"threads {setting[0]}{', malloc' * setting[1]}"


def race(work: Any, rounds: int, torch: bool) -> dict[str, Any]:
    """Ours and theirs, one after the other -> wall seconds, medians, test losses, the ratio."""
    trials = work.trials() if torch else {}
    racing: dict[str, Callable[[], float]] = {"ours": work.our_job}
    best = min(trials, key=lambda setting: trials[setting], default=None)
    if best:
        racing["theirs"] = partial(work.their_job, best)
    how = {"ours": "python examples/vae_mnist.py", "theirs": best and f"PyTorch, {words(best)}"}
    work.our_job("--smoke")  # compiles what is still missing
    jobs: dict[str, Any] = {}
    for who, times in alternate(racing, rounds, thrown_away=0).items():
        spent = {"seconds": median(times), "least": min(times), "most": max(times), "each": times}
        jobs[who] = spent | {"who": who, "how": how[who], "test_loss": work.test_loss(who)}
    if best:
        jobs["trials"] = {words(setting): seconds for setting, seconds in trials.items()}
        jobs["ratio"] = jobs["ours"]["seconds"] / jobs["theirs"]["seconds"]
    return jobs


def run(options: argparse.Namespace) -> int:
    """Starts, then jobs; returns the exit status."""
    about, rounds = machine(needs_torch=not options.smoke), 1 if options.smoke else options.rounds
    result: dict[str, Any] = {"machine": about, "rounds": rounds, "starts": {}}
    with tempfile.TemporaryDirectory() as folder:
        work = Work(Path(folder), options.smoke)
        print(f"data: {work.name}; rounds: {rounds}; seconds\n\n{headings(STARTS)}", flush=True)
        for arch in ("dense",) if options.smoke else MODELS:
            result["starts"][arch] = work.starts(arch, rounds)
            print(STARTS.format(**result["starts"][arch]), flush=True)
        jobs = race(work, rounds, bool(about["torch"]))
    write(options.json, result | {"data": work.name, "jobs": jobs})
    print(f"\n{headings(JOBS)}")
    for who in [name for name in ("ours", "theirs") if name in jobs]:
        print(JOBS.format(**jobs[who]))
    print(f"ours / theirs: {jobs.get('ratio', math.nan):.2f}", flush=True)
    return 0


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    p = Parser("main_job", __doc__, smoke="few images, 1 round, the dense VAE only")
    p.add_argument("--rounds", type=count, default=3, metavar="R", help="default 3")
    return p.carry_out(run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
