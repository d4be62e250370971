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
    """Each function with dollars in every text it takes: how its figure is made, and how often they are in it."""
    d, x, y = DOLLARS, np.arange(4.0), np.arange(4) % 2 == 0
    planes = {d: (np.tile(np.eye(3)[:2], (4, 1, 1)), x)}
    image, z = np.zeros((3, 4, 4, 1)), np.eye(4)[:, :2]
    rows = [{"epoch": 1, "train_loss": 2.0, f"train_{d}": 1.0, "train_kl": 1.0, "test_loss": 2.0}]
    return {
        "image_rows": lambda: (plots.image_rows({d: image}, d, d), 2),
        "code_activity": lambda: (plots.code_activity({d: z}, d, d), 1),
        "loss_curves": lambda: (plots.loss_curves(rows, d, d, d, (d, d)), 4),
        "score_histogram": lambda: (plots.score_histogram(x, x, y, 2.0, d, d, d), 1),
        "latent_scatter": lambda: (plots.latent_scatter(z, [0, 0, 1, 1], [d, d], d, d), 4),
        "series_scores": lambda: (
            plots.series_scores(x, x, x, 2.0, [(d, 1, 2)], d, d, (d, d, d)),
            4,
        ),
        "window_pairs": lambda: (plots.window_pairs({d: (x, x)}, x, d, d, (d, d), (d, d)), 5),
        "tangent_planes": lambda: (plots.tangent_planes(np.eye(4)[:, :3], planes, [0], d, d), 1),
        "spectra": lambda: (plots.spectra({d: z}, 1, d, d), 1),
    }


@pytest.mark.parametrize("name", draws())
def test_dollars_are_written_as_they_are(name):
    from matplotlib.text import Text

    figure, count = draws()[name]()
    figure.canvas.draw()
    plots.save(figure, io.BytesIO())
    written = [text for text in figure.findobj(Text) if DOLLARS in text.get_text()]
    assert len(written) == count + 2 and not any(text.get_parse_math() for text in written)


def test_the_names_of_the_axes_stay_formulas():
    x = np.eye(4)[:, :3]
    planes = {"plain": (np.tile(np.eye(3)[:2], (4, 1, 1)), np.zeros(4))}
    space = plots.tangent_planes(x, planes, [0], "").axes[0]
    plane = plots.latent_scatter(x[:, :2], [0, 0, 1, 1], "ab", "").axes[0]
    axis = space.xaxis, space.yaxis, space.zaxis, plane.xaxis, plane.yaxis
    assert [a.label.get_text() for a in axis] == ["$x_1$", "$x_2$", "$x_3$", "$z_1$", "$z_2$"]
    assert all(a.label.get_parse_math() for a in axis)
