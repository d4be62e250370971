"""Figures that cannot be written, and what is no figure: a sentence each, and no file."""

import io

import numpy as np
import pytest

from scratchae import plots


def curve():
    return plots.loss_curves([{"epoch": 1, "train_loss": 2.0}], "")


FILM = r"the film is a .*, but a list of figures is expected"
FIGURE = r"the figure is a numpy.ndarray, but one that a function of plots gives is expected"
NO_GIF = r"the path of the film ends in '\.mp4', but write_gif writes GIF alone: let it end in"
NO_PATH = "the path is a .*, but that of a file is expected"


@pytest.mark.parametrize(
    ("draw", "kind", "words"),
    [
        (lambda _: plots.loss_curves(None, ""), TypeError, "the history is a NoneType, but that"),
        (lambda _: plots.loss_curves(3.0, ""), TypeError, "the history is a float, but that of"),
        (lambda path: plots.write_gif(np.zeros((2, 4, 4, 1)), path / "a.gif"), TypeError, FIGURE),
        (lambda path: plots.write_gif(curve(), path / "a.gif"), TypeError, FILM),
        (lambda path: plots.write_gif(None, path / "a.gif"), TypeError, FILM),
        (lambda _: plots.write_gif([curve()], 3), TypeError, NO_PATH),
        *(
            (lambda path, end=end: plots.write_gif([curve()], path / f"a{end}"), ValueError, words)
            for end, words in ((".mp4", NO_GIF), (".png", "ends in '.png'"), ("", "ends in ''"))
        ),
        (lambda path: plots.save(np.zeros((2, 4, 4, 1)), path / "a.png"), TypeError, FIGURE),
        (lambda _: plots.save(curve(), None), TypeError, NO_PATH),
        *(
            (
                lambda path, write=write: write(path / "none" / "a.gif"),
                FileNotFoundError,
                "make it",
            )
            for write in (
                lambda path: plots.save(curve(), path.with_suffix(".png")),
                lambda path: plots.write_gif([curve()], path),
            )
        ),
    ],
)
def test_what_cannot_be_drawn_or_written_is_a_sentence(draw, kind, words, tmp_path):
    with pytest.raises(kind, match=words):
        draw(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_film_goes_to_an_open_file_and_to_any_case_of_its_ending(tmp_path):
    plots.write_gif([curve()], file := io.BytesIO())
    plots.write_gif([curve()], tmp_path / "A.GIF")
    assert file.getvalue()[:3] == b"GIF" == (tmp_path / "A.GIF").read_bytes()[:3]
