"""Images in colour, as ink and as light: each pixel of the screen is that of the image."""

from types import SimpleNamespace

import numpy as np
import pytest

from scratchae import Images, Values, plots
from scratchae.plots import frame

TITLE = "photographs"


def screen(figure):
    """What is on the screen, (height, width, 3) uint8."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def tile(figure, n, side, columns=10, gap=3, left=frame.MARGIN, bottom=frame.MARGIN):
    """The screen pixels of the nth image, one for each of its pixels, (side, side, 3)."""
    axes = figure.axes[0].get_window_extent()
    whole, (width, _) = screen(figure), figure.axes[0].images[0].get_array().shape[1::-1]
    scale = round(axes.width / width)
    y = whole.shape[0] - round(axes.y1) + scale * (side + gap) * (n // columns)
    x = round(axes.x0) + scale * (side + gap) * (n % columns)
    every = whole[y : y + scale * side, x : x + scale * side]
    middle = every[scale // 2 :: scale, scale // 2 :: scale]
    assert np.array_equal(every, middle.repeat(scale, 0).repeat(scale, 1))  # squares
    return middle


def photographs(n=13, side=8):
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3)).astype(np.uint8)


@pytest.mark.parametrize("ink", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_colour_is_drawn_as_it_is_whatever_ink_says(ink):
    pixels = photographs()
    for given in (Images(pixels), (pixels / 255).astype(np.float32), Values(pixels / 255)):
        figure = plots.image_grid(given, TITLE, ink=ink)
        for n in range(13):
            assert np.array_equal(tile(figure, n, 8), pixels[n]), n


@pytest.mark.parametrize(("ink", "black"), [(True, 1.0), (False, 0.0)])
def test_one_channel_is_ink_or_light(ink, black):
    x = np.zeros((12, 4, 4, 1), np.float32)
    x[5] = 1
    figure = plots.image_grid(x, TITLE, ink=ink)
    for n in range(12):
        assert np.all(tile(figure, n, 4) == (0 if x[n, 0, 0, 0] == black else 255)), n


def test_a_grey_photograph_is_no_negative_as_light_and_none_is_as_ink():
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8, 1)
    light, ink = (
        tile(plots.image_grid(ramp, TITLE, ink=ink), 0, 8)[..., 0].ravel().astype(int)
        for ink in (False, True)
    )
    assert np.all(np.diff(light) > 0) and np.all(np.diff(ink) < 0)
    assert light[0] == ink[-1] == 0 and light[-1] == ink[0] == 255


DRAWN = {
    "grid": lambda x, ink: plots.image_grid(x, TITLE, ink=ink),
    "pairs": lambda x, ink: plots.image_pairs(x, x, TITLE, ink=ink),
    "rows": lambda x, ink: plots.image_rows({"a": x, "b": x, "c": x}, TITLE, ink=ink),
}


@pytest.mark.parametrize("ink", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", DRAWN)
def test_what_lies_between_is_white(name, channels, ink):
    """Every image is black, so that whatever is white is no image, and nothing is grey."""
    dark = np.full((13, 8, 8, channels), 1.0 if ink and channels == 1 else 0.0)
    figure = DRAWN[name](dark, ink)
    axes = figure.axes[0]
    axes.set_yticks([])
    shown, box = screen(figure), axes.get_window_extent()
    top, left = shown.shape[0] - round(box.y1), round(box.x0)
    shown = shown[top : top + round(box.height), left : left + round(box.width), 0]
    images = 13 * {"grid": 1, "pairs": 2, "rows": 3}[name]
    scale = round(box.width / axes.images[0].get_array().shape[1])
    assert set(np.unique(shown)) == {0, 255}
    assert (shown == 0).sum() == images * (8 * scale) ** 2


def test_pairs_in_colour_stand_one_above_the_other():
    x, y = np.zeros((15, 5, 5, 3)), np.ones((15, 5, 5, 3)) * (1, 0, 0)
    axes = plots.image_pairs(x, y, TITLE).axes[0]
    shown = axes.images[0].get_array()
    for at, word in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True):
        red = word.get_text() == "reconstruction"
        assert np.all(shown[int(at), [0, 36]] == ((255, 0, 0) if red else (0, 0, 0)))


def test_a_manifold_in_colour():
    pixels = photographs(9, 6)
    shown = plots.manifold(Images(pixels), TITLE).axes[0].images[0].get_array()
    assert np.array_equal(shown[:6, 6:12], pixels[1]) and np.array_equal(shown[12:, :6], pixels[6])


def test_the_manifolds_axes_say_that_they_are_quantiles():
    axes = plots.manifold(np.zeros((9, 6, 6, 1)), "$x^{$", "$y^{$").axes[0]
    for label, name in ((axes.xaxis.label, "z_1"), (axes.yaxis.label, "z_2")):
        assert label.get_text() == f"${name}$, quantiles of N(0, 1)" and label.get_parse_math()
    axes.figure.canvas.draw()


def test_what_is_beyond_is_drawn_as_the_nearest():
    x = np.linspace(-1, 2, 16).reshape(1, 4, 4, 1)
    for images in (x, x.repeat(3, axis=3)):
        for ink in (True, False):
            a, b = (plots.image_grid(i, TITLE, ink=ink) for i in (images, images.clip(0, 1)))
            assert np.array_equal(screen(a), screen(b))


def test_values_that_are_pixels_come_back_to_the_bit():
    """v / 255 in float32, times 255, is below v for some v."""
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    for given in (Images(pixels), pixels / 255, (pixels / 255).astype(np.float32)):
        shown = plots.image_grid(given, TITLE).axes[0].images[0].get_array()
        assert np.array_equal(shown[:16, :16], pixels[0])


def test_a_film_in_colour_keeps_it(tmp_path):
    from PIL import Image

    red = np.ones((10, 8, 8, 3)) * (1, 0, 0)
    plots.write_gif(
        [plots.image_grid(red, TITLE), plots.image_grid(red[..., :1], TITLE)], tmp_path / "a.gif"
    )
    with Image.open(tmp_path / "a.gif") as film:
        for n, wanted in enumerate([(255, 0, 0), (0, 0, 0)]):
            film.seek(n)
            assert film.convert("RGB").getpixel((60, film.size[1] - 60)) == wanted


@pytest.mark.parametrize(
    ("x", "kind", "words"),
    [
        (
            np.zeros((4, 5, 5, 2)),
            ValueError,
            r"shape \(4, 5, 5, 2\), but \(N, H, W, 1\) or .* 3\)",
        ),
        (np.zeros((4, 5, 5, 4)), ValueError, r"shape \(4, 5, 5, 4\)"),
        (np.zeros((0, 5, 5, 3)), ValueError, r"shape \(0, 5, 5, 3\)"),
        (np.zeros((4, 5, 5)), ValueError, r"shape \(4, 5, 5\)"),
        (
            np.full((4, 5, 5, 1), 200),
            TypeError,
            "int64 from 200 to 200, .*: divide by the largest",
        ),
        (np.full((4, 5, 5, 3), -1, np.int8), TypeError, "int8 from -1 to -1"),
        (np.full((4, 5, 5, 1), "a"), TypeError, "the images are <U1, but numbers"),
        (np.full((4, 5, 5, 1), 1j), TypeError, "the images are complex128, but numbers"),
        (np.full((4, 5, 5, 1), None), TypeError, "the images are object, but numbers"),
        (np.ma.zeros((4, 5, 5, 1)), TypeError, "a masked array, but no mask is read: fill it"),
        ([[[[1.0]]], [[[1.0], [2.0]]]], ValueError, "the images are no array .*: give equal"),
        (None, TypeError, "the images are object"),
        (SimpleNamespace(feed=None), TypeError, "the images are object"),
    ],
)
@pytest.mark.parametrize("draw", [plots.image_grid, plots.manifold], ids=["grid", "manifold"])
def test_what_is_no_image(draw, x, kind, words):
    with pytest.raises(kind, match=words) as caught:
        draw(x, TITLE)
    assert "\n" not in str(caught.value)


def test_no_rows_are_a_sentence():
    with pytest.raises(ValueError, match=r"the rows have shapes \{\}, but one shape"):
        plots.image_rows({}, TITLE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "note", "taller"),
    [("t", "n", 0.66), ("t", "", 0.49), ("", "n", 0.41), ("", "", 0.18)],
)
def test_no_band_is_kept_for_words_that_there_are_not(title, note, taller, monkeypatch):
    """Above the picture of a grid, and of a figure that Matplotlib lays out."""
    monkeypatch.setattr(frame, "DPI", frame.DPI // 4)
    grid = plots.image_grid(np.zeros((10, 8, 8, 1)), title, note)
    above = grid.get_size_inches()[1] - grid.axes[0].get_window_extent().y1 / frame.DPI
    assert above == pytest.approx(taller, abs=1e-6)
    for draw, height in (
        (lambda: plots.loss_curves([{"epoch": 1, "train_loss": 1.0}], title, note), 2.9),
        (lambda: plots.roc_curve([1, 2], [0, 1], 1.5, title, note), 4.5),
        (lambda: plots.window_pairs({"": ([1], [2])}, [1], title, note), 3.2),
        (lambda: plots.score_histogram([1], [1, 2], [0, 1], 1.5, title, note), 3.6),
        (lambda: plots.series_scores([1], [1], [1], 1, [], title, note), 4.6),
        (lambda: plots.latent_scatter([[1, 1]], [0], "a", title, note), 5.0),
    ):
        figure = draw()
        assert figure.get_size_inches()[1] == pytest.approx(height + taller)
        assert [text.get_text() for text in figure.texts] == [w for w in (title, note) if w]
        figure.draw_without_rendering()
        box, size = figure.get_tightbbox(), figure.get_size_inches()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= size[0] and box.y1 <= size[1]
