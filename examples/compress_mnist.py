"""A VAE compresses MNIST, without loss: bits-back coding, -ELBO bits an image.

The recipe is that of Townsend, Bird and Barber, "Practical lossless compression with latent
variables using bits back coding", 2019: 784-100-40-100-784, relu, black and white pixels, each
drawn with its grey value as probability. The learning rate falls to a hundredth of --lr in a
straight line. --model takes a model that was saved, and trains none.

--binarize none takes the 256 greys themselves, under a DiscretisedLogistic. By seed 0 a grey pixel
of MNIST takes 1.574 bits, fewer than PNG's 1.761 and gzip's 1.635 and more than bz2's 1.415: one
logistic a pixel says little of a grey in a stroke.

images.scratchae is the compressed test set. It is read back with weights.safetensors beside it;
without that file it says nothing. Of black and white pixels the other sizes are the smaller one of
packed bits and of a byte a pixel, at the highest level; PNG is one picture of all images, one
below the other, since in a file of its own each would have more header than pixels.
"""

import argparse
import bz2
import gzip
import sys
import time
from io import BytesIO
from math import ceil, log, prod
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import compress_pictures as pictures
import numpy as np
import runs
from options import Parser, fill
from output import say

from scratchae import (
    VAE,
    Adam,
    Bernoulli,
    Dense,
    DiscretisedLogistic,
    Flatten,
    Gaussian,
    Images,
    Likelihood,
    Reshape,
    Sequential,
    coding,
    evaluate,
    load,
    plots,
    schedules,
)
from scratchae.datasets import take

EXAMPLE = Path(__file__).stem
RECIPE: dict[str, Any] = {"dataset": "mnist", "epochs": 20, "batch_size": 100, "lr": 2e-3}
SHAPE = (28, 28, 1)
FILE = "images.scratchae"
MINE, BOUND = "bits-back", "-ELBO"
PIXELS = {"none": "grey pixels", "threshold": "binarised pixels", "dynamic": "dynamic pixels"}


def vae(D: int, likelihood: Likelihood) -> VAE:
    """784-100-D-100-784, twice the last for a DiscretisedLogistic: x (N, 28, 28, 1), z (N, D).
    Source: Townsend et al. 2019, section 3.1."""
    encoder = Sequential(Flatten(), Dense(784, 100, "relu"), Dense(100, 2 * D))
    shape = likelihood.parameters(SHAPE)
    decoder = Sequential(Dense(D, 100, "relu"), Dense(100, prod(shape)), Reshape(*shape))
    return VAE(encoder, decoder, Gaussian(D), likelihood)


def others(x: np.ndarray) -> dict[str, int]:
    """Bytes of images x (N, H, W, 1), k / 255, as other programs write them: black and white ones
    in bits."""
    from PIL import Image

    plain, pixels, picture = "a byte a pixel", np.rint(255 * x).astype(np.uint8), BytesIO()
    packed = []
    if np.isin(pixels, (0, 255)).all():
        plain, pixels = "a bit a pixel", pixels > 0
        packed = [np.packbits(pixels.reshape(len(x), -1), axis=1).tobytes()]
    texts = [*packed, pixels.tobytes()]
    Image.fromarray(pixels.reshape(-1, x.shape[2])).save(picture, "PNG", optimize=True)
    return {
        plain: len(texts[0]),
        "PNG": len(picture.getvalue()),
        "gzip": min(len(gzip.compress(text, 9)) for text in texts),
        "bz2": min(len(bz2.compress(text, 9)) for text in texts),
    }


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "")
    p.add_argument("--binarize", choices=sorted(PIXELS), default="dynamic", help="of the pixels")
    p.add_argument("--model", type=Path, metavar="FILE", help="a saved VAE; none is trained")
    return p


def require_that_all_act(options: argparse.Namespace) -> None:
    """Raise ValueError for options of a training, where a model is given and none is trained."""
    given = [name for name in runs.TRAINING if getattr(options, name)]  # 0, None: untold
    if options.model is not None and given:
        raise ValueError(
            f"--{given[0].replace('_', '-')} is of a training, but --model trains none: leave one "
            "of them out"
        )


def prepare(options: argparse.Namespace) -> runs.Run:
    """Model, data and folder, all of them checked."""
    require_that_all_act(options)
    fill(options, RECIPE)
    train, test = common.load(options, options.binarize)
    optimizer = None
    if options.model is None:
        likelihood = DiscretisedLogistic() if options.binarize == "none" else Bernoulli()
        model = vae(40, likelihood).build(SHAPE, backend=options.backend, seed=options.seed)
        steps = options.epochs * ceil(len(train) / options.batch_size)
        optimizer = Adam(schedules.Linear(options.lr, options.lr / 100, steps))
    else:
        model = saved(options, test)
    D = model.latent.dimensions
    what = "dense VAE" if options.model is None else f"VAE from {options.model}"
    what += f", {D} latent dimension{'s' * (D > 1)}, {PIXELS[options.binarize]}"
    return runs.Run(options, model, optimizer, (train, test), what)


def saved(options: argparse.Namespace, test: Images) -> VAE:
    """The model of --model. Raises ValueError where it cannot compress these images."""
    model = load(options.model, backend=options.backend)
    try:
        coding.compress(model, take(test, slice(1)))
    except TypeError as error:
        raise ValueError(f"{options.model} does not compress images: {error}") from None
    return model


def there_and_back(run: runs.Run) -> tuple[bytes, bool, tuple[float, float]]:
    """The file, whether the images come back from it, and images a second both ways."""
    coding.compress(run.model, take(run.test, slice(1)))  # loops are compiled
    start = time.perf_counter()
    data = coding.compress(run.model, run.test)
    middle = time.perf_counter()
    run.data(FILE, data)
    model = run.model
    if is_there(run):
        model = load(run.out / runs.WEIGHTS, backend=run.options.backend)
        data = (run.out / FILE).read_bytes()
    again = time.perf_counter()
    x = coding.decompress(model, data)
    end = time.perf_counter()
    same = np.array_equal(x, run.test.values())
    return data, same, (len(x) / (middle - start), len(x) / (end - again))


def is_there(run: runs.Run) -> bool:
    """Whether the compressed images are in the folder, and what reads them beside them."""
    return run.is_saved() and (run.out / FILE).is_file()


def table(files: dict[str, int], pixels: int) -> None:
    """Say the bytes of each, and the bits a pixel."""
    say(f"{'':14}{'bytes':>12}{'bits a pixel':>15}")
    for word, size in files.items():
        say(f"{word:14}{size:12,}{8 * size / pixels:15.4f}")


def beside(over: float) -> str:
    """A share of -ELBO that bits are above it, in words."""
    return f"{abs(over):.2%} {'below' if over < 0 else 'above'} {BOUND}"


def draw(run: runs.Run, files: dict[str, int]) -> None:
    """Sizes, costs by class, and the pixels that cost."""
    model, test, N = run.model, run.test, len(run.test)
    if len(run.history):
        run.loss()
    bits = pictures.image_bits(model, test)
    per_pixel = {word: 8 * size / (N * prod(test.shape)) for word, size in files.items()}
    names = common.class_names(run.options.dataset)
    words = run.labels(f"{N:,} test images, compressed")
    run.picture("sizes.png", pictures.sizes(per_pixel, MINE, bits, test.labels, names, *words))
    title, note = run.labels("the cheapest and the dearest of each class, in bits")
    full = pictures.FULL_GREY if test.binarize == "none" else pictures.FULL
    note += f"; red: what the decoder did not expect, full at {full:g} bits a pixel"
    rows = pictures.extremes(model, test, bits[0] + bits[1], full)
    run.picture("costs.png", plots.image_rows(rows, title, note))


def measure(run: runs.Run) -> tuple[dict[str, int], bool]:
    """Compress, read back, say and write the sizes; returns these, in bytes, and whether all
    images came back."""
    data, same, speed = there_and_back(run)
    N, pixels = len(run.test), len(run.test) * prod(run.test.shape)
    terms = evaluate(run.model, run.test, threads=run.options.threads)
    bound = N * (terms["reconstruction"] + terms["kl"]) / log(2)  # bits, that of beta = 1
    files = others(run.test.values()) | {BOUND: ceil(bound / 8), MINE: len(data)}
    table(files, pixels)
    over, head = 8 * len(data) / bound - 1, coding.header(data)
    say(
        f"{MINE} is {beside(over)}, its header and {head['initial']} initial bits included; "
        f"{speed[0]:,.0f} images a second there, {speed[1]:,.0f} back"
    )
    run.also({"bits_per_pixel": 8 * len(data) / pixels, "over_elbo": over})
    return files, same


def work(run: runs.Run) -> int:
    """Train or take what was loaded, compress, read back, and say what came of it; returns the
    exit status, 1 where an image is lost."""
    if run.options.model is None:
        run.fit()
    else:
        run.keep()
    measured: tuple[dict[str, int], bool] | None = None
    with run.measuring("the size of the compressed images"):
        measured = measure(run)
    if measured is not None:
        draw(run, measured[0])
    status = run.close(result) if len(run.history) else 128 * bool(run.signal) + (run.signal or 0)
    if measured is None:
        return status
    files, same = measured
    came = "lossless: all" if same else "NOT LOSSLESS: not all"
    there = is_there(run)
    place = run.out / FILE if there else "memory, as the folder did not take them"
    say(f"{came} {len(run.test):,} images came back from {place}, {files[MINE]:,} bytes")
    return status if same and there else status or 1


def result(record: dict[str, Any]) -> str:
    """The last epoch's record in words."""
    words = f"test ELBO {-record['test_loss']:.2f} nats per example"
    bits = record.get("bits_per_pixel")  # none where that was interrupted
    return words if bits is None else f"{words}, {bits:.4f} bits a pixel"


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, work)


if __name__ == "__main__":
    raise SystemExit(main())
