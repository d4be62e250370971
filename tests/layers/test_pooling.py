"""Pooling and upsampling: against loops that anyone can read, and where a maximum is hard: ties,
NaN, border."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchae as sa
from scratchae import Conv2d, MaxPool2d, Upsample2d, by_hand, get_backend

QUICK = settings(derandomize=True, max_examples=25, deadline=None, database=None)
PAIR = st.tuples(st.integers(1, 4), st.integers(1, 4))
PADDING = st.sampled_from(["valid", "same"])


def made(backend, dtype="float64"):
    return get_backend(backend, dtype) if isinstance(backend, str) else backend


def inputs(*shape, ties=False):
    x = np.random.default_rng(0).normal(size=shape)
    return np.round(x) if ties else x


def naive_pool(x, size, stride, before, P, Q):
    """y, and for each winner of each window where it stands: [((n, p, q, c), (n, h, w, c))]."""
    y, won = np.zeros((len(x), P, Q, x.shape[3])), []
    for n, p, q, c in np.ndindex(y.shape):
        at = [
            (h, w)
            for h in range(p * stride[0] - before[0], p * stride[0] - before[0] + size[0])
            for w in range(q * stride[1] - before[1], q * stride[1] - before[1] + size[1])
            if 0 <= h < x.shape[1] and 0 <= w < x.shape[2]
        ]
        y[n, p, q, c] = max(x[n, h, w, c] for h, w in at)
        first = next((h, w) for h, w in at if x[n, h, w, c] == y[n, p, q, c])
        won.append(((n, p, q, c), (n, *first, c)))
    return y, won


def test_pool_against_loops(backend, tolerance):
    backend = made(backend)

    @QUICK
    @given(
        PAIR,
        st.none() | PAIR,
        PADDING,
        st.tuples(*[st.integers(4, 9)] * 2),
        st.integers(1, 3),
        st.booleans(),
    )
    def check(size, stride, padding, image, C, ties):
        layer, x = (
            by_hand(MaxPool2d(size, stride, padding), (*image, C), backend=backend),
            inputs(2, *image, C, ties=ties),
        )
        stride, before = stride or size, (0, 0)
        # Keras: ceil(H / s) outputs, and of the pixels that lack half are before
        if padding == "same":
            P, Q = (-(-n // s) for n, s in zip(image, stride, strict=True))
            lack = [
                (m - 1) * s + k - n for m, s, k, n in zip((P, Q), stride, size, image, strict=True)
            ]
            before = [max(0, n) // 2 for n in lack]
        else:
            P, Q = ((n - k) // s + 1 for n, k, s in zip(image, size, stride, strict=True))
        assert layer.output == (P, Q, C)
        y, won = naive_pool(x, size, stride, before, P, Q)
        np.testing.assert_array_equal(layer(x), y)
        dy, dx = inputs(*y.shape), np.zeros_like(x)
        for out, into in won:
            dx[into] += dy[out]
        np.testing.assert_allclose(layer.backward(dy), dx, atol=tolerance("layer"))

    check()


def test_upsample_against_loops(backend, tolerance):
    backend = made(backend)

    @QUICK
    @given(PAIR, PAIR, st.integers(1, 3))
    def check(factor, image, C):
        layer, x = by_hand(Upsample2d(factor), (*image, C), backend=backend), inputs(2, *image, C)
        assert layer.output == (image[0] * factor[0], image[1] * factor[1], C)
        dy, dx = inputs(2, *layer.output), np.zeros_like(x)
        y = layer(x)
        for h, w in np.ndindex(layer.output[:2]):
            np.testing.assert_array_equal(y[:, h, w], x[:, h // factor[0], w // factor[1]])
            dx[:, h // factor[0], w // factor[1]] += dy[:, h, w]
        np.testing.assert_allclose(layer.backward(dy), dx, atol=tolerance("layer"))

    check()


def pooled(layer, x, backend, dtype="float64"):
    """y, and dx for a dy of ones, of one image (H, W) in one channel."""
    layer, backend = copy.deepcopy(layer), made(backend, dtype)
    x = backend.asarray(np.asarray(x)[None, :, :, None])
    layer.declare(x.shape[1:])
    layer.bind(backend, 1, True)  # not by_hand, which takes finite values only
    y = backend.to_host(layer.forward(x))
    dx = backend.to_host(layer.backward(backend.asarray(np.ones_like(y))))
    return y[0, :, :, 0].tolist(), dx[0, :, :, 0].tolist()


def test_of_equal_pixels_the_first_in_reading_order_wins(backend):
    assert pooled(MaxPool2d(2), [[1, 3], [3, 3]], backend) == ([[3]], [[0, 1], [0, 0]])
    assert pooled(MaxPool2d(2), [[1, 0], [1, 1]], backend) == ([[1]], [[1, 0], [0, 0]])
    assert pooled(MaxPool2d(2), np.zeros((2, 2)), backend) == ([[0]], [[1, 0], [0, 0]])


def test_gradients_of_overlapping_windows_add(backend):
    x = [[0, 0, 0], [0, 9, 0], [0, 0, 1]]
    assert pooled(MaxPool2d(2, 1), x, backend) == (
        [[9, 9], [9, 9]],
        [[0, 0, 0], [0, 4, 0], [0, 0, 0]],
    )


def test_the_border_never_wins(backend):
    """A border of zeros would beat negative pixels, and one of minus infinity would tie with its
    own kind."""
    x = -np.arange(1.0, 10.0).reshape(3, 3)
    expected = [[-1, -3], [-7, -9]], [[1, 0, 1], [0, 0, 0], [1, 0, 1]]
    assert pooled(MaxPool2d(2, padding="same"), x, backend) == expected
    nothing = np.full((2, 2), -np.inf)
    assert pooled(MaxPool2d(3, 2, "same"), nothing, backend) == ([[-np.inf]], [[1, 0], [0, 0]])
    assert pooled(MaxPool2d(3, 1, "same"), nothing, backend) == (
        [[-np.inf] * 2] * 2,
        [[4, 0], [0, 0]],
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_nan_wins_wherever_it_stands(backend, dtype):
    backend = made(backend, dtype)
    for at in np.ndindex(4, 4):
        x = inputs(4, 4)
        x[at] = np.nan
        y, dx = pooled(MaxPool2d(2), x, backend, dtype)
        expected = np.zeros((2, 2), bool)
        expected[at[0] // 2, at[1] // 2] = True
        np.testing.assert_array_equal(np.isnan(y), expected)
        assert dx[at[0]][at[1]] == 1 and np.sum(dx) == 4


@pytest.mark.parametrize("size", [(16, 16), (1, 256)])
def test_the_largest_window(backend, size):
    """The last of its pixels has the index 255."""
    x = np.zeros(size)
    x[-1, -1] = 1
    y, dx = pooled(MaxPool2d(size), x, backend)
    assert y == [[1]] and dx == x.tolist()


@pytest.mark.parametrize("n", [5, 28])
def test_same_pads_as_a_convolution_does(n):
    for size, stride in ((2, 2), (3, 2), (3, 1), (4, 3)):
        pool, conv = MaxPool2d(size, stride, "same"), Conv2d(1, 1, size, stride, "same")
        assert pool.declare((n, n, 1))[0] == conv.declare((n, n, 1))[0]


def test_pooling_undoes_upsampling(backend):
    x = inputs(2, 3, 4, 5)
    up, down = (
        by_hand(Upsample2d((2, 3)), (3, 4, 5), backend=backend),
        by_hand(MaxPool2d((2, 3)), (6, 12, 5), backend=backend),
    )
    np.testing.assert_array_equal(down(up(x)), x)
    np.testing.assert_array_equal(up.backward(down.backward(x)), x)


def test_winners_are_kept_in_a_byte(backend):
    layer = by_hand(MaxPool2d(2), (4, 4, 3), backend=backend)
    layer(inputs(2, 4, 4, 3))
    assert layer.part.winner.dtype == np.uint8


def test_a_stride_far_beyond_the_image(backend, tolerance):
    """2^31 - 1 and more: the loops run over the strides that are inside."""
    for stride in (2**31 - 1, 10**30):
        encoder = sa.Sequential(sa.MaxPool2d(2, stride), sa.Flatten(), sa.Dense(1, 2))
        model = sa.Autoencoder(encoder, sa.Sequential(sa.Dense(2, 16), sa.Reshape(4, 4, 1)))
        model.build((4, 4, 1), backend=backend, dtype="float64", seed=0)
        data = np.random.default_rng(0).random((8, 4, 4, 1))
        history = sa.fit(model, data, sa.SGD(1e-2), epochs=2, batch_size=4)
        assert np.isfinite(history["train_loss"]).all()
