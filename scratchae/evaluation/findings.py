"""The rules that make words of the numbers of ``health``: what is well, what is not, what to try.

Each looks at one thing, and says nothing of what it cannot know. The bounds are where an illness
is beyond doubt; a model within all of them may still be better. Source: Burda et al. 2016, section
5.2 (active units); Bowman et al. 2016 (collapse); Cremer, Li, Duvenaud, "Inference suboptimality
in variational autoencoders", 2018 (how far q is from the posterior).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

COLLAPSED = 0.1  # nats of KL, of all units together, below which a code says nothing
NEARLY = math.log(2)  # the same, of a code that says less than one yes or no
ALIVE = 0.25  # the share of units that are active, at least
FAR = 0.5  # the share of the KL that is the aggregate's, at most
NARROW = 2.0  # samples that count, at least
SPREAD = 1.25  # times that x may be off its mean by more, or by less, than p(x|z) says
ERRORS = 2.0  # standard errors that a difference is to be above


@dataclass(frozen=True)
class Finding:
    """What one rule says. ill: True, False, or None where it could not be looked at."""

    name: str
    ill: bool | None
    sentence: str
    advice: str = ""

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "LOOK", False: "good", None: "  - "}[self.ill]


def findings(r: Any) -> list[Finding]:
    """What each rule says of a Health."""
    rules = (_collapse, _units, _decoder, _aggregate, _encoder, _likelihood, _constant)
    return [rule(r) for rule in rules]


def _collapse(r: Any) -> Finding:
    name = "collapse"
    if r.kl >= NEARLY:
        sentence = f"the posterior has not collapsed: the KL is {_nats(r.kl)} in total"
        return Finding(name, False, sentence)
    same = " that is given the same" * r.given
    sentence = (
        f"the KL is {r.kl:.3f} nats in total, so the posterior has collapsed to the prior: z "
        f"says nothing of x, and the decoder gives the same for every example{same}"
        if _collapsed(r)
        else f"the KL is {r.kl:.2f} nats in total, so the posterior has nearly collapsed to the "
        f"prior: z says less than one yes or no ({NEARLY:.2f} nats) of x"
    )
    return Finding(
        name,
        True,
        sentence,
        "a smaller beta, or one that rises from 0, beta=schedules.Linear(0, 1, 5000); free bits, "
        "Model(FreeBits(...)); a decoder that can do less without z; another seed or learning "
        "rate",
    )


def _units(r: Any) -> Finding:
    name = "units"
    if r.active is None:
        return Finding(name, None, _unknown(r, "which units are active", "mean"))
    D, n = len(r.active), int(r.active.sum())
    dead = np.flatnonzero(~r.active)
    sentence = f"{n or 'none'} of {D} unit{'s' * (D > 1)} {'is' if n < 2 else 'are'} active, "
    sentence += ("no mean differs", "its mean differs", "their means differ")[min(n, 2)]
    sentence += " between examples" + (
        f"; dead, counted from 0: {_listed(dead)}" if len(dead) else ""
    )
    if _collapsed(r) or n >= ALIVE * D:
        return Finding(name, False if not _collapsed(r) else None, sentence)
    advice = (
        f"fewer dimensions, such as {max(n, 1)}: the dead ones cost nothing, but do nothing; or, "
        "if the reconstructions are poor, a beta that rises from 0, or a smaller one"
    )
    return Finding(name, True, sentence, advice)


def _decoder(r: Any) -> Finding:
    name = "decoder"
    if _collapsed(r):
        return Finding(name, None, "z says nothing, so there is nothing for the decoder to read")
    if r.told > max(COLLAPSED, ERRORS * r.told_error):
        return Finding(
            name,
            False,
            f"the decoder reads z: with the z of another example x costs {_nats(r.told)} more",
        )
    return Finding(
        name,
        True,
        f"the decoder does not read z, which costs {_nats(r.kl)}: with the z of another example x "
        f"costs {_nats(r.told)} more, that is nothing",
        "print the weights of the decoder's first layer: they may be 0, or a relu behind them may "
        "be 0 for every z; train longer, at a lower learning rate",
    )


def _aggregate(r: Any) -> Finding:
    name = "aggregate"
    if math.isnan(r.mutual_information):
        return Finding(
            name, None, _unknown(r, "how far the codes are from the prior", "posterior")
        )
    if _collapsed(r):
        return Finding(name, None, "all codes together lie where the prior is, as each does")
    ill = r.aggregate_least > FAR * r.kl
    if r.too_few:
        far = f"between {r.aggregate_least:.1f} and {_nats(r.aggregate_kl)}"
        shown = f"at least {r.mutual_information:.1f}, as {r.N:,} codes can show no more than "
        shown += f"log N = {r.most_information:.1f}"
    else:
        far, shown = f"{_nats(r.aggregate_kl)}", f"{r.mutual_information:.1f}"
    sentence = (
        f"of the KL of {_nats(r.kl)} z tells of x {shown} (mutual information); all codes "
        f"together are {far} from the prior"
    )
    if not ill:
        return Finding(name, False, sentence)
    return Finding(
        name,
        True,
        f"{sentence}, so that samples from the prior decode to what no example looks like",
        "a larger beta, up to 1; train longer; draw new z from the codes of the data in the place "
        "of the prior; a prior that is learnt",
    )


def _encoder(r: Any) -> Finding:
    name = "encoder"
    if r.log_p is None:
        return Finding(name, None, _unknown(r, "how well q(z|x) fits the posterior", "density"))
    K, side = r.log_p.samples, "below" if r.above <= -0.005 else "above"  # by chance of samples
    above = f"log p(x) is {_nats(abs(r.above))} {side} the ELBO"
    if math.isnan(r.ess):
        return Finding(name, None, "all importance weights of an example are 0: log p(x) is -inf")
    if r.ess >= NARROW:
        return Finding(
            name,
            False,
            f"q(z|x) is not too narrow for p(z|x): of {K:,} samples {r.ess:.3g} count; {above}",
        )
    return Finding(
        name,
        True,
        f"of {K:,} samples of q(z|x) {r.ess:.2g} count, so it misses most of the posterior "
        f"p(z|x), as a rule as it is too narrow; {above}, or more",
        "an encoder with more units; more epochs; Model(IWAE(encoder, decoder, latent, "
        "likelihood, samples=5)), whose q may be wider",
    )


def _likelihood(r: Any) -> Finding:
    name, kind = "likelihood", r.model.split(", ")[-1]
    if math.isnan(r.claimed):
        return Finding(
            name,
            None,
            f"{kind} is an error and no distribution, so nothing says how far x may be off, and "
            "the ELBO bounds no log p(x)",
        )
    if r.between:
        return Finding(
            name,
            True,
            f"{r.between:.0%} of the values lie between whole numbers, which {kind} never draws: "
            "the reconstruction is a cross-entropy, and the ELBO a bound on nothing (many "
            "published VAEs do so)",
            'black and white pixels, binarize="dynamic" or "threshold"; or a likelihood of grey '
            "values, ContinuousBernoulli()",
        )
    ratio = r.off / r.claimed if r.claimed else math.inf
    sentence = (
        f"x is off the mean of p(x|z) by {r.off:.3g} (root mean square), and {kind} says "
        f"{r.claimed:.3g}"
    )
    if 1 / SPREAD <= ratio <= SPREAD:
        return Finding(name, False, sentence)
    less = "too much noise, so that the KL weighs more than it should, as with a large beta"
    more = "too little noise, so that the KL weighs less than it should, as with a small beta"
    return Finding(
        name,
        True,
        f"{sentence}: that is {less if ratio < 1 else more}",
        f"a spread of {r.off:.3g}: of real values GaussianLikelihood(sigma={r.off:.3g}), or "
        "SharedGaussian(), LearnedGaussian(), which learn it; where it is learnt, more epochs, "
        "and fewer where all is well on training data",
    )


def _constant(r: Any) -> Finding:
    name, cost = "constant", r.reconstruction + r.kl
    if math.isnan(r.constant):
        return Finding(name, None, _unknown(r, "what the best constant costs", "constant"))
    best = "the best constant" + " of each label" * r.given
    if r.gain > ERRORS * r.gain_error or (math.isnan(r.gain_error) and r.gain > 0):
        return Finding(
            name,
            False,
            f"an example costs {_nats(cost)}, and {_nats(r.constant)} under {best}, "
            f"which the model beats by {r.gain:.1f}",
        )
    sentence = (
        f"an example costs {_nats(cost)}, and {_nats(r.constant)} under {best}, each "
        "number at its mean as a rule: the model is no better than that"
    )
    if r.reconstruction < r.constant - NEARLY:
        sentence += (
            f"; the reconstruction alone, {_nats(r.reconstruction)}, is: the KL costs more "
        )
        sentence += "than it gives"
        return Finding(name, True, sentence, "a larger beta, up to 1; fewer dimensions")
    return Finding(
        name,
        True,
        sentence,
        "train longer; another learning rate; look at the loss of the first epochs, and whether "
        "the data is scaled to about 1",
    )


def _collapsed(r: Any) -> bool:
    return bool(r.kl < COLLAPSED)


def _nats(value: float) -> str:
    value = round(value, 2) + 0.0  # no -0.00
    return f"{value:.2f} nats" if abs(value) < 10 else f"{value:.1f} nats"


def _listed(indices: np.ndarray) -> str:
    """Indices (n,) in words, at most a dozen."""
    words = [str(i) for i in indices[:12]]
    return ", ".join(words) + (f" and {len(indices) - 12} more" if len(indices) > 12 else "")


def _unknown(r: Any, what: str, of: str) -> str:
    return f"{what} is not known: {r.why[of]}"
