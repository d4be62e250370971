"""Whether a model with a latent is well: what its codes tell of x, what they cost, and what ails
it.

Over N examples, each with its q(z|x) and, where something is drawn, one z ~ q(z|x):

    active_d = [var_n E q(z_d|x_n) > 0.01]            units that tell examples apart    (1)
    kl = 1/N sum_n KL(q(z|x_n), p(z))                 what the codes cost               (2)
    aggregate_kl = kl - mutual_information            (3) of information.py             (3)
    told = 1/N sum_n (nll(x_n, z_m) - nll(x_n, z_n))  what z is good for, m any other   (4)
    gain = constant - (reconstruction + kl)           what the model is good for        (5)

and how well q stands for p(z|x): the effective number of importance samples, likelihood.py (4).
Where a label is given, each has a constant of its own in (5): what the label tells is not what z
does. findings.py has the rules that make words of these numbers. Source: Burda, Grosse,
Salakhutdinov, "Importance weighted autoencoders", 2016, section 5.2 (1); Hoffman and Johnson,
"ELBO surgery", 2016 (3); Bowman et al., "Generating sentences from a continuous space", 2016, on
collapse.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks, randomness
from ..datasets.around import every
from ..datasets.fitting import fitting_source
from ..datasets.pairs import Observed, Pairs
from .codes import Chosen, Pass, Seen
from .constants import best_constant
from .findings import Finding, findings
from .information import distance, distance_of_moments, mutual_information, surplus
from .likelihood import GreyWarning, LogLikelihood, log_likelihood, require_density
from .page import page

ACTIVE = 0.01  # the variance of a unit's mean above which it is active: Burda et al.
FULL = 1.0  # nats below log N from which on MI says that there are too few codes to tell
SCORED = 100  # examples whose log p(x) is estimated
LEAST = 10  # samples of each, of which an effective number says something


@dataclass(frozen=True, eq=False)  # eq would ask an array of comparisons for one truth
class Health:
    """What ``health`` found; printed, it is one page.

    Shapes: variance, active (D,) of the units, kl_per_dimension (J,): of_units says whether its
    terms are those of the units, or others, such as a Hierarchy's of its layers. In nats per
    example: reconstruction, kl, mutual_information and its most, log N, aggregate_kl and the least
    that it is (below it where the codes are too few), told, constant, gain and the standard error
    of both.
    ess: of samples, the median over scored examples, whose log p(x), above the ELBO by ``above``,
    is log_p. off, claimed: the spread of x about the mean of p(x|z), and what p(x|z) says of it,
    in units of x; between: the share of values that p(x|z) never draws; given: whether something
    is given beside x. What could not be looked
    at is NaN, or None of arrays and log_p; why holds the reasons. Source: the module.
    """

    model: str
    data: str
    N: int
    reconstruction: float
    kl: float
    kl_per_dimension: np.ndarray
    of_units: bool
    variance: np.ndarray | None
    active: np.ndarray | None
    mutual_information: float
    most_information: float
    aggregate_kl: float
    aggregate_least: float
    log_p: LogLikelihood | None
    ess: float
    above: float
    told: float
    told_error: float
    constant: float
    gain: float
    gain_error: float
    off: float
    claimed: float
    between: float
    given: bool
    why: dict[str, str]

    @property
    def too_few(self) -> bool:
        """Whether the codes are too few to tell more than a part of MI. Source: information.py."""
        return bool(self.mutual_information > self.most_information - FULL)

    @property
    def findings(self) -> list[Finding]:
        """What each rule says, in its order. Source: findings.py."""
        return findings(self)

    @property
    def ills(self) -> list[str]:
        """The names of the rules that found something to mend."""
        return [finding.name for finding in self.findings if finding.ill]

    def __str__(self) -> str:
        return page(self)


def health(
    model: Any,
    x: Any,
    seed: int = 0,
    *,
    codes: int = 5000,
    samples: int = 500,
    threads: int | None = None,
    progress: bool = True,
) -> Health:
    """x (N, *input_shape), an array or a source, that the model did not learn from -> its health.

    codes: how many examples are looked at, drawn for the seed where there are more. samples: of z,
    for log p(x) of SCORED of them. Raises TypeError for a model without a latent, ValueError for
    fewer than 2 examples or LEAST samples, and what ``evaluate`` raises. Source: the module.
    """
    source = fitting_source(model, x, "x")
    if model.latent is None:
        raise TypeError(
            f"the model is a {type(model).__name__} without a latent, but a VAE is expected: an "
            "autoencoder has no posterior that could be ill; look at evaluate"
        )
    if not model.likelihood.additive:
        raise TypeError(
            f"{type(model.likelihood).__name__} says what a batch costs, and not an example: look "
            "at the model with SharedGaussian(sigma) in its place, sigma = likelihood.sigma(x, a) "
            "of training data"
        )
    if any(isinstance(part, (Pairs, Observed)) for part in every(source)):
        raise TypeError(
            f"{source.name} are Pairs or Observed, of which other numbers are scored than the "
            "encoder sees, but health looks at one x: give the clean rows, or those without gaps"
        )
    if min(len(source), checks.positive("codes", codes)) < 2:
        raise ValueError(
            "there is 1 example to look at, but how codes differ is asked: give 2 at least, "
            "better some thousand"
        )
    if checks.positive("samples", samples) < LEAST:
        raise ValueError(f"samples is {samples}, but at least {LEAST} are expected")
    checks.positive("threads", 1 if threads is None else threads)
    checks.flag("progress", progress)
    rows = randomness.permutation(len(source), checks.seed(seed), 0)[:codes]
    with model.backend.undisturbed(), np.errstate(over="ignore", invalid="ignore"):
        run = Pass(model, source, rows, seed)
        seen = run.seen()
        _require_finite(seen)
        constant = _constants(model, seen, run.most)
    how: Any = {"samples": samples, "seed": seed, "threads": threads, "progress": progress}
    log_p, why = _density(model, Chosen(source, rows[:SCORED]), how)
    return _summed(model, source, seen, constant, log_p, why, seed)


def _require_finite(seen: Seen) -> None:
    """Raise ValueError where a code or a reconstruction costs inf or NaN."""
    bad = ~np.isfinite(seen.nll + seen.kl.sum(axis=1))
    if bad.any():
        raise ValueError(
            f"{bad.sum()} of {len(bad)} examples cost inf or NaN nats: look for weights that are "
            "not finite or very large, and at the scale of the data"
        )


def _constants(model: Any, seen: Seen, rows: int) -> np.ndarray:
    """What each of the first examples costs under the best constant, (n,): that of its label where
    it is given one, NaN where it is given other numbers."""
    x, c, constant = seen.x, seen.c, np.full(len(seen.x), np.nan)
    if c is None:
        return best_constant(model.backend, model.likelihood, x, rows)
    if np.isin(c, (0, 1)).all() and (c.sum(axis=1) == 1).all():
        for label in np.unique(labels := c.argmax(axis=1)):
            those = labels == label
            constant[those] = best_constant(model.backend, model.likelihood, x[those], rows)
    return constant


def _density(model: Any, source: Any, how: Any) -> tuple[LogLikelihood | None, dict[str, str]]:
    """log p(x), or why there is none."""
    try:
        require_density(model)
    except (TypeError, NotImplementedError) as error:
        return None, {"density": str(error)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GreyWarning)  # ``between`` says it
        return log_likelihood(model, source, **how), {}


def _summed(
    model: Any,
    source: Any,
    seen: Seen,
    constant: np.ndarray,
    log_p: LogLikelihood | None,
    why: dict[str, str],
    seed: int,
) -> Health:
    """The numbers of all."""
    N, kl = len(seen.nll), seen.kl.sum(axis=1)
    loss = seen.nll + kl
    information = least = aggregate = math.nan
    if seen.posterior is not None:
        information = mutual_information(surplus(*seen.posterior, seed), float(kl.mean()))
        aggregate = least = distance(float(kl.mean()), information)  # (3)
        if information > math.log(N) - FULL:
            least = min(max(distance_of_moments(*seen.posterior), 0.0), aggregate)
    else:
        why["posterior"] = f"{type(model.latent).__name__} is no Gaussian against N(0, I)"
    if seen.means is None:
        why["mean"] = f"{type(model.latent).__name__} does not say mean(h)"
    if np.isnan(constant).any():
        given = seen.c is not None and np.isnan(constant).all()
        why["constant"] = "none was found under which x costs finite nats"
        why |= {"constant": "other numbers than a label are given beside x"} if given else {}
    variance = None if seen.means is None else seen.means.var(axis=0)
    gain, told = constant - loss[: len(constant)], seen.swapped - seen.nll
    return Health(
        model=f"{type(model.latent).__name__}, {type(model.likelihood).__name__}",
        data=source.name,
        N=N,
        reconstruction=float(seen.nll.mean()),
        kl=float(kl.mean()),  # (2)
        kl_per_dimension=seen.kl.mean(axis=0),
        of_units=model.latent.of_units,
        variance=variance,
        active=None if variance is None else variance > ACTIVE,  # (1)
        mutual_information=information,
        most_information=math.log(N),
        aggregate_kl=aggregate,
        aggregate_least=least,
        log_p=log_p,
        ess=math.nan if log_p is None else float(np.median(log_p.ess)),
        above=math.nan if log_p is None else float((log_p.each + loss[: len(log_p.each)]).mean()),
        told=float(told.mean()),  # (4)
        told_error=_error(told),
        constant=float(constant.mean()),
        gain=float(gain.mean()),  # (5)
        gain_error=_error(gain),
        off=seen.off,
        claimed=seen.claimed,
        between=seen.between,
        given=seen.c is not None,
        why=why,
    )


def _error(each: np.ndarray) -> float:
    """The standard error of the mean of each (n,)."""
    return float(each.std(ddof=1) / math.sqrt(len(each))) if len(each) > 1 else math.nan
