"""What layers refuse when they are made, and the shapes of rows that do not meet them."""

import pytest
from sentences import one_sentence, words_of

import scratchae as sa

REFUSED = [
    (lambda: sa.GaussianNoise(1e300), ValueError,
     r"GaussianNoise\(sigma\) is 1e\+300, but float32 reaches"),
    (lambda: sa.Dense(0, 3), ValueError, r"Dense\(inputs\) is 0"),
    (lambda: sa.Dense(3, -1), ValueError, r"Dense\(outputs\) is -1"),
    (lambda: sa.Dense(3, 3, init="he"), TypeError, r"\(init\w*\) is 'he', but a function"),
    (lambda: sa.Conv2d(1, 1, 3, init_b=0.0), TypeError, r"\(init\w*\) is 0\.0"),
    (lambda: sa.Conv1d(1, 1, 3, init=sa.initializers.Normal), TypeError, r"\(init\w*\) is <class"),
    (lambda: sa.LSTM(1, 1, False, init_r=None), TypeError, r"\(init\w*\) is None"),
    (lambda: sa.Dense(3, 3, init=lambda *a: 0), TypeError,
     r"\(init\) is .*lambda.* a saved model cannot name"),
    (lambda: sa.Dense(3, 3).declare((4,)), ValueError,
     r"mend the number, or put Flatten\(\) before it$"),
    (lambda: sa.Dense(6, 4).declare((5, 2)), ValueError,
     r"Flatten\(\) .*Conv1d\(2, 4, 1\), .* of the 5 steps$"),
    (lambda: sa.Dense(3, 3, "swish"), ValueError,
     "no activation 'swish': choose one of identity, relu"),
    (lambda: sa.Conv2d(0, 1, 3), ValueError, r"Conv2d\(inputs\) is 0"),
    (lambda: sa.Conv2d(1, 1, 0), ValueError, r"Conv2d\(kernel\) is 0"),
    (lambda: sa.Conv2d(1, 1, (3, 3, 3)), ValueError,
     r"\(kernel\) is \(3, 3, 3\), but.*or two"),
    (lambda: sa.ConvTranspose2d(1, 1, 3, 0), ValueError, r"ConvTranspose2d\(stride\) is 0"),
    (lambda: sa.Conv2d(1, 1, 3, 1, "full"), ValueError,
     r"\(padding\) is 'full', but.*'valid', 'same'"),
    (lambda: sa.Conv2d(1, 1, 3, 1, -1), ValueError, r"\(padding\) is -1, but"),
    (lambda: sa.Conv2d(1, 1, 3, 1, (1, 1)), ValueError,
     r"\(padding\) is \(1, 1\), but.*\(top, bottom, left, right\)"),
    (lambda: sa.Conv2d(1, 1, 3, activation="gelu"), ValueError, "no activation 'gelu'"),
    (lambda: sa.Conv2d(1, 1, 5).declare((4, 4, 1)), ValueError,
     "kernel of 5 does not fit into 4 pixels"),
    (lambda: sa.Conv2d(1, 1, 3).declare((4, 4)), ValueError,
     r"shape \(4, 4\), but it takes \(height, width, 1\)"),
    (lambda: sa.Conv2d(3, 1, 3).declare((4, 4, 1)), ValueError, r"takes \(height, width, 3\)"),
    (lambda: sa.ConvTranspose2d(1, 1, 2, 1, 3).declare((2, 2, 1)), ValueError, "leave no pixel"),
    (lambda: sa.MaxPool2d(0), ValueError, r"MaxPool2d\(size\) is 0, but.*>= 1, or two"),
    (lambda: sa.MaxPool2d((2, 2.0)), ValueError, r"MaxPool2d\(size\) is \(2, 2\.0\), but"),
    (lambda: sa.MaxPool2d(2, True), ValueError, r"MaxPool2d\(stride\) is True, but"),
    (lambda: sa.MaxPool2d(2, 0), ValueError, r"MaxPool2d\(stride\) is 0, but"),
    (lambda: sa.MaxPool2d(2, 2, 1), ValueError,
     r"MaxPool2d\(padding\) is 1, but.*'valid' or 'same'"),
    (lambda: sa.MaxPool2d(2, 2, "full"), ValueError, r"MaxPool2d\(padding\) is 'full', but"),
    (lambda: sa.MaxPool2d((16, 17)), ValueError,
     r"\(16, 17\), but 256 pixels are the most"),
    (lambda: sa.MaxPool2d(5).declare((4, 9, 1)), ValueError,
     "kernel of 5 does not fit into 4 pixels"),
    (lambda: sa.MaxPool2d(2).declare((4, 4)), ValueError,
     r"MaxPool2d is handed.*\(4, 4\).*channels\)"),
    (lambda: sa.Upsample2d(0), ValueError, r"Upsample2d\(factor\) is 0, but"),
    (lambda: sa.Upsample2d((2, 2, 1)), ValueError,
     r"Upsample2d\(factor\) is \(2, 2, 1\), but.*or two"),
    (lambda: sa.Upsample2d(2).declare((4,)), ValueError,
     r"Upsample2d is handed.*\(4,\).*channels\)"),
    (lambda: sa.Reshape(2, 0), ValueError, "is 0, but"),
    (lambda: sa.Reshape(2, 2).declare((5,)), ValueError, r"4 numbers, but a row \(5,\) has 5"),
    (lambda: sa.Sequential(), ValueError, "is empty"),
    (lambda: sa.Sequential("relu"), TypeError, "given 'relu', but it takes layers"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, words", REFUSED, ids=words_of)
def test_refused(call, error, words):
    one_sentence(call, error, words)
