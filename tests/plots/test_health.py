"""The page of a health report: what it shows is what the report says, and nothing is clipped."""

import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from evaluation import illnesses
from sentences import one_sentence

import scratchae as sa
from scratchae import evaluation, plots
from scratchae.plots import frame

SLOW = ["healthy", "collapsed", "shifted", "far", "narrow", "too_wide"]
MADE = ["dead", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


@pytest.fixture(autouse=True)
def no_pyplot(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    monkeypatch.setattr(frame, "DPI", frame.DPI // 4)


def reported(name):
    made = getattr(illnesses, name)(np.random.default_rng(0))
    return evaluation.health(*made, samples=10, threads=1, progress=False)


@pytest.mark.parametrize("name", MADE)
def test_all_words_of_the_report_are_there_and_none_is_clipped(name):
    report = reported(name)
    figure = plots.health(report, "values: health", "a linear model, after 0 epochs")
    figure.canvas.draw()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    words = [text.get_text() for text in figure.axes[3].texts]
    said = " ".join(word for word in words if word not in ("good", "LOOK", "-"))
    for finding in report.findings:
        assert finding.name in words
        assert f"{finding.sentence}." in said and finding.advice in said
    assert words.count("LOOK") == len(report.ills)


def test_the_bars_are_the_numbers():
    report = reported("dead")
    units, information, costs, _ = plots.health(report, "values: health").axes
    assert report.of_units and units.get_title() == "KL of each unit, nats"
    assert information.get_xlabel().startswith("dashed: log N") and len(information.lines) == 1
    heights = [bar.get_height() for bar in units.patches]
    assert heights == pytest.approx(sorted(report.kl_per_dimension, reverse=True))
    assert units.get_xticklabels()[0].get_text() == "3"
    colours = [bar.get_facecolor() for bar in units.patches]
    assert colours[0] != colours[1] and len(set(colours[1:])) == 1
    widths = [bar.get_width() for bar in information.patches]
    assert widths[:2] == pytest.approx([report.kl, report.mutual_information])
    assert sum(widths[2:]) == pytest.approx(report.aggregate_kl)
    loss = report.reconstruction + report.kl
    assert [bar.get_width() for bar in costs.patches] == pytest.approx(
        [report.constant, loss, loss - report.above]
    )


def test_the_terms_of_layers_are_not_taken_for_units():
    """Two units of z_1, one of them dead, and two layers; of these it is not known what their KL
    is, so there is no dashed line, nor a word of it."""
    up, down = (sa.Dense(2, 4) for _ in range(2))
    model = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Hierarchy(up, down)).build(6)
    model.weights["encoder.W"] = np.eye(6, 4) * [2.0, 0, 0, 0]
    x = (np.random.default_rng(0).random((50, 6)) < 0.5) * 1.0
    report = evaluation.health(model, x, samples=10, threads=1, progress=False)
    assert report.active.tolist() == [True, False] and not report.of_units
    figure = plots.health(report, "x: health")
    figure.canvas.draw()
    terms, information, *_ = figure.axes
    assert terms.get_title() == "KL of each term, nats"
    assert terms.get_xlabel() == "term, counted from 0"
    assert len({bar.get_facecolor() for bar in terms.patches}) == 1
    assert not information.lines and information.get_xlabel() == ""
    assert information.get_ylim()[0] <= -0.5 and information.get_ylim()[1] >= 2.5


@pytest.mark.parametrize("size", [10.0, 1e3, 3e4, 2e5, 7e6, 4e9])
def test_large_numbers_stand_apart(size):
    """As a Gaussian of a small sigma has them: of whatever size, and negative."""
    report = reported("dead")
    report = replace(report, kl=0.8 * size, reconstruction=-3 * size, constant=size, above=0.0)
    figure = plots.health(report, "values: health")
    figure.canvas.draw()
    for axes in figure.axes[1:3]:
        low, high = axes.get_xlim()
        shown = [
            label.get_window_extent()
            for label in axes.get_xticklabels()
            if label.get_text() and low <= label.get_position()[0] <= high
        ]
        assert len(shown) >= 2
        assert all(a.x1 + 2 < b.x0 for a, b in pairwise(shown))
    units = {3e4: "in 1,000 ", 2e5: "in 1,000 ", 7e6: "in 1,000,000 ", 4e9: "in 1,000,000 "}
    assert figure.axes[2].get_title() == f"what an example costs, {units.get(size, '')}nats"


def test_what_is_no_report_is_a_sentence():
    one_sentence(lambda: plots.health({}, ""), TypeError, "evaluation.health")
