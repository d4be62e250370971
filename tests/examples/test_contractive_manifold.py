"""The example that looks for tangent directions, tiny: what it writes, what it says, what its
equations give."""

import json
import signal

import contractive_manifold as example
import numpy as np
import pytest
from examples.helpers import STAND_IN, metrics, played, stand_ins, tiny
from runs import Run

import scratchae
from scratchae import datasets, plots

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_data")]
FILES = {
    "config.json",
    "metrics.jsonl",
    "weights.safetensors",
    "loss.png",
    "plain",
    "tangents.png",
    "spectrum.png",
}
COLUMNS = {
    "epoch",
    "train_loss",
    "train_reconstruction",
    "train_penalty",
    "test_loss",
    "test_reconstruction",
    "test_penalty",
}
COLUMNS |= {"seconds", "examples_per_second", "dataset", "backend", "contraction"}
RUNS = {
    "surface": "--dataset surface",
    "reference": "--dataset surface --backend reference",
    "untied": "--dataset surface --no-tied",
    "images": "--weight 0.25",
}


@pytest.fixture(scope="module")
def runs(no_data, tmp_path_factory):
    """Each run once, with few test images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(example, "SEEN", 30)
        return {
            name: played(example, tmp_path_factory.mktemp(name), *o.split())
            for name, o in RUNS.items()
        }


@pytest.mark.parametrize("name", RUNS)
def test_files_titles_and_metrics(runs, name, tolerance):
    run = runs[name]
    more = {"moved.png"} if name == "images" else set()
    assert run.status == 0 and {path.name for path in run.out.iterdir()} == FILES | more
    assert {path.name for path in (run.out / "plain").iterdir()} == {
        f for f in FILES if "." in f
    } - {
        "tangents.png",
        "spectrum.png",
    }
    data = ("strokes", "mnist") if name == "images" else ("surface", None)
    assert stand_ins(run.out) == {data}
    name_of_data = STAND_IN if name == "images" else "surface (generated)"
    assert all(title.startswith(f"{name_of_data}: ") for (title,) in run.titles.values())
    for record, beside in zip(metrics(run.out), metrics(run.out / "plain"), strict=True):
        assert set(record) == COLUMNS and set(beside) == COLUMNS - {
            "test_penalty",
            "train_penalty",
        }
        assert record["test_loss"] == pytest.approx(
            record["test_reconstruction"] + record["test_penalty"], rel=tolerance("loss")
        )


@pytest.mark.parametrize("name", ["surface", "untied"])
def test_the_contraction_is_the_penalty_without_its_weight(runs, name, tolerance):
    weight = json.loads((runs[name].out / "config.json").read_text())["weight"]
    assert weight == example.SURFACE["weight"]
    for record in metrics(runs[name].out):
        assert weight * record["contraction"] == pytest.approx(
            record["test_penalty"], rel=tolerance("loss", "float32")
        )


@pytest.mark.parametrize("name", ["surface", "images"])
def test_the_closing_line_agrees(runs, name):
    run, probe, V, s = runs[name].drawn
    record, beside = metrics(run.out)[-1], metrics(run.out / "plain")[-1]
    degrees = {word: f"{np.median(example.angles(probe.T, v)):.1f}" for word, v in V.items()}
    k = 15 if name == "images" else 2
    shares = {
        word: f"{((v[:, :k] ** 2).sum(axis=1) / (v**2).sum(axis=1)).mean():.0%}"
        for word, v in s.items()
    }
    assert runs[name].last == (
        f"{run.test.name}, after {len(run.history)} epochs: test reconstruction "
        f"{record['test_reconstruction']:.4g} "
        f"(plain {beside['test_reconstruction']:.4g}); median angle to "
        f"the {'shifts of the image' if name == 'images' else 'tangent plane'} "
        f"{degrees['contractive']} degrees (plain {degrees['plain']}, local PCA "
        f"{degrees['local PCA']}); the first {k} directions hold {shares['contractive']} of "
        f"||dh/dx||^2 (plain {shares['plain']}); pictures in {run.out}"
    )


def test_backends_agree(runs, tolerance):
    for ours, oracle in zip(
        metrics(runs["surface"].out), metrics(runs["reference"].out), strict=True
    ):
        for key in ("train_loss", "test_loss", "contraction"):
            assert ours[key] == pytest.approx(oracle[key], rel=tolerance("trajectory", "float32"))


def model(shape, seed=0):
    return example.autoencoder(shape, 4, True, 0.1).build(shape, dtype="float64", seed=seed)


@pytest.mark.parametrize("shape", [(6,), (3, 3, 1)])
def test_the_jacobian_is_that_of_encode(shape, rng, tolerance):
    m, x = model(shape), rng.uniform(0.1, 0.9, (3, *shape))
    I, step = int(np.prod(shape)), 1e-6
    d, W = example.slopes(m, x)
    J = d[:, :, None] * W.T
    for i in range(I):
        e = step * np.eye(I)[i].reshape(shape)
        column = (m.encode(x + e) - m.encode(x - e)) / (2 * step)
        np.testing.assert_allclose(J[:, :, i], column, atol=tolerance("gradient"))


def test_directions_are_the_right_singular_vectors(rng):
    m, x = model((6,)), rng.normal(size=(5, 6))
    s, V = example.directions(m, x, 2)
    assert s.shape == (5, 4) and V.shape == (5, 2, 6) and np.all(np.diff(s, axis=1) <= 0)
    np.testing.assert_allclose(V @ V.swapaxes(1, 2), np.eye(2) * np.ones((5, 1, 1)), atol=1e-12)
    d, W = example.slopes(m, x)
    moved = np.einsum("no,io,nki->nko", d, W, V)  # J v: the code moves by s along each
    np.testing.assert_allclose(np.linalg.norm(moved, axis=2), s[:, :2], rtol=1e-9)
    at = np.abs(V).argmax(axis=2)[..., None]
    assert np.all(np.take_along_axis(V, at, axis=2) > 0)


@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0])
def test_the_angle_is_the_largest_between_the_planes(degrees):
    a = np.radians(degrees)
    T = np.array([[[1.0, 0, 0, 0], [0, 1, 0, 0]]])
    V = np.array([[[1.0, 0, 0, 0], [0, np.cos(a), np.sin(a), 0]]])
    # the order and the signs within a plane are nobody's
    turned = V[:, ::-1] * np.array([[1.0], [-1]])
    for plane in (V, turned):
        assert example.angles(T, plane) == pytest.approx([degrees], abs=1e-5)
    assert example.angles(T, np.concatenate([V, [[[0, 0, 0, 1.0]]]], axis=1)) == pytest.approx(
        [degrees], abs=1e-5
    )
    wider = np.concatenate([V, [[[0, -np.sin(a), np.cos(a), 0]]]], axis=1)  # contains T
    assert example.angles(T, wider) == pytest.approx([0], abs=1e-5)


def test_local_pca_finds_the_plane_of_its_neighbours(rng, monkeypatch):
    monkeypatch.setattr(example, "NEIGHBOURS", 10)
    flat = np.concatenate([rng.normal(size=(50, 2)), np.zeros((50, 1))], axis=1)
    # as many points far away, in another plane
    upright = flat[:, [2, 0, 1]] + np.array([100.0, 0, 0])
    x = np.array([[0, 0, 0.1], [100, 0.5, 0]])
    V = example.local_pca(x, np.concatenate([flat, upright]), 2)
    T = np.array([np.eye(3)[[0, 1]], np.eye(3)[[1, 2]]])
    assert example.angles(T, V) == pytest.approx([0, 0], abs=1e-5)


def test_shifts_are_how_a_shifted_image_differs():
    y, x = np.mgrid[:28, :28]

    def blob(dy, dx):
        return np.exp(-((y - 13 - dy) ** 2 + (x - 15 - dx) ** 2 / 2) / 20)[None, ..., None]

    T = example.shifts(blob(0, 0))
    assert np.allclose(T @ T.swapaxes(1, 2), np.eye(2))
    for shift in ((0.1, 0), (0, 0.1), (0.1, -0.1)):
        d = (blob(*shift) - blob(0, 0)).reshape(784)
        assert np.linalg.norm(T[0] @ d) / np.linalg.norm(d) > 0.99


def test_spread_points_are_far_from_each_other():
    x = np.array([[0.0, 0], [0.1, 0], [10, 0], [0, 8], [0.2, 0.1]])
    assert example.spread(x, 3) == [0, 2, 3]


def test_images_move_both_ways_along_the_first_direction(runs, monkeypatch):
    run, probe, V, _ = runs["images"].drawn
    shown = {}
    monkeypatch.setattr(plots, "save", lambda figure, path: None)
    monkeypatch.setattr(
        plots, "image_rows", lambda rows, title, note: shown.update({title.split(": ")[1]: rows})
    )
    example.draw_images(run, probe.x, V)
    labels = run.test.labels[: len(probe.x)]
    first = [int(np.flatnonzero(labels == k)[0]) for k in np.unique(labels)]
    directions, moved = shown.values()
    np.testing.assert_array_equal(directions["image"], probe.x[first])
    for word, v in V.items():
        for j in range(example.DIRECTIONS):
            grey = directions[f"{word} {j + 1}"].reshape(len(first), 784) - 0.5
            largest = np.abs(v[first, j]).max(axis=1, keepdims=True)
            np.testing.assert_allclose(grey, v[first, j] / (2 * largest), atol=1e-12)
    for a, row in zip(example.STEPS, moved.values(), strict=True):
        along = probe.x[first] + a * V["contractive"][first, 0].reshape(-1, 28, 28, 1)
        np.testing.assert_allclose(row, along.clip(0, 1), atol=1e-6)
    assert list(moved) == ["\N{MINUS SIGN}4", "\N{MINUS SIGN}2", "image", "+2", "+4"]


def test_the_weights_are_tied_unless_told_otherwise(runs):
    parameters = {
        n: json.loads((runs[n].out / "config.json").read_text())["parameters"] for n in runs
    }
    assert (
        parameters["surface"] == 3 * 100 + 100 + 3
        and parameters["untied"] == parameters["surface"] + 300
    )
    assert "untied weights" in runs["untied"].drawn[0].what


@pytest.mark.parametrize(
    ("options", "recipe"),
    [
        (
            "",
            {
                "dataset": "mnist",
                "epochs": 20,
                "batch_size": 128,
                "lr": 1e-3,
                "weight": 1.0,
                "parameters": 236_284,
            },
        ),
        (
            "--dataset surface",
            {"epochs": 200, "batch_size": 100, "lr": 1e-2, "weight": 0.3, "parameters": 403},
        ),
    ],
)
def test_recipes(options, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("common.load", lambda *_: datasets.load("strokes"))
    example.prepare(example.parser().parse_args([*options.split(), "--out", str(tmp_path)]))
    config = json.loads((tmp_path / "config.json").read_text())
    assert {key: config[key] for key in recipe} == recipe


def test_the_rate_falls_to_nothing(tmp_path):
    options = ["--dataset", "surface", "--smoke", "--out", str(tmp_path)]
    run, plain, _ = example.prepare(example.parser().parse_args(options))
    steps = 2 * -(-len(run.train) // 100)
    for one in (run, plain):
        assert one.optimizer.rate(1) == 1e-2 and one.optimizer.rate(steps + 1) == pytest.approx(
            0, abs=1e-15
        )


def test_points_are_spread_out():
    x = np.array([[0, 0], [0.1, 0.1], [4, 4], [3.9, 3.9], [0, 4], [4, 0], [2, 2]])
    assert example.spread(x, 4) == [0, 2, 4, 5]


def test_an_interrupted_plain_run_is_the_last(tmp_path, capsys, monkeypatch):
    record = Run._record

    def interrupted(self, model, history):
        record(self, model, history)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Run, "_record", interrupted)
    assert tiny(example, tmp_path, "--dataset", "surface") == 130
    assert not (tmp_path / "weights.safetensors").exists()
    assert scratchae.load(tmp_path / "plain" / "weights.safetensors").objective.epoch == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("plain")


@pytest.mark.parametrize(
    ("options", "words"), [("--weight -1", "-1"), ("--dataset roll", "roll"), ("--tied no", "no")]
)
def test_user_errors_are_one_sentence(options, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        tiny(example, tmp_path, *options.split())
    sentence = capsys.readouterr().err
    assert (
        ended.value.code == 2
        and sentence.startswith("contractive_manifold: ")
        and words in sentence
    )
    assert sentence.count("\n") == 1 and list(tmp_path.iterdir()) == []
