"""The main job in PyTorch, as tight as it gets: what examples/vae_mnist.py does, for main_job.py to time.

    python benchmarks/speed/torch_main_job.py DATA --out FOLDER [--epochs E] [--threads T] [--name NAME]

DATA holds train.npy and test.npy (n, 784) uint8, which spares it the reading and checking of MNIST's files. The
dense VAE in eager mode with fused Adam, batches gathered from memory, the test loss after each epoch in batches of
1000, weights and metrics written, then the same three pictures by the same functions. It imports nothing else of
the library, so it does not wait for Numba.
"""

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.shared.torch_recipes import batch_of, dense_vae

PLOTS = Path(__file__).resolve().parents[2] / "scratchae" / "plots" / "__init__.py"
BATCH, EVALUATED = 128, 1000  # images at a time: in training, in the test
D, LR, PAIRS, SAMPLES = 20, 1e-3, 30, 60  # as in examples/vae_mnist.py


def plots() -> Any:
    """The package scratchae.plots, without the rest of the library."""
    spec = importlib.util.spec_from_file_location("plots", PLOTS)
    assert spec is not None and spec.loader is not None
    module = sys.modules["plots"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def terms(model: Any, x: Tensor) -> Tensor:
    """x (N, 784) -> reconstruction and KL (2,), summed over the batch."""
    mu, logvar = model.encoder(x).chunk(2, dim=1)
    a = model.decoder(mu + torch.exp(0.5 * logvar) * torch.randn_like(mu))
    nll = F.binary_cross_entropy_with_logits(a, x, reduction="sum")
    return torch.stack([nll, -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())])


def epoch(model: Any, optimizer: Any, data: Tensor) -> Tensor:
    """Every example of data (n, 784) once -> the terms per example (2,)."""
    total = torch.zeros(2)
    for rows in torch.randperm(len(data)).split(BATCH):
        parts = terms(model, batch_of(data, rows, False))
        optimizer.zero_grad(set_to_none=True)
        (parts.sum() / len(rows)).backward()
        optimizer.step()
        total += parts.detach()
    return total / len(data)


@torch.inference_mode()
def held_out(model: Any, data: Tensor) -> Tensor:
    """The terms per example of data (n, 784)."""
    batches = torch.arange(len(data)).split(EVALUATED)
    return torch.stack([terms(model, batch_of(data, rows, False)) for rows in batches]).sum(
        0
    ) / len(data)


def record(number: int, train: Tensor, test: Tensor, seconds: float) -> dict[str, Any]:
    """An epoch as ours writes it."""
    (nll, kl), (test_nll, test_kl) = train.tolist(), test.tolist()
    found = {"epoch": number, "train_loss": nll + kl, "train_reconstruction": nll, "train_kl": kl}
    found |= {"test_loss": test_nll + test_kl, "reconstruction": test_nll, "kl": test_kl}
    return found | {"seconds": seconds}


@torch.inference_mode()
def draw(model: Any, test: Tensor, records: list[dict[str, Any]], name: str, out: Path) -> None:
    """Reconstructions, learning curves, samples."""
    figures, note = plots(), f"dense VAE in PyTorch, after {len(records)} epochs"
    x = batch_of(test, torch.arange(PAIRS), False)
    mu, _ = model.encoder(x).chunk(2, dim=1)
    back, samples = (torch.sigmoid(model.decoder(z)) for z in (mu, torch.randn(SAMPLES, D)))
    images = [t.reshape(-1, 28, 28, 1).numpy() for t in (x, back, samples)]
    pairs = figures.image_pairs(*images[:2], f"{name}: test images, reconstructed", note)
    figures.save(pairs, out / "reconstructions.png")
    figures.save(figures.loss_curves(records, f"{name}: learning curves", note), out / "loss.png")
    figures.save(
        figures.image_grid(images[2], f"{name}: samples from the prior", note), out / "samples.png"
    )


def main() -> None:
    """Train, test, write."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("data", type=Path)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--name", default="MNIST")
    options = p.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    train, test = (
        torch.from_numpy(np.load(options.data / f"{name}.npy")) for name in ("train", "test")
    )
    model = dense_vae(False)
    optimizer = torch.optim.Adam(model.parameters(), LR, fused=True)
    options.out.mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = []
    with (options.out / "metrics.jsonl").open("w") as file:
        for number in range(1, options.epochs + 1):
            began = time.perf_counter()
            seen = epoch(model, optimizer, train)
            seconds = time.perf_counter() - began
            records.append(record(number, seen, held_out(model, test), seconds))
            print(json.dumps(records[-1]), file=file, flush=True)
    torch.save(model.state_dict(), options.out / "weights.pt")
    draw(model, test, records, options.name, options.out)


if __name__ == "__main__":
    main()
