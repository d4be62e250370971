"""What is no source of data: arrays and names that are refused when one is made."""

import numpy as np
import pytest
from sentences import one_sentence, words_of

import scratchae as sa

X, PIXELS = np.random.default_rng(0).random((9, 3)), np.zeros((9, 3), np.uint8)
REFUSED = [
    (lambda: sa.Images(X), TypeError, "the images are float64, but uint8 in 0..255 is expected"),
    (lambda: sa.Images([[1, 2]]), TypeError, "the images are int64, but uint8"),
    (lambda: sa.Images(PIXELS[:0]), ValueError, r"shape \(0, 3\), but \(N, H, W, C\)"),
    (lambda: sa.Images(PIXELS[0]), ValueError, r"shape \(3,\), but"),
    (lambda: sa.Images(PIXELS, labels=[1, 2]), ValueError,
     r"shape of the labels is \(2,\), but \(9,\)"),
    (lambda: sa.Images(PIXELS, binarize="static"), ValueError,
     "'static': choose one of none, threshold, dynamic"),
    (lambda: sa.Values(X[0]), ValueError, r"shape \(3,\), but \(N, ...\)"),
    (lambda: sa.Values(PIXELS), TypeError, "raw uint8"),
    (lambda: sa.Values([[1.0, 2.0], [3.0]]), TypeError,
     r"is a list, but a NumPy array \(N, ...\)"),
    (lambda: sa.Values(np.where(np.eye(9, 3, -6), np.nan, X)), ValueError,
     r"nan at index \(6, 0\)"),
    (lambda: sa.datasets.load("cifar"), ValueError,
     "no data set 'cifar': choose one of mnist, fashion_mnist"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, words", REFUSED, ids=words_of)
def test_what_is_no_source_is_refused(call, error, words):
    one_sentence(call, error, words)
