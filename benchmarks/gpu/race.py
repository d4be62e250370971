"""One race of gpu.py: a recipe at one batch size and one precision, ours and every mode of PyTorch in turns."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.gpu.turns import Place, turn
from benchmarks.shared.processes import Failed
from benchmarks.shared.recipes import RECIPES

MODES = (
    "eager",
    "graph",
    "compile",
    "reduce-overhead",
    "compile+graph",
)  # see gpu_theirs.py; the riskiest last
PATIENCE = 900  # seconds that torch.compile may take
TOLERANCES = {  # of the first step, relative; cuDNN and cuBLAS round to TF32 in their own ways
    "float32": {"loss": 1e-4, "gradients": 1e-3},
    "tf32": {"loss": 1e-3, "gradients": 2e-2},
}


@dataclass(frozen=True)
class Setting:
    """How PyTorch is run."""

    mode: str
    last: bool | None  # channels_last, or None where there are no channels

    @property
    def name(self) -> str:
        layouts = {None: "", False: " contiguous", True: " channels_last"}
        return self.mode + layouts[self.last]

    @property
    def order(self) -> dict[str, Any]:
        """What names it to PyTorch's process."""
        return {"mode": self.mode, "last": bool(self.last)}


def settings(recipe: str, modes: tuple[str, ...]) -> list[Setting]:
    """All of those modes in every layout that makes sense for a recipe."""
    layouts = (False, True) if len(RECIPES[recipe].shape) == 3 else (None,)
    return [Setting(mode, last) for mode, last in product(modes, layouts)]


def difference(ours: dict[str, Any], theirs: dict[str, Any], precision: str) -> str | None:
    """What tells the two models apart, or None: the first step's loss, or the norm of a tensor's gradient."""
    for name, allowed in TOLERANCES[precision].items():
        for a, b in zip(
            *([x[name]] if name == "loss" else x[name] for x in (ours, theirs)), strict=True
        ):
            if not abs(b - a) <= allowed * abs(a):
                return (
                    f"not the same model: of the {name} of the first step one is {b:.9g} in PyTorch and {a:.9g} "
                    f"here; {allowed:.0e} of it is allowed"
                )
    return None


@dataclass(frozen=True)
class Race:
    """What is raced: rounds of turns, a turn of blocks, a block of steps; examples: how many (n, ...) there are.

    modes: of PyTorch, none where it does not take part.
    """

    recipe: str
    batch: int
    precision: str
    rounds: int
    blocks: int
    steps: int
    examples: int
    modes: tuple[str, ...] = MODES

    @property
    def name(self) -> str:
        return f"{self.recipe}, batch {self.batch}, {self.precision}"

    def run(self, place: Place, complain: Callable[[str], None]) -> dict[str, Any]:
        """The row of the table. Raises Failed where ours fails; what of PyTorch's fails is told in sentences."""
        about = {
            name: getattr(self, name)
            for name in ("recipe", "batch", "precision", "steps", "examples")
        }
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            spec = about | {
                "device": place.device,
                "first_step": str(Path(folder, "first_step.npz")),
            }

            def start(who: str, name: str) -> Any:
                return stack.enter_context(
                    place.start(f"{self.name}, {name}", spec | {"who": who}, PATIENCE)
                )

            ours = start("ours", "ours")
            mine, ready = turn(ours), {}
            turns: list[tuple[str, Any, dict[str, Any]]] = [("ours", ours, {})]
            if self.modes:
                theirs = start("theirs", "PyTorch")
                ready = self.prepare(theirs, mine, complain)
                turns += [(one.name, theirs, one.order) for one in ready]
            times = self.take_turns(turns)
        row = (
            about
            | {"rounds": self.rounds, "blocks": self.blocks}
            | summary(times.pop("ours"), times)
        )
        mib = {one.name: answer["mib"] for one, answer in ready.items()}
        row |= {
            "ours_mib": mine["mib"],
            "torch_mib": mib.get(row["torch_best"]),
            "torch_mib_of": mib,
        }
        return row | {"flops": mine["flops"], "first_loss": mine["loss"]}

    def prepare(
        self, theirs: Any, mine: dict[str, Any], complain: Callable[[str], None]
    ) -> dict[Setting, dict[str, Any]]:
        """The settings that are ready to race, with their answers: those that run, and are the same model."""
        ready = {}
        try:
            turn(theirs)
            for one in settings(self.recipe, self.modes):
                what = f"{self.name}, PyTorch {one.name}"
                answer = turn(theirs, **one.order)
                wrong = answer.get("refused") or difference(mine, answer, self.precision)
                if wrong:
                    complain(f"{what}: {wrong}; the others go on")
                else:
                    ready[one] = answer
        except Failed as failure:
            complain(f"{failure}; ours goes on alone")
            return {}
        return ready

    def take_turns(
        self, turns: list[tuple[str, Any, dict[str, Any]]]
    ) -> dict[str, list[list[float]]]:
        """Name -> milliseconds a step, a list a round; every other round backwards, a first one thrown away."""
        times: dict[str, list[list[float]]] = {name: [] for name, _, _ in turns}
        for _ in range(self.rounds + 1):
            for name, contestant, order in turns:
                answer = turn(contestant, blocks=self.blocks, **order)
                if "refused" in answer:
                    raise Failed(f"{self.name}, {name}: {answer['refused']}")
                times[name].append(answer["ms"])
            turns.reverse()
        return {name: rounds[1:] for name, rounds in times.items()}


def summary(ours: list[list[float]], theirs: dict[str, list[list[float]]]) -> dict[str, Any]:
    """Medians over all blocks of all rounds, and PyTorch / ours of its fastest setting: overall, and the least and
    the most of a round."""
    medians = {
        name: median(ms for blocks in rounds for ms in blocks) for name, rounds in theirs.items()
    }
    mine = median(ms for blocks in ours for ms in blocks)
    row: dict[str, Any] = {
        "ours_ms": mine,
        "torch_ms": medians,
        "ours_rounds": ours,
        "torch_rounds": theirs,
    }
    if not medians:
        return row | {"torch_best": None, "torch_best_ms": None, "ratio": None, "spread": None}
    best = min(medians, key=lambda name: medians[name])
    ratios = [median(b) / median(a) for b, a in zip(theirs[best], ours, strict=True)]
    row |= {"torch_best": best, "torch_best_ms": medians[best], "ratio": medians[best] / mine}
    return row | {"spread": [min(ratios), max(ratios)]}
