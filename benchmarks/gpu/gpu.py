"""Speed on an NVIDIA GPU: launches, products, graphs, the recipes against PyTorch, the main job, in one run.

    python benchmarks/gpu/gpu.py --json gpu.json
    python benchmarks/gpu/gpu.py --sections launches products job
    python benchmarks/gpu/gpu.py --sections recipes --only dense_vae tf_cvae --precision float32

A step is: gather the shuffled batch from uint8 on the GPU, scale it, noise, forward, loss, backward, Adam. Ours is
the runner of fit(), a graph a step; PyTorch is a tight loop with fused Adam, in each mode of gpu_theirs.py and, for
images, in both layouts; the fastest of these counts. float32 runs against float32 without TF32, and TF32 against
TF32. Before that the first step, with our weights and our noise, must give both the same loss and gradients.

Times are those of the GPU's events around blocks of 100 steps, whose order of examples was drawn before; our blocks
also hold the upload of that order and two readings of the losses. Ours and PyTorch are processes of their own, with
their data on the GPU; in each round each runs a few blocks while the other waits, every other round backwards, and
the medians over all blocks count. Memory is what arrays took at most: CuPy's pool, and max_memory_allocated of
PyTorch from its second step on, data and workspaces included in both. PyTorch's compiler takes most of the time
that all this takes: --modes eager graph leaves it out.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.gpu import tables as gpu_tables
from benchmarks.gpu.race import MODES, Race
from benchmarks.gpu.turns import Place, answers, turn
from benchmarks.shared.command import Parser, count
from benchmarks.shared.machine import INSTALL
from benchmarks.shared.processes import Failed
from benchmarks.shared.recipes import RECIPES
from scratchae.backend.cuda.backend import PRECISIONS
from scratchae.backend.cuda.driver import require_cupy

SECTIONS = tuple(gpu_tables.TITLES)
LAUNCHES, STEPS, BLOCKS, RUNS = (
    200,
    100,
    20,
    3,
)  # of a chain; of a block; of a measurement; of the job
ROUNDS, TURN = 7, 3  # of a race; blocks of a turn
EXAMPLES = 60_000  # on the GPU, or as many as a block needs
SMOKE = ("dense_vae", "tf_denoiser")
SMOKE_BATCH, SMOKE_STEPS = 4, 3
PATIENCE = 600  # seconds that a part may take for an answer


def parser() -> Parser:
    p = Parser("gpu", __doc__)
    p.add_argument("--json", type=Path, metavar="FILE", help="also write everything there")
    p.add_argument(
        "--only", nargs="+", choices=sorted(RECIPES), metavar="RECIPE", help=", ".join(RECIPES)
    )
    p.add_argument(
        "--sections",
        nargs="+",
        choices=SECTIONS,
        default=SECTIONS,
        metavar="S",
        help=", ".join(SECTIONS),
    )
    p.add_argument(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        default=PRECISIONS,
        metavar="P",
        help="default: both",
    )
    p.add_argument(
        "--modes", nargs="+", choices=MODES, metavar="M", help=f"of PyTorch: {', '.join(MODES)}"
    )
    p.add_argument("--rounds", type=count, metavar="R", help=f"of a race (default {ROUNDS})")
    p.add_argument(
        "--smoke",
        action="store_true",
        help="a tiny run: 2 recipes, 2 rounds of 3 steps, eager PyTorch",
    )
    return p


def recipes(options: argparse.Namespace) -> dict[str, tuple[int, ...]]:
    """The recipes that are asked for, with their batch sizes."""
    names = options.only or (SMOKE if options.smoke else RECIPES)
    return {name: (SMOKE_BATCH,) if options.smoke else RECIPES[name].batches for name in names}


def size(batch: int, smoke: bool) -> dict[str, Any]:
    """The steps of a block, and how many examples there are."""
    steps = SMOKE_STEPS if smoke else STEPS
    return {"steps": steps, "examples": steps * batch if smoke else max(EXAMPLES, steps * batch)}


def races(options: argparse.Namespace, torch: bool) -> list[Race]:
    """All that the options ask for."""
    modes = tuple(options.modes or (MODES[:1] if options.smoke else MODES)) if torch else ()
    rounds, blocks = (
        options.rounds or (2 if options.smoke else ROUNDS),
        1 if options.smoke else TURN,
    )
    return [
        Race(name, batch, precision, rounds, blocks, **size(batch, options.smoke), modes=modes)
        for name, batches in recipes(options).items()
        for batch in batches
        for precision in options.precision
    ]


def parts(section: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """What the processes of any other section are to do."""
    about = {"who": section, "smoke": options.smoke, "blocks": 1 if options.smoke else BLOCKS}
    if section == "launches":
        return [about | {"launches": LAUNCHES}]
    if section == "graphs":
        firsts = {name: batches[0] for name, batches in recipes(options).items()}
        return [
            about | {"recipe": name, "batch": b} | size(b, options.smoke)
            for name, b in firsts.items()
        ]
    runs = 1 if options.smoke else RUNS
    return [about | {"precision": precision, "runs": runs} for precision in options.precision]


def rows(
    section: str,
    options: argparse.Namespace,
    torch: bool,
    place: Place,
    complain: Callable[[str], None],
) -> Iterator[dict[str, Any]]:
    """The rows of a section; what fails is told, and the others go on."""
    for race in races(options, torch) if section == "recipes" else ():
        try:
            yield race.run(place, complain)
        except Failed as failure:
            complain(str(failure))
    for spec in parts(section, options) if section != "recipes" else ():
        name = ", ".join(str(spec[key]) for key in ("who", "recipe", "precision") if key in spec)
        try:
            with place.start(name, spec, PATIENCE) as part:
                yield from answers(part)
        except Failed as failure:
            complain(str(failure))


def run(options: argparse.Namespace, p: Parser, place: Place) -> int:
    """Section after section, a line a row; returns the exit status."""
    with place.start(
        "the first child", {"who": "about", "device": place.device}, PATIENCE
    ) as part:
        about = turn(part)
    print(gpu_tables.header(about, INSTALL), flush=True)
    result: dict[str, Any] = {"machine": about}
    complaints: list[str] = []
    result["complaints"] = complaints

    def complain(sentence: str) -> None:
        complaints.append(sentence)
        print(f"{p.prog}: {sentence}", flush=True)

    for section in options.sections:
        print(gpu_tables.heading(section), flush=True)
        result[section] = []
        for row in rows(section, options, about["torch_sees"], place, complain):
            result[section].append(row)
            print(gpu_tables.line(section, row), flush=True)
            if section == "graphs" and not row["equal"]:
                complain(f"{row['recipe']}: a graph has other bits than its launches")
            if options.json:
                options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if complaints else 0


def main(argv: list[str] | None = None, place: Place | None = None) -> int:
    """Measure and print; returns the exit status: 1 where a part failed. Without a GPU a sentence, and status 2."""
    p = parser()
    options = p.parse_args(argv)
    p.carry_out(require_cupy, ImportError, RuntimeError)
    errors = (ImportError, RuntimeError, OSError)  # Failed is a RuntimeError
    return p.carry_out(lambda: run(options, p, place or Place()), *errors, file=options.json)


if __name__ == "__main__":
    raise SystemExit(main())
