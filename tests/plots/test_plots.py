"""Figures: titled, nothing clipped, every pixel where it belongs, and matplotlib left as it
was."""

import subprocess
import sys
from statistics import NormalDist

import matplotlib
import numpy as np
import pytest

from scratchae import Images, plots
from scratchae.datasets import fashion_mnist
from scratchae.plots import curves, frame, latent
from scratchae.training.fit import History

TITLE = "strokes (generated): test images, reconstructed"
NOTE = (
    "convolutional VAE, 20 latent dimensions, binarised pixels, beta = 0.25, interrupted "
    "after 10 epochs"
)
NAMES = fashion_mnist.CLASSES


@pytest.fixture(autouse=True)
def no_pyplot(monkeypatch):
    """An import of pyplot, which holds global state, raises; so does a change of the settings."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    before = settings()
    yield
    assert settings() == before


def settings():
    """Matplotlib's, less the backend, which it looks for with pyplot when asked."""
    return {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}


def images(n, side=28):
    return np.random.default_rng(0).random((n, side, side, 1), dtype=np.float32)


def records(n, *parts, scale=100.0):
    """A history of n epochs whose terms have that size, penalty zero unless it is among the
    parts."""
    rows = []
    for epoch in range(1, n + 1):
        terms = {part: scale / epoch * (part != "penalty") for part in parts}
        rows.append(
            {
                "epoch": epoch,
                "train_loss": 2 * scale / epoch,
                "test_loss": 2 * scale / epoch,
                "seconds": 1.0,
            }
        )
        rows[-1] |= {
            f"{half}_{part}": v for half in ("train", "test") for part, v in terms.items()
        }
    return rows


def every_figure(title=TITLE, note=NOTE):
    rng = np.random.default_rng(0)
    codes, labels = rng.normal(size=(300, 2)), rng.integers(0, 10, 300)
    return {
        "grid": plots.image_grid(images(60), title, note),
        "pairs": plots.image_pairs(images(25), images(25), title, note),
        "rows": plots.image_rows(
            {"clean": images(15), "noisy": images(15), "denoised": images(15)}, title, note
        ),
        "series": plots.series_scores(
            codes[:, 0], codes[:, 1], codes[:, 0] ** 2, 2.0, [("flat", -1.0, 1.0)], title, note
        ),
        "windows": plots.window_pairs(
            {str(i): (codes[i], codes[i]) for i in range(5)}, np.arange(2), title, note
        ),
        "long curves": plots.loss_curves(records(100, "reconstruction", "kl"), title, note),
        "manifold": plots.manifold(images(21**2), title, note),
        "curves": plots.loss_curves(records(10, "reconstruction", "kl", "penalty"), title, note),
        "scatter": plots.latent_scatter(codes, labels, NAMES, title, note),
    }


def clipped(figure):
    """Whether anything that is drawn leaves the figure."""
    figure.canvas.draw()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    return box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height


@pytest.mark.slow
def test_titles_and_nothing_clipped():
    for name, figure in every_figure().items():
        assert [text.get_text() for text in figure.texts] == [TITLE, NOTE], name
        assert not clipped(figure), name


def test_a_title_is_no_formula():
    assert not clipped(plots.image_grid(images(10), "$x^{$", "costs $5 and $\\frac$"))


def test_a_long_title_and_note_are_made_smaller():
    long, short = (
        plots.image_grid(images(10), 3 * TITLE, 3 * NOTE),
        plots.image_grid(images(10), TITLE, "note"),
    )
    assert not clipped(long)
    assert [text.get_size() for text in short.texts] == [12, 8.5]
    assert all(a.get_size() < b.get_size() for a, b in zip(long.texts, short.texts, strict=True))


def test_clipping_is_seen():
    figure = plots.manifold(images(9), TITLE)
    figure.axes[0].set_ylabel("$z_2$", labelpad=60)
    assert clipped(figure)


def test_each_image_pixel_is_a_square_of_screen_pixels():
    x = np.round(images(23))  # 0 white, 1 black: no rounding
    figure = plots.image_grid(x, TITLE)
    figure.canvas.draw()
    screen = np.asarray(figure.canvas.buffer_rgba())[..., 0]
    scale, margin = 4, round(frame.MARGIN * frame.DPI)
    top = screen.shape[0] - margin - scale * (3 * 31 - 3)
    for n in range(23):
        y, left = top + scale * 31 * (n // 10), margin + scale * 31 * (n % 10)
        tile = screen[y : y + scale * 28, left : left + scale * 28]
        assert np.array_equal(tile, 255 - 255 * x[n, ..., 0].repeat(scale, 0).repeat(scale, 1)), n


def test_pairs_stand_one_above_the_other():
    figure = plots.image_pairs(np.zeros((15, 5, 5, 1)), np.ones((15, 5, 5, 1)), TITLE)
    axes = figure.axes[0]
    shown = axes.images[0].get_array()
    for y, word in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
        assert np.all(shown[int(y), [0, 36]] == (word.get_text() == "reconstruction"))
    assert [word.get_text() for word in axes.get_yticklabels()] == 2 * [
        "original",
        "reconstruction",
    ]


def test_labels_of_classes_do_not_overlap():
    near = np.random.default_rng(0).normal(scale=0.01, size=(10, 2))
    box = np.array([0.3, 0.1])
    moved = latent._apart(near, box)
    d = np.linalg.norm((moved[:, None] - moved) / box, axis=-1)[~np.eye(10, dtype=bool)]
    assert d.min() > 0.9 and np.abs(moved - near).max() < 2
    assert np.array_equal(latent._apart(10 * box * np.eye(2), box), 10 * box * np.eye(2))


def test_the_plane_has_squares_of_equal_probability():
    z = plots.quantile_plane(9).reshape(9, 9, 2)
    middles = (np.arange(9) + 0.5) / 9
    cdf = np.vectorize(NormalDist().cdf)
    assert np.allclose(cdf(z[0, :, 0]), middles) and np.allclose(cdf(z[:, 0, 1]), middles[::-1])
    assert np.all(z[..., 0] == z[0, :, 0]) and np.all(z[..., 1] == z[:, :1, 1])


@pytest.mark.parametrize("axis", [0, 1])
def test_the_ticks_of_the_manifold_tell_the_codes(axis):
    z = plots.quantile_plane(9)
    figure = plots.manifold(np.broadcast_to(z[:, axis, None, None, None], (81, 4, 4, 1)), TITLE)
    axes = figure.axes[0]
    shown = axes.images[0].get_array()
    ticks = (
        (axes.get_xticks(), axes.get_xticklabels())
        if axis == 0
        else (axes.get_yticks(), axes.get_yticklabels())
    )
    for at, word in zip(*ticks, strict=True):
        value = shown[0, int(at)] if axis == 0 else shown[int(at), 0]
        assert word.get_text().replace("\N{MINUS SIGN}", "-") == f"{value:.1f}"


@pytest.mark.parametrize(
    ("parts", "panels"),
    [
        (("reconstruction",), ["loss"]),
        (("reconstruction", "kl", "penalty"), ["loss", "reconstruction", "KL divergence"]),
    ],
)
def test_curves_have_a_panel_for_each_part(parts, panels):
    figure = plots.loss_curves(records(3, *parts), TITLE)
    assert [axes.get_title() for axes in figure.axes] == panels
    for axes in figure.axes:
        assert [line.get_label() for line in axes.lines] == ["training", "test"]
    assert figure.axes[0].get_ylabel() == "nats per example"


def test_a_count_is_not_drawn_as_nats():
    parts = "reconstruction", "kl", "above_floor"
    axes = plots.loss_curves(records(3, *parts), TITLE).axes
    labels = {one.get_title(): one.get_ylabel() for one in axes}
    assert labels == {
        **{"loss": "nats per example", "reconstruction": "", "KL divergence": ""},
        "above floor": "number of groups",
    }


def test_one_epoch_has_one_tick():
    axes = plots.loss_curves(records(1, "reconstruction"), TITLE).axes[0]
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_points_have_the_colour_that_the_legend_gives_their_class():
    labels = np.array([3, 0, 3, 9])
    figure = plots.latent_scatter(np.eye(4)[:, :2], labels, NAMES, TITLE)
    points, *proxies = figure.axes[0].collections
    colour = {proxy.get_label(): tuple(proxy.get_facecolor()[0][:3]) for proxy in proxies}
    assert [colour[NAMES[k]] for k in labels] == [tuple(c[:3]) for c in points.get_facecolor()]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        NAMES[k] for k in (0, 3, 9)
    ]


def test_files(tmp_path):
    from PIL import Image

    figures = [plots.image_grid(np.full((10, 8, 8, 1), v), TITLE) for v in (0.0, 0.5, 1.0)]
    plots.save(figures[0], tmp_path / "one.png")
    plots.write_gif(iter(figures), tmp_path / "all.gif")
    sizes = set()
    with Image.open(tmp_path / "one.png") as image:
        sizes.add(image.size)
    with Image.open(tmp_path / "all.gif") as film:
        assert film.n_frames == 3 and film.info["loop"] == 0
        for n, (grey, milliseconds) in enumerate([(255, 500), (127, 500), (0, 2500)]):
            film.seek(n)
            middle = film.convert("L").getpixel((60, film.size[1] - 60))
            assert abs(middle - grey) <= 1 and film.info["duration"] == milliseconds
            sizes.add(film.size)
    assert len(sizes) == 1


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (
            lambda: plots.image_grid(np.zeros((4, 28, 28)), ""),
            r"shape \(4, 28, 28\).*\(N, H, W, 1\)",
        ),
        (lambda: plots.image_grid(images(0), ""), r"shape \(0, 28, 28, 1\)"),
        (lambda: plots.image_pairs(images(0), images(0), ""), r"shape \(0, 28, 28, 1\)"),
        (
            lambda: plots.image_pairs(images(3), images(2), ""),
            r"\(3, 28, 28, 1\).*\(2, 28, 28, 1\).*one shape",
        ),
        (lambda: plots.manifold(images(5), ""), "5 images.*square number"),
        (lambda: plots.loss_curves([], ""), "no records.*train"),
        (
            lambda: plots.latent_scatter(np.zeros((4, 3)), np.zeros(4, int), NAMES, ""),
            r"codes is \(4, 3\), but \(N, 2\)",
        ),
        (
            lambda: plots.loss_curves([{"epoch": 1, "test_loss": 1.0}], ""),
            "record 0 is .* epoch and train_loss",
        ),
        (
            lambda: plots.loss_curves([*records(1), {"train_loss": 1.0}], ""),
            "record 1 is .* epoch and train_loss",
        ),
        (
            lambda: plots.loss_curves([3.0, 2.0], ""),
            "record 0 is 3.0, .* give fit's history",
        ),
        (
            lambda: plots.latent_scatter(np.zeros((2, 2)), np.array([0, 10]), NAMES, ""),
            "labels are 0 to 10, .* names and colours for 0 to 9",
        ),
        (
            lambda: plots.latent_scatter(np.zeros((0, 2)), [], NAMES, ""),
            r"codes is \(0, 2\), but \(N, 2\)",
        ),
        (
            lambda: plots.latent_scatter(np.zeros((2, 2)), [[0], [1]], NAMES, ""),
            r"labels is \(2, 1\), but \(2,\)",
        ),
        (
            lambda: plots.latent_scatter(np.zeros((2, 2)), [0.5, 1.0], NAMES, ""),
            "labels hold 0.5, but whole numbers",
        ),
        (
            lambda: plots.latent_scatter(np.zeros((2, 2)), [0, 3], NAMES[:3], ""),
            "labels are 0 to 3, .* for 0 to 2",
        ),
        (lambda: plots.write_gif([], "all.gif"), "no figures.*give one"),
    ],
)
def test_errors_are_sentences(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()


@pytest.mark.slow  # a process of its own
def test_matplotlib_is_imported_late():
    code = "import sys, scratchae.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(("epochs", "marker"), [(30, "o"), (31, "")])
def test_curves_are_those_of_their_columns(epochs, marker):
    rows = [
        {"epoch": n, "train_loss": 3.0 * n, "test_loss": 5.0 * n} for n in range(1, epochs + 1)
    ]
    axes = plots.loss_curves(rows, TITLE).axes[0]
    named = plots.loss_curves(rows, TITLE, lines=("training", "held-out week")).axes[0]
    assert [text.get_text() for text in named.get_legend().get_texts()] == [
        "training",
        "held-out week",
    ]
    for line, (word, factor) in zip(axes.lines, {"training": 3, "test": 5}.items(), strict=True):
        assert line.get_label() == word and line.get_marker() == marker
        assert np.array_equal(line.get_ydata(), factor * np.arange(1, epochs + 1))


@pytest.mark.parametrize(
    "draw",
    [plots.image_grid, plots.manifold, lambda x, title: plots.image_pairs(x, x, title)],
)
def test_raw_pixels_are_refused_and_their_values_drawn(draw):
    source = Images(np.full((4, 5, 5, 1), 255, np.uint8))
    with pytest.raises(TypeError, match=r"raw uint8: divide by 255, or give Images\(x\)"):
        draw(source.pixels, TITLE)
    for same in (source.pixels / 255, source, source.values()):
        draw(same, TITLE)


def test_curves_take_the_history_itself():
    history = History()
    history.records = records(3, "reconstruction", "kl")
    for axes, same in zip(
        plots.loss_curves(history, TITLE).axes,
        plots.loss_curves(history.records, TITLE).axes,
        strict=True,
    ):
        assert all(
            np.array_equal(a.get_xydata(), b.get_xydata())
            for a, b in zip(axes.lines, same.lines, strict=True)
        )


@pytest.mark.parametrize("held", [range(1, 3), range(3, 6), [5]])
def test_a_term_is_drawn_in_the_epochs_that_have_it(held):
    rows = [
        {"epoch": n, "train_loss": 3.0 * n} | ({"test_loss": 5.0 * n} if n in held else {})
        for n in range(1, 6)
    ]
    train, test = plots.loss_curves(rows, TITLE).axes[0].lines
    assert np.array_equal(train.get_xydata(), [(n, 3 * n) for n in range(1, 6)])
    assert np.array_equal(test.get_xydata(), [(n, 5 * n) for n in held])


def test_the_names_of_lines_are_looked_at_before_anything_is_drawn(monkeypatch):
    monkeypatch.setattr(curves, "framed", None)
    with pytest.raises(ValueError, match="names of two lines"):
        plots.loss_curves(records(1), TITLE, lines=("training",))


def test_codes_and_labels_may_be_lists():
    mu, labels = np.eye(4)[:, :2], [3, 0, 3, 9]
    first, second = (
        plots.latent_scatter(*given, NAMES, TITLE).axes[0].collections[0]
        for given in ((mu, np.array(labels)), (mu.tolist(), labels))
    )
    assert np.array_equal(first.get_offsets(), second.get_offsets())
    assert np.array_equal(first.get_facecolor(), second.get_facecolor())


@pytest.mark.parametrize("shape", [(81, 17, 23, 1), (81, 23, 17, 1)], ids=["wide", "tall"])
def test_the_ticks_of_a_manifold_stand_at_the_middles_of_its_images(shape):
    axes = plots.manifold(np.zeros(shape), TITLE).axes[0]
    H, W = shape[1:3]
    np.testing.assert_allclose(axes.get_xticks(), W * (np.array([0, 2, 4, 6, 8]) + 0.5))
    np.testing.assert_allclose(axes.get_yticks(), H * (9 - np.array([0, 2, 4, 6, 8]) - 0.5))
    assert axes.get_xlim() == (0, 9 * W)


def test_a_long_word_beside_a_row_is_not_cut_off():
    word = "MMMM: reconstruction of the WWWW of channel 1"
    figure = plots.image_rows({word: np.ones((2, 17, 23, 1))}, TITLE)
    figure.canvas.draw()
    assert figure.axes[0].get_yticklabels()[0].get_window_extent().x0 >= 0


def test_what_is_no_image():
    x = np.zeros((4, 5, 5, 1))
    for bad in (np.nan, np.inf):
        x[2, 1, 1] = bad
        for images in (x, np.repeat(x, 3, axis=3)):
            with pytest.raises(
                ValueError, match=r"hold NaN or inf: .* or draw np\.nan_to_num\(x\)"
            ):
                plots.image_grid(images, TITLE)
            plots.image_grid(np.nan_to_num(images), TITLE)
