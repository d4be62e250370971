"""Two recipes whose numbers here ask for a second opinion, trained by PyTorch on the same data.

    python benchmarks/published/torch_published.py ecg        # anomaly_ecg.py, splits 1 to 10
    python benchmarks/published/torch_published.py denoiser   # denoise_fashion.py, MNIST

ecg: does the accuracy depend on the library, or on the splits? denoiser: is it the recipe that
collapses to white images? Models are those of the examples, Glorot's weights included; Adam's
epsilon is Keras' 1e-7, times the numbers of an example, over which Keras takes the mean and these
losses the sum.
"""

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
from benchmarks.shared.command import INSTALL, Parser

if importlib.util.find_spec("torch") is None:
    raise SystemExit(f"torch_published: {INSTALL}")
import torch
from anomaly_ecg import parts, tutorial
from denoise_fashion import CORRUPTIONS, denoiser

from benchmarks.shared.torch_images import Layout
from benchmarks.shared.torch_recipes import build
from scratchae import datasets

SPLITS, WEIGHTS, EPOCHS = range(1, 11), 2, 20  # of ecg
STEPS, SIGMA, SEEDS, SHOWN = 1875, 0.2, 4, 1000  # of the denoiser: one epoch, 1,000 test images


def trained(model: Any, shape: tuple[int, ...], seed: int, batches: Iterable[Any]) -> Any:
    """A model of ours in PyTorch, after one step of Adam for each batch (N, *shape)."""
    torch.manual_seed(seed)
    ours = model.build(shape, seed=seed)
    theirs: Any = build(ours, Layout.of(ours, False))
    adam = torch.optim.Adam(theirs.parameters(), 1e-3, eps=1e-7 * np.prod(shape))
    for x in batches:
        adam.zero_grad()
        theirs(x).backward()
        adam.step()
    return theirs


def ecg(data_dir: str | None, smoke: bool) -> None:
    """Print accuracy, precision, recall of normal beats by split and weights, and the means."""
    every = datasets.beats.everything() if smoke else datasets.ecg5000.everything(data_dir)
    rows, words = [], "{}: accuracy {:.4f}, precision {:.4f}, recall {:.4f}"
    for split in SPLITS[: 1 if smoke else None]:
        train, _, test = parts(every, split, hold=False)
        normal = np.asarray(test.labels) == datasets.ecg5000.NORMAL
        x, others = torch.tensor(train.x), torch.tensor(test.x)
        for seed in range(WEIGHTS * split, WEIGHTS * split + WEIGHTS):
            order = (x[rows] for _ in range(EPOCHS) for rows in torch.randperm(len(x)).split(512))
            model = trained(tutorial().model, (140,), seed, order)
            with torch.no_grad():
                known, scores = (
                    (model.decoder(model.encoder(v)) - v).abs().mean(1).numpy()
                    for v in (x, others)
                )
            said = scores <= known.mean() + known.std()  # the tutorial's threshold
            found = (said & normal).sum()
            rows.append((np.mean(said == normal), found / said.sum(), found / normal.sum()))
            print(words.format(f"split {split}", *rows[-1]), flush=True)
    print(words.format("mean", *np.mean(rows, axis=0)))


def denoise(data_dir: str | None, smoke: bool) -> None:
    """Print the error on 1,000 test images after one epoch, and the darkest pixel."""
    images = datasets.load("strokes" if smoke else "mnist", data_dir=data_dir)
    layout = Layout.of(denoiser(CORRUPTIONS["gaussian"][0](SIGMA)).build((28, 28, 1)), False)
    train, test = (layout.tensor(split.pixels) for split in images)
    x = layout.batch(test, torch.arange(SHOWN))
    for seed in range(1 if smoke else SEEDS):
        order = torch.randperm(len(train))[: 32 * (20 if smoke else STEPS)].split(32)
        batches = (layout.batch(train, rows) for rows in order)
        model = trained(denoiser(CORRUPTIONS["gaussian"][0](SIGMA)), (28, 28, 1), seed, batches)
        with torch.no_grad():
            y = model.decoder(model.encoder((x + SIGMA * torch.randn_like(x)).clamp(0, 1)))
        mse, most = ((y - x) ** 2).mean(), y.max()
        print(f"weights {seed}: test MSE {mse:.5f}, largest output {most:.3f}", flush=True)


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    p, work = Parser("torch_published", __doc__), {"ecg": ecg, "denoiser": denoise}
    p.add_argument("recipe", choices=work)
    where = "searched before $SCRATCHAE_DATA and the cache"
    p.add_argument("--data-dir", metavar="DIR", help=where)
    p.add_argument("--smoke", action="store_true", help="a tiny run on generated data")
    return p.carry_out(lambda o: work[o.recipe](o.data_dir, o.smoke) or 0, argv)


if __name__ == "__main__":
    raise SystemExit(main())
