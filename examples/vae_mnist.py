"""A variational autoencoder learns MNIST.

--arch dense is the recipe of pytorch/examples (vae/main.py): 784-400-20-400-784, relu, grey
pixels. With grey pixels the Bernoulli term is a cross-entropy and the ELBO a bound on nothing;
--binarize makes it one. --arch conv is TensorFlow's tutorial "Convolutional variational
autoencoder": binarised, two latent dimensions. --beta, --beta-warmup and --free-bits weigh the KL
of the ELBO; --estimator iwae is the importance weighted bound, stl and dreg its other gradients.
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
import vae_pictures
from options import Parser, count, fill
from vae_pictures import SAMPLES

from scratchae import (
    IWAE,
    STL,
    VAE,
    Adam,
    Bernoulli,
    Conv2d,
    ConvTranspose2d,
    Dense,
    DReG,
    Flatten,
    FreeBits,
    Gaussian,
    Model,
    Reshape,
    Sequential,
    plots,
    schedules,
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
WEIGHTED: dict[str, Any] = {"iwae": IWAE, "stl": STL, "dreg": DReG}
K = {"elbo": 1} | dict.fromkeys(WEIGHTED, 5)  # samples of z an example, unless said otherwise


def dense(D: int) -> tuple[Sequential, Sequential]:
    """Encoder and decoder, 784-400-D-400-784, logits: x (N, 28, 28, 1), z (N, D).

    Source: pytorch/examples, vae/main.py."""
    affine = partial(Dense, init=torch_uniform, init_b=torch_uniform)
    encoder = Sequential(Flatten(), affine(784, 400, "relu"), affine(400, 2 * D))
    decoder = Sequential(affine(D, 400, "relu"), affine(400, 784), Reshape(28, 28, 1))
    return encoder, decoder


def conv(D: int) -> tuple[Sequential, Sequential]:
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
    return encoder, decoder


def model_of(options: argparse.Namespace) -> Model:
    """The bound that was asked for, over the recipe's networks. Raises ValueError for options that
    cannot act on it."""
    _require_that_all_act(options)
    networks = (dense if options.arch == "dense" else conv)(options.latent_dim)
    parts = *networks, Gaussian(options.latent_dim), Bernoulli()
    how = {"beta": options.beta, "samples": options.samples}
    if options.estimator != "elbo":
        return Model(WEIGHTED[options.estimator](*parts, options.samples))
    if options.free_bits is not None:
        return Model(FreeBits(*parts, options.free_bits, **how))
    return VAE(*parts, **how)


def _require_that_all_act(options: argparse.Namespace) -> None:
    given = {
        "--beta": options.beta != 1,
        "--beta-warmup": options.beta_warmup is not None,
        "--free-bits": options.free_bits is not None,
    }
    idle = [name for name, there in given.items() if there]
    if options.estimator != "elbo" and idle:
        raise ValueError(
            f"{idle[0]} weighs the KL of the ELBO, which --estimator {options.estimator} has not: "
            "leave one of them out"
        )
    if options.beta_warmup is not None and options.beta == 0:
        raise ValueError("--beta-warmup rises to --beta, which is 0: leave one of them out")
    if options.free_bits and options.beta == 0:
        raise ValueError("--free-bits weighs by --beta, which is 0: leave one of them out")


def warm_up(model: Any, train: Any, options: argparse.Namespace) -> None:
    """Let beta rise from 0 in a straight line over the first epochs."""
    if options.beta_warmup is not None:
        steps = options.beta_warmup * -(-len(train) // options.batch_size)
        model.objective.beta = schedules.Linear(0.0, options.beta, steps)


class Film:
    """Samples of the same codes, before training and after each epoch: frames of (60, 28, 28, 1)
    uint8."""

    def __init__(self, model: Model, seed: int):
        self.seed = seed
        self.frames: list[np.ndarray] = []
        self(model, None)

    def __call__(self, model: Model, history: Any) -> None:
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
        "--beta-warmup", type=count, metavar="EPOCHS", help="beta rises from 0 over as many"
    )
    p.add_argument(
        "--free-bits",
        type=float,
        metavar="NATS",
        help="what the KL of each latent dimension may be at no cost, in the mean over a batch",
    )
    p.add_argument(
        "--samples", type=count, metavar="K", help="of z an example (elbo 1, the others 5)"
    )
    p.add_argument(
        "--estimator", choices=list(K), default="elbo", help="of the bound (default elbo)"
    )
    p.add_argument(
        "--gif", action="store_true", help="also samples.gif: the same codes over the epochs"
    )
    return p


def prepare(options: argparse.Namespace) -> runs.Run:
    """Model, data and folder, all of them checked."""
    fill(options, RECIPES[options.arch])
    options.samples = options.samples or K[options.estimator]
    model = model_of(options)
    model.build((28, 28, 1), backend=options.backend, seed=options.seed)
    optimizer = Adam(options.lr)
    train, test = common.load(options, options.binarize)
    warm_up(model, train, options)
    what = words(options)
    return runs.Run(options, model, optimizer, (train, test), what)


def words(options: argparse.Namespace) -> str:
    """The model in words: what differs from the recipe."""
    o, D = options, options.latent_dim
    said = [WORDS[o.arch], f"{D} latent dimension{'s' * (D > 1)}", PIXELS[o.binarize]]
    said += [f"beta = {o.beta:g}"] * (o.beta != 1)
    if o.beta_warmup is not None:
        said.append(f"beta from 0 over {o.beta_warmup} epoch{'s' * (o.beta_warmup > 1)}")
    said += [f"free bits {o.free_bits} nats"] * (o.free_bits is not None)
    said += [o.estimator] * (o.estimator != "elbo")
    return ", ".join(said + [f"K = {o.samples}"] * (o.samples != 1))


def draw(run: runs.Run) -> None:
    """Every picture that this model can give."""
    run.reconstructions()
    run.loss()
    vae_pictures.samples(run)
    if run.options.latent_dim == 2:
        vae_pictures.plane(run)


def result(options: argparse.Namespace, record: dict[str, Any]) -> str:
    """The last epoch's record in words."""
    nll, kl = record["test_reconstruction"], record["test_kl"]
    bound, value = "ELBO", -nll - kl
    if options.estimator != "elbo":
        bound, value = f"bound of {options.samples} samples", -record["test_loss"]
    parts = f"reconstruction {nll:.2f}, KL {kl:.2f}"
    if "test_above_floor" in record:
        parts += f", {record['test_above_floor']:.0f} dimensions above the floor"
    return f"test {bound} {value:.2f} nats per example ({parts})"


def train(run: runs.Run) -> int:
    """Train, write, and say what came of it; returns the exit status."""
    film = Film(run.model, run.options.seed) if run.options.gif else None
    run.fit([film] if film else [])
    draw(run)
    if film:
        film.write(run)
    return run.close(partial(result, run.options))


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
