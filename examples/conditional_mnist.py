"""A variational autoencoder is given the label: p(x|z, y), q(z|x, y).

A dense VAE, 784-500-500-8-500-500-784, whose layers have the label's unit vector beside what they
are handed. As y says which digit, z is left to say how it is written: decoded with another label,
the same z gives another digit in the same hand. --prior label lets the prior be
p(z|y), a mean and a variance for each digit; z then need not be alike for all of them.
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
    Dense,
    Flatten,
    Gaussian,
    Given,
    GivenPrior,
    Labelled,
    Reshape,
    Sequential,
    datasets,
    evaluation,
    plots,
)
from scratchae.initializers import torch_uniform

EXAMPLE = Path(__file__).stem
RECIPE: dict[str, Any] = {"dataset": "mnist", "epochs": 20, "batch_size": 128, "lr": 1e-3}
CLASSES, UNITS = 10, 500
EACH = 10  # pictures of a class, and codes that every class is drawn from
TOLD, SAMPLES = 1000, 10  # images whose label is asked for, and draws of z for each
PRIORS = {"standard": "prior N(0, I)", "label": "prior by label"}
PIXELS = {"none": "grey pixels", "threshold": "binarised pixels", "dynamic": "dynamic pixels"}


def conditional(D: int, prior: str, beta: float) -> VAE:
    """784-500-500-D-500-500-784, logits, each hidden layer given the label: x (N, 28, 28, 1), c
    (N, 10), z (N, D).

    Source: Kingma et al., "Semi-supervised learning with deep generative models", 2014, M2 with
    every label known, and the label given again to the second layer.
    """
    affine = partial(Dense, init=torch_uniform, init_b=torch_uniform)

    def hidden(inputs: int) -> Sequential:
        return Sequential(Given(CLASSES), affine(inputs + CLASSES, UNITS, "relu"))

    encoder = Sequential(Flatten(), hidden(784), hidden(UNITS), affine(UNITS, 2 * D))
    decoder = Sequential(hidden(D), hidden(UNITS), affine(UNITS, 784), Reshape(28, 28, 1))
    by_label = GivenPrior(D, CLASSES, Dense(CLASSES, 2 * D))
    return VAE(encoder, decoder, by_label if prior == "label" else Gaussian(D), beta=beta)


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "")
    p.add_argument(
        "--latent-dim", type=count, default=8, metavar="D", help="latent dimensions (default 8)"
    )
    p.add_argument(
        "--prior", choices=sorted(PRIORS), default="standard", help="of z (default standard)"
    )
    p.add_argument(
        "--binarize",
        choices=sorted(PIXELS),
        default="dynamic",
        help="of the pixels (default dynamic)",
    )
    p.add_argument(
        "--beta", type=float, default=1.0, help="weight of the KL (default 1, the ELBO)"
    )
    return p


def prepare(options: argparse.Namespace) -> runs.Run:
    """Model, data and folder, all of them checked."""
    fill(options, RECIPE)
    model = conditional(options.latent_dim, options.prior, options.beta)
    model.build((28, 28, 1), backend=options.backend, seed=options.seed)
    optimizer = Adam(options.lr)
    train, test = (Labelled(images, CLASSES) for images in common.load(options, options.binarize))
    D = options.latent_dim
    what = (
        f"conditional VAE, {D} latent dimension{'s' * (D > 1)}, {PRIORS[options.prior]}, "
        f"{PIXELS[options.binarize]}"
    )
    what += f", beta = {options.beta:g}" if options.beta != 1 else ""
    return runs.Run(options, model, optimizer, (train, test), what)


def draw(run: runs.Run) -> None:
    """Every picture that this model can give."""
    model, seed, names = run.model, run.options.seed, common.class_names(run.options.dataset)
    run.reconstructions()
    run.loss()
    drawn = model.sample(CLASSES * EACH, seed, given=np.arange(CLASSES * EACH) % CLASSES)
    rows = {name: drawn[y::CLASSES] for y, name in enumerate(names)}
    run.picture("samples.png", plots.image_rows(rows, *run.labels("samples of each class")))
    rows = {name: model.sample(EACH, seed, given=y) for y, name in enumerate(names)}
    words = run.labels("each column the same draw, each row a class")
    run.picture("styles.png", plots.image_rows(rows, *words))
    first = one_of_each(run.test)
    z = model.encode(first)[0]
    rows = {"original": first.values()}
    rows |= {f"as {name}": model.decode(z, given=y) for y, name in enumerate(names)}
    words = run.labels("test images, and their codes decoded as every class")
    run.picture("rewritten.png", plots.image_rows(rows, *words))


def one_of_each(test: Labelled) -> Labelled:
    """The first image of each class, as many as there are."""
    labels = np.asarray(test.labels)
    return datasets.take(test, [np.flatnonzero(labels == y)[0] for y in np.unique(labels)])


def told_apart(run: runs.Run) -> str:
    """How many test images have the label that is likeliest by Bayes' rule, in words."""
    some = datasets.take(run.test, slice(TOLD))
    o = run.options
    found = evaluation.by_label(run.model, some, samples=SAMPLES, seed=o.seed, threads=o.threads)
    right = np.mean(found.labels == np.asarray(some.labels))
    return f"by Bayes' rule it tells the label of {right:.1%} of {len(some)} test images"


def train(run: runs.Run) -> int:
    """Train, write, and say what came of it; returns the exit status."""
    run.fit()
    draw(run)
    words = told_apart(run)

    def result(record: dict[str, Any]) -> str:
        nll, kl = record["test_reconstruction"], record["test_kl"]
        return (
            f"test ELBO given the label {-nll - kl:.2f} nats per example (reconstruction "
            f"{nll:.2f}, KL {kl:.2f}); {words}"
        )

    return run.close(result)


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
