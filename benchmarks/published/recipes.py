"""The published recipes that reproduce.py runs: who printed which number, and which is good enough here."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TF = "TensorFlow, tutorial 'Intro to Autoencoders'"
BLOG = "Keras blog, 'Building Autoencoders in Keras'"
PIXELS = 784
ON_BEATS = ("anomaly_ecg.py", "linear_pca.py")


@dataclass(frozen=True)
class Metric:
    """One number of a recipe: what is read from a run's folder, what was published, what it must be here.

    published None: nothing to compare with was printed. bar None: nothing is asked. higher: more is better.
    """

    words: str
    read: Callable[[Path], float]
    published: float | None
    bar: float | None
    higher: bool = False


@dataclass(frozen=True)
class Recipe:
    """One row of the table: the script of examples/, its options, the seeds, the numbers.

    start: the recipe whose weights of the same seed it goes on from.
    """

    source: str
    command: str
    words: str
    metrics: tuple[Metric, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    start: str | None = None

    @property
    def stand_in(self) -> str:
        """The generated data set that a run can be tried on."""
        return "beats" if self.command.split()[0] in ON_BEATS else "strokes"


def record(folder: Path) -> dict[str, Any]:
    """The last epoch's record of a run."""
    return json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])


def last(column: str) -> Callable[[Path], float]:
    """That column of the last epoch."""
    return lambda folder: float(record(folder)[column])


def activity(folder: Path) -> float:
    """The mean |h| of the sparse code, as a share of the plain one's."""
    return record(folder)["code_activity"] / record(folder / "plain")["code_activity"]


def per_pixel(folder: Path) -> float:
    """The last epoch's test loss, penalty included, divided by the pixels."""
    return record(folder)["test_loss"] / PIXELS


def beats(*bars: tuple[str, str, float | None, float]) -> tuple[Metric, ...]:
    """Columns of the detector that are to be high: (words, column, published, bar)."""
    return tuple(
        Metric(words, last(column), published, bar, True) for words, column, published, bar in bars
    )


TUTORIAL = beats(
    ("accuracy", "accuracy", 0.943, 0.935),
    ("precision of normal beats", "precision", 0.992, 0.985),
    ("recall of normal beats", "recall", 0.905, 0.895),
)
RECIPES = {
    "dense_vae": Recipe(
        "pytorch/examples, vae/main.py, as others ran it",
        "vae_mnist.py",
        "784-400-20-400-784, grey MNIST, batch 128, 10 epochs",
        (Metric("test loss, nats per image", last("test_loss"), 105.56, None),),
    ),
    "tf_cvae": Recipe(
        "TensorFlow, tutorial 'cvae'",
        "vae_mnist.py --arch conv",
        "convolutional VAE, binarised MNIST, D = 2, batch 32, 10 epochs",
        (
            Metric(
                "test ELBO, nats per image",
                lambda folder: -last("test_loss")(folder),
                -156.56,
                None,
                True,
            ),
        ),
    ),
    "fashion": Recipe(
        f"{TF}, first example",
        "autoencoder_fashion.py",
        "784-64-784, Fashion-MNIST, squared error, batch 32, 10 epochs",
        (Metric("test MSE per pixel", last("test_mse"), 0.0088, 0.0091),),
    ),
    "denoiser": Recipe(
        f"{TF}, second example",
        "denoise_fashion.py --last-bias zero",
        "convolutions 16/8, Fashion-MNIST, noise 0.2 drawn afresh in each step, batch 32, 10 epochs",
        (Metric("test MSE per pixel", last("test_mse"), 0.0076, 0.0078),),
    ),
    "denoiser_mean": Recipe(
        f"{TF}, second example",
        "denoise_fashion.py",
        "the same, its last bias starting at the logit of the mean pixel: ours",
        (Metric("test MSE per pixel", last("test_mse"), 0.0076, 0.0078),),
    ),
    "ecg": Recipe(
        f"{TF}, third example",
        "anomaly_ecg.py",
        "140-32-16-8-16-32-140, ECG5000, absolute error, batch 512, 20 epochs, mean + 1 deviation; "
        "a seed is a random 80/20 split",
        TUTORIAL,
        seeds=tuple(range(1, 11)),
    ),
    "ecg_more": Recipe(
        f"{TF}, third example",
        "anomaly_ecg.py",
        "the same on 40 other splits: ten splits of the same 5,000 beats leave the mean accuracy uncertain by .003",
        TUTORIAL,
        seeds=tuple(range(101, 141)),
    ),
    "ecg_better": Recipe(
        "ours, for the same beats",
        "anomaly_ecg.py --detector better",
        "denoising 140-64-8-64-140, squared error, 2.5 % false alarms on held-out normal beats; "
        "chosen on splits 1 to 5",
        beats(("accuracy", "accuracy", None, 0.955), ("ROC-AUC", "auc", None, 0.990)),
        seeds=tuple(range(6, 16)),
    ),
    "keras": Recipe(
        f"{BLOG}, first model",
        "autoencoder_fashion.py --arch keras",
        "784-32-784, MNIST, cross-entropy, batch 256, 50 epochs",
        (Metric("test BCE per pixel", last("test_bce"), 0.09, 0.0930),),
    ),
    "sparse": Recipe(
        f"{BLOG}, second model",
        "sparse_mnist.py",
        "784-32-784, MNIST, L1(0.5) over 32 units, batch 256, 100 epochs, beside the same without L1. "
        "The blog's l1(10e-5) stands beside a loss averaged over the pixels, and Keras 2 and later divide it by "
        "the batch as well, which is L1(0.0784) here: units stay active, and its numbers are not had by running it",
        (
            Metric("test loss per pixel, penalty included", per_pixel, 0.10, 0.11),
            Metric("mean code activity / the plain model's", activity, 3.33 / 7.30, 0.5),
        ),
    ),
    "deep": Recipe(
        f"{BLOG}, third model",
        "autoencoder_fashion.py --arch deep",
        "784-128-64-32-64-128-784, MNIST, cross-entropy, batch 256, 100 epochs",
        (Metric("test BCE per pixel", last("test_bce"), 0.08, 0.085),),
    ),
    "conv": Recipe(
        "Keras, example 'Convolutional autoencoder for image denoising'",
        "conv_autoencoder_mnist.py",
        "convolutions 32/32, MNIST, cross-entropy, batch 128, 50 epochs",
        (Metric("test BCE per pixel", last("test_bce"), 0.0622, 0.0630),),
    ),
    "conv_denoiser": Recipe(
        "Keras, example 'Convolutional autoencoder for image denoising'",
        "conv_autoencoder_mnist.py --noise 0.4",
        "from the weights of conv, noise 0.4 drawn afresh in each step, 100 epochs",
        (Metric("test BCE per pixel", last("test_bce"), 0.0839, 0.0845),),
        seeds=(0,),  # with its start it takes half an hour
        start="conv",
    ),
    "linear": Recipe(
        "Baldi and Hornik 1989, 'Neural networks and principal component analysis'",
        "linear_pca.py",
        "140-4-140 without activations, ECG5000, squared error, beside the first 4 principal components: by their "
        "theorem the angle is 0 and the ratio 1",
        (
            Metric("largest angle between the subspaces", last("largest_angle"), None, 1e-2),
            Metric("test error / that of PCA", last("error_ratio"), None, 1.01),
        ),
    ),
}
