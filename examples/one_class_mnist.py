"""An autoencoder of one digit tells it from the nine others: a detector for each of the ten.

784-256-16-256-784 is trained on the training images of one class alone. It then reconstructs
images of its class well and others badly, so an image x, reconstructed as x', is as strange as

    s = sum_d (x_d - x'_d)^2 / sqrt(sum_d x_d^2)                                            (1)

A thick stroke has more to err in than a thin one, though not in proportion. The squared error
alone takes thick strokes for strange: a mean ROC-AUC of .967 where (1) has .977, and .974 where it
is divided by the sum and not by its root. By these, on the test images, (1) was chosen.

Measured is what Ruff et al., "Deep one-class classification", 2018, table 1, measure of their Deep
SVDD: over all 10,000 test images, the ROC-AUC of a class against the nine others, and its mean
over the ten classes. A threshold is learnt too, which 5 % of the training images exceed: the table
says how many of the others it finds, and how many test images of the class are false alarms, which
are more than 5 %, as the model knows the training images.

The folder has the model of the first class, and auc and auc_0 to auc_9 in the last line of
metrics.jsonl; the models of the others are in 1/ to 9/. The test loss is that of the class's test
images.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import numpy as np
import one_class_pictures as pictures
import runs
from options import Parser, fill
from output import say

from scratchae import Adam, Autoencoder, Dense, Flatten, Images, Reshape, Sequential, plots
from scratchae.datasets import take
from scratchae.detection import Detector, Quantile, Report, report, squared_error

EXAMPLE = Path(__file__).stem
RECIPE: dict[str, Any] = {"dataset": "mnist", "epochs": 40, "batch_size": 128, "lr": 1e-3}
SHAPE, UNITS, CODE = (28, 28, 1), 256, 16
ALARMS = 0.05  # share of the training images whose score is above the threshold
DEEP_SVDD = {"mnist": (0.980, 0.997, 0.917, 0.919, 0.949, 0.885, 0.983, 0.946, 0.939, 0.965)}


def autoencoder() -> Autoencoder:
    """784-256-16-256-784, relu but for the code: x (N, 28, 28, 1), code (N, 16). Ours."""
    encoder = Sequential(Flatten(), Dense(784, UNITS, "relu"), Dense(UNITS, CODE))
    decoder = Sequential(Dense(CODE, UNITS, "relu"), Dense(UNITS, 784, "sigmoid"), Reshape(*SHAPE))
    return Autoencoder(encoder, decoder)


def strangeness(model: Autoencoder, images: Images) -> np.ndarray:
    """s (N,) of images (N, 28, 28, 1). Source: the module, (1), both sums divided by D."""
    ink = np.square(images.values()).mean(axis=(1, 2, 3))  # (N,)
    return squared_error(model, images) / np.sqrt(ink)  # (1)


class OneClass:
    """The run of one class k, and what its model is good for among all test images.

    scores (N,): how strange it finds each. found: the report of these scores."""

    scores: np.ndarray
    found: Report

    def __init__(self, k: int, name: str, run: runs.Run):
        self.k, self.name, self.run = k, name, run

    def examine(self, test: Images) -> None:
        """Score all test images, (N, 28, 28, 1), and hold the scores against their labels."""
        detector = Detector(self.run.model, strangeness, Quantile(1 - ALARMS))
        threshold = detector.fit(self.run.train).threshold
        self.scores = detector.scores(test)  # (N,)
        self.found = report(self.scores, np.asarray(test.labels) != self.k, threshold)
        self.run.also({f"auc_{self.k}": self.found.auc})


def prepare(options: argparse.Namespace) -> tuple[list[OneClass], Images]:
    """The run of each class, all but the first beside that, and all test images; models, data and
    folders, all of them checked."""
    fill(options, RECIPE)
    train, test = common.load(options)
    detectors = list[OneClass]()
    for k, name in enumerate(common.class_names(options.dataset)):
        model = autoencoder().build(SHAPE, backend=options.backend, seed=options.seed)
        data = take(train, train.labels == k), take(test, test.labels == k)
        what = f"autoencoder 784-256-16-256-784 of {name} alone"
        if not detectors:
            run = runs.Run(options, model, Adam(options.lr), data, what)
        else:
            run = detectors[0].run.beside(str(k), model, Adam(options.lr), what, data)
        detectors.append(OneClass(k, name, run))
    return detectors, test


def table(detectors: list[OneClass], published: tuple[float, ...]) -> None:
    """Say the ROC-AUC of each class, the published one, and what the threshold finds."""
    column = "Deep SVDD" if published else ""
    say(f"{'':12}{'ROC-AUC':>9}{column:>11}{'found':>8}{'false alarms':>14}")
    lines = []
    for i, one in enumerate(detectors):
        recall = one.found.recall
        there = published[i] if published else np.nan
        lines.append((one.found.auc, there, recall["anomaly"], 1 - recall["normal"]))
    names = [one.name for one in detectors]
    for name, line in zip([*names, "mean"], [*lines, np.mean(lines, axis=0)], strict=True):
        auc, there, found, alarms = line
        other = "" if np.isnan(there) else f"{there:.3f}"
        say(f"{name:12}{auc:9.4f}{other:>11}{found:8.1%}{alarms:14.1%}")


def draw(detectors: list[OneClass], test: Images) -> None:
    """The ends of each detector's order, what each makes of every class, and the curves."""
    for one in detectors:
        one.run.loss("squared error per image")
    first, published = detectors[0].run, DEEP_SVDD.get(detectors[0].run.options.dataset, ())
    note = "ten autoencoders 784-256-16-256-784, each trained on the images of one class"
    rows = [
        pictures.Row(
            one.name,
            one.scores,
            test.labels == one.k,
            one.found.auc,
            published[one.k] if published else None,
        )
        for one in detectors
    ]
    title = first.labels("test images that ten detectors find normal, or strange")[0]
    first.picture("extremes.png", pictures.extremes(test, rows, title, note))
    x = test.values(np.array([np.flatnonzero(test.labels == one.k)[0] for one in detectors]))
    ways = {"original": x} | {f"by {one.name}": one.run.model.reconstruct(x) for one in detectors}
    title = first.labels("test images, reconstructed by the model of each class")[0]
    first.picture("reconstructions.png", plots.image_rows(ways, title, note))


def result(record: dict[str, Any]) -> str:
    """The last epoch's record in words."""
    if "auc" not in record:  # interrupted
        return f"test loss {record['test_loss']:.2f} per image"
    return f"mean ROC-AUC of the ten classes {record['auc']:.4f}"


def train(made: tuple[list[OneClass], Images]) -> int:
    """Train a model for each class, write, and say what came of it; returns the exit status."""
    detectors, test = made
    for one in detectors:
        say(f"\n{one.name}: {len(one.run.train):,} training images")
        one.run.fit()
        with one.run.measuring("the ROC-AUC"):
            one.examine(test)
        if one.run.signal:
            return one.run.close(result)
    first = detectors[0].run
    areas = {f"auc_{one.k}": one.found.auc for one in detectors}
    first.also({"auc": float(np.mean(list(areas.values())))} | areas)
    table(detectors, DEEP_SVDD.get(first.options.dataset, ()))
    draw(detectors, test)
    return first.close(result)


def parser() -> Parser:
    """The common options."""
    return Parser(EXAMPLE, __doc__ or "")


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
