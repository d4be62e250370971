"""Variational autoencoders as a published source trains them, so that its number can be compared.

--recipe keras is the example 'Variational AutoEncoder' of keras.io: convolutions, two latent
dimensions, grey pixels, and MNIST's training and test images as one training set of 70,000. Its
number is the loss of the last epoch's steps. There is no held-out data, and so no test number.
Many of the 16 units below z die within 50 steps, in Keras as here; how many live is said at the
end.

--recipe pythae is the VAE of pythae's table of reproduced results: 784-400-40-400-784, black and
white pixels, 50,000 training images, the last 10,000 of the training file for validation. The rate
falls by 10^(-1/5) after 200, 350, 500 and 750 epochs. The weights are those of the epoch of the
best validation loss, and 200 codes an image give log p(x) of the test images. In its files each
pixel was drawn once. They are not among the data that is read here, so each pixel is drawn once
here too, with its grey value as probability, by draws that --seed does not change. Its batch size,
learning rate and number of epochs are not stated: here they are 100, 1e-3 and 1,000.
"""

import argparse
import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import numpy as np
import runs
import vae_pictures
from options import Parser, count, fill
from output import say
from vae_mnist import dense

from scratchae import (
    VAE,
    Adam,
    Conv2d,
    ConvTranspose2d,
    Dense,
    EarlyStopping,
    Flatten,
    Gaussian,
    Images,
    Reshape,
    Sequential,
    by_hand,
    schedules,
)
from scratchae.datasets import take
from scratchae.datasets.splits import joined
from scratchae.evaluation import log_likelihood

EXAMPLE = Path(__file__).stem
RECIPES: dict[str, dict[str, Any]] = {
    "keras": {"dataset": "mnist", "epochs": 30, "batch_size": 128, "lr": 1e-3},
    "pythae": {
        "dataset": "mnist",
        "epochs": 1000,
        "batch_size": 100,
        "lr": 1e-3,
        "test_samples": 200,
    },
}
SMOKE_SAMPLES = 50
SHAPE = (28, 28, 1)
MILESTONES = 200, 350, 500, 750, 1000  # epochs
DECAY = 10 ** (-1 / 5)


def keras_vae() -> VAE:
    """28x28x1 -> 14x14x32 -> 7x7x64 -> 16 -> 2 -> 7x7x64 -> 14x14x64 -> 28x28x32 -> 28x28x1.

    x (N, 28, 28, 1), z (N, 2), logits; Glorot, biases zero. Source: keras-io,
    examples/generative/vae.py.
    """
    strided: dict[str, Any] = {"stride": 2, "padding": "same", "activation": "relu"}
    encoder = Sequential(
        Conv2d(1, 32, 3, **strided),
        Conv2d(32, 64, 3, **strided),
        Flatten(),
        Dense(7 * 7 * 64, 16, "relu"),
        Dense(16, 2 * 2),
    )
    decoder = Sequential(
        Dense(2, 7 * 7 * 64, "relu"),
        Reshape(7, 7, 64),
        ConvTranspose2d(64, 64, 3, **strided),
        ConvTranspose2d(64, 32, 3, **strided),
        ConvTranspose2d(32, 1, 3, padding="same"),
    )
    return VAE(encoder, decoder, Gaussian(2))


def as_two_layers(model: VAE, name: str = "encoder.4.W") -> None:
    """Let the weights (I, 2 D) of mu and logvar be as wide as those of two layers (I, D), as Keras
    has them: Glorot's bound is sqrt(6 / (I + D)), and not sqrt(6 / (I + 2 D))."""
    W = model.weights[name]
    I, D = W.shape[0], W.shape[1] // 2
    model.weights[name] = W * math.sqrt((I + 2 * D) / (I + D))


def live_units(run: runs.Run) -> int:
    """How many of the 16 units (N, 16) below mu and logvar are above 0 for any of the test images:
    one that is not has no gradient."""
    below = by_hand(Sequential(*run.model.objective.encoder.layers[:-1]), SHAPE, dtype="float32")
    for name in below.weights:
        below.weights[name] = run.model.weights[f"encoder.{name}"]
    h = run.codes(lambda some: below(some.values()))
    return int((h > 0).any(axis=0).sum())


def drawn_once(images: Images) -> Images:
    """Black and white images (N, H, W, C), each pixel drawn with its grey value as probability,
    by the same draws in every run. images: of dynamic pixels."""
    pixels = np.empty_like(images.pixels)
    for start in range(0, len(images), common.ENCODE):
        rows = slice(start, start + common.ENCODE)
        pixels[rows] = 255 * images.values(rows)
    return Images(pixels, images.labels, name=images.name)


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "")
    add = p.add_argument
    add("--recipe", choices=sorted(RECIPES), default="keras", help="default keras")
    add(
        "--test-samples",
        type=count,
        metavar="K",
        help="codes a test image, for log p(x) (pythae 200)",
    )
    return p


def prepare(options: argparse.Namespace) -> runs.Run:
    """Model, data and folder, all of them checked."""
    if options.recipe == "keras" and options.test_samples is not None:
        raise ValueError("--test-samples is for --recipe pythae: keras has no test images")
    recipe = RECIPES[options.recipe]
    if options.smoke and "test_samples" in recipe:
        recipe = recipe | {"test_samples": SMOKE_SAMPLES}
    fill(options, recipe)
    return {"keras": prepare_keras, "pythae": prepare_pythae}[options.recipe](options)


def prepare_keras(options: argparse.Namespace) -> runs.Run:
    """The run of keras-io: test images are training images too, and nothing is held out."""
    model = keras_vae().build(SHAPE, backend=options.backend, seed=options.seed)
    as_two_layers(model)
    optimizer = Adam(options.lr, eps=1e-7)
    train, test = common.load(options)
    every = joined(train, test)
    say(f"all {len(every):,} images are trained on, the test images among them")
    what = "Keras' VAE, 2 latent dimensions, grey pixels, trained on the test images too"
    run = runs.Run(options, model, optimizer, (every, test), what)
    run.held = None
    return run


def prepare_pythae(options: argparse.Namespace) -> runs.Run:
    """The run of pythae: the last sixth of the training images is for validation."""
    model = VAE(*dense(40), Gaussian(40))
    model.build(SHAPE, backend=options.backend, seed=options.seed)
    train, test = common.load(options, "dynamic")
    n, held = len(train), len(train) // 6
    every = drawn_once(joined(train, test))
    train, held_out = take(every, slice(n - held)), take(every, slice(n - held, n))
    test = take(every, slice(n, None))
    say(f"pixels are drawn once; the last {held:,} training images are for validation")
    epoch = -(-len(train) // options.batch_size)
    rate = schedules.Steps(options.lr, DECAY, tuple(epoch * m for m in MILESTONES))
    what = "pythae's VAE, 40 latent dimensions, pixels drawn once"
    run = runs.Run(options, model, Adam(rate), (train, test), what)
    run.held = held_out
    return run


def measure(run: runs.Run) -> None:
    """Add to the last epoch's record what is measured once, of the best epoch's weights: log p(x)
    of the test images, its standard error, and the median number of samples that count."""
    o = run.options
    say(f"log p(x) of {len(run.test):,} test images by {o.test_samples:,} samples each")
    found = log_likelihood(run.model, run.test, o.test_samples, o.seed, threads=o.threads)
    run.also(
        {
            "test_log_p": found.mean,
            "test_log_p_error": found.standard_error,
            "test_ess": float(np.median(found.ess)),
            "test_samples": o.test_samples,
            "best_epoch": run.kept,
        }
    )


def draw(run: runs.Run) -> None:
    """Every picture that this model can give."""
    pythae = run.options.recipe == "pythae"
    run.reconstructions("test images" if pythae else "training images")
    run.loss(lines=("training", "validation"))
    vae_pictures.samples(run)
    if not pythae:
        vae_pictures.plane(run)


def result(run: runs.Run, record: dict[str, Any]) -> str:
    """What came of it, in words."""
    if run.options.recipe == "keras":
        nll, kl = record["train_reconstruction"], record["train_kl"]
        return (
            f"training loss {record['train_loss']:.2f} nats per example (reconstruction "
            f"{nll:.2f}, KL {kl:.2f}), the test images among these, {record['live_units']} of 16 "
            "units live"
        )
    bound = (
        f"validation ELBO {-run.history.records[run.kept - 1]['test_loss']:.2f} nats per example"
    )
    if "test_log_p" not in record:  # interrupted
        return bound
    return (
        f"test log p(x) {record['test_log_p']:.2f} +- {record['test_log_p_error']:.2f} nats per "
        f"example by {record['test_samples']:,} samples ({record['test_ess']:.3g} count), {bound}"
    )


def train(run: runs.Run) -> int:
    """Train, write, and say what came of it; returns the exit status."""
    if run.options.recipe == "pythae":
        run.fit(best=EarlyStopping(patience=run.options.epochs))  # which never stops before
        if not run.history.interrupted:
            with run.measuring("log p(x)"):
                measure(run)
    else:
        run.fit()
        run.also({"live_units": live_units(run)})
    draw(run)
    return run.close(partial(result, run))


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
