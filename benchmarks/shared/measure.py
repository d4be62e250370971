"""How it is measured and summed up: rounds, medians, ratios, equal models."""

from collections.abc import Callable, Mapping
from itertools import chain
from statistics import median
from typing import Any

from benchmarks.shared.processes import Child, Failed

Row = dict[str, Any]
Settings = dict[str, tuple[Child, Row]]  # its process, and the order that names it to that


def never(*_: Any) -> bool:
    """The answer where there is time for all."""
    return False


def alternate(
    racing: Mapping[str, Any], rounds: int, thrown_away: int = 1, over: Callable[[], bool] = never
) -> dict[str, list[Any]]:
    """What each call gave in each round, every other round backwards, the first thrown away.

    Where over() says so there are fewer rounds, but one at least."""
    found: dict[str, list[Any]] = {name: [] for name in racing}
    for i in range(rounds + thrown_away):
        if i > thrown_away and over():
            break
        for name in list(racing)[:: -1 if i % 2 else 1]:
            found[name].append(racing[name]())
    return {name: answers[thrown_away:] for name, answers in found.items()}


def difference(ours: Row, theirs: Row, allowed: dict[str, float]) -> str | None:
    """A sentence where the first step's loss or gradients differ by more than allowed of ours."""
    for name, share in allowed.items():
        both = [x[name] if name == "gradients" else [x[name]] for x in (ours, theirs)]
        for a, b in zip(*both, strict=True):
            if not abs(b - a) <= share * abs(a):
                return (
                    f"not the same model: of the {name} of the first step one is {b:.9g} in "
                    f"PyTorch and {a:.9g} here; {share:.0e} of it is allowed"
                )
    return None


def ready(
    settings: Settings,
    mine: Row,
    allowed: dict[str, float],
    complain: Any,
    left_out: Callable[[str], bool] = never,
) -> dict[str, Row]:
    """The first answers of those settings that run and are our model; the others are told.

    left_out: whether a setting, by its name, is not even asked, which it tells itself."""
    answers = {}
    for name, (child, order) in settings.items():
        if left_out(name):
            continue
        try:
            answer = child.ask(**order)
            wrong = answer.get("refused") or difference(mine, answer, allowed)
        except Failed as failure:
            child.process.kill()
            wrong = str(failure)
        if wrong:
            complain(f"{child.name}, {name}: {wrong}; the others go on")
        else:
            answers[name] = answer
    return {n: a for n, a in answers.items() if settings[n][0].process.poll() is None}


def summary(ours: list[list[float]], theirs: dict[str, list[list[float]]]) -> dict[str, Any]:
    """A race's numbers from milliseconds a step, (rounds, blocks), ours and of PyTorch's settings.

    Medians over all blocks; PyTorch / ours at its fastest: overall, least and most of a round.
    """
    medians = {name: median(chain(*rounds)) for name, rounds in theirs.items()}
    row: dict[str, Any] = {"ours_ms": median(chain(*ours)), "torch_ms": medians}
    row |= dict.fromkeys(("torch_best", "torch_best_ms", "ratio", "spread"))
    if medians:
        best = min(medians, key=lambda name: medians[name])
        ratios = [median(b) / median(a) for a, b in zip(ours, theirs[best], strict=True)]
        row |= {"torch_best": best, "torch_best_ms": medians[best]}
        row |= {"ratio": medians[best] / row["ours_ms"], "spread": [min(ratios), max(ratios)]}
    return row | {"ours_rounds": ours, "torch_rounds": theirs}


def cells(row: dict[str, Any], decimals: int) -> dict[str, str]:
    """Ours, PyTorch's, the ratio and its spread, as a table prints them."""
    shown = {"ours_ms": f"{row['ours_ms']:.{decimals}f}", "torch_best": row["torch_best"] or ""}
    if not row["torch_best"]:
        return shown | dict.fromkeys(("torch_ms", "faster", "spread"), "-")
    shown |= {"torch_ms": f"{row['torch_best_ms']:.{decimals}f}", "faster": f"{row['ratio']:.2f}x"}
    return shown | {"spread": "{:.2f}-{:.2f}".format(*row["spread"])}
