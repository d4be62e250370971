"""Corruption and dropout: distributions, whose noise it is, when it acts, and that it is the same
everywhere."""

import copy

import numpy as np
import pytest

import scratchae as sa
from scratchae import get_backend, randomness
from scratchae.execution.runner import runner_for
from scratchae.gradcheck import check_layer
from scratchae.randomness import EVALUATION, NOISE, TRAINING

D = 24
KINDS = {
    "gaussian": lambda **always: sa.GaussianNoise(0.5, **always),
    "clipped": lambda **always: sa.GaussianNoise(0.5, (0.0, 1.0), **always),
    "masking": lambda **always: sa.Masking(0.4, **always),
    "salt": lambda **always: sa.SaltAndPepper(0.4, **always),
    "dropout": lambda: sa.Dropout(0.4),
}
KIND = pytest.mark.parametrize("kind", KINDS)
CORRUPTIONS = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "dropout"])


def bound(layer, rows, shape=(D,), backend="numpy", dtype="float64"):
    layer, backend = copy.deepcopy(layer), get_backend(backend, dtype)
    layer.declare(shape)
    layer.place(NOISE)
    layer.bind(backend, rows, need_dx=True)
    return layer, backend


def noisy(
    layer, x, rows=None, epoch=1, purpose=TRAINING, seed=3, backend="numpy", dtype="float64"
):
    """y of x (N, ...) on the host, after a draw for those rows of the data set."""
    layer, backend = bound(layer, len(x), x.shape[1:], backend, dtype)
    rows = np.arange(len(x)) if rows is None else np.asarray(rows)
    clock = randomness.clock(seed, epoch, purpose)
    layer.draw(
        backend.asarray(rows.astype(np.uint32), np.uint32), backend.asarray(clock, np.uint32)
    )
    return backend.to_host(layer.forward(backend.asarray(x)))


def grey(rng, n=6):
    return rng.uniform(0.1, 0.9, (n, D))


# --- distributions ---


def test_gaussian_noise_has_its_moments():
    eps = noisy(sa.GaussianNoise(0.7), np.zeros((500, 400))) / 0.7
    n = eps.size
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((eps**power).mean() - moment) < 4 * np.sqrt(variance / n)
    assert abs(np.corrcoef(eps[:, 0], eps[:, 1])[0, 1]) < 4 / np.sqrt(500)


def test_clipped_noise_lies_in_its_range(rng):
    x = rng.random((200, 100))
    y, free = (noisy(sa.GaussianNoise(0.5, clip), x) for clip in ((0.0, 1.0), None))
    np.testing.assert_array_equal(y, np.clip(free, 0, 1))
    assert (y == 0).mean() > 0.1 and (y == 1).mean() > 0.1


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_rates(p):
    n, x = 400 * 500, np.full((400, 500), 0.3)
    most = 4 * np.sqrt(p * (1 - p) / n) + 1e-12
    y = noisy(sa.Masking(p), x)
    assert set(np.unique(y)) <= {0, 0.3} and abs((y == 0).mean() - p) <= most
    y = noisy(sa.SaltAndPepper(p), x)
    assert set(np.unique(y)) <= {0, 0.3, 1}
    for value in (0, 1):
        assert abs((y == value).mean() - p / 2) <= 4 * np.sqrt(p / 2 * (1 - p / 2) / n) + 1e-12
    y = noisy(sa.Dropout(p), x)
    assert abs((y == 0).mean() - p) <= most
    np.testing.assert_allclose(y[y != 0], 0.3 / (1 - p))
    assert abs(y.mean() - 0.3) <= 0.3 / (1 - p) * most + 1e-12  # the mean stays


def test_each_number_is_lost_as_often_by_row_as_by_column():
    lost = noisy(sa.Masking(0.3), np.ones((400, 400))) == 0
    for axis in (0, 1):
        assert np.abs(lost.mean(axis=axis) - 0.3).max() < 5 * np.sqrt(0.21 / 400)
    assert abs(np.corrcoef(lost[:, 0], lost[:, 1])[0, 1]) < 0.2


# --- whose noise it is ---


@KIND
def test_noise_is_that_of_seed_epoch_and_row(kind, rng):
    x, layer = np.repeat(grey(rng, 1), 4, axis=0), KINDS[kind]()
    y = noisy(layer, x)
    assert len(np.unique(y, axis=0)) == 4  # another for each row
    # wherever it stands
    np.testing.assert_array_equal(noisy(layer, x, [2, 0, 3, 1]), y[[2, 0, 3, 1]])
    assert (noisy(layer, x, epoch=2) != y).any() and (noisy(layer, x, seed=4) != y).any()


@KIND
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_is_the_same_on_every_backend(kind, backend, dtype, rng, tolerance):
    x, layer = grey(rng), KINDS[kind]()
    y, right = noisy(layer, x, backend=backend, dtype=dtype), noisy(layer, x, backend="reference")
    np.testing.assert_allclose(
        y, right, rtol=tolerance("kernel", dtype), atol=tolerance("kernel", dtype)
    )
    if kind in ("masking", "salt"):
        for value in (0, 1):
            np.testing.assert_array_equal(y == value, right == value)


def streams(model):
    found = {}
    for part in (model.objective.encoder, model.objective.decoder):
        for layer in part.layers:
            for leaf in getattr(layer, "layers", [layer]):
                if hasattr(leaf, "stream"):
                    found[type(leaf).__name__ + str(len(found))] = leaf.stream - NOISE
    return found


def test_each_layer_has_a_stream_of_its_own():
    """Counted over the layers that draw, in order of x, encoder before decoder, nested or not."""
    encoder = sa.Sequential(
        sa.Masking(0.1),
        sa.Sequential(sa.Dense(D, 5), sa.Dropout(0.2)),
        sa.Dense(5, 3),
        sa.Dropout(0.2),
    )
    decoder = sa.Sequential(sa.GaussianNoise(0.1), sa.Dense(3, D))
    model = sa.Autoencoder(encoder, decoder).build(D)
    assert streams(model) == {"Masking0": 0, "Dropout1": 1, "Dropout2": 2, "GaussianNoise3": 3}
    alone = sa.Sequential(
        sa.Sequential(sa.Dropout(0.5)), sa.Sequential(sa.Dropout(0.5), sa.Dropout(0.5))
    )
    alone.declare((D,))
    alone.place(NOISE)
    assert [leaf.stream - NOISE for part in alone.layers for leaf in part.layers] == [0, 1, 2]


def test_a_layer_that_draws_nothing_changes_no_noise():
    plain = sa.Sequential(sa.Dropout(0.5), sa.Dropout(0.5))
    other = sa.Sequential(sa.Flatten(), sa.Dropout(0.5), sa.Reshape(D), sa.Dropout(0.5))
    x = np.ones((5, D))
    np.testing.assert_array_equal(noisy(plain, x), noisy(other, x))


def test_two_layers_draw_different_noise():
    """If both had one mask, what the first lets through would never be lost in the second."""
    x = np.ones((300, D))
    kept = (noisy(sa.Sequential(sa.Masking(0.5), sa.Masking(0.5)), x) != 0).mean()
    assert abs(kept - 0.25) < 0.02


def test_streams_are_apart_from_all_others():
    named = (
        randomness.ORDER,
        randomness.WEIGHTS,
        randomness.PIXELS,
        randomness.LATENT,
        randomness.PRIOR,
    )
    named += (randomness.SHAPES, randomness.PROBE)
    assert named == tuple(range(7)) and NOISE == 256 and EVALUATION == 1 << 16


# --- when it acts ---


@KIND
def test_no_noise_before_a_draw_nor_in_evaluation(kind, rng, backend):
    x = grey(rng)
    layer, b = bound(KINDS[kind](), len(x), backend=backend)
    np.testing.assert_array_equal(b.to_host(layer.forward(b.asarray(x))), x)
    np.testing.assert_array_equal(noisy(KINDS[kind](), x, purpose=EVALUATION, backend=backend), x)
    assert (noisy(KINDS[kind](), x, backend=backend) != x).any()


@CORRUPTIONS
def test_noise_in_evaluation_where_asked(kind, rng, backend):
    """Other noise than in training, at every call the same."""
    x, layer = grey(rng), KINDS[kind](in_evaluation=True)
    y = [
        noisy(layer, x, purpose=purpose, backend=backend)
        for purpose in (TRAINING, EVALUATION, EVALUATION)
    ]
    assert (y[0] != x).any() and (y[1] != x).any() and (y[0] != y[1]).any()
    np.testing.assert_array_equal(y[1], y[2])
    np.testing.assert_array_equal(noisy(KINDS[kind](), x, backend=backend), y[0])


def test_gradients_follow_the_switch(rng, backend):
    """Outside of training dx is dy, but where a bound cuts."""
    x, dy = grey(rng), rng.normal(size=(6, D))
    x[0] = 1.5
    for make in KINDS.values():
        layer, b = bound(make(), len(x), backend=backend)
        layer.forward(b.asarray(x))
        dx = b.to_host(layer.backward(b.asarray(dy)))
        np.testing.assert_array_equal(dx[1:], dy[1:])
        cut = getattr(layer, "clip", None) is not None
        np.testing.assert_array_equal(dx[0], 0 * dy[0] if cut else dy[0])


def test_at_a_bound_the_derivative_is_one():
    """Most pixels of an image are 0 or 1 to the bit: where no noise acts, they are not cut."""
    layer, _ = bound(sa.GaussianNoise(0.3, (0, 1)), 2)
    x = np.stack([np.zeros(D), np.ones(D)])
    layer.forward(x)
    np.testing.assert_array_equal(layer.backward(np.full((2, D), 3.0)), 3)


@KIND
def test_gradients_are_right(kind, backend):
    report = check_layer(KINDS[kind](), (D,), rows=4, backend=backend)
    assert report.ok, str(report)


# --- in a model ---


def model(kind="masking", backend="numpy", dtype="float64", shape=(D,), **always):
    first = KINDS[kind](**always)
    encoder = sa.Sequential(first, sa.Dense(D, 9, "tanh"), sa.Dropout(0.3), sa.Dense(9, 4))
    return sa.Autoencoder(encoder, sa.Sequential(sa.Dense(4, D))).build(
        shape, backend=backend, dtype=dtype, seed=1
    )


def values(m):
    return m.backend.to_host(m.parameters.values)


def test_a_model_uses_no_noise_and_trains_with_it(rng, backend):
    x = grey(rng, 20)
    encoder = sa.Sequential(sa.Dense(D, 9, "tanh"), sa.Dense(9, 4))
    plain = sa.Autoencoder(encoder, sa.Sequential(sa.Dense(4, D))).build(
        D, backend=backend, dtype="float64"
    )
    ours = model(backend=backend)
    for a, b in zip(
        ours.parameters.views().values(), plain.parameters.views().values(), strict=True
    ):
        plain.backend.write(b, ours.backend.to_host(a))
    for use in (
        lambda m: m.encode(x),
        lambda m: m.reconstruct(x),
        lambda m: sa.evaluate(m, x)["loss"],
    ):
        np.testing.assert_allclose(use(ours), use(plain), rtol=1e-12)
    losses = [
        sa.fit(m, x, sa.SGD(1e-30), epochs=3, batch_size=7)["train_loss"] for m in (ours, plain)
    ]
    assert len(set(losses[0])) == 3  # other noise each epoch
    np.testing.assert_allclose(losses[1], losses[1][0], rtol=1e-12)
    assert np.abs(np.array(losses[0]) / losses[1] - 1).min() > 1e-3
    np.testing.assert_allclose(ours.encode(x), plain.encode(x), rtol=1e-12)  # also after training


@CORRUPTIONS
def test_the_target_is_clean(kind, rng):
    """The loss is that of the clean x, given the code of the spoilt one."""
    x, ours = grey(rng, 8), model(kind, in_evaluation=True)
    spoilt = noisy(KINDS[kind](in_evaluation=True), x, epoch=0, purpose=EVALUATION, seed=0)
    expected = ((ours.reconstruct(spoilt) - x) ** 2).sum(axis=1).mean()
    one = sa.evaluate(ours, x)["loss"]
    assert one == pytest.approx(expected, rel=1e-12)
    assert one != pytest.approx(sa.evaluate(model(kind), x)["loss"], rel=1e-3)


def gradients(m, x, batch, shards):
    """The gradient of count times loss over all of x, in batches of that size."""
    found = 0
    with runner_for(m, batch, shards, 1) as runner:
        runner.set_clock(randomness.clock(5, 2))
        feeds = runner.feeds(sa.Values(x))
        for i in range(0, len(x), batch):
            runner.gradients(feeds, np.arange(i, min(i + batch, len(x)), dtype=np.uint32))
            found = found + runner.backend.to_host(runner.grads[: runner.active]).sum(axis=0)
    return found


@KIND
def test_neither_batches_nor_shards_change_the_noise(kind, rng, backend, tolerance):
    x = grey(rng, 20)
    right = gradients(model(kind), x, 20, 1)
    for batch, shards in ((20, 3), (7, 1), (6, 2)):
        found = gradients(model(kind, backend), x, batch, shards)
        np.testing.assert_allclose(found, right, rtol=tolerance("layer"), atol=tolerance("layer"))


@KIND
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_graph_has_the_bits_of_its_launches(kind, dtype, gpu, rng):
    """Training with validation in turn: one recorded step each, and the switch is in device
    memory."""
    x, found = grey(rng, 23), []
    for recorded in (True, False):
        m = model(kind, get_backend(gpu, dtype, graph=recorded), None)
        options = {"epochs": 4, "batch_size": 8, "shards": 2, "validation": x[:8]}
        history = sa.fit(m, x, sa.Adam(1e-2), **options)
        found.append((values(m), history["train_loss"], [r["test_loss"] for r in history.records]))
        assert history.records[-1]["test_loss"] == pytest.approx(
            sa.evaluate(m, x[:8])["loss"], rel=1e-5
        )
    for graphs, launches in zip(*found, strict=True):
        np.testing.assert_array_equal(graphs, launches)


@KIND
def test_training_goes_as_on_the_cpu(kind, gpu, rng, tolerance):
    found = []
    for backend in (gpu, "numpy"):
        m = model(kind, backend)
        sa.fit(
            m, grey(np.random.default_rng(0), 23), sa.Adam(1e-2), epochs=3, batch_size=8, shards=1
        )
        found.append(values(m))
    np.testing.assert_allclose(*found, rtol=tolerance("layer"), atol=tolerance("layer"))


def test_every_number_moves_the_loss(rng):
    """sigma, both bounds, each p, and whether noise acts in evaluation."""
    x = grey(rng, 16)
    first = [
        sa.GaussianNoise(0.2),
        sa.GaussianNoise(0.3),
        sa.GaussianNoise(0.3, (0, 1)),
        sa.GaussianNoise(0.3, (0, 2)),
    ]
    first += [
        sa.GaussianNoise(0.3, (-1, 1)),
        sa.Masking(0.2),
        sa.Masking(0.3),
        sa.SaltAndPepper(0.2),
    ]
    first += [sa.SaltAndPepper(0.3), sa.Dropout(0.2), sa.Dropout(0.3)]
    losses = []
    for layer in first:
        m = sa.Autoencoder(sa.Sequential(layer, sa.Dense(D, 3)), sa.Dense(3, D)).build(
            D, dtype="float64", seed=1
        )
        losses.append(sa.fit(m, x, sa.SGD(1e-30), epochs=1)["train_loss"][0])
    assert len(set(losses)) == len(losses)


def test_saved_and_loaded(rng, tmp_path):
    m = sa.Autoencoder(
        sa.Sequential(
            *(make() for make in KINDS.values()),
            sa.Masking(0.1, in_evaluation=True),
            sa.Dense(D, 3),
        ),
        sa.Sequential(sa.Dense(3, D)),
    ).build(D, dtype="float64", seed=2)
    adam = sa.Adam()
    sa.fit(m, grey(rng).astype("f4"), adam, epochs=1)
    sa.save(m, tmp_path / "m", optimizer=adam)
    again = sa.load(tmp_path / "m")
    assert repr(again) == repr(m) and "GaussianNoise(0.5, clip=(0.0, 1.0))" in repr(m)
    assert "Masking(0.1, in_evaluation=True)" in repr(m)
    for one, optimizer in ((m, adam), (again, again.optimizer)):
        sa.fit(one, grey(np.random.default_rng(1)).astype("f4"), optimizer, epochs=1)
    np.testing.assert_array_equal(values(m), values(again))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: sa.GaussianNoise(-0.1), r"GaussianNoise\(sigma\) is -0.1"),
        (lambda: sa.GaussianNoise(float("nan")), r"GaussianNoise\(sigma\) is nan"),
        (lambda: sa.GaussianNoise(0.1, (1, 0)), r"GaussianNoise\(clip\) is \(1, 0\).*below high"),
        (lambda: sa.GaussianNoise(0.1, (0, float("inf"))), r"GaussianNoise\(clip\) is inf"),
        (
            lambda: sa.GaussianNoise(0.1, (float("-inf"), 0)),
            r"GaussianNoise\(clip\) is \(-inf, 0\)",
        ),
        (
            lambda: sa.GaussianNoise(0.1, 1.0),
            r"GaussianNoise\(clip\) is 1.0, but it must be None or",
        ),
        (lambda: sa.Masking(1.0), r"Masking\(p\) is 1.0"),
        (
            lambda: sa.Masking(0.1, in_evaluation=1),
            r"Masking\(in_evaluation\) is 1, but it must be True or",
        ),
        (lambda: sa.SaltAndPepper(-1), r"SaltAndPepper\(p\) is -1"),
        (lambda: sa.Dropout(True), r"Dropout\(p\) is True"),
        (lambda: sa.Repeat(0), r"Repeat\(T\) is 0"),
        (lambda: sa.Repeat(3).declare((2, 2)), r"Repeat\(3\) is handed.*\(2, 2\).*Flatten"),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(ValueError, match=words):
        make()
