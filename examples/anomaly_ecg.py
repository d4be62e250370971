"""An autoencoder that was trained on normal heart beats tells the abnormal ones: ECG5000.

--detector tutorial: the third example of TensorFlow's tutorial "Intro to autoencoders". Its "MAE"
is the absolute error divided by the 140 samples; its precision and recall are those of normal
beats, and so are the columns of that name in metrics.jsonl. In its 20 epochs the model learns
little but one typical beat, from which a score is then the distance; ``Detector.fit`` warns where
that is so, as after any training as short as that of --smoke. --detector better: a denoising
autoencoder (Vincent et al. 2010), whose threshold is learnt from normal beats that it was not
trained on. The test loss is over both classes. --seed decides the split into training and test
beats too.
"""

import argparse
import math
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import numpy as np
import runs
from options import Parser, fill

from scratchae import (
    AbsoluteError,
    Adam,
    Autoencoder,
    Dense,
    GaussianNoise,
    Sequential,
    SquaredError,
    Values,
    plots,
)
from scratchae.datasets import ecg5000, scaled, split, take
from scratchae.detection import (
    DetectionWarning,
    Detector,
    FalseAlarms,
    MeanStd,
    absolute_error,
    squared_error,
)

EXAMPLE = Path(__file__).stem
RECIPES = {
    "tutorial": {"dataset": "ecg5000", "epochs": 20, "batch_size": 512, "lr": 1e-3},
    "better": {"dataset": "ecg5000", "epochs": 100, "batch_size": 32, "lr": 1e-3},
}
WORDS = {
    "tutorial": "autoencoder 140-32-16-8 of normal beats",
    "better": "denoising 140-64-8 of normal beats",
}
UNITS = {"tutorial": "absolute error", "better": "squared error"}
JUDGED = ("accuracy", "precision", "recall", "anomaly_precision", "anomaly_recall", "auc")
EPS = {
    "tutorial": 140 * 1e-7,
    "better": 1e-8,
}  # Keras' 1e-7 is for gradients of a mean over 140 samples


def tutorial() -> Detector:
    """140-32-16-8 and back: x (N, 140), code (N, 8); mean + 1 deviation. Source: the tutorial,
    third example."""
    encoder = Sequential(Dense(140, 32, "relu"), Dense(32, 16, "relu"), Dense(16, 8, "relu"))
    decoder = Sequential(Dense(8, 16, "relu"), Dense(16, 32, "relu"), Dense(32, 140, "sigmoid"))
    return Detector(Autoencoder(encoder, decoder, AbsoluteError()), absolute_error, MeanStd(1))


def better() -> Detector:
    """140-64-8 and back, noise in training, 2.5 % false alarms: x (N, 140), code (N, 8). Source:
    the module."""
    encoder = Sequential(GaussianNoise(0.2), Dense(140, 64, "relu"), Dense(64, 8))
    decoder = Sequential(Dense(8, 64, "relu"), Dense(64, 140, "sigmoid"))
    return Detector(
        Autoencoder(encoder, decoder, SquaredError()), squared_error, FalseAlarms(0.025)
    )


DETECTORS = {"tutorial": tutorial, "better": better}


class Judge:
    """A callback that adds what the detector is good for to the epoch's record.

    known: the normal beats (n, 140) that the threshold is learnt from; test: (N, 140), both
    classes.
    """

    def __init__(self, detector: Detector, known: Values, test: Values):
        self.detector, self.known, self.test = detector, known, test
        self.is_anomaly = np.asarray(test.labels) != ecg5000.NORMAL

    def __call__(self, model: Any, history: Any) -> None:
        with warnings.catch_warnings():
            # in the first epochs it may well flag nothing yet
            warnings.simplefilter("ignore", DetectionWarning)
            report = self.detector.fit(self.known).report(self.test, self.is_anomaly)
        numbers = {
            "accuracy": report.accuracy,
            "precision": report.precision["normal"],
            "recall": report.recall["normal"],
            "anomaly_precision": report.precision["anomaly"],
            "anomaly_recall": report.recall["anomaly"],
            "auc": report.auc,
            "threshold": report.threshold,
        }
        history.records[-1] |= {
            name: None if math.isnan(value) else value for name, value in numbers.items()
        }


def parts(every: Values, seed: int, hold: bool) -> tuple[Values, Values, Values]:
    """Normal beats to train on, those to learn the threshold from, the test beats: (n, 140),
    (k, 140), (N, 140).

    hold: whether a fifth of the normal training beats is kept from training, for the threshold
    alone; the normal beats then decide the scale too, which in the tutorial is that of all
    training beats.
    """
    train, test = split(every, seed)
    normal = take(train, np.asarray(train.labels) == ecg5000.NORMAL)
    if hold:
        normal, test = scaled(normal, test)
        return (*split(normal, seed), test)
    _, normal, test = scaled(train, normal, test)
    return normal, normal, test


def prepare(options: argparse.Namespace) -> tuple[runs.Run, Judge]:
    """Detector, data and folder, all of them checked."""
    name = options.detector
    fill(options, RECIPES[name])
    detector = DETECTORS[name]()
    model = detector.model.build(140, backend=options.backend, seed=options.seed)
    optimizer = Adam(options.lr, eps=EPS[name])
    train, known, test = parts(common.load_beats(options), options.seed, hold=name == "better")
    return runs.Run(options, model, optimizer, (train, test), WORDS[name]), Judge(
        detector, known, test
    )


def draw(run: runs.Run, judge: Judge) -> None:
    """The typical beats, the scores, the ROC curve and the learning curves."""
    detector, y, unit = (
        judge.detector.fit(judge.known),
        judge.is_anomaly,
        UNITS[run.options.detector],
    )
    known, scores, threshold = (
        detector.scores(judge.known),
        detector.scores(run.test),
        detector.threshold,
    )
    rows = [typical(scores, y == k) for k in (False, True)]
    names = [
        f"{'abnormal' if y[i] else 'normal'} beat, "
        f"{'flagged' if scores[i] > threshold else 'not flagged'}\n"
        f"score {scores[i]:.3g}, threshold {threshold:.3g}"
        for i in rows
    ]
    x = run.test.x[rows]
    pairs = dict(zip(names, zip(x, run.model.reconstruct(x), strict=True), strict=True))
    labels = run.labels("two beats of median score")
    figure = plots.window_pairs(
        pairs, np.arange(140), *labels, ("sample", "scaled by the training beats")
    )
    run.picture("beats.png", figure)
    labels = run.labels("scores of beats")
    figure = plots.score_histogram(known, scores, y, threshold, *labels, f"{unit} per sample")
    run.picture("scores.png", figure)
    figure = plots.roc_curve(scores, y, threshold, *run.labels("ROC curve"))
    run.picture("roc.png", figure)
    run.loss(f"{unit} per beat", ("training, normal beats", "test, both classes"))


def typical(scores: np.ndarray, of: np.ndarray) -> int:
    """The example of median score among some: scores (N,), of (N,) bool -> its row."""
    rows = np.flatnonzero(of)
    return int(rows[np.argsort(scores[rows], kind="stable")[len(rows) // 2]])


def result(record: dict[str, Any]) -> str:
    """The last epoch's record in words; None is undefined, as the precision of what was never
    said."""
    say = {name: "undefined" if record[name] is None else f"{record[name]:.4f}" for name in JUDGED}
    return (
        f"test accuracy {say['accuracy']}, "
        f"normal beats: precision {say['precision']}, recall {say['recall']}, "
        f"abnormal beats: precision {say['anomaly_precision']}, recall {say['anomaly_recall']}, "
        f"ROC-AUC {say['auc']}"
    )


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "", common.BEATS)
    p.add_argument(
        "--detector", choices=sorted(DETECTORS), default="tutorial", help="default %(default)s"
    )
    return p


def train(made: tuple[runs.Run, Judge]) -> int:
    """Train, write, and say what came of it; returns the exit status."""
    run, judge = made
    run.fit([judge])
    draw(run, judge)
    return run.close(result)


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
