"""A convolutional autoencoder learns MNIST, then to take noise off it.

The recipe is Keras' example "Convolutional autoencoder for image denoising": pooling down, strided
transposed convolutions up, binary cross-entropy, which is the Bernoulli term on grey pixels
divided by the 784 pixels: test_bce here. Its code is wider than its input, so that clean it can
copy; with noise it has something to learn. Keras trains the clean model for 50 epochs and goes on
from its weights for 100 with noise:

    python examples/conv_autoencoder_mnist.py --out runs/clean
    python examples/conv_autoencoder_mnist.py --noise 0.4 --start runs/clean/weights.safetensors

Keras spoils every image once; here the noise is drawn afresh in each step.
"""

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import runs
from denoise_fashion import draw_denoised
from options import Parser, fill

from scratchae import (
    Adam,
    Autoencoder,
    Bernoulli,
    Conv2d,
    ConvTranspose2d,
    GaussianNoise,
    MaxPool2d,
    Sequential,
    WideCode,
)

EXAMPLE = Path(__file__).stem
SHARED = {"dataset": "mnist", "batch_size": 128, "lr": 1e-3}
RECIPES: dict[str, dict[str, Any]] = {
    "clean": SHARED | {"epochs": 50},
    "denoiser": SHARED | {"epochs": 100},
}
SHAPE = (28, 28, 1)


def autoencoder(noise: GaussianNoise | None) -> Autoencoder:
    """28x28x1 -> 14x14x32 -> 7x7x32 by pooling, and back by ConvTranspose2d, logits; relu, Glorot.

    x (N, 28, 28, 1), spoilt if there is noise; code (N, 7, 7, 32). Source: the module.
    """
    encoder = Sequential(
        *([noise] if noise else []),
        Conv2d(1, 32, 3, padding="same", activation="relu"),
        MaxPool2d(2),
        Conv2d(32, 32, 3, padding="same", activation="relu"),
        MaxPool2d(2),
    )
    decoder = Sequential(
        ConvTranspose2d(32, 32, 3, stride=2, padding="same", activation="relu"),
        ConvTranspose2d(32, 32, 3, stride=2, padding="same", activation="relu"),
        Conv2d(32, 1, 3, padding="same"),
    )
    return Autoencoder(encoder, decoder, Bernoulli())


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "")
    p.add_argument(
        "--noise", type=float, help="standard deviation of Gaussian noise (default: none)"
    )
    p.add_argument(
        "--start", type=Path, metavar="PATH", help="weights.safetensors of a run to go on from"
    )
    return p


def prepare(options: argparse.Namespace) -> tuple[runs.Run, GaussianNoise | None]:
    """Model, data and folder, all of them checked; the layer of noise beside them, if there is
    one."""
    fill(options, RECIPES["denoiser" if options.noise else "clean"])
    noise = GaussianNoise(options.noise, (0.0, 1.0), in_evaluation=True) if options.noise else None
    model = autoencoder(noise)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WideCode)  # the recipe's own choice
        model.build(SHAPE, backend=options.backend, seed=options.seed)
        if options.start:
            common.warm_start(model, options.start, options.out)
    what = f"convolutional {f'denoiser, sigma = {options.noise:g}' if noise else 'autoencoder'}"
    what += ", from given weights" if options.start else ""
    return runs.Run(options, model, Adam(options.lr), common.load(options), what), noise


def result(record: dict[str, Any]) -> str:
    """The last epoch's record in words."""
    return (
        f"test BCE {record['test_bce']:.5f} per pixel ({record['test_loss']:.2f} nats per image)"
    )


def train(made: tuple[runs.Run, GaussianNoise | None]) -> int:
    """Train, write, and say what came of it; returns the exit status."""
    run, noise = made
    run.fit([common.per_pixel("test_bce")])
    if noise:
        draw_denoised(run, noise)
    else:
        run.reconstructions()
    run.loss()
    return run.close(result)


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
