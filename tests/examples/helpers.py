"""Tiny runs of the examples: their folder, what they print, the titles of their pictures."""

import contextlib
import io
import json
from types import SimpleNamespace

import pytest

from scratchae import plots

STAND_IN = "strokes (generated)"


def tiny(example, out, *options):
    return example.main(["--smoke", "--out", str(out), *options])


def metrics(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def played(example, out, *options):
    """A tiny run: its folder, status, printed lines, its pictures' titles, and what its ``draw``
    was handed."""
    titles, drawn, printed = {}, [], io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        watch(patch, titles)
        if hasattr(example, "draw"):
            patch.setattr(example, "draw", keeping(example.draw, drawn))
        status = tiny(example, out, *options)
    lines = printed.getvalue().splitlines()
    return SimpleNamespace(
        out=out, status=status, printed=lines, last=lines[-1], titles=titles, drawn=drawn
    )


def keeping(function, kept):
    """The function, which also keeps what it is called with."""

    def call(*arguments):
        kept.extend(arguments)
        return function(*arguments)

    return call


def watch(patch, titles):
    """Keep the title of each figure under the name of its file."""
    save, write_gif = plots.save, plots.write_gif

    def saving(figure, path):
        titles[path.name] = [figure.texts[0].get_text()]
        save(figure, path)

    def filming(figures, path):
        figures = list(figures)
        titles[path.name] = [figure.texts[0].get_text() for figure in figures]
        write_gif(figures, path)

    patch.setattr(plots, "save", saving)
    patch.setattr(plots, "write_gif", filming)


def stand_ins(out):
    """The data set that each config.json below the folder names, and what it stands in for."""
    configs = [json.loads(path.read_text()) for path in out.rglob("config.json")]
    return {(config["dataset"], config.get("stand_in_for")) for config in configs}


def nameless(titles):
    """The titles that do not say which data set they show."""
    return [title for group in titles.values() for title in group if STAND_IN not in title]


def contents(folder):
    """The bytes of all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
