"""The data that the examples share, or its stand-in, and what the metrics of images share."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from output import say

from scratchae import Images, Values, datasets
from scratchae import load as load_model

BEATS = ("beats", "ecg5000")
SMOKE_IMAGES = 512, 256  # training, test
SMOKE_BEATS = 600
ENCODE = 1000  # images that are floating point numbers at one time


def load(options: argparse.Namespace, binarize: str = "none") -> tuple[Images, Images]:
    """Training and test images (N, 28, 28, 1); where they are the stand-in's, options.dataset says
    so after."""

    def images(name: str) -> tuple[Images, Images]:
        return datasets.load(name, data_dir=options.data_dir, binarize=binarize)

    train, test = _found(options, images, "strokes")
    if options.smoke:
        train, test = map(_first, (train, test), SMOKE_IMAGES)
    say(f"{train.name}: {len(train):,} training and {len(test):,} test images")
    return train, test


def load_beats(options: argparse.Namespace) -> Values:
    """All beats (5000, 140), labels 1 to 5, of which 1 is normal; options.dataset as after
    ``load``."""

    def beats(name: str) -> Values:
        if name == "beats":
            return datasets.beats.everything()
        return datasets.ecg5000.everything(options.data_dir)

    every = _found(options, beats, "beats")
    if options.smoke:
        every = datasets.take(every, slice(SMOKE_BEATS))
    normal = (every.labels == datasets.ecg5000.NORMAL).mean()
    say(f"{every.name}: {len(every):,} beats, {normal:.0%} normal")
    return every


def _found(options: argparse.Namespace, load: Callable[[str], Any], stand_in: str) -> Any:
    """load(name) of the data set asked for, or of its stand-in."""
    try:
        return load(options.dataset)
    except datasets.DataUnavailable:
        if options.strict_data:
            raise
    say(
        f"{options.dataset} is neither on this machine nor to be had from the network: going on "
        f"with the generated stand-in {stand_in!r} (--strict-data makes this an error and says "
        "where was searched)"
    )
    options.dataset, options.stand_in_for = stand_in, options.dataset
    return load(stand_in)


def _first(images: Images, n: int) -> Images:
    """The first n images, copied, so that the others are let go."""
    return Images(images.pixels[:n].copy(), images.labels[:n].copy(), images.binarize, images.name)


def warm_start(model: Any, path: Path, out: Path) -> None:
    """Copy the weights of a saved run of the same example into a built model. Raises ValueError
    for those of another architecture, and for the file that this run would replace."""
    if path.resolve() == (out / "weights.safetensors").resolve():
        raise ValueError(
            f"--start is {str(path)!r}, which this run would replace: give another --out"
        )
    other = load_model(path)
    ours, theirs = ([shape for shape, _ in m.parameters.declared.values()] for m in (model, other))
    if ours != theirs:
        raise ValueError(
            f"--start is {str(path)!r}, whose tensors have the shapes {theirs}, but {ours} are "
            "expected: give the weights of this example"
        )
    model.backend.write(model.parameters.values, other.parameters.values)


def per_pixel(name: str) -> Callable[[Any, Any], None]:
    """A callback that adds that name to the epoch's record: the test reconstruction divided by the
    pixels."""

    def add(model: Any, history: Any) -> None:
        record = history.records[-1]
        record[name] = record["test_reconstruction"] / math.prod(model.input_shape)

    return add


def class_names(dataset: str) -> tuple[str, ...]:
    """What the labels 0 to 9 stand for."""
    return datasets.fashion_mnist.CLASSES if dataset == "fashion_mnist" else tuple("0123456789")
