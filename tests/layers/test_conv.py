"""Convolution: against loops that anyone can read, against its adjoint, and its sizes against
published rules."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchae import Conv2d, ConvTranspose2d, by_hand, get_backend
from scratchae.kernels.patches import COL2IM, IM2COL
from scratchae.layers.geometry import from_image, from_patches
from scratchae.layers.products import ConvProduct, RotatedConvProduct

QUICK = settings(derandomize=True, max_examples=25, deadline=None, database=None)
# few and, of 6, many: a convolution from 6 to few is computed turned
CHANNELS = st.sampled_from((1, 2, 3, 6))
PAD, KERNEL, STRIDE, SIZE = (
    st.integers(0, 3),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(0, 6),
)


@st.composite
def geometries(draw):
    """(shape of an image, kernel, stride, padding), any that leaves at least one patch."""
    kernel, stride = (draw(KERNEL), draw(KERNEL)), (draw(STRIDE), draw(STRIDE))
    padding = draw(st.tuples(PAD, PAD, PAD, PAD))
    least = (max(1, k - sum(padding[2 * i : 2 * i + 2])) for i, k in enumerate(kernel))
    return (*(n + draw(SIZE) for n in least), draw(CHANNELS)), kernel, stride, padding


def bound(layer, shape, backend="numpy", **given):
    """The layer by hand in float64, with W and b random or given."""
    rng, layer = np.random.default_rng(3), by_hand(layer, shape, backend=in_float64(backend))
    for name, value in layer.weights.items():
        setattr(layer, name, given.get(name, rng.normal(size=value.shape)))
    return layer


def in_float64(backend):
    return get_backend(backend, "float64") if isinstance(backend, str) else backend


def inputs(*shape):
    return np.random.default_rng(0).normal(size=shape)


def painted(layer, shape, padding):
    """(p, q, i, j, h, w): tap (i, j) of patch (p, q) lies on pixel (h, w) of an image of that
    shape."""
    rows, columns = layer.axes
    for p, q, i, j in np.ndindex(rows.patches, columns.patches, *layer.kernel):
        h, w = p * layer.stride[0] + i - padding[0], q * layer.stride[1] + j - padding[2]
        if 0 <= h < shape[0] and 0 <= w < shape[1]:
            yield p, q, i, j, h, w


def naive_conv(b, x, padding):
    y = np.zeros((len(x), *b.output)) + b.b
    for p, q, i, j, h, w in painted(b.part, x.shape[1:], padding):
        y[:, p, q] += x[:, h, w] @ b.W[i, j]
    return y


def naive_transpose(b, x, padding):
    y = np.zeros((len(x), *b.output)) + b.b
    for p, q, i, j, h, w in painted(b.part, b.output, padding):
        y[:, h, w] += x[:, p, q] @ b.W[i, j].T
    return y


def test_conv_against_loops(backend, tolerance):
    backend = in_float64(backend)

    @QUICK
    @given(geometries(), st.integers(1, 3))
    def check(drawn, O):
        shape, kernel, stride, padding = drawn
        layer, x = (
            bound(Conv2d(shape[2], O, kernel, stride, padding), shape, backend),
            inputs(2, *shape),
        )
        sizes = [
            (shape[i] + sum(padding[2 * i : 2 * i + 2]) - kernel[i]) // stride[i] + 1
            for i in range(2)
        ]
        assert layer.output == (*sizes, O)
        np.testing.assert_allclose(
            layer(x), naive_conv(layer, x, padding), atol=tolerance("layer")
        )

    check()


def test_the_loops_see_a_flipped_kernel(tolerance):
    b, x = bound(Conv2d(2, 3, (3, 2), (2, 1), (1, 0, 0, 2)), (6, 5, 2)), inputs(2, 6, 5, 2)
    y, b.W = b(x), b.W[::-1]
    assert not np.allclose(y, naive_conv(b, x, (1, 0, 0, 2)), atol=tolerance("layer"))


def transposed(drawn, O):
    """The transposed convolution with the geometry of that image, or None where it would leave no
    pixel."""
    shape, kernel, stride, padding = drawn
    patches = tuple(
        (shape[i] + sum(padding[2 * i : 2 * i + 2]) - kernel[i]) // stride[i] + 1 for i in range(2)
    )
    sizes = [
        (patches[i] - 1) * stride[i] + kernel[i] - sum(padding[2 * i : 2 * i + 2])
        for i in range(2)
    ]
    return None if min(sizes) < 1 else ((*patches, O), (*sizes, shape[2]))


def test_transposed_conv_against_loops(backend, tolerance):
    backend = in_float64(backend)

    @QUICK
    @given(geometries(), st.integers(1, 3))
    def check(drawn, C):
        shapes = transposed(drawn, C)
        if shapes is None:
            return
        (shape, kernel, stride, padding), x = drawn, inputs(2, *shapes[0])
        layer = bound(ConvTranspose2d(C, shape[2], kernel, stride, padding), shapes[0], backend)
        assert layer.output == shapes[1]
        np.testing.assert_allclose(
            layer(x), naive_transpose(layer, x, padding), atol=tolerance("layer")
        )

    check()


def test_the_transposed_conv_is_the_adjoint(backend, tolerance):
    """<conv(x), y> = <x, convT(y)> with one W; the image is the smallest with that many
    patches."""
    backend = in_float64(backend)

    @QUICK
    @given(geometries(), st.integers(1, 3))
    def check(drawn, O):
        shapes = transposed(drawn, O)
        if shapes is None:
            return
        patches, image = shapes
        _, kernel, stride, padding = drawn
        conv = bound(Conv2d(image[2], O, kernel, stride, padding), image, backend, b=np.zeros(O))
        weights = {"W": conv.W, "b": np.zeros(image[2])}
        adjoint = bound(
            ConvTranspose2d(O, image[2], kernel, stride, padding), patches, backend, **weights
        )
        assert conv.output == patches and adjoint.output == image
        x, y = inputs(2, *image), inputs(2, *patches)
        left, right = np.vdot(conv(x), y), np.vdot(x, adjoint(y))
        assert left == pytest.approx(right, rel=tolerance("layer"), abs=tolerance("layer"))
        np.testing.assert_allclose(conv.backward(y), adjoint(y), atol=tolerance("layer"))
        np.testing.assert_allclose(adjoint.backward(x), conv(x), atol=tolerance("layer"))

    check()


@pytest.mark.parametrize(
    "layer, product",
    [
        (Conv2d(6, 1, 3, padding="same"), RotatedConvProduct),
        (Conv2d(6, 4, (2, 4), padding=(1, 5, 3, 0)), RotatedConvProduct),
        (Conv2d(6, 5, 3), ConvProduct),  # too many outputs
        (Conv2d(4, 1, 3), ConvProduct),  # few inputs too: nothing to win
        (Conv2d(6, 1, 3, (1, 2)), ConvProduct),  # a stride
        (Conv2d(6, 1, 3, padding=3), ConvProduct),  # padding beyond the kernel
    ],
)
def test_the_smaller_patches_are_taken(layer, product, backend, tolerance):
    b, x = bound(layer, (5, 6, layer.inputs), backend), inputs(2, 5, 6, layer.inputs)
    padding = (
        layer.padding
        if isinstance(layer.padding, tuple)
        else {"same": (1,) * 4, 3: (3,) * 4}.get(layer.padding, (0,) * 4)
    )
    np.testing.assert_allclose(b(x), naive_conv(b, x, padding), atol=tolerance("layer"))
    assert type(b.part.product) is product


@pytest.mark.parametrize(
    "layer", [Conv2d(2, 3, 2, 10**6, 1), ConvTranspose2d(2, 3, 2, 10**6, (1, 0, 0, 1))]
)
def test_a_stride_far_beyond_the_image(layer, backend, tolerance):
    """One patch is all there is, at once; its loops do not count to a million."""
    shape = (4, 3, 2) if isinstance(layer, Conv2d) else (1, 1, 2)
    b, x = bound(layer, shape, backend), inputs(2, *shape)
    padding, naive = (
        (1, 1, 1, 1) if shape[0] == 4 else (1, 0, 0, 1),
        naive_conv if shape[0] == 4 else naive_transpose,
    )
    np.testing.assert_allclose(b(x), naive(b, x, padding), atol=tolerance("layer"))
    assert np.isfinite(b.backward(inputs(2, *b.output))).all()


def sides(x, c, backend, off=0):
    """<im2col(x), c> and <x, col2im(c)>, for strides (2, 1) and padding (1 + off, 2)."""
    backend = in_float64(backend)
    cols, image = backend.empty(c.shape), backend.empty(x.shape)
    backend.op(IM2COL)(cols, backend.asarray(x), 2, 1, 1, 2)
    backend.op(COL2IM)(image, backend.asarray(c), 2, 1, 1 + off, 2)
    return np.vdot(backend.to_host(cols), c), np.vdot(x, backend.to_host(image))


def test_col2im_is_the_adjoint_of_im2col(backend, tolerance):
    x, c = inputs(3, 5, 4, 2), inputs(3, 3, 5, 3, 2, 2)
    assert sides(x, c, backend)[0] == pytest.approx(
        sides(x, c, backend)[1], rel=tolerance("layer")
    )
    left, right = sides(x, c, backend, off=1)
    assert left != pytest.approx(right, rel=0.01)  # a padding that is off by one is seen


# H, kernel, stride -> patches, padding before, after, as TensorFlow's guide to padding has them.
SAME = [
    (28, 3, 2, 14, 0, 1),  # even: nothing before, one after
    (7, 3, 2, 4, 1, 1),
    (28, 3, 1, 28, 1, 1),
    (5, 2, 1, 5, 0, 1),
    (10, 4, 3, 4, 1, 2),
    (13, 6, 5, 3, 1, 2),
    (4, 1, 3, 2, 0, 0),  # a stride beyond the kernel: no padding
    (2, 5, 1, 2, 2, 2),  # a kernel beyond the image
]


@pytest.mark.parametrize("H, k, s, P, before, after", SAME)
def test_same_is_tensorflows_rule(H, k, s, P, before, after, tolerance):
    axis = from_image(H, k, s, "same", 0)
    assert (axis.patches, axis.before) == (P, before)
    same = bound(Conv2d(1, 1, (k, 1), (s, 1), "same"), (H, 3, 1))
    explicit = bound(Conv2d(1, 1, (k, 1), (s, 1), (before, after, 0, 0)), (H, 3, 1))
    x = inputs(2, H, 3, 1)
    np.testing.assert_allclose(same(x), explicit(x), atol=tolerance("layer"))


@pytest.mark.parametrize(
    "P, k, s, before", [(7, 3, 2, 0), (28, 3, 1, 1), (4, 5, 2, 1), (3, 2, 4, 0)]
)
def test_same_of_the_transpose_is_that_of_its_conv(P, k, s, before):
    axis = from_patches(P, k, s, "same", 0)
    assert (axis.pixels, axis.before) == (P * s, before)
    assert axis == from_image(P * s, k, s, "same", 0)


@pytest.mark.parametrize("P", [1, 2, 7])
def test_pytorchs_output_padding(P, backend, tolerance):
    """ConvTranspose2d(k=3, stride=2, padding=1, output_padding=1) is padding (1, 0, 1, 0) here:
    P -> 2 P.

    PyTorch crops one pixel before, and 1 - output_padding after. W has its (C, O, kh, kw) in
    another order.
    """
    layer, x = (
        bound(ConvTranspose2d(2, 3, 3, 2, (1, 0, 1, 0)), (P, P, 2), backend),
        inputs(2, P, P, 2),
    )
    full = np.zeros((2, 2 * P + 1, 2 * P + 1, 3))
    for p, q, i, j in np.ndindex(P, P, 3, 3):
        full[:, 2 * p + i, 2 * q + j] += x[:, p, q] @ layer.W[i, j].T
    assert layer.output == (2 * P, 2 * P, 3)
    np.testing.assert_allclose(layer(x), full[:, 1:, 1:] + layer.b, atol=tolerance("layer"))


def test_padding_may_be_said_in_four_ways():
    x = inputs(1, 6, 6, 1)
    results = {
        str(padding): bound(Conv2d(1, 1, 3, 1, padding), (6, 6, 1))(x)
        for padding in ("valid", 0, (0, 0, 0, 0), "same", 1, (1, 1, 1, 1), [1, 0, 2, 1])
    }
    for one, other in (
        ("valid", "0"),
        ("0", "(0, 0, 0, 0)"),
        ("same", "1"),
        ("1", "(1, 1, 1, 1)"),
    ):
        np.testing.assert_array_equal(results[one], results[other])
    assert results["[1, 0, 2, 1]"].shape == (1, 5, 7, 1)


@pytest.mark.parametrize("kind", [Conv2d, ConvTranspose2d])
@pytest.mark.parametrize("kernel, stride", [(3, 2), (1, 1)])
def test_arrays_in_another_order_give_what_their_copies_give(kind, kernel, stride):
    """A view, such as a layer of one's own may return."""
    layer = bound(kind(2, 3, kernel, stride), (5, 6, 2)).part
    layer.bind(get_backend("numpy", "float64"), 4, need_dx=True)
    x, dy = inputs(4, 5, 6, 2)[..., ::-1], inputs(4, *layer.output)[:, ::-1]
    found = []
    for mine, due in ((x, dy), (x.copy(), dy.copy())):
        y = layer.forward(mine).copy()
        found.append([y, layer.backward(due).copy(), layer.dW.copy(), layer.db.copy()])
    for view, copy in zip(*found, strict=True):
        np.testing.assert_array_equal(view, copy)
