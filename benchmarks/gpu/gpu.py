"""Speed on an NVIDIA GPU: launches, products, graphs, the recipes in PyTorch too, the main job.

    python benchmarks/gpu/gpu.py --json gpu.json
    python benchmarks/gpu/gpu.py --sections recipes --only dense_vae tf_cvae --precision float32

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
most on an H200.
"""

import argparse
import sys
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
ALLOWED = {  # of the first step, relative; cuDNN and cuBLAS round to TF32 in their ways
    "float32": {"loss": 1e-4, "gradients": 1e-3},
    "tf32": {"loss": 1e-3, "gradients": 2e-2},
}
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
        for batch in (SMOKE_BATCH,) if o.smoke else RECIPES[name].batches:
            steps = SMOKE_STEPS if o.smoke else STEPS
            examples = steps * batch if o.smoke else max(EXAMPLES, steps * batch)
            spec = {"recipe": name, "batch": batch, "steps": steps, "examples": examples}
            if section == "recipes":
                yield from (about | spec | {"precision": p} for p in o.precision)
            elif section == "graphs" and batch in (SMOKE_BATCH, RECIPES[name].batches[0]):
                yield about | spec


def race(spec: dict[str, Any], modes: tuple[str, ...], complain: Complaints) -> dict[str, Any]:
    """The row of a race. Raises Failed where ours fails, or any of them later."""
    name = f"{spec['recipe']}, batch {spec['batch']}, {spec['precision']}"
    with ExitStack() as stack:

        def start(part: str) -> Child:
            return stack.enter_context(Child(name, part, spec, None, PATIENCE))

        ours, settings = start("benchmarks.gpu.ours:ours"), {}
        mine = ours.ask()
        if modes:
            theirs = start("benchmarks.shared.theirs:theirs")
            orders = RECIPES[spec["recipe"]].orders(modes)
            settings = {setting: (theirs, order) for setting, order in orders.items()}
        answers = ready(settings, mine, ALLOWED[spec["precision"]], complain)
        how = {key: spec[key] for key in ("steps", "examples")}
        how["blocks"] = 2 if spec["smoke"] else 1 + BLOCKS_A_ROUND  # the first is thrown away
        calls = {"ours": partial(ours.ask, **how)}
        calls |= {n: partial(settings[n][0].ask, **how, **settings[n][1]) for n in answers}
        every = alternate(calls, spec["rounds"])
    times = {who: [answer["ms"][1:] for answer in found] for who, found in every.items()}
    row = spec | summary(times.pop("ours"), times) | {"ours_mib": mine["mib"]}
    mib = {setting: answer["mib"] for setting, answer in answers.items()}
    row |= {"torch_mib": mib.get(row["torch_best"]), "torch_mib_of": mib}
    return row | {"flops": mine["flops"], "first_loss": mine["loss"]}


def rows(section: str, o: Any, torch: bool, complain: Complaints) -> Iterator[dict[str, Any]]:
    """The rows of a section; what fails is told, and the others go on."""
    modes = tuple(o.modes or (MODES[:1] if o.smoke else MODES)) if torch else ()
    for spec in specs(section, o):
        name = f"{section} {spec.get('recipe', spec.get('precision', ''))}".strip()
        try:
            if section == "recipes":
                yield race(spec, modes, complain)
            else:
                part = f"benchmarks.gpu.ours:{section}"
                with Child(name, part, spec, None, PATIENCE) as child:
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
    with Child("the first child", "benchmarks.gpu.ours:about", {}, None, PATIENCE) as child:
        about, complain = child.hear(), Complaints()
    torch = bool(about["torch"]) and (about["cuda"] or DEVICE == "cpu")
    show(about | {"torch": torch and about["torch"]})
    result: dict[str, Any] = {"machine": about, "complaints": complain}
    for section in options.sections:
        print(f"\n{section}\n{headings(TABLES[section])}", flush=True)
        result[section] = []
        for row in rows(section, options, torch, complain):
            result[section].append(row)
            print(line(section, row), flush=True)
            if section == "graphs" and row["same"] < row["losses"]:
                complain(f"{row['recipe']}: a graph has other bits than its launches")
            write(options.json, result)
    return 1 if complain else 0


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    p = Parser("gpu", __doc__, smoke="2 recipes, 2 rounds of 3 steps, eager PyTorch")
    choices = {"--only": sorted(RECIPES), "--sections": tuple(TABLES), "--precision": PRECISIONS}
    for name, among in (choices | {"--modes": MODES}).items():
        default = None if name in ("--only", "--modes") else among
        words, letter = f"of {', '.join(among)}", name[2].upper()
        p.add_argument(name, nargs="+", choices=among, default=default, metavar=letter, help=words)
    p.add_argument("--rounds", type=count, metavar="R", help=f"of a race (default {ROUNDS})")
    return p.carry_out(run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
