"""Two recipes whose numbers here ask for a second opinion, trained by PyTorch on the same data.

    python benchmarks/published/torch_published.py ecg             # splits 1 to 10 of examples/anomaly_ecg.py
    python benchmarks/published/torch_published.py denoiser        # examples/denoise_fashion.py --last-bias zero, on MNIST

ecg: does the accuracy depend on the library, or on the splits? denoiser: is it the recipe that collapses to white
images? Weights are Glorot's, biases 0, Adam's epsilon 1e-7, as in Keras. The data is the real one, or --data-dir's.
"""

import importlib.util
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.shared.command import Parser
from benchmarks.shared.machine import INSTALL

if importlib.util.find_spec("torch") is None:
    raise SystemExit(f"torch_published: {INSTALL}")
import torch
from torch import nn

from scratchae import datasets

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))
from anomaly_ecg import parts

SIZES = (140, 32, 16, 8, 16, 32, 140)
SPLITS, WEIGHTS = range(1, 11), 2
STEPS, BATCH, SIGMA, SEEDS, SHOWN = 1875, 32, 0.2, 4, 1000


def glorot(layer: Any) -> Any:
    """A layer with Keras' initial values."""
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def trained(model: nn.Module, batches: Any, loss: Any) -> nn.Module:
    """One step of Adam for each pair (input, target)."""
    adam = torch.optim.Adam(model.parameters(), 1e-3, eps=1e-7)
    for x, y in batches:
        adam.zero_grad()
        loss(model(x), y).backward()
        adam.step()
    return model


def threshold(scores: np.ndarray) -> float:
    """The tutorial's, of the scores (n,) of normal training beats."""
    return float(scores.mean() + scores.std())


def ecg(data_dir: str | None, smoke: bool) -> None:
    """Print accuracy, precision and recall of normal beats for each split and initial weights, and their means."""
    every = datasets.beats.everything() if smoke else datasets.ecg5000.everything(data_dir)
    rows = []
    for seed in SPLITS[: 1 if smoke else None]:
        train, _, test = parts(every, seed, hold=False)
        normal = np.asarray(test.labels) == datasets.ecg5000.NORMAL
        x, others = torch.tensor(train.x), torch.tensor(test.x)
        for again in range(WEIGHTS):
            torch.manual_seed(WEIGHTS * seed + again)
            layers: list[nn.Module] = []
            for I, O in pairwise(SIZES):
                layers += [glorot(nn.Linear(I, O)), nn.ReLU()]
            layers[-1] = nn.Sigmoid()
            order = (rows for _ in range(20) for rows in torch.randperm(len(x)).split(512))
            model = trained(
                nn.Sequential(*layers), ((x[r], x[r]) for r in order), nn.functional.l1_loss
            )
            with torch.no_grad():
                known, scores = ((model(v) - v).abs().mean(1).numpy() for v in (x, others))
            said = scores <= threshold(known)
            found = (said & normal).sum()
            rows.append((np.mean(said == normal), found / said.sum(), found / normal.sum()))
            print(
                "split {}: accuracy {:.4f}, precision {:.4f}, recall {:.4f}".format(
                    seed, *rows[-1]
                ),
                flush=True,
            )
    print("mean: accuracy {:.4f}, precision {:.4f}, recall {:.4f}".format(*np.mean(rows, axis=0)))


class Padded(nn.Module):
    """A convolution of 3x3 with Keras' "same" padding, down by 2 or not at all, or up by 2."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, up: bool = False):
        super().__init__()
        self.up, self.pad = up, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)
        self.layer = glorot((nn.ConvTranspose2d if up else nn.Conv2d)(inputs, outputs, 3, stride))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.up:
            return self.layer(x)[:, :, :-1, :-1]
        return self.layer(nn.functional.pad(x, self.pad))


def denoiser(data_dir: str | None, smoke: bool) -> None:
    """Print the error on the first 1,000 test images after one epoch, and the darkest pixel that came out."""
    images = datasets.load("strokes" if smoke else "mnist", data_dir=data_dir)
    rows = (slice(None), slice(SHOWN))
    x, test = (
        torch.tensor(i.values(r)).permute(0, 3, 1, 2) for i, r in zip(images, rows, strict=True)
    )

    def noisy(v: torch.Tensor) -> torch.Tensor:
        return (v + SIGMA * torch.randn_like(v)).clamp(0, 1)

    for seed in range(1 if smoke else SEEDS):
        torch.manual_seed(seed)
        down = [Padded(1, 16, 2), nn.ReLU(), Padded(16, 8, 2), nn.ReLU()]
        up = [Padded(8, 8, 2, up=True), nn.ReLU(), Padded(8, 16, 2, up=True), nn.ReLU()]
        order = torch.randperm(len(x))[: BATCH * (20 if smoke else STEPS)].split(BATCH)
        pairs = ((noisy(x[r]), x[r]) for r in order)
        model = trained(
            nn.Sequential(*down, *up, Padded(16, 1), nn.Sigmoid()), pairs, nn.functional.mse_loss
        )
        with torch.no_grad():
            y = model(noisy(test))
        print(
            f"weights {seed}: test MSE {((y - test) ** 2).mean():.5f}, largest output {y.max():.3f}",
            flush=True,
        )


def main(argv: list[str] | None = None) -> int:
    """Train and print; returns the exit status."""
    p = Parser("torch_published", __doc__)
    p.add_argument("recipe", choices=("ecg", "denoiser"))
    p.add_argument(
        "--data-dir", metavar="DIR", help="searched before $SCRATCHAE_DATA and the cache"
    )
    p.add_argument("--smoke", action="store_true", help="a tiny run on generated data")
    o = p.parse_args(argv)
    work = {"ecg": ecg, "denoiser": denoiser}[o.recipe]
    p.carry_out(lambda: work(o.data_dir, o.smoke), ValueError, OSError)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
