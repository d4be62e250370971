"""A sequence autoencoder learns what normal weeks are like, and finds what goes wrong in two
others.

The conv recipe has the convolutions of Keras' example "Timeseries anomaly detection using an
Autoencoder", on windows of a day, 288 points, with 4 numbers between them. Keras has 1,152 there
and dropout instead: each value then depends on the hours around it only, and a day that does not
come looks like a long night. The lstm recipe reads every sixth point and is the encoder-decoder of
Srivastava, Mansimov, Salakhutdinov 2015. Either code is spoilt by noise in training, so that codes
between those of normal windows decode to normal windows as well.

A point's score is how far it is from its reconstruction, averaged over the windows that contain it
and the hour around it: a score for each window would blame a whole day for an hour. The threshold
is the highest score in the last week of the normal series, which was not learnt from.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import numpy as np
import runs
from options import Parser, fill
from output import say

from scratchae import (
    LSTM,
    Adam,
    Autoencoder,
    Conv1d,
    ConvTranspose1d,
    Dense,
    Flatten,
    GaussianNoise,
    Repeat,
    Reshape,
    Sequential,
    SquaredError,
    Values,
    plots,
)
from scratchae.datasets.generated import daily
from scratchae.detection import Maximum, points, report, roc_auc, windows
from scratchae.schedules import Cosine

EXAMPLE = Path(__file__).stem
SHARED = {"dataset": "daily"}
RECIPES: dict[str, dict[str, Any]] = {
    "conv": SHARED | {"epochs": 40, "batch_size": 128, "lr": 1e-3},
    "lstm": SHARED | {"epochs": 150, "batch_size": 32, "lr": 5e-3},
}
EVERY = {"conv": 1, "lstm": 6}  # of that many points of the series, one is read
APART = {"conv": 12, "lstm": 2}  # points between the windows that are scored
DAYS, HELD = (42, 14), 7  # of the two series, and of the first for the threshold
SMOKE_DAYS, SMOKE_HELD = (4, 6), 2
CODE, UNITS, SIGMA = 4, 16, 0.2
WORDS = {
    "conv": f"convolutional autoencoder, code of {CODE} numbers",
    "lstm": f"LSTM autoencoder, {UNITS} units, every sixth point",
}


def autoencoder(arch: str) -> Autoencoder:
    """Windows of a day x (N, T, 1): conv T = 288, code (N, 4); lstm T = 48, code (N, 16). Source:
    the module."""
    T = daily.POINTS // EVERY[arch]
    if arch == "lstm":
        encoder = Sequential(LSTM(1, UNITS, False), GaussianNoise(SIGMA))
        decoder = Sequential(Repeat(T), LSTM(UNITS, UNITS, True), Conv1d(UNITS, 1, 1))
        return Autoencoder(encoder, decoder, SquaredError())
    encoder = Sequential(
        Conv1d(1, 32, 7, stride=2, padding="same", activation="relu"),
        Conv1d(32, 16, 7, stride=2, padding="same", activation="relu"),
        Flatten(),
        Dense(T // 4 * 16, CODE, "tanh"),
        GaussianNoise(SIGMA),
    )
    decoder = Sequential(
        Dense(CODE, T // 4 * 16, "relu"),
        Reshape(T // 4, 16),
        ConvTranspose1d(16, 16, 7, stride=2, padding="same", activation="relu"),
        ConvTranspose1d(16, 32, 7, stride=2, padding="same", activation="relu"),
        ConvTranspose1d(32, 1, 7, padding="same"),
    )
    return Autoencoder(encoder, decoder, SquaredError())


@dataclass
class Watch:
    """What is scored: the held-out normal week and the test series, standardised, (T,) each; and
    the truth."""

    normal: np.ndarray
    test: np.ndarray
    is_anomaly: np.ndarray
    events: list[daily.Event]  # in points of these
    mean: float
    std: float
    day: int
    apart: int

    def scores(self, model: Any, x: np.ndarray) -> np.ndarray:
        """x (T,) -> how strange each of its points is, (T,): see the module."""
        w = windows(x, self.day, self.apart)
        e = points(np.abs(model.reconstruct(w) - w)[:, :, 0], len(x), self.day, self.apart)
        hour = self.day // 24 // 2  # on either side, half of it
        return windows(np.pad(e, hour, mode="edge"), 2 * hour + 1).mean(axis=(1, 2))

    def values(self, x: np.ndarray) -> np.ndarray:
        """Standardised numbers in the series' own units."""
        return self.mean + self.std * x

    def auc(self, model: Any, history: Any) -> None:
        """Add auc to the epoch's record: of the test series' points."""
        history.records[-1]["auc"] = roc_auc(self.scores(model, self.test), self.is_anomaly)


def parser() -> Parser:
    """The options of all examples, and this one's."""
    p = Parser(EXAMPLE, __doc__ or "", ("daily",))
    p.add_argument(
        "--arch", choices=sorted(RECIPES), default="conv", help="the recipe (default conv)"
    )
    return p


def prepare(options: argparse.Namespace) -> tuple[runs.Run, Watch]:
    """Model, data and folder, all of them checked, and what is scored."""
    fill(options, RECIPES[options.arch])
    every, days, held = EVERY[options.arch], DAYS, HELD
    if options.smoke:
        days, held = SMOKE_DAYS, SMOKE_HELD
    normal, test = daily.load(*days)
    day, learnt = daily.POINTS // every, normal.x[::every]
    mean, std = float(learnt.mean()), float(learnt.std())
    x, y = (learnt - mean) / std, (test.x[::every] - mean) / std
    cut = len(x) - held * day
    events = [daily.Event(e.kind, -(-e.start // every), -(-e.stop // every)) for e in test.events]
    watch = Watch(
        x[cut:], y, test.is_anomaly[::every], events, mean, std, day, APART[options.arch]
    )
    data = (
        Values(windows(x[:cut], day), name=normal.name),
        Values(windows(x[cut:], day), name=normal.name),
    )
    say(
        f"{normal.name}: {len(data[0]):,} windows of a normal day; {days[1]} other days, "
        f"{len(events)} anomalies"
    )
    model = autoencoder(options.arch).build((day, 1), backend=options.backend, seed=options.seed)
    optimizer = Adam(Cosine(options.lr, options.epochs * -(-len(data[0]) // options.batch_size)))
    return runs.Run(options, model, optimizer, data, WORDS[options.arch]), watch


def alarms(flags: np.ndarray, events: list[daily.Event]) -> tuple[int, int]:
    """Flags (T,) -> how many events are hit, and how many runs of flagged points touch none."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False)).reshape(-1, 2)
    hit = sum(bool(flags[e.start : e.stop].any()) for e in events)
    false = sum(not any(a < e.stop and e.start < b for e in events) for a, b in edges)
    return hit, false


def draw(run: runs.Run, watch: Watch, scores: np.ndarray, threshold: float) -> None:
    """Write series.png, windows.png and loss.png."""
    days = np.arange(len(watch.test)) / watch.day
    events = [(e.kind, e.start / watch.day, e.stop / watch.day) for e in watch.events]
    units = "day", "value", "error, in deviations"
    seen = watch.values(watch.test)
    labels = run.labels("what goes wrong, and what is found")
    figure = plots.series_scores(days, seen, scores, threshold, events, *labels, units)
    run.picture("series.png", figure)
    firsts = {e.kind: e for e in reversed(watch.events)}
    starts = {
        kind: (firsts[kind].start + firsts[kind].stop) // 2
        for kind in daily.KINDS
        if kind in firsts
    }
    starts = {
        kind: int(np.clip(m - watch.day // 2, 0, len(seen) - watch.day))
        for kind, m in starts.items()
    }
    w = np.stack([watch.test[s : s + watch.day, None] for s in [0, *starts.values()]])
    x, again = (watch.values(a[:, :, 0]) for a in (w, run.model.reconstruct(w)))
    kinds = zip(["normal", *starts], x, again, strict=True)
    pairs = {f"{kind} (mean error {np.abs(a - b).mean():.1f})": (a, b) for kind, a, b in kinds}
    labels = run.labels("a normal day and others, reconstructed")
    figure = plots.window_pairs(
        pairs, np.arange(watch.day) * 24 / watch.day, *labels, ("hours", "value")
    )
    run.picture("windows.png", figure)
    run.loss("squared error per window", ("training", "held-out week"))


def train(made: tuple[runs.Run, Watch]) -> int:
    """Train, score, write, and say what came of it; returns the exit status."""
    run, watch = made
    run.fit([watch.auc])
    threshold = Maximum()(watch.scores(run.model, watch.normal))
    scores = watch.scores(run.model, watch.test)
    draw(run, watch, scores, threshold)
    found = report(scores, watch.is_anomaly, threshold)
    hit, false = alarms(scores > threshold, watch.events)
    vain = f"{false} false alarm{'s' * (false != 1)}"
    say(found)

    def result(record: dict[str, Any]) -> str:
        return (
            f"AUC {record['auc']:.3f}; of anomalous points precision "
            f"{found.precision['anomaly']:.3f}, recall {found.recall['anomaly']:.3f}; {hit} of "
            f"{len(watch.events)} anomalies found, {vain}"
        )

    return run.close(result)


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
