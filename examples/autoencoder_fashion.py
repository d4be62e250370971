"""A plain autoencoder learns Fashion-MNIST: 784-64-784.

The recipe is the first model of TensorFlow's tutorial "Intro to autoencoders". Its "MSE" is the squared error
divided by the 784 pixels: test_mse here.
"""

import argparse
import math
from pathlib import Path
from typing import Any

import common

from scratchae import Adam, Autoencoder, Dense, Flatten, Reshape, Sequential, SquaredError

EXAMPLE = Path(__file__).stem
RECIPE = {"dataset": "fashion_mnist", "epochs": 10, "batch_size": 32, "lr": 1e-3}
SHAPE = (28, 28, 1)


def autoencoder() -> Autoencoder:
    """784-64-784, relu and sigmoid, Glorot: x (N, 28, 28, 1), code (N, 64). Source: the tutorial, "basic"."""
    encoder = Sequential(Flatten(), Dense(784, 64, "relu"))
    decoder = Sequential(Dense(64, 784, "sigmoid"), Reshape(*SHAPE))
    return Autoencoder(encoder, decoder, SquaredError())


def prepare(options: argparse.Namespace) -> common.Run:
    """Model, data and folder, all of them checked."""
    common.fill(options, RECIPE)
    model = autoencoder().build(SHAPE, backend=options.backend, seed=options.seed)
    optimizer = Adam(options.lr)
    return common.Run(options, model, optimizer, common.load(options), "dense autoencoder, code of 64 numbers")


def per_pixel(model: Any, history: Any) -> None:
    """Add test_mse to the epoch's record: the squared error per pixel."""
    record = history.records[-1]
    record["test_mse"] = record["test_loss"] / math.prod(SHAPE)


def result(record: dict[str, Any]) -> str:
    """The last epoch's record in words."""
    return f"test MSE {record['test_mse']:.5f} per pixel ({record['test_loss']:.3f} per image)"


def main(argv: list[str] | None = None) -> int:
    """Train, write, and say what came of it; returns the exit status."""
    parser = common.Parser(EXAMPLE, __doc__ or "")
    options = parser.parse_args(argv)
    with common.sentences(parser):
        run = prepare(options)
    with common.sentences(parser, common.RUN_ERRORS):
        run.fit([per_pixel])
        run.reconstructions()
        run.loss(unit="squared error per image")
    return run.close(result)


if __name__ == "__main__":
    raise SystemExit(main())
