"""A variational autoencoder learns MNIST.

--arch dense is the recipe of pytorch/examples (vae/main.py): 784-400-20-400-784, relu, grey
pixels. With grey pixels the Bernoulli term is a cross-entropy and the ELBO a bound on nothing;
--binarize makes it one. --arch conv is TensorFlow's tutorial "Convolutional variational
autoencoder": binarised, two latent dimensions.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import numpy as np
import runs
from options import Parser, count, fill

from scratchae import (
    VAE,
    Adam,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    Gaussian,
    Reshape,
    Sequential,
    plots,
)
from scratchae.initializers import torch_uniform

EXAMPLE = Path(__file__).stem
SHARED = {"dataset": "mnist", "epochs": 10}
RECIPES: dict[str, dict[str, Any]] = {
    "dense": SHARED | {"latent_dim": 20, "binarize": "none", "batch_size": 128, "lr": 1e-3},
    "conv": SHARED | {"latent_dim": 2, "binarize": "threshold", "batch_size": 32, "lr": 1e-4},
}
WORDS = {"dense": "dense VAE", "conv": "convolutional VAE"}
PIXELS = {"none": "grey pixels", "threshold": "binarised pixels", "dynamic": "dynamic pixels"}
PLANE = 21  # pictures on a side of the decoded manifold; odd, so that z = 0 is one of them
SAMPLES = 60


def dense(D: int, beta: float) -> VAE:
    """784-400-D-400-784, logits: x (N, 28, 28, 1), z (N, D). Source: pytorch/examples,
    vae/main.py."""
    affine = partial(Dense, init=torch_uniform, init_b=torch_uniform)
    encoder = Sequential(Flatten(), affine(784, 400, "relu"), affine(400, 2 * D))
    decoder = Sequential(affine(D, 400, "relu"), affine(400, 784), Reshape(28, 28, 1))
    return VAE(encoder, decoder, Gaussian(D), beta=beta)


def conv(D: int, beta: float) -> VAE:
    """28x28x1 -> 13x13x32 -> 6x6x64 -> D -> 7x7x32 -> 14x14x64 -> 28x28x32 -> 28x28x1, logits.

    x (N, 28, 28, 1), z (N, D); Glorot, biases zero. Source: TensorFlow's tutorial "cvae".
    """
    encoder = Sequential(
        Conv2d(1, 32, 3, stride=2, activation="relu"),
        Conv2d(32, 64, 3, stride=2, activation="relu"),
        Flatten(),
        Dense(6 * 6 * 64, 2 * D),
    )
    decoder = Sequential(
        Dense(D, 7 * 7 * 32, "relu"),
        Reshape(7, 7, 32),
        ConvTranspose2d(32, 64, 3, stride=2, padding="same", activation="relu"),
        ConvTranspose2d(64, 32, 3, stride=2, padding="same", activation="relu"),
        ConvTranspose2d(32, 1, 3, padding="same"),
    )
    return VAE(encoder, decoder, Gaussian(D), beta=beta)


class Film:
    """Samples of the same codes, before training and after each epoch: frames of (60, 28, 28, 1)
    uint8."""

    def __init__(self, model: VAE, seed: int):
        self.seed = seed
        self.frames: list[np.ndarray] = []
        self(model, None)

    def __call__(self, model: VAE, history: Any) -> None:
        self.frames.append((255 * model.sample(SAMPLES, self.seed) + 0.5).astype(np.uint8))

    def write(self, run: runs.Run) -> None:
        """samples.gif, a frame an epoch, all codes (60, D) the same in each."""
        titles = [
            f"{run.test.name}: samples from the prior, epoch {n}" for n in range(len(self.frames))
        ]
        pairs = zip(self.frames, titles, strict=True)
        figures = (plots.image_grid(frame / 255, title, run.what) for frame, title in pairs)
        run.film("samples.gif", figures)


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "")
    p.add_argument(
        "--arch", choices=sorted(RECIPES), default="dense", help="the recipe (default dense)"
    )
    p.add_argument(
        "--latent-dim", type=count, metavar="D", help="latent dimensions (dense 20, conv 2)"
    )
    p.add_argument(
        "--binarize", choices=sorted(PIXELS), help="of the pixels (dense none, conv threshold)"
    )
    p.add_argument(
        "--beta", type=float, default=1.0, help="weight of the KL (default 1, the ELBO)"
    )
    p.add_argument(
        "--gif", action="store_true", help="also samples.gif: the same codes over the epochs"
    )
    return p


def prepare(options: argparse.Namespace) -> runs.Run:
    """Model, data and folder, all of them checked."""
    fill(options, RECIPES[options.arch])
    D = options.latent_dim
    model = (dense if options.arch == "dense" else conv)(D, options.beta)
    model.build((28, 28, 1), backend=options.backend, seed=options.seed)
    optimizer = Adam(options.lr)
    train, test = common.load(options, options.binarize)
    what = (
        f"{WORDS[options.arch]}, {D} latent dimension{'s' * (D > 1)}, {PIXELS[options.binarize]}"
    )
    what += f", beta = {options.beta:g}" if options.beta != 1 else ""
    return runs.Run(options, model, optimizer, (train, test), what)


def draw(run: runs.Run) -> None:
    """Every picture that this model can give."""
    model, seed = run.model, run.options.seed
    run.reconstructions()
    run.loss()
    figure = plots.image_grid(model.sample(SAMPLES, seed), *run.labels("samples from the prior"))
    run.picture("samples.png", figure)
    if run.options.latent_dim == 2:
        names = common.class_names(run.options.dataset)
        figure = plots.latent_scatter(
            run.codes(lambda x: model.encode(x)[0]),
            run.test.labels,
            names,
            *run.labels("latent plane"),
        )
        run.picture("latent.png", figure)
        decoded = model.decode(plots.quantile_plane(PLANE))
        figure = plots.manifold(decoded, *run.labels("decoded manifold"))
        run.picture("manifold.png", figure)


def result(record: dict[str, Any]) -> str:
    """The last epoch's record in words."""
    nll, kl = record["test_reconstruction"], record["test_kl"]
    return f"test ELBO {-nll - kl:.2f} nats per example (reconstruction {nll:.2f}, KL {kl:.2f})"


def train(run: runs.Run) -> int:
    """Train, write, and say what came of it; returns the exit status."""
    film = Film(run.model, run.options.seed) if run.options.gif else None
    run.fit([film] if film else [])
    draw(run)
    if film:
        film.write(run)
    return run.close(result)


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
