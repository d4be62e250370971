"""MNIST: 70,000 handwritten digits of 28 x 28 grey pixels, 255 is ink. Source: LeCun et al.,
1998."""

import os

from .idx import Split, load_splits

SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


def load(data_dir: str | os.PathLike | None = None) -> tuple[Split, Split]:
    """The 60,000 training and 10,000 test examples: images (N, 28, 28, 1), labels (N,) 0 to 9, all
    uint8.

    data_dir: a folder that holds mnist/ or the four files; without it, $SCRATCHAE_DATA, the user
    cache and the mirrors. Raises DataUnavailable where there is no file to be had,
    FileNotFoundError if data_dir is no folder, ValueError for a damaged file. Source: LeCun,
    Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.
    """
    return load_splits("mnist", SHA256, MIRRORS, data_dir)
