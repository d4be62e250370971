"""The example of the linear autoencoder beside PCA: it converges, and its two numbers can tell."""

import linear_pca
import numpy as np
import pytest
from examples.helpers import metrics, played, stand_ins, tiny

from scratchae import load

pytestmark = pytest.mark.slow
FILES = {"config.json", "metrics.jsonl", "weights.safetensors", "loss.png", "components.png"}


def prepared(out, *options):
    return linear_pca.prepare(
        linear_pca.parser().parse_args(["--dataset", "beats", "--out", str(out), *options])
    )


def test_the_principal_subspace_is_found(tmp_path, capsys):
    assert linear_pca.main(["--dataset", "beats", "--epochs", "150", "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == FILES
    records = metrics(tmp_path)
    first, last = records[0], records[-1]
    assert first["largest_angle"] > 0.1 and first["error_ratio"] > 1.1
    assert last["largest_angle"] < 1e-2 and abs(last["error_ratio"] - 1) < 1e-2
    words = (
        f"largest angle to the principal subspace {last['largest_angle']:.5f}, test error "
        f"{last['error_ratio']:.5f}"
    )
    assert words in capsys.readouterr().out.splitlines()[-1]


def test_the_error_is_measured_on_the_saved_model(tmp_path, tolerance):
    assert tiny(linear_pca, tmp_path / "run", "--dataset", "beats") == 0
    run, _ = prepared(tmp_path / "other", "--smoke")
    model, x = load(tmp_path / "run" / "weights.safetensors"), run.test.x
    best = np.linalg.svd(run.train.x.astype(np.float64))[2][: linear_pca.CODE]
    of_pca = np.square(x - x @ best.T @ best).sum()
    ratio = np.square(x - model.reconstruct(x), dtype=np.float64).sum() / of_pca
    assert metrics(tmp_path / "run")[-1]["error_ratio"] == pytest.approx(
        ratio, rel=tolerance("loss", "float32")
    )
    # centred by the training beats, so the test beats are not
    assert abs(run.train.x.mean(axis=0)).max() < 1e-5
    assert abs(x.mean(axis=0)).max() > 1e-4


@pytest.mark.usefixtures("no_data")
def test_the_stand_in_is_named_everywhere(tmp_path):
    run = played(linear_pca, tmp_path)
    assert run.status == 0 and stand_ins(tmp_path) == {("beats", "ecg5000")}
    assert set(run.titles) == {name for name in FILES if name.endswith("png")}
    assert all(title.startswith("beats (generated): ") for (title,) in run.titles.values())
    assert run.last.startswith("beats (generated), after 2 epochs: ")
    assert {record["dataset"] for record in metrics(tmp_path)} == {"beats"}


@pytest.mark.parametrize("angle", [0.0, 1e-6, 0.3, np.pi / 2])
def test_the_angle_of_two_planes(angle):
    e = np.eye(5)
    P = e[:, :2]
    Q = np.stack([e[:, 0] / np.sqrt(2) + e[:, 1] / np.sqrt(2), np.zeros(5)], axis=1)
    other = e[:, 0] / np.sqrt(2) - e[:, 1] / np.sqrt(2)
    Q[:, 1] = np.cos(angle) * other + np.sin(angle) * e[:, 3]
    assert linear_pca.largest_angle(P, Q) == pytest.approx(angle, rel=1e-6, abs=1e-9)
