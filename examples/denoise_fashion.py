"""A convolutional autoencoder takes the noise off Fashion-MNIST.

The recipe is the second model of TensorFlow's tutorial "Intro to autoencoders": two strided
convolutions down, two transposed ones up, squared error (its "MSE" is divided by the 784 pixels:
test_mse here), Gaussian noise of standard deviation 0.2. The tutorial spoils every image once;
here the noise is drawn afresh in each step. The target is the clean image.
One thing is not the tutorial's: the last bias starts at the logit of the mean pixel instead of at
0. Images that are mostly white, such as digits, else push every output to 0 at once, where the
sigmoid has no gradient left; --last-bias zero is the tutorial's way.
--corruption masking sets pixels to 0 with probability --noise, salt-and-pepper to 0 or 1.
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

from scratchae import (
    Adam,
    Autoencoder,
    Conv2d,
    ConvTranspose2d,
    GaussianNoise,
    Images,
    Layer,
    Masking,
    SaltAndPepper,
    Sequential,
    SquaredError,
    by_hand,
    plots,
    randomness,
)

EXAMPLE = Path(__file__).stem
RECIPE = {"dataset": "fashion_mnist", "epochs": 10, "batch_size": 32, "lr": 1e-3, "noise": 0.2}
SHAPE = (28, 28, 1)
SHOWN = 30
CORRUPTIONS: dict[str, tuple[Any, str]] = {
    "gaussian": (
        lambda sigma: GaussianNoise(sigma, (0.0, 1.0), in_evaluation=True),
        "Gaussian noise, sigma",
    ),
    "masking": (lambda p: Masking(p, in_evaluation=True), "masking, p"),
    "salt-and-pepper": (lambda p: SaltAndPepper(p, in_evaluation=True), "salt and pepper, p"),
}


def denoiser(noise: Layer) -> Autoencoder:
    """28x28x1 -> 14x14x16 -> 7x7x8 -> 14x14x8 -> 28x28x16 -> 28x28x1, relu, at last a sigmoid;
    Glorot.

    x (N, 28, 28, 1), spoilt by the layer of noise; code (N, 7, 7, 8). Source: the tutorial,
    "denoising".
    """
    encoder = Sequential(
        noise,
        Conv2d(1, 16, 3, stride=2, padding="same", activation="relu"),
        Conv2d(16, 8, 3, stride=2, padding="same", activation="relu"),
    )
    decoder = Sequential(
        ConvTranspose2d(8, 8, 3, stride=2, padding="same", activation="relu"),
        ConvTranspose2d(8, 16, 3, stride=2, padding="same", activation="relu"),
        Conv2d(16, 1, 3, padding="same", activation="sigmoid"),
    )
    return Autoencoder(encoder, decoder, SquaredError())


def start_at_mean(model: Autoencoder, train: Images) -> None:
    """Let the last bias (1,) be the logit of the mean pixel: the first outputs are then as dark as
    the images."""
    mean = float(train.pixels.mean()) / 255
    model.weights["decoder.2.b"] = np.array([math.log(mean / (1 - mean))])


def corrupted(noise: Layer, images: Images, seed: int, start: int, stop: int) -> np.ndarray:
    """Images start to stop (n, H, W, 1) as that layer spoils them where a run of that seed is
    evaluated.

    For noise that is the first layer of its model and acts in evaluation. Drawn on the CPU for
    every backend.
    """
    x = images.values(slice(start, stop))
    spoil = by_hand(noise, x.shape[1:], dtype="float32", seed=seed)
    spoil.first, spoil.purpose = start, randomness.EVALUATION
    return spoil(x)


def noisy_mse(noise: Layer, images: Images, seed: int) -> float:
    """What the spoilt images are off by, squared, per pixel: the error of who does nothing."""
    total, step = 0.0, common.ENCODE
    for i in range(0, len(images), step):
        error = corrupted(noise, images, seed, i, i + step) - images.values(slice(i, i + step))
        total += float(np.square(error, dtype=np.float64).sum())
    return total / images.pixels.size


def draw_denoised(run: runs.Run, noise: Layer) -> None:
    """Write denoised.png: the first 30 test images, clean, spoilt and mended."""
    noisy = corrupted(noise, run.test, run.options.seed, 0, SHOWN)
    rows = {
        "original": run.test.values(slice(SHOWN)),
        "noisy": noisy,
        "denoised": run.model.reconstruct(noisy),
    }
    figure = plots.image_rows(rows, *run.labels("test images, denoised"))
    run.picture("denoised.png", figure)


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "")
    p.add_argument(
        "--corruption", choices=sorted(CORRUPTIONS), default="gaussian", help="default gaussian"
    )
    p.add_argument("--noise", type=float, help="standard deviation, or probability (default 0.2)")
    p.add_argument(
        "--last-bias",
        choices=("mean", "zero"),
        default="mean",
        help="where it starts (default mean)",
    )
    return p


def prepare(options: argparse.Namespace) -> tuple[runs.Run, Layer]:
    """Model, data and folder, all of them checked; the layer of noise beside them."""
    fill(options, RECIPE)
    corruption, words = CORRUPTIONS[options.corruption]
    noise = corruption(options.noise)
    model = denoiser(noise).build(SHAPE, backend=options.backend, seed=options.seed)
    train, test = common.load(options)
    if options.last_bias == "mean":
        start_at_mean(model, train)
    what = f"convolutional denoiser, {words} = {options.noise:g}"
    return runs.Run(options, model, Adam(options.lr), (train, test), what), noise


def train(made: tuple[runs.Run, Layer]) -> int:
    """Train, write, and say what came of it; returns the exit status."""
    run, noise = made
    run.fit([common.per_pixel("test_mse")])
    draw_denoised(run, noise)
    run.loss(unit="squared error per image")
    before = noisy_mse(noise, run.test, run.options.seed)
    return run.close(
        lambda r: f"test MSE {r['test_mse']:.5f} per pixel, from {before:.5f} of the noisy images"
    )


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
