"""The example of ten detectors: each knows its class alone, and its AUC is that of its weights."""

import re
import signal

import numpy as np
import one_class_mnist
import pytest
from examples.helpers import STAND_IN, metrics, nameless, played, stand_ins, tiny
from runs import Run

from scratchae import datasets, load
from scratchae.plots import frame

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("no_data"),
    pytest.mark.filterwarnings("ignore:the model reconstructs nearly the same"),  # two epochs
]
ONE = {"config.json", "metrics.jsonl", "weights.safetensors", "loss.png"}
OTHERS = {str(k) for k in range(1, 10)}


@pytest.fixture(scope="module")
def run(no_data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(one_class_mnist.DEEP_SVDD, "strokes", (0.5,) * 10)
        return played(one_class_mnist, tmp_path_factory.mktemp("one_class"))


def folders(out):
    return [out, *(out / str(k) for k in range(1, 10))]


def test_files(run):
    assert run.status == 0
    files = {path.name for path in run.out.iterdir()}
    assert files == ONE | OTHERS | {"extremes.png", "reconstructions.png"}
    assert all({path.name for path in out.iterdir()} == ONE for out in folders(run.out)[1:])
    assert stand_ins(run.out) == {("strokes", "mnist")} and nameless(run.titles) == []


def test_each_has_seen_its_class_alone(run):
    detectors, _ = run.drawn
    biases = {one.run.model.weights["encoder.1.b"][0] for one in detectors}
    assert len(biases) == len(detectors) == 10
    for k, one in enumerate(detectors):
        assert set(one.run.train.labels) == {k} == set(one.run.test.labels)


def test_the_areas_are_those_of_the_weights(run):
    """Each by its definition: the share of pairs that the score ranks right."""
    _, test = datasets.load("strokes")
    x, last = test.values().astype(np.float64), metrics(run.out)[-1]
    for k, out in enumerate(folders(run.out)):
        r = x - load(out / "weights.safetensors").reconstruct(test)
        s = (r**2).sum(axis=(1, 2, 3)) / np.sqrt((x**2).sum(axis=(1, 2, 3)))
        mine, others = s[test.labels == k], s[test.labels != k]
        area = np.mean(others > mine[:, None])
        assert last[f"auc_{k}"] == pytest.approx(area, abs=1e-3)  # float32 may swap neighbours
        assert metrics(out)[-1][f"auc_{k}"] == last[f"auc_{k}"]
    assert last["auc"] == pytest.approx(np.mean([last[f"auc_{k}"] for k in range(10)]), rel=1e-12)
    assert run.last.startswith(f"{STAND_IN}, after 2 epochs: mean ROC-AUC of the ten classes ")
    assert f"{last['auc']:.4f}; pictures" in run.last


def test_the_table(run):
    last = metrics(run.out)[-1]
    found = [re.fullmatch(r"(\w+) +(\S+) +(\S+) +(\S+)% +(\S+)%", line) for line in run.printed]
    rows = [match.groups() for match in found if match]
    assert [row[0] for row in rows] == [*"0123456789", "mean"]
    for name, auc, there, *_ in rows:
        key = "auc" if name == "mean" else f"auc_{name}"
        assert float(auc) == pytest.approx(last[key], abs=1e-4) and there == "0.500"
    for one, (*_, hits, alarms) in zip(run.drawn[0], rows, strict=False):
        flags, anomaly = one.scores > one.found.threshold, run.drawn[1].labels != one.k
        assert float(hits) == pytest.approx(100 * flags[anomaly].mean(), abs=0.06)
        assert float(alarms) == pytest.approx(100 * flags[~anomaly].mean(), abs=0.06)


def test_no_column_where_nothing_was_published(run, capsys):
    one_class_mnist.table(run.drawn[0], ())
    head, *rows, mean = capsys.readouterr().out.splitlines()
    assert head.split() == ["ROC-AUC", "found", "false", "alarms"] and len(rows) == 10
    assert {len(line) for line in (head, *rows, mean)} == {len(head)}
    assert all(len(row.split()) == 4 for row in (*rows, mean))


def test_the_ends_of_an_order(rng):
    scores, of = rng.permutation(30) / 30, np.arange(30) < 12
    row = one_class_mnist.pictures.Row("3", scores, of, 0.9, None)
    normal, strange, missed = one_class_mnist.pictures.chosen(row)
    assert of[normal].all() and of[strange].all() and not of[missed].any()
    assert scores[normal].tolist() == np.sort(scores[of])[:5].tolist()
    assert scores[strange].min() >= np.sort(scores[of])[-5] and scores[strange][0] == max(
        scores[of]
    )
    assert scores[missed].tolist() == np.sort(scores[~of])[:5].tolist()


def test_nothing_of_the_figure_is_clipped(rng, monkeypatch):
    monkeypatch.setattr(frame, "DPI", frame.DPI // 4)
    images = datasets.load("strokes")[1]
    rows = [
        one_class_mnist.pictures.Row(name, rng.normal(size=256), np.arange(256) < 3, auc, there)
        for name, auc, there in (("Ankle boot", 0.5, 0.9), ("$x^{$", 1.0, None))
    ]
    figure = one_class_mnist.pictures.extremes(images, rows, "title", "note")
    figure.canvas.draw()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    curve = figure.axes[3]  # its legend hides no point, as it is below
    assert curve.get_legend().get_window_extent().y1 < curve.get_window_extent().y0
    x = [curve.transData.transform((auc, 0))[0] for auc in (0.5, 1.0)]
    radius = curve.lines[0].get_markersize() / 2 * figure.dpi / 72
    area = curve.get_window_extent()
    assert area.x0 <= x[0] - radius and x[1] + radius <= area.x1
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [
        "Ankle boot",
        "$x^{$",
    ]
    assert [text.get_text() for text in figure.axes[3].get_yticklabels()] == ["0.5000", "1.0000"]


def test_an_interrupted_run_has_no_mean(tmp_path, monkeypatch):
    keep = Run._record

    def interrupted(self, model, history):
        keep(self, model, history)
        if self.out.name == "1":
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Run, "_record", interrupted)
    assert tiny(one_class_mnist, tmp_path) == 130
    assert "auc" not in metrics(tmp_path)[-1] and len(metrics(tmp_path / "1")) == 1
    assert not (tmp_path / "extremes.png").exists() and metrics(tmp_path / "2") == []


def test_an_interrupted_measurement_keeps_the_weights(tmp_path, monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(one_class_mnist, "report", interrupted)
    assert tiny(one_class_mnist, tmp_path) == 130
    assert load(tmp_path / "weights.safetensors").input_shape == (28, 28, 1)
    assert "interrupted: the ROC-AUC was not measured" in capsys.readouterr().out
