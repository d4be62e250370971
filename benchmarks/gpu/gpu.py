"""Speed on an NVIDIA GPU: launches, products, graphs, the recipes in PyTorch too, the main job.

    python benchmarks/gpu/gpu.py --json gpu.json
    python benchmarks/gpu/gpu.py --sections recipes --only dense_vae tf_cvae --precision float32
    python benchmarks/gpu/gpu.py --only dense_vae --batches 128 --modes graph --seconds 120

A step is: gather the shuffled batch from uint8 on the GPU, scale it, noise, forward, loss,
backward, Adam. Ours is the runner of fit(), a graph a step; PyTorch is a tight loop with fused
Adam, in each mode of shared/theirs.py and, for images, in both layouts; the fastest of these
counts. TF32 runs against TF32, float32 against float32 without it. Times are those of the GPU's
events around blocks of 100 steps, whose order of examples was drawn before; our blocks also hold
the upload of that order and two readings of the losses. Memory is what arrays took at most:
CuPy's pool, and max_memory_allocated of PyTorch from its second step on. PyTorch's compiler takes
most of the time: --modes eager graph leaves it out. graphs: float32; how many losses have the
same bits as steps launched one by one. An apostrophe marks the transpose of what lies in memory.
The main job: the dense VAE by fit, 10 epochs in batches of 128; its training is to take 1 s at
most on an H200. --seconds: when they are over, no part, mode or round is begun; what is left out
so is told, and is no failure. What is under way then has another minute, and fails after it.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.shared.command import Complaints, Parser, count, headings, show, write
from benchmarks.shared.measure import alternate, cells, ready, summary
from benchmarks.shared.processes import Child, Failed
from benchmarks.shared.recipes import PUBLISHED, RECIPES

DEVICE = "cuda"  # what PyTorch calls it
PRECISIONS = ("float32", "tf32")
MODES = ("eager", "graph", "compile", "reduce-overhead", "compile+graph")  # the riskiest last
LAUNCHES, STEPS, BLOCKS, RUNS = 200, 100, 20, 3  # of a chain, a block, a measurement, the job
ROUNDS, BLOCKS_A_ROUND = 7, 3  # of a race
EXAMPLES = 60_000  # on the GPU, or as many as a block needs
SMOKE, SMOKE_BATCH, SMOKE_STEPS = ("dense_vae", "tf_denoiser"), 4, 3
PATIENCE = 900  # seconds for an answer: torch.compile is slow
GRACE = 60  # seconds for what is under way when a run's seconds are over
ALLOWED = {  # of the first step, relative; cuDNN and cuBLAS round to TF32 in their ways
    "float32": {"loss": 1e-4, "gradients": 1e-3},
    "tf32": {"loss": 1e-3, "gradients": 2e-2},
}
NAMED = ("recipe", "batch", "precision")  # what tells one race or part from the others
TABLES = {  # a row of each section
    "launches": "{how:12} {launches:>8} {host_us:>9.2f} {device_us:>9.2f}",
    "products": "{product:24} {precision:9} {us:>10.2f} {tflops:>9.3g} {off_by:>9.1e}",
    "graphs": "{recipe:14} {batch:>5} {graph_ms:>9.4f} {eager_ms:>9.4f} {ratio:>5.2f} {same:>4} "
    "{losses:>6}",
    "recipes": "{recipe:14} {batch:>5} {precision:9} {ours_ms:>8} {torch_ms:>8} {faster:>7} "
    "{spread:>11} {ours_mib:>8.0f} {torch_mib:>9}  {torch_best}",
    "job": "{data:20} {images:>6} {precision:9} {run:>3} {first_epoch_s:>13.3f} "
    "{training_s:>10.3f} {total_s:>7.3f} {test_loss:>9.2f}",
}


class Budget:
    """The seconds that a run may take, None for any, and what was left out for lack of them."""

    def __init__(self, seconds: int | None):
        self.seconds, self.left_out = seconds, Complaints()
        self.ends = time.monotonic() + (seconds or math.inf)

    def over(self) -> bool:
        """Whether nothing more is begun."""
        return time.monotonic() >= self.ends

    def leaves_out(self, what: str) -> bool:
        """Whether the seconds are over, which is told of what was to begin."""
        if self.over():
            self.tell(what)
        return self.over()

    def tell(self, what: str) -> None:
        """Say that it is left out."""
        self.left_out(f"{what}: left out, since the {self.seconds} s are over")

    def patience(self) -> int:
        """Seconds for an answer that is asked for at this moment."""
        return math.ceil(min(PATIENCE, max(0.0, self.ends - time.monotonic()) + GRACE))


def specs(section: str, o: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What the processes of a section are to do, one for each of its races or parts."""
    about = {"device": DEVICE, "threads": 1, "smoke": o.smoke, "blocks": 1 if o.smoke else BLOCKS}
    about |= {"launches": LAUNCHES, "runs": 1 if o.smoke else RUNS}
    about |= {"rounds": o.rounds or (2 if o.smoke else ROUNDS)}
    if section == "launches":
        yield about
    if section in ("products", "job"):
        yield from (about | {"precision": precision} for precision in o.precision)
    for name in o.only or (SMOKE if o.smoke else PUBLISHED):
        batches = o.batches or ((SMOKE_BATCH,) if o.smoke else RECIPES[name].batches)
        for batch in dict.fromkeys(batches):
            steps = SMOKE_STEPS if o.smoke else STEPS
            examples = steps * batch if o.smoke else max(EXAMPLES, steps * batch)
            spec = {"recipe": name, "batch": batch, "steps": steps, "examples": examples}
            if section == "recipes":
                yield from (about | spec | {"precision": p} for p in o.precision)
            elif section == "graphs" and batch == batches[0]:
                yield about | spec


def named(spec: dict[str, Any]) -> str:
    """A race or part in words."""
    said = [f"{key} {spec[key]}" if key == "batch" else spec[key] for key in NAMED if key in spec]
    return ", ".join(said)


def race(
    spec: dict[str, Any], modes: tuple[str, ...], complain: Complaints, budget: Budget
) -> dict[str, Any]:
    """The row of a race. Raises Failed where ours fails, or any of them later."""
    name = named(spec)
    with ExitStack() as stack:

        def start(part: str) -> Child:
            return stack.enter_context(Child(name, part, spec, None, budget.patience()))

        def left_out(setting: str) -> bool:
            theirs.patience = budget.patience()
            return budget.leaves_out(f"{name}, {setting}")

        ours, settings = start("benchmarks.gpu.ours:ours"), {}
        mine = ours.ask()
        if modes:
            theirs = start("benchmarks.shared.theirs:theirs")
            orders = RECIPES[spec["recipe"]].orders(modes)
            settings = {setting: (theirs, order) for setting, order in orders.items()}
        answers = ready(settings, mine, ALLOWED[spec["precision"]], complain, left_out)
        how = {key: spec[key] for key in ("steps", "examples")}
        how["blocks"] = 2 if spec["smoke"] else 1 + BLOCKS_A_ROUND  # the first is thrown away
        calls = {"ours": partial(ours.ask, **how)}
        calls |= {n: partial(settings[n][0].ask, **how, **settings[n][1]) for n in answers}
        every = alternate(calls, spec["rounds"], over=budget.over)
    if (done := len(every["ours"])) < spec["rounds"]:
        budget.tell(f"{name}, {spec['rounds'] - done} of {spec['rounds']} rounds")
    times = {who: [answer["ms"][1:] for answer in found] for who, found in every.items()}
    row = spec | summary(times.pop("ours"), times) | {"ours_mib": mine["mib"]}
    mib = {setting: answer["mib"] for setting, answer in answers.items()}
    row |= {"torch_mib": mib.get(row["torch_best"]), "torch_mib_of": mib}
    return row | {"flops": mine["flops"], "first_loss": mine["loss"]}


def rows(
    section: str, o: Any, torch: bool, complain: Complaints, budget: Budget
) -> Iterator[dict[str, Any]]:
    """The rows of a section; what fails is told, and the others go on."""
    modes = tuple(o.modes or (MODES[:1] if o.smoke else MODES)) if torch else ()
    for spec in specs(section, o):
        name = f"{section} {named(spec)}".strip()
        if budget.leaves_out(name):
            continue
        try:
            if section == "recipes":
                yield race(spec, modes, complain, budget)
            else:
                part = f"benchmarks.gpu.ours:{section}"
                with Child(name, part, spec, None, budget.patience()) as child:
                    yield from child.answers()
        except Failed as failure:
            complain(str(failure))


def line(section: str, row: dict[str, Any]) -> str:
    """A row of a section's table."""
    shown, mib = dict(row), row.get("torch_mib")
    if section == "recipes":
        shown |= cells(row, 4) | {"torch_mib": "-" if mib is None else f"{mib:.0f}"}
    return TABLES[section].format(**shown).rstrip()


def run(options: argparse.Namespace) -> int:
    """Section after section, a line a row; returns the exit status: 1 where a part failed."""
    budget = Budget(options.seconds)
    with Child("the first child", "benchmarks.gpu.ours:about", {}, None, PATIENCE) as child:
        about, complain = child.hear(), Complaints()
    torch = bool(about["torch"]) and (about["cuda"] or DEVICE == "cpu")
    show(about | {"torch": torch and about["torch"]})
    result: dict[str, Any] = {"machine": about, "complaints": complain}
    result["left_out"] = budget.left_out
    for section in options.sections:
        print(f"\n{section}\n{headings(TABLES[section])}", flush=True)
        result[section] = []
        for row in rows(section, options, torch, complain, budget):
            result[section].append(row)
            print(line(section, row), flush=True)
            if section == "graphs" and row["same"] < row["losses"]:
                complain(f"{row['recipe']}: a graph has other bits than its launches")
            write(options.json, result)
        write(options.json, result)  # what failed after the last row
    return 1 if complain else 0


def parser() -> Parser:
    """The options."""
    p = Parser("gpu", __doc__, smoke="2 recipes, 2 rounds of 3 steps, eager PyTorch")
    choices = {"--only": sorted(RECIPES), "--sections": tuple(TABLES), "--precision": PRECISIONS}
    for name, among in (choices | {"--modes": MODES}).items():
        default = None if name in ("--only", "--modes") else among
        words, letter = f"of {', '.join(among)}", name[2].upper()
        p.add_argument(name, nargs="+", choices=among, default=default, metavar=letter, help=words)
    p.add_argument("--batches", nargs="+", type=count, metavar="N", help="default: a recipe's")
    p.add_argument("--rounds", type=count, metavar="R", help=f"of a race (default {ROUNDS})")
    p.add_argument("--seconds", type=count, metavar="S", help="of the whole run (default: any)")
    return p


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
