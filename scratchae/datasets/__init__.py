"""Data: read from files or generated; images are uint8 in memory, scaled and binarised as batches
are made."""

from collections.abc import Callable

from .. import checks
from . import ecg5000, fashion_mnist, mnist
from .files import DataUnavailable
from .fitting import ScaleWarning
from .generated import beats, daily, strokes, surface
from .idx import Split
from .labelled import Labelled
from .pairs import Observed, Pairs
from .sources import Images, Scaling, Source, Values, as_source
from .splits import scaled, split, take

__all__ = [
    "DataUnavailable",
    "Images",
    "Labelled",
    "Observed",
    "Pairs",
    "ScaleWarning",
    "Scaling",
    "Source",
    "Values",
    "as_source",
    "beats",
    "daily",
    "ecg5000",
    "fashion_mnist",
    "load",
    "mnist",
    "scaled",
    "split",
    "strokes",
    "surface",
    "take",
]

LOADERS: dict[str, Callable] = {
    "mnist": mnist.load,
    "fashion_mnist": fashion_mnist.load,
    "strokes": lambda data_dir=None: strokes.load(),
}
TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "strokes": "strokes (generated)"}


def load(
    name: str, *, data_dir: str | None = None, binarize: str = "none"
) -> tuple[Images, Images]:
    """Training and test images: "mnist", "fashion_mnist", or "strokes", which needs no file.

    Shapes: 60,000 and 10,000 (strokes: 20,000 and 2,000) of (28, 28, 1), grey in 0..255. binarize:
    see Images. Raises ValueError for another name, DataUnavailable where files are neither here
    nor to be had. Source: the data sets' own pages, see mnist.py, fashion_mnist.py, strokes.py.
    """
    checks.one_of("data set", name, LOADERS)
    train, test = LOADERS[name](data_dir)
    return _images(train, binarize, TITLES[name]), _images(test, binarize, TITLES[name])


def _images(split: Split, binarize: str, title: str) -> Images:
    pixels, labels = split
    return Images(pixels, labels, binarize, title)
