"""Detecting anomalies: a model that was trained on normal data reconstructs those well, and others
badly.

    detector = Detector(model, absolute_error, MeanStd(1)).fit(normal)
    print(detector.report(test, test.labels != NORMAL))

An example's score, over its D values, with x' = model.reconstruct(x), which draws nothing:

    s_n = 1/D sum_d (x_nd - x'_nd)^2                                   squared_error            (1)
    s_n = 1/D sum_d |x_nd - x'_nd|                                     absolute_error           (2)
    s_n = -log p(x_n | code of x_n), in nats; of a VAE, at its mu      negative_log_likelihood  (3)
    flag_n = s_n > threshold, and where there is no s_n                                         (4)

Source: Chandola, Banerjee, Kumar, "Anomaly detection: a survey", 2009, section 9 (reconstruction
error); TensorFlow's tutorial "Intro to Autoencoders", third example; scikit-learn's contract
(``fit``).
"""

import zlib
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import checks
from ..settings import constants
from .constant import warn_if_constant
from .reports import Report, pair, ranked
from .rows import ROWS, chosen, parts, readable, usable
from .thresholds import (
    MeanStd,
    Rule,
    as_numbers,
    as_scores,
    as_threshold,
    exceeds,
    learn,
    require_rule,
    warn,
)

Score = Callable[[Any, Any], np.ndarray]  # model, data (N, ...) -> (N,)
AT_ONCE = 16 * ROWS  # examples that are copied at one time, to leave out those without a score


def squared_error(model: Any, data: Any) -> np.ndarray:
    """data (N, ...), an array or a source -> (N,) float64. Raises what ``evaluate`` raises.
    Source: (1)."""
    return _errors(model, data, lambda r: np.mean(r * r, axis=1))  # (1)


def absolute_error(model: Any, data: Any) -> np.ndarray:
    """data (N, ...), an array or a source -> (N,) float64. Raises what ``evaluate`` raises.
    Source: (2)."""
    return _errors(model, data, lambda r: np.mean(np.abs(r), axis=1))  # (2)


def negative_log_likelihood(model: Any, data: Any) -> np.ndarray:
    """data (N, ...), an array or a source -> (N,) float64, in nats, summed over a row as every
    likelihood here.

    Raises what ``evaluate`` raises. Source: (3); the model's likelihood.
    """
    out, replica = [], None
    for part in parts(model, data):
        model.likelihood.require_rows()
        code = model.encode(part.x, **part.taken(model, "encoder"))
        code = code[0] if isinstance(code, tuple) else code  # mu, where the model is a VAE
        backend = model.backend
        with backend.undisturbed():
            replica = replica or model.replica(len(part.x), samples=1)
            if part.given:
                replica.give(backend.asarray(part.given["given"]))
            ends = (None if a is None else backend.asarray(a) for a in (part.target, part.seen))
            replica.aim(*ends)
            a = replica.decoder.forward(backend.asarray(code))
            nll = replica.likelihood.forward(a, backend.asarray(part.x))  # (3)
            out.append(backend.to_host(nll).astype(np.float64))
    return np.concatenate(out)


SCORES = squared_error, absolute_error, negative_log_likelihood


class Detector:
    """A model, a score and a rule; ``fit`` learns the threshold from normal examples, and no
    others.

    Shapes: data (N, *input_shape), arrays or sources; scores and flags (N,). model: built and
    trained on normal examples. score: a function (model, data) -> (N,), larger for stranger
    examples. rule: scores (n,) -> threshold. threshold: what ``fit`` learnt, or a number put there
    since; where the model's parameters have changed after that, or the score or the rule were
    replaced, flags and report warn (DetectionWarning). Raises TypeError for what is no such
    function, RuntimeError where a threshold is asked for before ``fit``, what ``evaluate`` raises
    for data that does not fit the model. Source: the module, (4).
    """

    _learnt: tuple[Any, ...] | None = None  # the threshold, and what it goes with
    _looked = False  # whether ``fit`` has looked at what the model gives for normal examples

    def __init__(self, model: Any, score: Score = absolute_error, rule: Rule = MeanStd(1)):  # noqa: B008, frozen
        if not checks.accepts(score, 2):
            raise TypeError(f"the score is {score!r}, but a function (model, data) is expected")
        require_rule(rule)
        self.model, self.score, self.rule = model, score, rule

    @property
    def threshold(self) -> float:
        """What ``fit`` learnt, or what was put there since. Source: thresholds.py."""
        if self._learnt is None:
            raise RuntimeError("this Detector has no threshold yet: call detector.fit(normal)")
        return self._learnt[0]

    @threshold.setter
    def threshold(self, value: float) -> None:
        """One of the user's own. Raises ValueError for what is no number. Source: (4)."""
        self._learnt = as_threshold(value), *self._state()

    def fit(self, normal: Any) -> Self:
        """Learn the threshold from normal examples (n, ...); returns the detector. Source:
        thresholds.py.

        Raises ValueError for an example that has no score: what is learnt from is to be known as
        normal, and that cannot be. Warns (DetectionWarning) of a rule that is of little use, and
        where the model gives nearly the same for every normal example: constant.py.
        """
        scores = as_scores(self._scored(normal), f"the scores by {self._name()}")
        self._learnt = learn(self.rule, scores), *self._state()
        self._looked = True
        warn_if_constant(self.model, normal, np.arange(len(scores)))
        return self

    def scores(self, data: Any) -> np.ndarray:
        """data (N, ...) -> how strange each example is, (N,) float64. Source: the module, (1) to
        (3).

        NaN for an example that has no score, because it holds NaN or inf, or values that the
        model's likelihood cannot have, or because its score came out as NaN; warns
        (DetectionWarning) of those. The others have the scores that they have without it.
        """
        try:
            scores, why = self._scored(data), "that came out as nan"
        except ValueError as error:
            good = usable(self.model, data)
            if good is None:
                raise
            scores, why, rows = np.full(len(data), np.nan), str(error), np.flatnonzero(good)
            alone = any(self.score is one for one in SCORES)  # another may compare examples
            step = AT_ONCE if alone else len(data)
            for some in (rows[i : i + step] for i in range(0, len(rows), step)):
                scores[some] = self._scored(chosen(readable(data), some))
        missing = np.flatnonzero(np.isnan(scores))
        if len(missing):
            warn(
                f"{len(missing)} of {len(scores)} examples have no score, the first at index "
                f"{missing[0]} ({why}): their score is nan, and flags and report of this Detector "
                "take them as flagged"
            )
        return scores

    def _scored(self, data: Any) -> np.ndarray:
        """What the score gives for data (N, ...): (N,) float64, NaN among them."""
        what = f"the scores by {self._name()}"
        with np.errstate(over="ignore", invalid="ignore"):  # inf is a score too, and NaN is none
            scores = as_numbers(self.score(self.model, data), what)
        checks.sizes(what, scores, "N", N=len(data))
        return scores

    def flags(self, data: Any) -> np.ndarray:
        """data (N, ...) -> whether each example is an anomaly, (N,) bool. Source: the module, (4).

        One that has no score is flagged: it is not like those that were learnt from. Warns
        (DetectionWarning) where all of several examples are flagged, which is right of anomalies
        alone.
        """
        threshold = self._current()
        flags = exceeds(self.scores(data), threshold)  # (4)
        if len(flags) > 1 and flags.all():
            warn(
                f"all {len(flags)} examples are flagged, above the threshold {threshold:.4g}: "
                "unless all are anomalies, call detector.fit(normal) with normal examples like "
                "these, or choose a milder rule"
            )
        return flags

    def report(self, data: Any, is_anomaly: Any) -> Report:
        """How well it does on data (N, ...) of which the truth (N,) is known. Source:
        reports.py.

        An example without a score is flagged, and ranks above every number in the ROC-AUC and in
        the average precision. Where the threshold was set and not learnt, warns
        (DetectionWarning) as ``fit`` of a model that gives nearly the same for every normal
        example.
        """
        threshold = self._current()
        scores, truth = pair(self.scores(data), is_anomaly, missing=True)
        if not self._looked and not truth.all():
            warn_if_constant(self.model, data, np.flatnonzero(~truth))
        return ranked(scores, truth, threshold)

    def _current(self) -> float:
        """The threshold, with a warning where what it was learnt from and by is no more what it
        was."""
        threshold = self.threshold
        _, *learnt = self._learnt or ()
        if not all(map(_same, learnt, self._state())):
            warn(
                "the model's parameters or numbers have changed, or the score or the rule was "
                f"replaced, since this Detector got its threshold {threshold:.4g}: call "
                "detector.fit(normal) again, or set detector.threshold"
            )
        return threshold

    def _state(self) -> tuple[Any, ...]:
        numbers = constants(getattr(self.model, "objective", None))  # sigma too
        return self._checksum(), numbers, self.score, self.rule

    def _checksum(self) -> int:
        """Of the parameters as they are; 0 of a model that has none of this library's."""
        if not (hasattr(self.model, "require_built") and hasattr(self.model, "parameters")):
            return 0
        return zlib.crc32(self.model.backend.to_host(self.model.parameters.values))

    def _name(self) -> str:
        return getattr(self.score, "__name__", repr(self.score))


def _same(a: Any, b: Any) -> bool:
    """Whether two are one, or equal; of what does not say so in one word, such as an array, no."""
    try:
        return a is b or bool(a == b)
    except (ValueError, TypeError):
        return False


def _errors(model: Any, data: Any, mean: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """mean of the differences (n, D), in float64, of each part of the data."""
    out = []
    for part in parts(model, data):
        target = part.x if part.target is None else part.target
        given = part.taken(model, "encoder", "decoder")
        r = model.reconstruct(part.x, **given).astype(np.float64) - target  # (n, ...)
        with np.errstate(over="ignore", invalid="ignore"):  # inf is a score too, and NaN is none
            if part.seen is None:
                out.append(mean(r.reshape(len(r), -1)))
                continue
            s = part.seen.reshape(len(r), -1)
            out.append(mean(r.reshape(s.shape) * s) / s.mean(axis=1))
    return np.concatenate(out)
