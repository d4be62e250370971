"""The example of the heart beats, tiny: what it writes, what it says, and which beats it learns
from."""

import json
import signal

import anomaly_ecg
import common
import numpy as np
import pytest
from examples.helpers import metrics, played, tiny

import scratchae
from scratchae.training.progress import Progress

CONSTANT = "ignore:the model reconstructs nearly the same"  # after two epochs it does
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("no_data"),
    pytest.mark.filterwarnings(CONSTANT),
]
STAND_IN = "beats (generated)"
PICTURES = {"beats.png", "scores.png", "roc.png", "loss.png"}
ALWAYS = {"config.json", "metrics.jsonl", "weights.safetensors"} | PICTURES
COLUMNS = {"epoch", "train_loss", "train_reconstruction", "test_loss", "test_reconstruction"}
COLUMNS |= {"seconds", "examples_per_second", "dataset", "backend"}
JUDGED = {
    "accuracy",
    "precision",
    "recall",
    "anomaly_precision",
    "anomaly_recall",
    "auc",
    "threshold",
}
RUNS = {
    "tutorial": [],
    "better": ["--detector", "better", "--dataset", "beats"],
    "reference": ["--backend", "reference"],
}


def prepared(out, *options):
    return anomaly_ecg.prepare(anomaly_ecg.parser().parse_args(["--out", str(out), *options]))


@pytest.fixture(scope="module")
def runs(no_data, tmp_path_factory):
    """Each run of the table once."""
    return {
        name: played(anomaly_ecg, tmp_path_factory.mktemp(name), *options)
        for name, options in RUNS.items()
    }


@pytest.mark.parametrize("name", RUNS)
def test_files_and_metrics(runs, name):
    run = runs[name]
    assert run.status == 0 and {path.name for path in run.out.iterdir()} == ALWAYS
    records = metrics(run.out)
    assert [set(record) for record in records] == 2 * [COLUMNS | JUDGED]
    assert all(
        0 <= record[key] <= 1 for record in records for key in JUDGED if record[key] is not None
    )
    assert {record["backend"] for record in records} == {
        "reference" if name == "reference" else "numpy"
    }


@pytest.mark.parametrize("name", RUNS)
def test_the_closing_line_gives_the_numbers(runs, name):
    last, line = metrics(runs[name].out)[-1], runs[name].printed[-1]
    assert line.startswith(
        f"{STAND_IN}, after 2 epochs: test accuracy {last['accuracy']:.4f}, normal beats: "
    )
    assert (
        f"normal beats: precision {last['precision']:.4f}, recall {last['recall']:.4f}, abnormal"
        in line
    )
    precision = last["anomaly_precision"]
    words = f"precision {'undefined' if precision is None else f'{precision:.4f}'}"
    words += f", recall {last['anomaly_recall']:.4f}"
    assert f"abnormal beats: {words}, ROC-AUC {last['auc']:.4f}; pictures in" in line


@pytest.mark.parametrize("name", RUNS)
def test_the_stand_in_is_named_everywhere(runs, name):
    assert set(runs[name].titles) == PICTURES
    assert all(title.startswith(STAND_IN) for (title,) in runs[name].titles.values())
    config = json.loads((runs[name].out / "config.json").read_text())
    assert config.get("stand_in_for") == (None if name == "better" else "ecg5000")
    assert {record["dataset"] for record in metrics(runs[name].out)} == {"beats"}


def test_backends_give_the_same_numbers(runs, tolerance):
    for ours, oracle in zip(
        metrics(runs["tutorial"].out), metrics(runs["reference"].out), strict=True
    ):
        for key in ("train_loss", "test_loss", "threshold"):
            assert ours[key] == pytest.approx(
                oracle[key], rel=tolerance("trajectory", "float32")
            ), key


@pytest.mark.parametrize("detector", anomaly_ecg.DETECTORS)
def test_the_metrics_are_those_of_the_saved_model(runs, detector, tmp_path, tolerance):
    last = metrics(runs[detector].out)[-1]
    run, judge = prepared(tmp_path, "--smoke", "--dataset", "beats", "--detector", detector)
    judge.detector.model = scratchae.load(runs[detector].out / "weights.safetensors")
    flags = judge.detector.fit(judge.known).flags(run.test)
    normal = run.test.labels == 1
    assert judge.detector.threshold == pytest.approx(
        last["threshold"], rel=tolerance("loss", "float32")
    )
    assert np.mean(flags == ~normal) == pytest.approx(last["accuracy"])
    assert np.mean(normal[~flags]) == pytest.approx(last["precision"])
    assert np.mean(~flags[normal]) == pytest.approx(last["recall"])
    assert np.mean(flags[~normal]) == pytest.approx(last["anomaly_recall"])


@pytest.mark.parametrize(("detector", "parameters"), [("tutorial", 10_484), ("better", 19_220)])
def test_recipes(detector, parameters, tmp_path):
    run, _ = prepared(tmp_path, "--dataset", "beats", "--detector", detector)
    config = json.loads((tmp_path / "config.json").read_text())
    recipe = anomaly_ecg.RECIPES[detector] | {"dataset": "beats", "parameters": parameters}
    assert {key: config[key] for key in recipe} == recipe
    assert run.optimizer.eps == pytest.approx(1.4e-5 if detector == "tutorial" else 1e-8)


def rows(values):
    return {x.tobytes() for x in values.x}


@pytest.mark.parametrize("detector", anomaly_ecg.DETECTORS)
def test_only_normal_training_beats_are_learnt_from(detector, tmp_path):
    run, judge = prepared(tmp_path, "--dataset", "beats", "--detector", detector)
    assert set(run.train.labels) == set(judge.known.labels) == {1} and judge.test is run.test
    assert not rows(run.test) & (rows(run.train) | rows(judge.known))
    assert len(run.test) == common.SMOKE_BEATS // 5 and judge.is_anomaly.sum() == np.sum(
        run.test.labels != 1
    )
    if detector == "better":
        assert not rows(run.train) & rows(judge.known)
        assert len(judge.known) == pytest.approx(len(run.train) / 4, abs=1)
    else:
        assert rows(run.train) == rows(judge.known)


def test_which_beats_decide_the_scale():
    """The tutorial's: all training beats. Where some are held: normal ones alone, the held ones
    too."""
    rng = np.random.default_rng(0)
    x, labels = rng.uniform(1, 2, (200, 140)), np.repeat([1, 2], 100)
    x[labels == 2] *= 10
    every = scratchae.Values(x, labels)
    normal, known, test = anomaly_ecg.parts(every, 0, hold=True)
    both = np.concatenate([normal.x, known.x])
    assert both.min() == 0 and both.max() == 1 and test.x.max() > 5
    normal, known, test = anomaly_ecg.parts(every, 0, hold=False)
    assert normal.x.max() < 0.2 and 0.5 < test.x.max() < 1.1


def test_the_seed_decides_the_split_and_the_weights(tmp_path):
    (one, _), (other, _) = (
        prepared(tmp_path / seed, "--detector", "tutorial", "--seed", seed) for seed in "01"
    )
    assert rows(one.test) != rows(other.test)
    assert not np.array_equal(one.model.parameters.values, other.model.parameters.values)


def test_interrupted_before_an_epoch_ended(tmp_path, capsys, monkeypatch):
    step = Progress.step

    def interrupted(self, loss):
        step(self, loss)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Progress, "step", interrupted)
    with pytest.raises(SystemExit) as ended:
        tiny(anomaly_ecg, tmp_path, "--batch-size", "32")
    assert ended.value.code == 130
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "metrics.jsonl"}
    assert "interrupted before an epoch was finished" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--detector oracle", "oracle"),
        ("--strict-data", "ECG5000_TRAIN.txt"),
        ("--dataset mnist", "mnist"),
    ],
)
def test_user_errors_are_one_sentence(options, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        tiny(anomaly_ecg, tmp_path / "out", *options.split())
    sentence = capsys.readouterr().err
    assert ended.value.code == 2 and sentence.startswith("anomaly_ecg: ") and words in sentence
    assert sentence.count("\n") == 1 and not (tmp_path / "out").exists()
