"""What the pictures of the examples call their lines, where that is not "training" and "test", or
"original"."""

import importlib

import pytest
from examples.helpers import tiny

from scratchae import plots

pytestmark = pytest.mark.slow


@pytest.mark.filterwarnings("ignore:the model reconstructs nearly the same")  # after two epochs
@pytest.mark.parametrize(
    ("name", "picture", "words"),
    [
        ("anomaly_ecg", "loss.png", ["training, normal beats", "test, both classes"]),
        ("series_anomaly", "loss.png", ["training", "held-out week"]),
        ("series_anomaly", "series.png", ["series", "above the threshold"]),
        ("linear_pca", "components.png", ["error", "component", "part in the code's span"]),
    ],
)
def test_the_lines_are_named(name, picture, words, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(plots, "save", lambda figure, path: drawn.update({path.name: figure}))
    dataset = "daily" if name == "series_anomaly" else "beats"
    assert tiny(importlib.import_module(name), tmp_path, "--dataset", dataset) == 0
    figure = drawn[picture]
    legend = figure.legends[0] if figure.legends else figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()][: len(words)] == words
