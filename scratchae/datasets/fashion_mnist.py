"""Fashion-MNIST: 70,000 articles of clothing in MNIST's own form. Source: Xiao, Rasul, Vollgraf,
2017."""

import os

from .idx import Split, load_splits

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
    ),
    "train-labels-idx1-ubyte.gz": (
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
    ),
}
MIRRORS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)


def load(data_dir: str | os.PathLike | None = None) -> tuple[Split, Split]:
    """The 60,000 training and 10,000 test examples: images (N, 28, 28, 1), labels (N,) 0 to 9, all
    uint8.

    CLASSES names the labels. data_dir: a folder that holds fashion_mnist/ or the four files;
    without it, $SCRATCHAE_DATA, the user cache and the mirrors. Raises DataUnavailable where there
    is no file to be had, FileNotFoundError if data_dir is no folder, ValueError for a damaged
    file. Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking
    machine learning algorithms", arXiv:1708.07747.
    """
    return load_splits("fashion_mnist", SHA256, MIRRORS, data_dir)
