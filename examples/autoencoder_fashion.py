"""A plain autoencoder learns Fashion-MNIST, or MNIST.

--arch basic is the first model of TensorFlow's tutorial "Intro to autoencoders", 784-64-784 on
Fashion-MNIST. Its "MSE" is the squared error divided by the 784 pixels: test_mse here.
--arch keras and --arch deep are the first and the third model of the Keras blog, "Building
autoencoders in Keras": 784-32-784 and 784-128-64-32-64-128-784 on MNIST. Its loss, "binary
cross-entropy", is the Bernoulli term on grey pixels divided by the 784 pixels: test_bce here.
"""

import argparse
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import runs
from options import Parser, fill

from scratchae import (
    Adam,
    Autoencoder,
    Bernoulli,
    Dense,
    Flatten,
    Reshape,
    Sequential,
    SquaredError,
)

EXAMPLE = Path(__file__).stem
KERAS = {"dataset": "mnist", "batch_size": 256, "lr": 1e-3}
RECIPES: dict[str, dict[str, Any]] = {
    "basic": {"dataset": "fashion_mnist", "epochs": 10, "batch_size": 32, "lr": 1e-3},
    "keras": KERAS | {"epochs": 50},
    "deep": KERAS | {"epochs": 100},
}
SIZES = {"basic": (784, 64), "keras": (784, 32), "deep": (784, 128, 64, 32)}
METRICS = dict.fromkeys(RECIPES, ("test_bce", "nats per example")) | {
    "basic": ("test_mse", "squared error per image")
}
SHAPE = (28, 28, 1)


def autoencoder(arch: str) -> Autoencoder:
    """Relu layers down to the code and up again, Glorot: x (N, 28, 28, 1), code (N, 64 or 32).

    The last layer is a sigmoid's for the squared error, else it gives logits. Source: the module.
    """
    sizes = SIZES[arch]
    last, likelihood = (
        ("sigmoid", SquaredError()) if arch == "basic" else ("identity", Bernoulli())
    )
    down = [Dense(I, O, "relu") for I, O in pairwise(sizes)]
    up = [Dense(I, O, "relu") for I, O in pairwise(sizes[:0:-1])]
    decoder = Sequential(*up, Dense(sizes[1], sizes[0], last), Reshape(*SHAPE))
    return Autoencoder(Sequential(Flatten(), *down), decoder, likelihood)


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "")
    p.add_argument(
        "--arch", choices=sorted(RECIPES), default="basic", help="the recipe (default basic)"
    )
    return p


def prepare(options: argparse.Namespace) -> runs.Run:
    """Model, data and folder, all of them checked."""
    fill(options, RECIPES[options.arch])
    model = autoencoder(options.arch).build(SHAPE, backend=options.backend, seed=options.seed)
    what = (
        f"{'deep' if options.arch == 'deep' else 'dense'} autoencoder, code of "
        f"{SIZES[options.arch][-1]} numbers"
    )
    return runs.Run(options, model, Adam(options.lr), common.load(options), what)


def result(record: dict[str, Any]) -> str:
    """The last epoch's record in words."""
    if "test_mse" in record:
        return f"test MSE {record['test_mse']:.5f} per pixel ({record['test_loss']:.3f} per image)"
    return (
        f"test BCE {record['test_bce']:.5f} per pixel ({record['test_loss']:.2f} nats per image)"
    )


def train(run: runs.Run) -> int:
    """Train, write, and say what came of it; returns the exit status."""
    metric, unit = METRICS[run.options.arch]
    run.fit([common.per_pixel(metric)])
    run.reconstructions()
    run.loss(unit)
    return run.close(result)


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
