"""The main job on the GPU, for gpu.py: the dense VAE learns 60,000 images in ten epochs of ``fit``."""

import os
import time
from typing import Any

from benchmarks.gpu.ours import Contestant, build
from benchmarks.shared.recipes import RECIPES
from scratchae import Adam, History, Images, datasets, fit, get_backend

RECIPE = "dense_vae"
IMAGES, BATCH, EPOCHS = (60_000, 10_000), 128, 10  # for training and for the test
SMOKE_IMAGES, SMOKE_BATCH, SMOKE_EPOCHS = (16, 8), 4, 2


def digits(smoke: bool) -> tuple[Images, Images]:
    """Training and test images (n, 784): MNIST where SCRATCHAE_DATA is set, generated ones otherwise."""
    sizes = SMOKE_IMAGES if smoke else IMAGES
    if os.environ.get("SCRATCHAE_DATA"):
        found = [(images.pixels, images.name) for images in datasets.load("mnist")]
    else:
        found = [
            (pixels, datasets.TITLES["strokes"]) for pixels, _ in datasets.strokes.load(*sizes)
        ]
    train, test = (
        Images(pixels[:n].reshape(n, -1), name=name)
        for (pixels, name), n in zip(found, sizes, strict=True)
    )
    return train, test


def job(spec: dict[str, Any]) -> Contestant:
    """A row a run, each of a model and a backend of its own: seconds of training, of evaluation, of the rest.

    Evaluation is what lies between the end of an epoch's training and the callback, counted from the second
    epoch on and taken for all; the rest is what ``fit`` makes before its first step, and what is loaded then.
    """
    (train, test), epochs = digits(spec["smoke"]), SMOKE_EPOCHS if spec["smoke"] else EPOCHS
    for number in range(1, spec["runs"] + 1):
        model = build(RECIPES[RECIPE], get_backend("cupy", precision=spec["precision"]))
        moments: list[float] = []

        def stamp(model: Any, history: History, moments: list[float] = moments) -> None:
            moments.append(time.perf_counter())

        began = time.perf_counter()
        history = fit(
            model,
            train,
            Adam(RECIPES[RECIPE].lr),
            epochs=epochs,
            batch_size=SMOKE_BATCH if spec["smoke"] else BATCH,
            validation=test,
            callbacks=[stamp],
        )
        total = time.perf_counter() - began
        row = {
            "data": train.name,
            "images": len(train),
            "precision": spec["precision"],
            "run": number,
        }
        yield (
            row
            | seconds(history["seconds"], moments, total)
            | {"test_loss": history["test_loss"][-1]}
        )


def seconds(trained: list[float], moments: list[float], total: float) -> dict[str, float]:
    """Of each epoch's training, the moments after each epoch, and all together -> where they went."""
    epochs = len(trained)
    between = moments[-1] - moments[0] - sum(trained[1:])
    evaluation = between * epochs / (epochs - 1)
    training = sum(trained)
    found = {"training_s": training, "first_epoch_s": trained[0], "evaluation_s": evaluation}
    return found | {"rest_s": total - training - evaluation, "total_s": total}
