"""What README and the pages of docs/ show is what happens, and what they name is there."""

import re
from pathlib import Path

import numpy as np
import pytest

from scratchae.datasets import ecg5000
from scratchae.datasets.generated import beats
from scratchae.detection import roc_auc

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DOCS = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"```python\n(.*?)```", flags=re.DOTALL)
BLOCKS = BLOCK.findall(README)
FOLDERS = "benchmarks|docs|examples|kernels|scratchae|tests"
PATH = re.compile(rf"(?<![\w/.-])(?:{FOLDERS})/[\w./*-]*\w")
LINK = re.compile(r"\]\(([^)#:]+)[)#]")  # to a file, not to an address


@pytest.fixture(scope="module")
def ran():
    """ran(code) -> what it has defined; it runs once."""
    known: dict = {}

    def run(code):
        if code not in known:
            known[code] = {}
            exec(code, known[code])
        return known[code]

    return run


@pytest.mark.parametrize("code", BLOCKS, ids=lambda code: code.split("\n")[0])
def test_every_python_block_runs(code, ran):
    names = ran(code.replace("epochs=10", "epochs=1"))
    if "digits" in names:
        digits, history = names["digits"], names["history"]
        assert digits.shape == (64, 28, 28, 1)
        assert np.all((digits >= 0) & (digits <= 1))
        assert history["test_loss"][-1] < 300


@pytest.mark.slow
def test_the_vae_has_learnt(capsys):
    """By the losses that README gives: below each pixel at its mean over the images."""
    (code,) = (code for code in BLOCKS if "digits" in code)
    names: dict = {}
    exec(code, names)
    said = re.search(r"\# from ([\d.]+) to ([\d.]+)\n", code)
    constant = re.search(r"\ncosts ([\d.]+) nats a test image", README)
    assert said and constant and str(names["history"]["test_loss"]) in capsys.readouterr().out
    found = names["history"]["test_loss"][0], names["history"]["test_loss"][-1]
    assert found == pytest.approx([float(said[1]), float(said[2])], abs=1)
    p, x = names["train"].values().mean(axis=0), names["test"].values()
    p = np.clip(p, 1e-6, 1 - 1e-6)
    nll = -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(axis=(1, 2, 3)).mean()
    assert nll == pytest.approx(float(constant[1]), abs=0.1) and found[1] < 0.6 * nll


@pytest.mark.filterwarnings("ignore::scratchae.detection.DetectionWarning")
def test_the_real_beats_take_the_place_of_the_generated_ones(monkeypatch):
    """By the words that README says, as it says them; the real ones' file is not needed for
    that, and one epoch is enough, which the detector warns of."""
    said = re.search(r"`(.+)` in the\s+place of `(.+)` in the second line's import", README)
    assert said
    (code,) = (code for code in BLOCKS if "Detector(" in code)
    lines = code.split("\n")
    lines[1] = lines[1].replace(said[2], said[1])
    monkeypatch.setattr(ecg5000, "everything", beats.everything)
    monkeypatch.setattr(beats, "everything", None)
    exec("\n".join(lines).replace("epochs=60", "epochs=1"), {})


def test_the_detectors_model_has_learnt(ran):
    """Not the median beat alone: by the errors that README gives, of normal test beats."""
    names = ran(*(code for code in BLOCKS if "Detector(" in code))
    model, test = names["model"], names["test"]
    x = test.x[test.labels == beats.NORMAL]
    guesses = model.reconstruct(x), np.median(names["normal"].x, axis=0)
    errors = [np.abs(x - guess).sum(axis=1).mean() for guess in guesses]
    said = re.search(r"beat, summed .*, is ([\d.]+),\s+that of .* beat ([\d.]+)\.", README)
    assert errors == pytest.approx([float(said[1]), float(said[2])], abs=0.1)
    assert errors[0] < 0.6 * errors[1]
    assert model.reconstruct(x).std(axis=0).mean() > 0.7 * x.std(axis=0).mean()
    assert roc_auc(names["detector"].scores(test), test.labels != beats.NORMAL) > 0.98


def test_every_folder_of_data_is_named():
    for folder in ("mnist/", "fashion_mnist/", "ecg5000/"):
        assert re.search(rf"SCRATCHAE_DATA=.*{folder}", README), folder
        assert re.search(rf"that `SCRATCHAE_DATA` names \([^)]*`{folder}`", CONTRIBUTING), folder


def missing(text, folder):
    """The paths in a page, from the root, and its links, from its folder, that lead nowhere."""
    paths = [name for name in PATH.findall(text) if not any(ROOT.glob(name))]
    return paths + [link for link in LINK.findall(text) if not (folder / link).exists()]


def test_every_path_and_link_leads_somewhere():
    planted = "`kernels/adam.py`, `kernels/nowhere.py`, [a](LICENSE), ![b](docs/nowhere.png)"
    assert missing(planted, ROOT) == ["kernels/nowhere.py", "docs/nowhere.png", "docs/nowhere.png"]
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
    lost = {page.name: missing(page.read_text(encoding="utf-8"), page.parent) for page in pages}
    assert {name: gone for name, gone in lost.items() if gone} == {}


def test_every_python_block_of_the_docs_runs():
    """Code that is to be read and not run stands in a block marked text; the pages your_own_*.md
    run in test_your_own.py."""
    for page in (page for page in DOCS if not page.name.startswith("your_own_")):
        for code in BLOCK.findall(page.read_text(encoding="utf-8")):
            exec(compile(code, page.name, "exec"), {})


def test_the_lines_that_readme_quotes_are_those_of_the_source():
    """The idea in one screen: the equations, and each line of three languages, but for spaces."""
    source = "".join(
        (ROOT / "kernels" / name).read_text() for name in ("gaussian.py", "gaussian.cu")
    )
    source = "".join(source.split())
    screen = README[README.index("## The idea in one screen") : README.index("## Start reading")]
    quoted = ["".join(line.split()) for line in screen.splitlines() if re.search(r"\(\d\)$", line)]
    assert len(quoted) == 8 and [line for line in quoted if line not in source] == []
