"""The example that finds anomalies in a series, tiny: what it writes, what it says, how it
counts."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import series_anomaly
from examples.helpers import metrics, played

import scratchae
from scratchae import plots
from scratchae.datasets.generated import daily
from scratchae.detection import report

pytestmark = pytest.mark.slow
FILES = {
    "config.json",
    "metrics.jsonl",
    "weights.safetensors",
    "loss.png",
    "series.png",
    "windows.png",
}
COLUMNS = {
    "epoch",
    "train_loss",
    "train_reconstruction",
    "test_loss",
    "test_reconstruction",
    "auc",
}
COLUMNS |= {"seconds", "examples_per_second", "dataset", "backend"}
RUNS = {"conv": "", "lstm": "--arch lstm", "reference": "--arch lstm --backend reference"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Each run once, in small pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots.frame, "DPI", plots.frame.DPI // 4)
        made = tmp_path_factory.mktemp
        return {
            name: played(series_anomaly, made(name), *options.split())
            for name, options in RUNS.items()
        }


@pytest.mark.parametrize("name", RUNS)
def test_files_and_titles(runs, name):
    assert runs[name].status == 0 and {path.name for path in runs[name].out.iterdir()} == FILES
    assert set(runs[name].titles) == {file for file in FILES if file.endswith("png")}
    assert all(title.startswith("daily (generated): ") for (title,) in runs[name].titles.values())


@pytest.mark.parametrize("name", RUNS)
def test_metrics(runs, name):
    records = metrics(runs[name].out)
    assert [set(record) for record in records] == 2 * [COLUMNS]
    assert all(0 <= record["auc"] <= 1 and record["dataset"] == "daily" for record in records)
    config = json.loads((runs[name].out / "config.json").read_text())
    model = scratchae.load(runs[name].out / "weights.safetensors")
    assert config["parameters"] == sum(view.size for view in model.parameters.views().values())


@pytest.mark.parametrize("name", RUNS)
def test_the_closing_line_agrees(runs, name):
    _, seen, scores, threshold = runs[name].drawn
    found = report(scores, seen.is_anomaly, threshold)
    hit, false = series_anomaly.alarms(scores > threshold, seen.events)
    precision, recall = found.precision["anomaly"], found.recall["anomaly"]
    assert runs[name].last == (
        f"daily (generated), after 2 epochs: AUC {metrics(runs[name].out)[-1]['auc']:.3f}; of "
        f"anomalous points precision {precision:.3f}, recall {recall:.3f}; {hit} of "
        f"{len(seen.events)} anomalies found, {false} false alarm{'s' * (false != 1)}; pictures "
        f"in {runs[name].out}"
    )
    assert found.auc == pytest.approx(metrics(runs[name].out)[-1]["auc"], abs=1e-9)


def test_backends_agree(runs, tolerance):
    for ours, oracle in zip(
        metrics(runs["lstm"].out), metrics(runs["reference"].out), strict=True
    ):
        for key in ("train_loss", "test_loss", "auc"):
            assert ours[key] == pytest.approx(oracle[key], rel=tolerance("trajectory", "float32"))


def seen(n, day, apart):
    zeros = np.zeros(n, np.float32)
    return series_anomaly.Watch(zeros, zeros, zeros > 0, [], 50.0, 20.0, day, apart)


@pytest.mark.parametrize(("day", "apart"), [(48, 2), (48, 12), (48, 1), (48, 48)])
def test_a_point_is_scored_by_the_windows_that_contain_it(day, apart):
    """Each window's error is a number of its own: the mean over windows and hour, written out
    point by point."""
    x = np.zeros(3 * day, np.float32)
    n = (len(x) - day) // apart + 1
    errors = np.random.default_rng(0).random((n, day, 1), dtype=np.float32)
    scores = seen(len(x), day, apart).scores(SimpleNamespace(reconstruct=lambda w: w + errors), x)
    means = np.array(
        [
            np.mean([errors[k, t - k * apart, 0] for k in range(n) if 0 <= t - k * apart < day])
            for t in range(len(x))
        ]
    )
    hour = np.pad(means, 1, mode="edge")  # a point on either side
    np.testing.assert_allclose(scores, (hour[:-2] + hour[1:-1] + hour[2:]) / 3, rtol=1e-5)


@pytest.mark.parametrize(
    ("flagged", "expected"),
    [
        ([], (0, 0)),
        ([(12, 13)], (1, 0)),
        ([(5, 12), (18, 35)], (2, 0)),
        ([(0, 10), (20, 22), (95, 100)], (0, 3)),
        ([(0, 100)], (2, 0)),
    ],
)
def test_alarms(flagged, expected):
    flags = np.zeros(100, bool)
    for a, b in flagged:
        flags[a:b] = True
    assert (
        series_anomaly.alarms(flags, [daily.Event("dip", 10, 20), daily.Event("flat", 30, 40)])
        == expected
    )


def test_pictures_refuse_other_shapes():
    t = np.arange(5.0)
    with pytest.raises(ValueError, match=r"\(4,\)"):
        plots.series_scores(t, t, t[:4], 1.0, [], "title")
    with pytest.raises(ValueError, match=r"\(4,\)"):
        plots.window_pairs({"normal": (t, t[:4])}, t, "title")
    with pytest.raises(ValueError, match="series"):
        plots.window_pairs({}, t, "title")


@pytest.mark.parametrize("arch", series_anomaly.RECIPES)
def test_the_week_of_the_threshold_is_not_learnt_from(arch, tmp_path):
    options = series_anomaly.parser().parse_args(
        ["--arch", arch, "--smoke", "--out", str(tmp_path)]
    )
    run, seen = series_anomaly.prepare(options)
    days, held = series_anomaly.SMOKE_DAYS[0], series_anomaly.SMOKE_HELD
    normal, test = daily.load(*series_anomaly.SMOKE_DAYS)
    x = normal.x[:: series_anomaly.EVERY[arch]]
    assert seen.values(seen.normal) == pytest.approx(x[(days - held) * seen.day :], rel=1e-5)
    assert (
        len(run.train) == (days - held - 1) * seen.day + 1
        and len(run.test) == (held - 1) * seen.day + 1
    )
    assert seen.values(run.train.x[-1, -1, 0]) == pytest.approx(
        x[(days - held) * seen.day - 1], rel=1e-5
    )
    assert seen.values(run.test.x[0, 0, 0]) == pytest.approx(x[(days - held) * seen.day], rel=1e-5)
    marked = np.zeros(len(seen.test), bool)
    for event in seen.events:
        marked[event.start : event.stop] = True
    assert np.array_equal(marked, seen.is_anomaly) and len(seen.events) == len(test.events)
