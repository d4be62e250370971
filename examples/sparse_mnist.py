"""A sparse autoencoder learns MNIST, beside a plain one: 784-32-784.

The recipe is the second model of the Keras blog, "Building autoencoders in Keras", with a penalty
that is worth the name. --penalty l1 and student take a relu code, kl (a target rate of 0.1) a
sigmoid's. Each is summed over the 32 units and averaged over the batch, beside a cross-entropy
that is summed over the 784 pixels: test_bce is that sum divided by 784. code_activity is the mean
of |h| over units and test images; a unit is active for an image where |h| is above a tenth of its
largest over the test images, and active_share is how often that is so.

The blog's activity_regularizer=l1(10e-5) stands beside a cross-entropy averaged over the pixels,
and Keras 2 and later divide the penalty by the batch: L1(0.0784) here, on a loss of some 72;
l1(1e-5) would be L1(0.00784). After 100 epochs, where the plain code has a mean activity of 8.0
and 95 % of its units active, these give

    --weight 0.00784     activity 4.1, 89 % active: not quite half
    --weight 0.0784      activity 1.3, 82 % active

A relu code can shrink for nothing while the decoder's weights grow, so activity falls well before
units fall silent: the default weight is larger, and both numbers are reported.
"""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import numpy as np
import runs
from code_pictures import code_activity
from options import Parser, fill

from scratchae import (
    L1,
    Adam,
    Autoencoder,
    Bernoulli,
    Dense,
    Flatten,
    KLRate,
    Reshape,
    Sequential,
    StudentT,
    plots,
)

EXAMPLE = Path(__file__).stem
SHARED = {"dataset": "mnist", "epochs": 100, "batch_size": 256, "lr": 1e-3}
RECIPES: dict[str, dict[str, Any]] = {
    "l1": SHARED | {"weight": 0.5},
    "student": SHARED | {"weight": 2.0},
    "kl": SHARED | {"weight": 10.0},
}
PENALTIES = {"l1": L1, "student": StudentT, "kl": lambda weight: KLRate(weight, rate=0.1)}
WORDS = {"l1": "L1", "student": "Student-t", "kl": "KL to a rate of 0.1"}
SHAPE = (28, 28, 1)
UNITS = 32
SHOWN = 30


def autoencoder(penalty: str, weight: float | None) -> Autoencoder:
    """784-32-784, logits, Glorot: x (N, 28, 28, 1), code (N, 32); weight None: the same without
    the penalty."""
    encoder = Sequential(Flatten(), Dense(784, UNITS, "sigmoid" if penalty == "kl" else "relu"))
    decoder = Sequential(Dense(UNITS, 784), Reshape(*SHAPE))
    price = None if weight is None else PENALTIES[penalty](weight)
    return Autoencoder(encoder, decoder, Bernoulli(), price)


def codes(run: runs.Run) -> np.ndarray:
    """|h| (N, 32) of all test images."""
    return np.abs(run.codes(run.model.encode))


def activity(run: runs.Run) -> Callable[[Any, Any], None]:
    """A callback that adds code_activity and active_share to the epoch's record, as the module
    says."""

    def add(model: Any, history: Any) -> None:
        h = codes(run)  # (N, 32)
        history.records[-1] |= {
            "code_activity": float(h.mean(dtype=np.float64)),
            "active_share": float((h > h.max(axis=0) / 10).mean()),
        }

    return add


def dictionary(model: Any, h: np.ndarray) -> np.ndarray:
    """What each unit of codes h (N, 32) adds to the logits: a row of the decoder's W, to its own
    scale.

    (32, 28, 28, 1); 0.5 is nothing, and all that a unit adds which no image makes active.
    """
    W = model.weights["decoder.0.W"].reshape(UNITS, *SHAPE)
    largest = np.abs(W).max(axis=(1, 2, 3), keepdims=True)
    silent = h.max(axis=0).reshape(UNITS, 1, 1, 1) == 0
    return 0.5 + np.where(silent, 0, W / (2 * np.maximum(largest, np.finfo(W.dtype).tiny)))


def draw(run: runs.Run, plain: runs.Run) -> None:
    """The two models beside each other: reconstructions, codes and, of the sparse one, the
    dictionary."""
    x = run.test.values(slice(SHOWN))
    rows = {"original": x, "plain": plain.model.reconstruct(x), "sparse": run.model.reconstruct(x)}
    figure = plots.image_rows(rows, *run.labels("test images, reconstructed"))
    run.picture("reconstructions.png", figure)
    both = {"plain": codes(plain), "sparse": codes(run)}
    figure = code_activity(both, *run.labels("codes of the test images"))
    run.picture("codes.png", figure)
    for one, h in zip((plain, run), both.values(), strict=True):
        figure = plots.image_grid(
            dictionary(one.model, h), *one.labels("the decoder's weights, grey is zero")
        )
        one.picture("weights.png", figure)


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "")
    p.add_argument(
        "--penalty", choices=sorted(RECIPES), default="l1", help="on the code (default l1)"
    )
    p.add_argument(
        "--weight", type=float, help="of the penalty (default: l1 0.5, student 2, kl 10)"
    )
    return p


def prepare(options: argparse.Namespace) -> tuple[runs.Run, runs.Run]:
    """The sparse run and the plain one beside it; models, data and folders, all of them
    checked."""
    fill(options, RECIPES[options.penalty])
    how: dict[str, Any] = {"backend": options.backend, "seed": options.seed}
    sparse = autoencoder(options.penalty, options.weight).build(SHAPE, **how)
    what = (
        f"sparse autoencoder, code of {UNITS} numbers, {WORDS[options.penalty]}, weight "
        f"{options.weight:g}"
    )
    run = runs.Run(options, sparse, Adam(options.lr), common.load(options), what)
    plain = autoencoder(options.penalty, None).build(SHAPE, **how)
    return run, run.beside(
        "plain", plain, Adam(options.lr), f"plain autoencoder, code of {UNITS} numbers"
    )


def result(record: dict[str, Any]) -> str:
    """The record of an epoch in words."""
    words = f"test BCE {record['test_bce']:.4f} per pixel"
    if "test_penalty" in record:
        words += f" ({record['test_loss'] / math.prod(SHAPE):.4f} with the penalty)"
    return (
        f"{words}, mean activity {record['code_activity']:.3f}, {record['active_share']:.0%} "
        "of the units active"
    )


def train(made: tuple[runs.Run, runs.Run]) -> int:
    """Train both, write, and say what came of it; returns the exit status."""
    run, plain = made
    for one in (plain, run):
        one.fit([common.per_pixel("test_bce"), activity(one)])
        one.loss()
        if one.history.interrupted:
            return one.close(result)
    draw(run, plain)
    return run.close(
        lambda record: f"{result(record)}; plain: {result(plain.history.records[-1])}"
    )


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
