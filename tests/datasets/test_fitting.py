"""A warning for data that is far from 1 in size, and none for other data."""

import warnings

import numpy as np
import pytest

import scratchae as sa
from scratchae.datasets import beats, daily, ecg5000, fitting, mnist, scaled, split, surface
from scratchae.datasets.fitting import warn_of_scale

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=(300, 8))
RARE = RNG.random((300, 8)) < 0.01


def trained(x, dtype="float64"):
    model = sa.Autoencoder(sa.Dense(8, 2), sa.Dense(2, 8)).build(8, dtype=dtype)
    return sa.fit(model, x, sa.Adam(), epochs=1, progress=False)


FAR = {
    "1e-6": 1e-6 * NORMAL,
    "1e-3": 1e-3 * NORMAL,
    "an offset of 1e8": 1e8 + NORMAL,
    "an offset of -1e4": -1e4 + NORMAL,
    "a spread of 1e-6 about 0.5": 0.5 + 1e-6 * NORMAL,
    "raw uint16": RNG.integers(0, 2**16, (300, 8)).astype(np.uint16),
    "raw int16": (3000 * NORMAL).astype(np.int16),
    "raw int32": (1e6 * NORMAL).astype(np.int32),
    "pixels as int16": RNG.integers(0, 256, (300, 8)).astype(np.int16),
    "pixels as float32": RNG.integers(0, 256, (300, 8)).astype(np.float32),
    "features of other units": NORMAL * [1, 1, 1, 1, 1e4, 1, 1, 1],
    "1e30": 1e30 * NORMAL,
    "degrees": 15 + 8 * NORMAL,
    "per cent": 100 * RNG.random((300, 8)),
    "float16": (5000 * NORMAL).astype(np.float16),
}
NEAR = {
    "standardised": NORMAL,
    "float16": NORMAL.astype(np.float16),
    "in [0, 1]": RNG.random((300, 8)),
    "in [0, 0.1]": 0.1 * RNG.random((300, 8)),
    "per cent about 0": 100 * RNG.random((300, 8)) - 50,
    "one-hot": np.eye(8)[RNG.integers(0, 8, 300)],
    "rare categories": 1.0 * (np.arange(5000) == RNG.integers(0, 5000, (300, 1))),
    "counts": RNG.poisson(0.02, (300, 8)),
    "counts of words": np.where(RARE, RNG.integers(1, 300, RARE.shape), 0),
    "mostly zeros": np.where(RARE, NORMAL, 0),
    "constant parts": np.hstack([NORMAL[:, :4], np.full((300, 4), 7.0)]),
    "all the same": np.full((300, 8), 1e-9),
    "small whole numbers": RNG.integers(-5, 6, (300, 8)).astype(np.int16),
    "truths": RNG.random((300, 8)) > 0.5,
    "one row": NORMAL[:1],
}


@pytest.mark.parametrize("kind", FAR)
def test_data_far_from_1_is_told_so_and_the_advice_ends_it(kind):
    x = FAR[kind]
    with pytest.warns(sa.ScaleWarning, match="a mean of .* standard deviation of .*300 rows") as w:
        trained(x)
    assert len(w) == 1 and w[0].filename == __file__  # the user's own line
    train, test = split(x)
    train, test = scaled(train, test)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(train)


@pytest.mark.parametrize("kind", NEAR)
def test_other_data_raises_no_alarm(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_scale(sa.Values(NEAR[kind]))


@pytest.mark.slow
def test_the_data_of_the_library_raises_no_alarm(real_data):
    every = [*beats.load(50, 50), *ecg5000.load()]
    every += [sa.Values(part.x) for part in surface.load()]
    x = daily.load()[0].x[:, None]
    every += [sa.Values((x - x.mean()) / x.std())]
    every += [sa.Values(mnist.load()[0][0][:500] / 255)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for values in every:
            warn_of_scale(values)
        warn_of_scale(sa.Images(np.zeros((4, 3), np.uint8)))


def test_what_was_seen_is_said():
    x = np.tile([1e8 - 1, 1e8 + 1], (2500, 4))
    words = r"a mean of 1e\+08 and a standard deviation of 1 \(834 of its 2,500 rows\)"
    with pytest.warns(sa.ScaleWarning, match=words):
        warn_of_scale(sa.Values(x))


@pytest.mark.parametrize("n", [1, 999, 1000, 1001, 5000])
def test_rows_that_are_looked_at_are_few_and_spread(n, monkeypatch):
    seen = []
    source = sa.Values(1e-9 * RNG.normal(size=(n, 2)))
    monkeypatch.setattr(fitting, "_seen", lambda source, rows: seen.append(rows) or (0, 1, 0, 1))
    warn_of_scale(source)
    (rows,) = seen
    assert len(rows) <= 1000 and rows[0] == 0 and len(set(np.diff(rows))) <= 1
    assert len(rows) >= min(n, 500) and n - rows[-1] <= -(-n // 1000)
