"""Two variational autoencoders of MNIST, one well and one ill, and what the health report says.

Both are 784-200-20-200-784, relu, black and white pixels, trained alike; only one thing differs:

    --ill beta     the KL weighs 20 times as much (default): z is not worth its price
    --ill sigma    a Gaussian of sigma = 1 in the place of the Bernoulli: far more noise than there
                   is, which acts as a large beta without being called one
    --ill narrow   the KL weighs a hundredth: codes of little width far from the prior, so that
                   the prior's samples are no digits

Each leaves its page of words, health.txt, and the same as a figure, health.png; the sick one's are
in ill/. reconstructions.png and samples.png have both beside each other. Source of the rules:
scratchae/evaluation/findings.py.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import runs
from options import Parser, count, fill
from output import say

from scratchae import (
    VAE,
    Adam,
    Bernoulli,
    Dense,
    Flatten,
    Gaussian,
    GaussianLikelihood,
    Likelihood,
    Reshape,
    Sequential,
    evaluation,
    plots,
)

EXAMPLE = Path(__file__).stem
RECIPE = {"dataset": "mnist", "epochs": 5, "batch_size": 128, "lr": 1e-3}
SHAPE, UNITS, SHOWN = (28, 28, 1), 200, 20
ILLS = {"beta": "beta = 20", "sigma": "Gaussian, sigma = 1", "narrow": "beta = 0.01"}
HOW = {"samples": 500}, {"samples": 10, "codes": 200}  # of a report; in a tiny run


def vae(D: int, likelihood: Likelihood, beta: float = 1.0) -> VAE:
    """784-200-D-200-784: x (N, 28, 28, 1), z (N, D). Source: Kingma and Welling 2014, appendix
    C."""
    encoder = Sequential(Flatten(), Dense(784, UNITS, "relu"), Dense(UNITS, 2 * D))
    decoder = Sequential(Dense(D, UNITS, "relu"), Dense(UNITS, 784), Reshape(*SHAPE))
    return VAE(encoder, decoder, Gaussian(D), likelihood, beta)


def ill(kind: str, D: int) -> VAE:
    """The same, with what ails it."""
    if kind == "sigma":
        return vae(D, GaussianLikelihood(1.0))
    return vae(D, Bernoulli(), {"beta": 20.0, "narrow": 0.01}[kind])


def examine(run: runs.Run) -> evaluation.Health:
    """The report of a run on its test images, printed, written and drawn."""
    how: Any = HOW[run.options.smoke]
    report = evaluation.health(
        run.model, run.test, run.options.seed, threads=run.options.threads, **how
    )
    say(f"\n{run.what}\n{report}\n")
    run.text("health.txt", f"{run.what}\n{report}\n")
    run.picture("health.png", plots.health(report, *run.labels("health of a VAE")))
    return report


def draw(well: runs.Run, sick: runs.Run) -> None:
    """Both beside each other: reconstructions of test images, samples of the prior."""
    words = f"well; and ill, {sick.what.rpartition(', ')[2]}"
    x = well.test.values(slice(SHOWN))
    both = {"well": well.model, "ill": sick.model}
    rows = {"original": x} | {name: model.reconstruct(x) for name, model in both.items()}
    title = well.labels("test images, reconstructed")[0]
    well.picture("reconstructions.png", plots.image_rows(rows, title, words))
    rows = {name: model.sample(SHOWN, well.options.seed) for name, model in both.items()}
    title = well.labels("samples from the prior")[0]
    well.picture("samples.png", plots.image_rows(rows, title, words))


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "")
    p.add_argument("--ill", choices=sorted(ILLS), default="beta", help="what ails it")
    p.add_argument(
        "--latent-dim", type=count, default=20, metavar="D", help="latent dimensions (default 20)"
    )
    return p


def prepare(options: argparse.Namespace) -> tuple[runs.Run, runs.Run]:
    """The run of the well model, and of the ill one beside it; models, data and folders, all of
    them checked."""
    fill(options, RECIPE)
    how: dict[str, Any] = {"backend": options.backend, "seed": options.seed}
    D = options.latent_dim
    well, sick = (m.build(SHAPE, **how) for m in (vae(D, Bernoulli()), ill(options.ill, D)))
    what = f"dense VAE, {D} latent dimension{'s' * (D > 1)}, black and white pixels"
    data = common.load(options, "threshold")
    run = runs.Run(options, well, Adam(options.lr), data, what)
    return run, run.beside("ill", sick, Adam(options.lr), f"{what}, {ILLS[options.ill]}")


def train(made: tuple[runs.Run, runs.Run]) -> int:
    """Train both, write, and say what came of it; returns the exit status."""
    reports = []
    for one in made:
        one.fit()
        with one.measuring("the health"):
            reports.append(examine(one))
        if one.signal:
            return one.close(result)
    draw(*made)
    words = [", ".join(report.ills) or "nothing" for report in reports]
    return made[0].close(
        lambda record: (
            f"{result(record)}; to look at: {words[0]} of the well one, {words[1]} of the ill one"
        )
    )


def result(record: dict[str, Any]) -> str:
    """The record of an epoch in words."""
    return f"test loss {record['test_loss']:.2f} nats per example"


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
