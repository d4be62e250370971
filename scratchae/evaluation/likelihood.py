"""log p(x) of a model with a latent, by importance sampling.

With z_k ~ q(z|x), K of them, nll_k = -log p(x|z_k) and r_k = log q(z_k|x) - log p(z_k):

    log w_k = -(nll_k + r_k)                    E_q[w] = p(x)                           (1)
    log p(x) is about log(1/K sum_k w_k)                                                (2)

(2) is the bound of IWAE with K samples: below log p(x) in the mean, and closer with each sample.
The w_k are read in pieces of SAMPLES, of which three numbers are kept for each example,

    top = max_k log w_k,  s1 = sum_k exp(log w_k - top),  s2 = sum_k exp(2 (log w_k - top))  (3)

and s1, s2 are scaled by exp(top - new top), and its square, when top grows. How far (2) is to be
trusted is told by how many samples carry it:

    ess = s1^2 / s2                             between 1 and K                         (4)
    error = sqrt(1 / ess - 1 / K)               by the delta method, as (2) is the      (5)
                                                logarithm of a mean of K
    standard_error = sqrt(var(each) / N)        of the mean over N examples             (6)

The estimates are independent, so that their own errors are part of var(each): (6) is how far the
mean moves with other examples and other draws. Of one example it is (5), of one sample (5) is not
known. An ess of a few says that (2) is far below log p(x), by more than (5) admits: the few
samples that would matter were not drawn. Sample k of piece c lies at the noise's position k D + d,
and c is the epoch of its clock, so no draw depends on what else is asked for.

Source: Burda, Grosse, Salakhutdinov, "Importance weighted autoencoders", 2016, section 5 (2);
Owen, "Monte Carlo theory, methods and examples", 2013, chapter 9 (4, 5); Kong, "A note on
importance sampling using standardized weights", 1992 (4).
"""

import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .. import checks, randomness
from ..bars import bar
from ..datasets.fitting import fitting_source
from ..datasets.sources import bring
from ..execution.pool import ThreadPool
from ..execution.step import filled

SAMPLES = 50  # of an example that go through the decoder at once: a piece
PIECES = 20  # of an example that one task takes
ROWS = 500  # that go through the decoder at once, at most
BYTES = 64_000_000  # of activations of these rows, at most


class GreyWarning(UserWarning):
    """The likelihood is of 0 and 1, but the data is grey: what is found is no log p(x)."""


Task = tuple[np.ndarray, range]  # rows (G,) uint32 of the data, numbers of pieces


@dataclass(frozen=True, eq=False)  # of arrays
class LogLikelihood:
    """What ``log_likelihood`` found. Shapes: each, ess (N,), in nats and in samples.

    samples: K, of each example. ``mean`` has the error ``standard_error``, each has ``error``. Two
    models are told apart by each on the same examples: the differences vary far less than either.
    Source: the module, whose numbers these are."""

    each: np.ndarray
    ess: np.ndarray
    samples: int

    @property
    def mean(self) -> float:
        """Of log p(x) over the examples, in nats per example."""
        return float(self.each.mean())

    @property
    def error(self) -> np.ndarray:
        """(N,) the standard error of each, in nats; NaN for one sample, which does not tell it.
        Source: the module."""
        if self.samples == 1:
            return np.full(self.ess.shape, np.nan)
        return np.sqrt(np.maximum(1 / self.ess - 1 / self.samples, 0))  # (5)

    @property
    def standard_error(self) -> float:
        """Of the mean, in nats: over examples, and of the estimate; NaN where a p(x) is 0. Source:
        the module."""
        if len(self.each) == 1:
            return float(self.error[0])
        with np.errstate(invalid="ignore"):  # -inf - -inf
            return float(np.sqrt(self.each.var(ddof=1) / len(self.each)))  # (6)

    def __str__(self) -> str:
        N, K = len(self.each), self.samples
        return (
            f"log p(x) = {self.mean:.2f} +- {self.standard_error:.2f} nats per example "
            f"({N:,} example{'s' * (N > 1)}, {K:,} sample{'s' * (K > 1)} each, of which "
            f"{np.median(self.ess):.3g} count in the median)"
        )


def log_likelihood(
    model: Any,
    x: Any,
    samples: int = 5000,
    seed: int = 0,
    *,
    threads: int | None = None,
    progress: bool = True,
) -> LogLikelihood:
    """log p(x) of each example of x (N, *input_shape), an array or a source, in nats.

    samples: K, of z for each example. threads: the machine's cores by default; they change no bit.
    Memory is that of ROWS rows for each thread, whatever N and K. The model's samples, beta and
    estimator do not matter here: log p(x) is of its decoder and prior alone, and q only decides
    how well it is estimated. Warns (GreyWarning) of grey data under a likelihood of 0 and 1.
    Raises TypeError for a model without a latent or a likelihood that is no distribution, and what
    ``evaluate`` raises. Source: the module, (1) to (3).
    """
    source = fitting_source(model, x, "x")
    require_density(model)
    lanes = checks.positive("threads", (os.cpu_count() or 1) if threads is None else threads)
    lanes = 1 if model.backend.spelling == "cuda" else lanes
    shown = checks.flag("progress", progress)
    run = _Run(model, source, checks.positive("samples", samples), checks.seed(seed), lanes)
    with model.backend.undisturbed(), ThreadPool(lanes) as pool, bar(run.work, "", shown) as b:
        for tasks in run.rounds():
            found = pool.each("pieces", partial(run.through, tasks), len(tasks))
            for task, sums in zip(tasks, found, strict=True):
                run.keep(task, sums)
                b.update(len(task[0]) * len(task[1]))
            run.warn()
    return run.result()


def require_density(model: Any) -> None:
    """Raise TypeError unless the model has p(z), q(z|x) and a p(x|z) that is a distribution."""
    if model.latent is None:
        raise TypeError(
            f"this {type(model).__name__} has no latent, so it has no p(x): train a VAE, or look "
            "at evaluate"
        )
    model.latent.require("ratio()")
    model.likelihood.require_distribution()


class _Run:
    """The pieces of all examples, shared by lanes, each with a replica of the model of its own."""

    def __init__(self, model: Any, source: Any, samples: int, seed: int, lanes: int):
        self.backend, self.samples, self.seed = model.backend, samples, seed
        self.N, self.S = len(source), min(samples, SAMPLES)
        self.pieces = -(-samples // self.S)
        self.work = self.N * self.pieces
        self.G = self._group(model)
        self.replicas = [model.replica(self.G, samples=self.S) for _ in range(lanes)]
        self.feeds = [source.feed(self.backend, self.G) for _ in range(lanes)]
        self.clocks = [self.backend.zeros((4,), np.uint32) for _ in range(lanes)]
        self.sums = np.zeros((3, self.N))  # top, s1, s2
        self.sums[0] = -np.inf
        self.remarks = dict[int, str]()  # on the data, by the first row of a group
        self.warned = False

    def _group(self, model: Any) -> int:
        """How many examples go through at once."""
        objective = model.parts()
        objective.draw_samples(self.S)
        fit = BYTES // (objective.numbers() * self.backend.dtype.itemsize)
        return max(1, min(self.N, ROWS // self.S, fit))

    def rounds(self) -> Iterator[list[Task]]:
        """The tasks, as many at a time as there are lanes."""
        tasks = []
        for first in range(0, self.N, self.G):
            rows = np.arange(first, min(first + self.G, self.N), dtype=np.uint32)
            for piece in range(0, self.pieces, PIECES):
                tasks.append((rows, range(piece, min(piece + PIECES, self.pieces))))
                if len(tasks) == len(self.replicas):
                    yield tasks
                    tasks = []
        if tasks:
            yield tasks

    def through(self, tasks: list[Task], lane: int) -> np.ndarray:
        """The sums (pieces, 3, n) of the task of one lane. Every product has the same rows, so the
        last group is filled up with its own examples."""
        rows, pieces = tasks[lane]
        group = np.resize(rows, self.G)
        index, feed = self.backend.share(group), self.feeds[lane]
        objective, clock = self.replicas[lane], self.clocks[lane]
        latent: Any = objective.latent
        self._set(clock, 0, randomness.EVALUATION)  # x as ``evaluate`` has it
        bring(feed, group)
        x = filled(feed, index, clock, objective)
        if pieces[0] == 0 and not self.warned:
            target = getattr(feed, "target", None)
            scored = self.backend.to_host(x if target is None else target)
            first = int(rows[0])
            self.remarks[first] = objective.likelihood.remark(scored[: len(rows)], first)
        objective.encoder.draw(index, clock)
        h = objective.encoder.forward(x)
        log_w = np.full((len(pieces), self.G, self.S), -np.inf)  # of no sample: weight 0
        for i, c in enumerate(pieces):
            self._set(clock, c, randomness.IMPORTANCE)
            latent.draw(index, clock)
            objective.decoder.draw(index, clock)
            a = objective.decoder.forward(latent.forward(h))
            nll = self.backend.to_host(objective.likelihood.forward(a, x))
            found = -(nll.astype(np.float64) + self.backend.to_host(latent.ratio()))  # (1)
            due = min(self.S, self.samples - c * self.S)
            log_w[i, :, :due] = found.reshape(self.G, self.S)[:, :due]
        return _summed(log_w[:, : len(rows)])

    def _set(self, clock: Any, epoch: int, purpose: int) -> None:
        self.backend.write(clock, randomness.clock(self.seed, epoch, purpose))

    def keep(self, task: Task, sums: np.ndarray) -> None:
        """Add the sums (pieces, 3, n) of a task, piece by piece: how many a task has changes no
        bit."""
        rows = slice(task[0][0], task[0][-1] + 1)
        for piece in sums:
            self.sums[:, rows] = merged(self.sums[:, rows], piece)

    def warn(self) -> None:
        """Warn once, by GreyWarning, of data that the likelihood has a remark on."""
        remarks = [remark for _, remark in sorted(self.remarks.items()) if remark]
        if remarks and not self.warned:
            self.warned = True
            warnings.warn(remarks[0], GreyWarning, stacklevel=checks.stacklevel())

    def result(self) -> LogLikelihood:
        """The estimates of all examples."""
        top, s1, s2 = self.sums
        with np.errstate(divide="ignore", invalid="ignore"):  # where p(x) is 0 all along
            each = top + np.log(s1) - math.log(self.samples)  # (2)
            return LogLikelihood(each, s1 * s1 / s2, self.samples)  # (4)


def _summed(log_w: np.ndarray) -> np.ndarray:
    """log_w (..., n, S) -> (..., 3, n): top, s1, s2."""
    top = log_w.max(axis=-1)
    w = _exp(log_w, top[..., None])
    return np.stack([top, w.sum(axis=-1), (w * w).sum(axis=-1)], axis=-2)  # (3)


def merged(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sums (3, n) of two sets of samples -> those of both. Source: the module, (3)."""
    top = np.maximum(a[0], b[0])
    fa, fb = _exp(a[0], top), _exp(b[0], top)
    return np.stack([top, fa * a[1] + fb * b[1], fa**2 * a[2] + fb**2 * b[2]])  # (3)


def _exp(log_w: np.ndarray, top: np.ndarray) -> np.ndarray:
    """exp(log_w - top), and 0 for the inf - inf of weights that are all 0."""
    with np.errstate(invalid="ignore"):
        x = log_w - top
        return np.where(x == x, np.exp(x), 0.0)
