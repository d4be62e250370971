"""What a likelihood that fits grey MNIST gives: a sigma that nobody chooses, a bound that is one.

--compare sigma: a VAE under SharedGaussian, whose one sigma is learned, beside the same under
GaussianLikelihood(sigma) for each of --sigmas. With D pixels, and a the mean of p(x|z), z from
q(z|x):

    ELBO = -D (log sigma + log(2 pi) / 2) - E|x - a|^2 / (2 sigma^2) - KL                   (1)
    d ELBO / d sigma = 0  at  sigma = rmse,  rmse^2 = E|x - a|^2 / D                        (2)

What is learned must be the RMSE of the training images, since it is learned from them, by the
draws z that the bound is made of; ``reconstruct`` takes the mean of q(z|x), whose error is
smaller. That of test images stands beside it. The rate falls to 0 by a cosine, so that sigma is
not left behind by an error that still falls.

--compare grey: a VAE under ContinuousBernoulli beside the same under Bernoulli, whose sum over
grey pixels is a cross-entropy and bounds nothing. Both are scored by the ELBO of the continuous
Bernoulli, of which a decoder's output is the parameter; the Bernoulli's, whose output was trained
to be the logit of a mean, is scored by the parameter of that mean too. By seed 0 the test ELBO is
3,183 nats, against 1,172 and, by the mean, 3,185: what costs 2,000 nats is to take a logit for a
parameter, while the training costs none. Pixels are (k + u) / 256 of the 8-bit k, with noise u, so
that a density means something: grey.py.

Source: Rybkin et al. 2021, section 4.1; Loaiza-Ganem and Cunningham 2019, section 5, and their
cunningham-lab/cb_and_cc, cb_vae_mnist.ipynb.
"""

import argparse
import math
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import grey
import likelihood_pictures as pictures
import numpy as np
import runs
from options import Parser, fill
from output import say

from scratchae import (
    VAE,
    Adam,
    Bernoulli,
    ContinuousBernoulli,
    Dense,
    Flatten,
    Gaussian,
    GaussianLikelihood,
    Likelihood,
    Reshape,
    Sequential,
    SharedGaussian,
    evaluate,
    plots,
    schedules,
)

EXAMPLE = Path(__file__).stem
RECIPE: dict[str, Any] = {"dataset": "mnist", "epochs": 20, "batch_size": 128}
RATES = {"sigma": 1e-3, "grey": 3e-3}
SHAPE, D, UNITS, LATENT, SHOWN = (28, 28, 1), 784, 400, 20, 10
SIGMAS = [0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0]
START = 0.3  # of the sigma that is learned; about their mean, MNIST's pixels have an RMSE of .26
WORDS = "dense VAE 784-400-20-400-784, grey pixels"
NOTE = f"{WORDS}, trained alike under each likelihood"

Runs = dict[str, runs.Run]  # by what they differ in; all but the first are beside that


def vae(likelihood: Likelihood) -> VAE:
    """784-400-20-400-784, relu: x (N, 28, 28, 1), z (N, 20). Source: Kingma and Welling 2014,
    appendix C."""
    encoder = Sequential(Flatten(), Dense(D, UNITS, "relu"), Dense(UNITS, 2 * LATENT))
    decoder = Sequential(Dense(LATENT, UNITS, "relu"), Dense(UNITS, D), Reshape(*SHAPE))
    return VAE(encoder, decoder, Gaussian(LATENT), likelihood)


def likelihoods(options: argparse.Namespace) -> dict[str, Likelihood]:
    """Those that are compared, the calibrated one first. Raises ValueError for a sigma that is
    none, and for --sigmas without a use."""
    if options.compare == "sigma":
        found: dict[str, Likelihood] = {"sigma learned": SharedGaussian(START)}
        fixed = {f"sigma {sigma:g}": GaussianLikelihood(sigma) for sigma in sorted(options.sigmas)}
        return found | fixed
    if options.sigmas is not None:
        raise ValueError("--sigmas are of --compare sigma: leave them out, or --compare grey")
    return {"continuous Bernoulli": ContinuousBernoulli(), "Bernoulli": Bernoulli()}


def rmse(reconstruction: float, sigma: float) -> float:
    """The root mean square error behind a mean of -log p(x|z), in nats, under that sigma: by the
    very draws that it is made of. Source: the module, (1) (2)."""
    constant = math.log(sigma) + math.log(2 * math.pi) / 2
    return sigma * math.sqrt(2 * (reconstruction / D - constant))  # (1) (2)


def of_sigma(run: runs.Run) -> dict[str, float]:
    """sigma, learned or fixed; the RMSE of training and of test images, KL and ELBO of these."""
    sigma, threads = run.model.likelihood.sigma, run.options.threads
    sigma = sigma() if callable(sigma) else sigma
    train, test = (evaluate(run.model, x, threads=threads) for x in (run.train, run.test))
    return {
        "sigma": sigma,
        "rmse": rmse(train["reconstruction"], sigma),
        "rmse_test": rmse(test["reconstruction"], sigma),
        "kl": test["kl"],
        "elbo": -test["reconstruction"] - test["kl"],
    }


def compare_sigmas(every: Runs) -> None:
    """The learned sigma, the first, and the fixed ones: a table, numbers and pictures."""
    rows = {name: of_sigma(run) for name, run in every.items()}
    names, (learned, *fixed) = list(every), rows.values()
    best = max(fixed, key=lambda row: row["elbo"])
    learned["sigma_off"] = abs(learned["sigma"] / learned["rmse"] - 1)
    learned |= {"best_fixed": best["sigma"], "above_fixed": learned["elbo"] - best["elbo"]}
    for name, run in every.items():
        run.also(rows[name])
    say(f"{'':15}{'sigma':>8}{'RMSE':>9}{'test RMSE':>11}{'test KL':>10}{'test ELBO':>12}")
    for name, row in rows.items():
        errors = f"{row['sigma']:8.4f}{row['rmse']:9.4f}{row['rmse_test']:11.4f}"
        say(f"{name:15}{errors}{row['kl']:10.2f}{row['elbo']:12.2f}")
    title = every[names[0]].labels("what sigma does to a VAE")[0]
    figure = pictures.by_sigma(learned, fixed, title, NOTE)
    every[names[0]].picture("sigma.png", figure)
    draw(every, [names[1], names[0], names[-1]], {})


def compare_grey(every: Runs) -> None:
    """The ELBO of the test images by the continuous Bernoulli: a table, numbers and pictures."""
    names, (ours, theirs) = list(every), every.values()
    elbo, as_it_is = (grey.bound(run.model, run.test) for run in (ours, theirs))
    by_means = grey.bound(theirs.model, theirs.test, grey.of_mean)
    say(f"{'trained under':23}{'scored by the parameter':26}{'test ELBO':>10}")
    say(f"{names[0]:23}{'output':26}{elbo:10.2f}")
    say(f"{names[1]:23}{'output':26}{as_it_is:10.2f}")
    say(f"{names[1]:23}{'of mean sigmoid(output)':26}{by_means:10.2f}")
    theirs.also({"elbo": as_it_is, "elbo_by_means": by_means})
    ours.also({"elbo": elbo, "above_bernoulli": elbo - as_it_is, "above_means": elbo - by_means})
    mu = theirs.model.encode(theirs.test.values(slice(SHOWN)))[0]
    means = ContinuousBernoulli().mean(theirs.model.decoder_output(mu))
    draw(every, names, {"Bernoulli's output as parameter": means})


def draw(every: Runs, names: list[str], more: dict[str, np.ndarray]) -> None:
    """Reconstructions of test images by these models, and more of them (10, 28, 28, 1); samples of
    the prior, as means and as drawn from p(x|z)."""
    first = next(iter(every.values()))
    x, seed = first.test.values(slice(SHOWN)), first.options.seed
    rows = {"original": x} | {name: every[name].model.reconstruct(x) for name in names} | more
    title = first.labels("test images, reconstructed")[0]
    first.picture("reconstructions.png", plots.image_rows(rows, title, NOTE))
    rows = {}
    for name in names:
        rows[f"{name}, mean"] = every[name].model.sample(SHOWN, seed)
        rows[f"{name}, drawn"] = every[name].model.sample(SHOWN, seed, noise=True)
    title = first.labels("samples of the prior, the mean of p(x|z) and x drawn from it")[0]
    first.picture("samples.png", plots.image_rows(rows, title, NOTE))


COMPARISONS = {"sigma": compare_sigmas, "grey": compare_grey}


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "")
    choices = tuple(COMPARISONS)
    p.add_argument("--compare", choices=choices, default="sigma", help="default %(default)s")
    words = f"the fixed ones (default {' '.join(f'{sigma:g}' for sigma in SIGMAS)})"
    p.add_argument("--sigmas", type=float, nargs="+", metavar="SIGMA", help=words)
    return p


def prepare(options: argparse.Namespace) -> Runs:
    """The run of each likelihood, all but the first beside that; models, data and folders, all of
    them checked."""
    recipe = RECIPE | {"lr": RATES[options.compare]}
    fill(options, recipe | ({"sigmas": SIGMAS} if options.compare == "sigma" else {}))
    how: dict[str, Any] = {"backend": options.backend, "seed": options.seed}
    models = {name: vae(p).build(SHAPE, **how) for name, p in likelihoods(options).items()}
    data: tuple[Any, Any] = common.load(options)
    if options.compare == "grey":
        data = grey.dequantised(data[0], 0), grey.dequantised(data[1], 1)
        for model in models.values():
            grey.start_at_mean(model, data[0])
    every = Runs()
    steps = options.epochs * math.ceil(len(data[0]) / options.batch_size)
    for name, model in models.items():
        optimizer, what = Adam(schedules.Cosine(options.lr, steps)), f"{WORDS}, {name}"
        first = next(iter(every.values()), None)
        every[name] = (
            first.beside(name.replace(" ", "_"), model, optimizer, what)
            if first
            else runs.Run(options, model, optimizer, data, what)
        )
    return every


def result(record: dict[str, Any]) -> str:
    """The last epoch's record in words."""
    if "elbo" not in record:  # interrupted
        return f"test loss {record['test_loss']:.2f} nats per example"
    words = f"test ELBO {record['elbo']:.2f} nats per example"
    if "sigma" not in record:
        return (
            f"{words}, {record['above_bernoulli']:+.2f} against Bernoulli's training, "
            f"{record['above_means']:+.2f} against its means"
        )
    return (
        f"sigma {record['sigma']:.4f}, {record['sigma_off']:.2%} from the training RMSE; {words}, "
        f"{record['above_fixed']:+.2f} against the best fixed sigma, {record['best_fixed']:g}"
    )


def train(every: Runs) -> int:
    """Train each, write, and say what came of it; returns the exit status."""
    for name, run in every.items():
        say(f"\n{name}")
        run.fit()
        run.loss()
        if run.history.interrupted:
            return run.close(result)
    first = next(iter(every.values()))
    with first.measuring("what they are compared by"):
        COMPARISONS[first.options.compare](every)
    return first.close(result)


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
