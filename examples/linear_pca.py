"""A linear autoencoder finds the principal components' subspace: ECG5000, beside PCA itself.

Without activations and with squared error, the minimum of 140-4-140 is the projection onto the
span of the first 4 principal components (Baldi and Hornik, "Neural networks and principal
component analysis", 1989); the code is that projection in some basis, not in PCA's own. Beats are
centred by the mean of the training beats. In metrics.jsonl largest_angle is the largest of the
angles between the two subspaces (radians), error_ratio the squared error on the test beats divided
by PCA's. The learning rate falls to 0 along a cosine, so that the last steps settle.
"""

import argparse
import math
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import numpy as np
import runs
from options import Parser, fill

from scratchae import Adam, Autoencoder, Dense, Values, plots
from scratchae.datasets import split
from scratchae.schedules import Cosine

EXAMPLE = Path(__file__).stem
RECIPE = {"dataset": "ecg5000", "epochs": 300, "batch_size": 500, "lr": 1e-2}
LENGTH, CODE = 140, 4
LINES = "component", "part in the code's span"


def autoencoder() -> Autoencoder:
    """140-4-140 without activations, squared error: x (N, 140), code (N, 4). Source: the
    module."""
    return Autoencoder(Dense(LENGTH, CODE), Dense(CODE, LENGTH))


def components(x: np.ndarray) -> np.ndarray:
    """The first principal components of centred rows x (N, 140), as columns (140, 4), of length
    1."""
    return np.linalg.svd(x.astype(np.float64), full_matrices=False)[2][:CODE].T


def subspace(model: Any) -> np.ndarray:
    """An orthonormal basis (140, 4) of what the decoder can say, beside its bias."""
    W = model.weights["decoder.W"]  # (4, 140)
    return np.linalg.qr(W.T.astype(np.float64))[0]


def largest_angle(P: np.ndarray, Q: np.ndarray) -> float:
    """The largest principal angle between the spans of orthonormal columns P and Q (140, 4), in
    radians.

    sin(angle) = ||Q - P P^T Q||_2, which small angles do not round away, as their cosine would be.
    """
    return math.asin(min(1.0, float(np.linalg.norm(Q - P @ (P.T @ Q), 2))))


class Judge:
    """A callback that adds the comparison with PCA to the epoch's record; P (140, 4) are the
    components."""

    def __init__(self, P: np.ndarray, test: np.ndarray):
        self.P = P
        self.best = float(np.square(test - test @ P @ P.T, dtype=np.float64).sum(axis=1).mean())

    def __call__(self, model: Any, history: Any) -> None:
        record = history.records[-1]
        record["largest_angle"] = largest_angle(self.P, subspace(model))
        record["error_ratio"] = record["test_reconstruction"] / self.best


def prepare(options: argparse.Namespace) -> tuple[runs.Run, Judge]:
    """Model, data and folder, all of them checked; the comparison with PCA beside them."""
    fill(options, RECIPE)
    model = autoencoder().build(LENGTH, backend=options.backend, seed=options.seed)
    parts = split(common.load_beats(options), options.seed)
    mean = parts[0].x.mean(axis=0)
    train, test = (Values(part.x - mean, part.labels, part.name) for part in parts)
    steps = options.epochs * math.ceil(len(train) / options.batch_size)
    what = f"linear autoencoder {LENGTH}-{CODE}-{LENGTH}"
    run = runs.Run(options, model, Adam(Cosine(options.lr, steps)), (train, test), what)
    return run, Judge(components(train.x), test.x)


def draw(run: runs.Run, judge: Judge) -> None:
    """Write components.png: each principal component and the part of it within the decoder's
    span."""
    Q = subspace(run.model)
    within = Q @ (Q.T @ judge.P)  # (140, 4)
    pairs = {f"principal component {k + 1}": (judge.P[:, k], within[:, k]) for k in range(CODE)}
    labels = run.labels("principal components, projected on the code's span")
    figure = plots.window_pairs(
        pairs, np.arange(LENGTH), *labels, ("sample", "a unit vector"), LINES
    )
    run.picture("components.png", figure)
    run.loss(unit="squared error per beat")


def result(record: dict[str, Any]) -> str:
    """The last epoch's record in words."""
    angle, ratio = record["largest_angle"], record["error_ratio"]
    return f"largest angle to the principal subspace {angle:.5f}, test error {ratio:.5f} of PCA's"


def parser() -> Parser:
    """The common options."""
    return Parser(EXAMPLE, __doc__ or "", common.BEATS)


def train(made: tuple[runs.Run, Judge]) -> int:
    """Train, write, and say what came of it; returns the exit status."""
    run, judge = made
    run.fit([judge])
    draw(run, judge)
    return run.close(result)


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
