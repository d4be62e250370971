"""An importance weighted autoencoder learns MNIST, each pixel drawn anew with its grey value.

The networks of Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2016, section
5: --layers 1 is 784-200-200-(50), tanh, and back; --layers 2 puts 100-100-100-(50) upon 100
numbers. --samples K is the number of codes an example; --estimator another gradient of the
same bound. Adam with eps = 1e-4, batches of 20, Glorot's weights, and the last bias at the logit
of the mean of each pixel, as their code has it (yburda/iwae). Codes for 5,000 samples an example
give log p(x) of the test images at the end. --labels hands the digit to encoder, decoder and
prior, and gives log p(x|y).

--full is their schedule: stages i = 0 ... 7 of 3^i epochs at the rate lr 10^(-i/7), 3,280 in all.
Without it the rate falls from lr to 1e-4 by a cosine over the epochs. Samples are wasted early:

    python examples/iwae_mnist.py --epochs 320 --out runs/one
    python examples/iwae_mnist.py --samples 50 --start runs/one/weights.safetensors --lr 5e-4
"""

import argparse
import sys
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import numpy as np
import runs
from options import Parser, count, fill
from output import say

from scratchae import (
    IWAE,
    STL,
    Adam,
    Bernoulli,
    Dense,
    DReG,
    Flatten,
    Gaussian,
    Given,
    GivenPrior,
    Hierarchy,
    Images,
    Labelled,
    Latent,
    Layer,
    Model,
    Reshape,
    Sequential,
    plots,
    schedules,
)
from scratchae.evaluation import log_likelihood

EXAMPLE = Path(__file__).stem
RECIPE: dict[str, Any] = {
    "dataset": "mnist",
    "epochs": 20,
    "batch_size": 20,
    "lr": 1e-3,
    "test_samples": 5000,
}
SMOKE_SAMPLES = 50
STAGES = [3**i for i in range(8)]  # epochs
LAST_RATE = 1e-4
ESTIMATORS = {"iwae": IWAE, "stl": STL, "dreg": DReG}
SHAPE, CLASSES = (28, 28, 1), 10
ACTIVE = 0.01  # variance of a unit's mean over the data, above which it says something of x
SHOWN = 60


def network(*sizes: int, classes: int = 0) -> list[Layer]:
    """Dense layers between these sizes, tanh but for the last; the first is given the label too,
    where there are classes."""
    ends = list(pairwise((sizes[0] + classes, *sizes[1:])))
    given: list[Layer] = [Given(classes)] if classes else []
    hidden = [Dense(*pair, activation="tanh") for pair in ends[:-1]]
    return [*given, *hidden, Dense(*ends[-1])]


def model(layers: int, samples: int, estimator: str) -> Model:
    """784-200-200-(D) and back, logits: x (N, 28, 28, 1), z (N K, D), D = 50, or 100 below 50.

    Source: Burda et al. 2016, section 5 and appendix C; yburda/iwae, experiments.py."""
    D = 50 if layers == 1 else 100
    latent: Latent = Gaussian(D)
    if layers == 2:
        up = Sequential(*network(D, 100, 100, 2 * 50))
        latent = Hierarchy(up, Sequential(*network(50, 100, 100, 2 * D)))
    return bound(latent, D, samples, estimator)


def conditional(samples: int, estimator: str) -> Model:
    """The same of one layer, given the label y beside x and beside z, with the prior p(z|y) of a
    10-200-200-(D) network: x (N, 28, 28, 1), c (N, 10), z (N K, D), D = 100.

    Source: nbip/IWAE, tasks/task04.py."""
    D = 100
    prior = GivenPrior(D, CLASSES, Sequential(*network(CLASSES, 200, 200, 2 * D)))
    return bound(prior, D, samples, estimator, CLASSES)


def bound(latent: Latent, D: int, samples: int, estimator: str, classes: int = 0) -> Model:
    """784-200-200-(D) and back, around that latent, given the label where there are classes."""
    encoder = Sequential(Flatten(), *network(784, 200, 200, 2 * D, classes=classes))
    decoder = Sequential(*network(D, 200, 200, 784, classes=classes), Reshape(*SHAPE))
    return Model(ESTIMATORS[estimator](encoder, decoder, latent, Bernoulli(), samples))


def start_at_mean(made: Model, train: Images) -> None:
    """Let the last bias (784,) be the logit of the mean of each pixel, cut to [.001, .999].

    Source: yburda/iwae, datasets.py."""
    mean = np.clip(train.pixels.mean(axis=0, dtype=np.float64).ravel() / 255, 0.001, 0.999)
    *_, last = made.weights
    made.weights[last] = np.log(mean / (1 - mean))


def rate(options: argparse.Namespace, examples: int) -> schedules.Schedule:
    """The learning rate by the step."""
    epoch = -(-examples // options.batch_size)
    if options.full:
        ends = tuple(epoch * n for n in accumulate(STAGES[:-1]))
        return schedules.Steps(options.lr, 10 ** (-1 / 7), ends)
    return schedules.Cosine(options.lr, epoch * options.epochs, min(options.lr, LAST_RATE))


def counted(K: int) -> str:
    """K samples in words."""
    return f"{K:,} sample{'s' * (K > 1)}"


def measure(run: runs.Run) -> None:
    """Add to the last epoch's line what is measured once: log p(x), its standard error, the median
    number of samples that count, and how many units are active. log_p.txt has that of each image,
    a line each. Which units say something of x beyond the label is not counted."""
    o, model = run.options, run.model
    say(f"log p(x) of {len(run.test):,} test images by {counted(o.test_samples)} each")
    found = log_likelihood(model, run.test, o.test_samples, o.seed, threads=o.threads)
    numbers = {"test_log_p": found.mean, "test_log_p_error": found.standard_error}
    numbers |= {"test_ess": float(np.median(found.ess)), "test_samples": o.test_samples}
    if not o.labels:
        codes = run.codes(lambda x: model.encode(x)[0])
        numbers["active_units"] = int((codes.var(axis=0) > ACTIVE).sum())
    run.text("log_p.txt", "\n".join(map(repr, found.each.tolist())) + "\n")
    run.also(numbers)


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "")
    add = p.add_argument
    add("--layers", type=int, choices=(1, 2), default=1, help="stochastic ones (default 1)")
    add("--samples", type=count, default=1, metavar="K", help="codes an example (default 1)")
    add("--estimator", choices=tuple(ESTIMATORS), default="iwae", help="default iwae")
    add("--labels", action="store_true", help="give the label to encoder, decoder and prior")
    add("--full", action="store_true", help="the paper's schedule: 3,280 epochs")
    add("--start", type=Path, metavar="PATH", help="weights.safetensors of a run to go on from")
    add(
        "--test-samples",
        type=count,
        metavar="K",
        help="codes a test image, for log p(x) (default 5000)",
    )
    return p


def prepare(options: argparse.Namespace) -> runs.Run:
    """Model, data and folder, all of them checked."""
    recipe = RECIPE | ({"test_samples": SMOKE_SAMPLES} if options.smoke else {})
    if options.full:
        if options.epochs:
            raise ValueError("--full has 3,280 epochs: leave --epochs out, or --full")
        recipe |= {"epochs": sum(STAGES)}
    if options.labels and options.layers == 2:
        raise ValueError("--labels has a prior by label for one layer: leave --layers 2 out")
    fill(options, recipe)
    networks = (options.samples, options.estimator)
    made = conditional(*networks) if options.labels else model(options.layers, *networks)
    made.build(SHAPE, backend=options.backend, seed=options.seed)
    if options.start:
        common.warm_start(made, options.start, options.out)
    train, test = common.load(options, "dynamic")
    if not options.start:
        start_at_mean(made, train)
    what = f"{options.estimator.upper()}, k = {options.samples}"
    what = what.replace("DREG", "DReG") + ", 2 stochastic layers" * (options.layers == 2)
    what += ", given the label" * options.labels
    what += ", from given weights" if options.start else ""
    optimizer = Adam(rate(options, len(train)), eps=1e-4)
    data: Any = (train, test)
    if options.labels:
        data = tuple(Labelled(images, CLASSES) for images in data)
    return runs.Run(options, made, optimizer, data, what)


def draw(run: runs.Run) -> None:
    """Every picture that this model can give."""
    run.reconstructions()
    run.loss()
    given = np.arange(SHOWN) % CLASSES if run.options.labels else None
    samples = run.model.sample(SHOWN, run.options.seed, given=given)
    run.picture("samples.png", plots.image_grid(samples, *run.labels("samples from the prior")))


def result(record: dict[str, Any]) -> str:
    """The last epoch's record in words."""
    bound = f"test bound {-record['test_loss']:.2f} nats per example"
    if "test_log_p" not in record:  # interrupted
        return bound
    log_p, error = record["test_log_p"], record["test_log_p_error"]
    words = (
        f"test log p(x) {log_p:.2f} +- {error:.2f} nats per example by "
        f"{counted(record['test_samples'])} ({record['test_ess']:.3g} count), {bound}"
    )
    units = record.get("active_units")
    return words if units is None else f"{words}, {units} active units"


def train(run: runs.Run) -> int:
    """Train, write, and say what came of it; returns the exit status."""
    run.fit()
    if not run.history.interrupted:
        with run.measuring("log p(x)"):
            measure(run)
    draw(run)
    return run.close(result)


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
