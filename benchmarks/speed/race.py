"""One race: a recipe at one batch size and one number of threads, all contestants side by side."""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.shared.processes import Contestant, Failed, environment
from benchmarks.shared.recipes import RECIPES

ROUND = 0.6  # seconds that the slowest contestant takes for its epoch
STEPS = 2, 5000  # at least, at most
COMPILING = 900  # seconds that torch.compile may take
TOLERANCES = {"loss": 1e-5, "gradients": 1e-4}  # relative, float32
DISTURBED = (
    25  # times a second that the processor is taken away, above which others use the machine
)


@dataclass(frozen=True)
class Setting:
    """How PyTorch is run."""

    compile: bool = False
    channels_last: bool = False
    malloc: bool = False  # glibc keeps its memory

    @property
    def name(self) -> str:
        words = [
            "compile" if self.compile else "eager",
            "channels_last" if self.channels_last else "contiguous",
        ]
        return " ".join([*words, *["malloc"] * self.malloc])


def settings(recipe: str, compiled: bool) -> list[Setting]:
    """All of them that make sense for a recipe."""
    layouts = (False, True) if len(RECIPES[recipe].shape) == 3 else (False,)
    return [
        Setting(*s)
        for s in product((False, True) if compiled else (False,), layouts, (False, True))
    ]


@dataclass(frozen=True)
class Race:
    """What is raced, over how many rounds; steps: of a round, or None to let the warm-up decide."""

    recipe: str
    batch: int
    threads: int
    rounds: int
    torch: bool = True
    compiled: bool = False
    steps: int | None = None

    def run(self, complain: Any = print) -> dict[str, Any]:
        """The row of the table. Raises Failed where ours or the floor fails, or the models differ."""
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:

            def start(
                name: str, env: dict[str, str], patience: float = 120, **more: Any
            ) -> Contestant:
                about = {"recipe": self.recipe, "batch": self.batch, "threads": self.threads}
                spec = about | {"first_step": str(Path(folder, "first_step.npz"))} | more
                return stack.enter_context(Contestant(name, spec, env, patience))

            racing = [start(name, environment(), who=name) for name in ("ours", "sgemm")]
            for setting in settings(self.recipe, self.compiled) if self.torch else ():
                how = {"compile": setting.compile, "channels_last": setting.channels_last}
                patience = COMPILING if setting.compile else 120
                env = environment(self.threads, setting.malloc)
                racing.append(start(setting.name, env, patience, who="theirs", **how))
            ready = take_turn(racing, {}, complain)
            for name in ready.keys() - {"ours", "sgemm"}:
                require_same(
                    ready["ours"], ready[name], f"{self.recipe}, batch {self.batch}, {name}"
                )
            steps = self.steps or scratch_size(
                max(answer.get("step", 0) for answer in ready.values())
            )
            answers = take_turns(racing, steps, self.rounds, complain)
        return self.row(steps, ready["ours"]["flops"], answers)

    def row(
        self, steps: int, flops: int, answers: dict[str, list[dict[str, Any]]]
    ) -> dict[str, Any]:
        """The medians over the rounds, in ms a step."""
        rates = [answer["gflops"] for answer in answers.pop("sgemm")]
        ms = {name: [1e3 * a["seconds"] / steps for a in turns] for name, turns in answers.items()}
        medians = {name: median(times) for name, times in ms.items()}
        mine, gflops = medians.pop("ours"), median(rates)
        floor = flops / gflops / 1e6
        row = {
            "recipe": self.recipe,
            "batch": self.batch,
            "threads": self.threads,
            "ours_ms": mine,
        }
        row |= {
            "torch_ms": medians,
            "torch_best": None,
            "torch_best_ms": None,
            "ratio": None,
            "spread": None,
        }
        if medians:
            best = min(medians, key=lambda name: medians[name])
            ratios = [theirs / ours for theirs, ours in zip(ms[best], ms["ours"], strict=True)]
            row |= {
                "torch_best": best,
                "torch_best_ms": medians[best],
                "ratio": medians[best] / mine,
            }
            row |= {"spread": [min(ratios), max(ratios)]}
        faults = {
            name: median(a["faults"] for a in turns) / steps for name, turns in answers.items()
        }
        shown = [answers[name] for name in ("ours", row["torch_best"]) if name]
        disturbed = [median(a["interruptions"] / a["seconds"] for a in turns) for turns in shown]
        row |= {"floor_ms": floor, "floor_ratio": mine / floor, "gflops": gflops, "flops": flops}
        return row | {
            "steps": steps,
            "rounds": self.rounds,
            "page_faults": faults,
            "interruptions": max(disturbed),
        }


def scratch_size(step: float) -> int:
    """Steps of a round from the seconds of the slowest step."""
    return min(max(round(ROUND / step), STEPS[0]), STEPS[1])


def require_same(ours: dict[str, Any], theirs: dict[str, Any], what: str) -> None:
    """Raise Failed unless the first step gave both the same loss and each tensor's gradient the same norm."""
    for name, allowed in TOLERANCES.items():
        for b, a in zip(
            *([x[name]] if name == "loss" else x[name] for x in (theirs, ours)), strict=True
        ):
            if not abs(b - a) <= allowed * abs(a):
                raise Failed(
                    f"{what}: not the same model: of the {name} of the first step one is {b:.9g} in PyTorch "
                    f"and {a:.9g} here; {allowed:.0e} of it is allowed"
                )


def take_turn(
    racing: list[Contestant], order: dict[str, int], complain: Any
) -> dict[str, dict[str, Any]]:
    """Each contestant's answer, one after the other.

    One of PyTorch's that fails no longer races, which is told in a sentence. Raises Failed for ours.
    """
    answers = {}
    for one in racing[:]:
        try:
            one.tell(**order)
            answers[one.name] = one.hear()
        except Failed as failure:
            if one.name in ("ours", "sgemm"):
                raise
            complain(f"{failure}; the others go on")
            racing.remove(one)
            one.close()
    return answers


def take_turns(
    racing: list[Contestant], steps: int, rounds: int, complain: Any
) -> dict[str, list[dict[str, Any]]]:
    """Each contestant's answers, one a round, every other round backwards; a first one is thrown away."""
    answers = []
    for _ in range(rounds + 1):
        answers.append(take_turn(racing, {"steps": steps, "epochs": rounds + 1}, complain))
        racing.reverse()
    return {one.name: [answer[one.name] for answer in answers[1:]] for one in racing}
