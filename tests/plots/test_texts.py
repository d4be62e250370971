"""What a user names is written as it is, and no formula: it may hold dollars."""

import io

import numpy as np
import pytest

from scratchae import plots
from scratchae.plots import frame

DOLLARS = "$x^{$"  # matplotlib cannot parse it


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(frame, "DPI", frame.DPI // 4)


def draws():
    """Each function with dollars in every text it takes: how its figure is made, and how often
    they are in it."""
    d, x, y = DOLLARS, np.arange(4.0), np.arange(4) % 2 == 0
    image, z = np.zeros((3, 4, 4, 1)), np.eye(4)[:, :2]
    rows = [{"epoch": 1, "train_loss": 2.0, f"train_{d}": 1.0, "train_kl": 1.0, "test_loss": 2.0}]
    return {
        "image_rows": lambda: (plots.image_rows({d: image}, d, d), 2),
        "loss_curves": lambda: (plots.loss_curves(rows, d, d, d, (d, d)), 4),
        "score_histogram": lambda: (plots.score_histogram(x, x, y, 2.0, d, d, d), 1),
        "latent_scatter": lambda: (plots.latent_scatter(z, [0, 0, 1, 1], [d, d], d, d), 4),
        "series_scores": lambda: (
            plots.series_scores(x, x, x, 2.0, [(d, 1, 2)], d, d, (d, d, d)),
            4,
        ),
        "window_pairs": lambda: (plots.window_pairs({d: (x, x)}, x, d, d, (d, d), (d, d)), 5),
    }


QUICK = "image_rows", "score_histogram"
NAMES = [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in draws()]


@pytest.mark.parametrize("name", NAMES)
def test_dollars_are_written_as_they_are(name):
    from matplotlib.text import Text

    figure, count = draws()[name]()
    figure.canvas.draw()
    plots.save(figure, io.BytesIO())
    written = [text for text in figure.findobj(Text) if DOLLARS in text.get_text()]
    assert len(written) == count + 2 and not any(text.get_parse_math() for text in written)


def test_the_names_of_the_axes_stay_formulas():
    plane = plots.latent_scatter(np.eye(4)[:, :2], [0, 0, 1, 1], "ab", "").axes[0]
    labels = plane.xaxis.label, plane.yaxis.label
    assert [label.get_text() for label in labels] == ["$z_1$", "$z_2$"]
    assert all(label.get_parse_math() for label in labels)
