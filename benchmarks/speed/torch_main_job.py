"""The main job in PyTorch, as tight as it gets: what examples/vae_mnist.py does.

    python benchmarks/speed/torch_main_job.py DATA --out FOLDER [--epochs E] [--threads T]

DATA holds train.npy and test.npy (n, 784) uint8. The dense VAE in eager mode with fused Adam, the
test loss after each epoch in batches of 1000, weights and metrics written, then the same three
pictures by the same functions. It imports nothing else of the library, so it does not wait for
Numba.
"""

import argparse
import importlib
import json
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.shared.torch_images import batch_of
from benchmarks.shared.torch_objectives import VAE

LIBRARY = Path(__file__).resolve().parents[2] / "scratchae"
BATCH, EVALUATED = 128, 1000  # images at a time: in training, in the test
D, LR, PAIRS, SAMPLES = 20, 1e-3, 30, 60  # as in examples/vae_mnist.py


def plots() -> Any:
    """The package scratchae.plots, without the rest of the library."""
    alone = sys.modules["scratchae"] = types.ModuleType("scratchae")
    alone.__path__ = [str(LIBRARY)]
    return importlib.import_module("scratchae.plots")


def epoch(model: Any, data: Tensor, size: int, optimizer: Any = None) -> list[float]:
    """All of data (n, 784) once, trained on if there is an optimiser -> terms per example."""
    total = torch.zeros(2)
    order = torch.randperm(len(data)) if optimizer else torch.arange(len(data))
    with torch.inference_mode(not optimizer):
        for rows in order.split(size):
            parts = torch.stack(model.terms(batch_of(data, rows)))
            total += parts.detach()
            if optimizer:
                optimizer.zero_grad(set_to_none=True)
                (parts.sum() / len(rows)).backward()
                optimizer.step()
    return (total / len(data)).tolist()


@torch.inference_mode()
def draw(model: Any, test: Tensor, records: list[dict[str, Any]], name: str, out: Path) -> None:
    """Reconstructions, learning curves, samples."""
    figures, note = plots(), f"dense VAE in PyTorch, after {len(records)} epochs"
    x = batch_of(test, torch.arange(PAIRS))
    mu, _ = model.encoder(x).chunk(2, dim=1)
    back, samples = (torch.sigmoid(model.decoder(z)) for z in (mu, torch.randn(SAMPLES, D)))
    images = [t.reshape(-1, 28, 28, 1).numpy() for t in (x, back, samples)]
    pairs = figures.image_pairs(*images[:2], f"{name}: test images, reconstructed", note)
    grid = figures.image_grid(images[2], f"{name}: samples from the prior", note)
    figures.save(pairs, out / "reconstructions.png")
    figures.save(figures.loss_curves(records, f"{name}: learning curves", note), out / "loss.png")
    figures.save(grid, out / "samples.png")


def main() -> None:
    """Train, test, write."""
    kind = argparse.RawDescriptionHelpFormatter
    p = argparse.ArgumentParser(description=__doc__, formatter_class=kind)
    p.add_argument("data", type=Path)
    p.add_argument("--out", type=Path, required=True)
    for option, default in {"--epochs": 10, "--threads": 1, "--name": "MNIST"}.items():
        p.add_argument(option, type=type(default), default=default)
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    train, test = (torch.from_numpy(np.load(o.data / f"{part}.npy")) for part in ("train", "test"))
    relu, records = nn.ReLU(inplace=True), list[dict[str, Any]]()
    encoder = nn.Sequential(nn.Linear(784, 400), relu, nn.Linear(400, 2 * D))
    model = VAE(encoder, nn.Sequential(nn.Linear(D, 400), relu, nn.Linear(400, 784)))
    optimizer = torch.optim.Adam(model.parameters(), LR, fused=True)
    o.out.mkdir(parents=True, exist_ok=True)
    with (o.out / "metrics.jsonl").open("w") as file:
        for number in range(1, o.epochs + 1):
            began = time.perf_counter()
            nll, kl = epoch(model, train, BATCH, optimizer)
            seconds = time.perf_counter() - began
            test_nll, test_kl = epoch(model, test, EVALUATED)
            record = {"epoch": number, "train_loss": nll + kl, "train_reconstruction": nll}
            record |= {"train_kl": kl, "test_loss": test_nll + test_kl, "seconds": seconds}
            records.append(record | {"test_reconstruction": test_nll, "test_kl": test_kl})
            print(json.dumps(records[-1]), file=file, flush=True)
    torch.save(model.state_dict(), o.out / "weights.pt")
    draw(model, test, records, o.name, o.out)


if __name__ == "__main__":
    main()
