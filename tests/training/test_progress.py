"""The line of an epoch: its parts add up to its loss."""

import re

import numpy as np
import pytest

import scratchae as sa

X = np.linspace(0, 1, 40 * 6, dtype=np.float32).reshape(40, 6)
PARTS = "reconstruction", "kl", "penalty"


def autoencoder(penalty=None):
    return sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6), penalty=penalty)


def vae(beta):
    return sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), beta=beta)


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (autoencoder, {"reconstruction"}),
        (lambda: autoencoder(sa.L1(2.0)), {"reconstruction", "penalty"}),
        (lambda: vae(1), {"reconstruction", "kl"}),
        (lambda: vae(4), {"reconstruction", "kl", "penalty"}),
        (lambda: vae(0.5), {"reconstruction", "kl", "penalty"}),
    ],
)
def test_the_parts_add_up_to_the_loss(make, parts, capsys):
    history = sa.fit(make().build(6), X, sa.Adam(), epochs=1, validation=X)
    shown = dict(re.findall(r"  ([a-z ]+) ([\d.e+-]+)(?=  )", capsys.readouterr().out))
    assert set(shown) == {"train loss", "test loss"} | {f"test {part}" for part in parts}
    loss, sum_of = float(shown["test loss"]), sum(float(shown[f"test {part}"]) for part in parts)
    # of numbers with two decimals each
    assert loss == pytest.approx(sum_of, abs=0.005 * (1 + len(parts)))
    record = history.records[-1]
    assert sum(record.get(f"test_{part}", 0.0) for part in PARTS) == pytest.approx(
        record["test_loss"]
    )
