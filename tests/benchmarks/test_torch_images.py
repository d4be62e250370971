"""Our convolutions and pooling in PyTorch: the same function, in every geometry and layout."""

from itertools import product

import numpy as np
import pytest

import scratchae as sa

pytest.importorskip("torch", reason="needs PyTorch")
import torch

from benchmarks.shared import drawn, recipes, torch_images
from benchmarks.shared.torch_images import Layout

pytestmark = pytest.mark.usefixtures("one_thread")
LAYOUTS = (
    *((False, mirrored) for mirrored in product((False, True), repeat=2)),
    (True, (True, False)),
)
PADDINGS = ("valid", "same", 1, (0, 1, 1, 0), (2, 0, 0, 1))
PATCHES = tuple(((k, 8 - k), (s, 4 - s)) for k in range(1, 8) for s in range(1, 4))


def placed(layout, rows):
    """Our rows as PyTorch is handed them."""
    return layout.batch(layout.tensor(rows), torch.arange(len(rows)))


def layouts(layer, shape):
    """Every one of these in which the layer can be run."""
    for last, mirrored in LAYOUTS:
        if all(torch_images.extra(layer, axis, mirrored[axis]) < np.inf for axis in range(2)):
            yield Layout(shape, True, last, mirrored)


def held(layer, shape, tolerance):
    """Forward and every gradient are our layer's, to float32."""
    ours, rng, tol = sa.by_hand(layer, shape, backend="reference", dtype="float32"), *tolerance
    x = rng.random((2, *shape), np.float32)
    y = ours(x)
    dy = rng.normal(size=y.shape).astype(np.float32)
    dx, weights = ours.backward(dy), [ours.weights[name] for name in ours.weights]
    for layout in layouts(ours.part, shape):
        make = torch_images.convolution if weights else torch_images.pooling
        theirs = torch.nn.Sequential(*make(ours.part, layout, *weights))
        if layout.last:
            theirs = theirs.to(memory_format=torch.channels_last)
        a = placed(layout, x).requires_grad_()
        b = theirs(a)
        b.backward(placed(layout, dy))
        pairs = [(b, placed(layout, y)), (a.grad, placed(layout, dx))]
        if weights:
            dW = ours.dW.reshape(-1, *ours.dW.shape[-3:])
            mine = layout.mirror(dW, 0).transpose(3, 2, 0, 1), ours.db
            pairs += [(p.grad, v) for p, v in zip(theirs.parameters(), mine, strict=True)]
        for found, expected in pairs:
            found, expected = (
                np.asarray(v.detach() if hasattr(v, "detach") else v) for v in (found, expected)
            )
            np.testing.assert_allclose(
                found, expected, rtol=tol, atol=tol * max(1, np.abs(expected).max())
            )


@pytest.fixture
def how(rng, tolerance):
    return rng, tolerance("layer", "float32")


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(
    ("kind", "shape"), [(sa.Conv2d, (9, 8, 2)), (sa.ConvTranspose2d, (4, 3, 2))]
)
def test_convolutions(kind, shape, padding, how):
    """Kernels of 1 to 7 and strides of 1 to 3, others along the height than along the width."""
    for kernel, stride in PATCHES:
        held(kind(2, 3, kernel, stride, padding), shape, how)


@pytest.mark.parametrize("padding", ["valid", "same", 1, (1, 0)])
@pytest.mark.parametrize(("kind", "steps"), [(sa.Conv1d, 9), (sa.ConvTranspose1d, 4)])
def test_convolutions_of_sequences(kind, steps, padding, how):
    for (kernel, _), (stride, _) in PATCHES:
        held(kind(2, 3, kernel, stride, padding), (steps, 2), how)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_pooling(padding, how):
    for size, stride, H in product((1, 2, 3), (1, 2, 3), (7, 8)):
        held(sa.MaxPool2d(size, stride, padding), (H, 9, 2), how)


def test_same_on_even_images_is_mirrored_and_needs_no_pad():
    """The axis that is even at a stride of 2, alone; no axis where a pixel is left unread."""

    def mirrored(*layers, shape):
        encoder = sa.Sequential(*layers)
        model = sa.Autoencoder(encoder, sa.Sequential(sa.Reshape(*encoder.declare(shape)[0])))
        model.objective.encoder.declare(shape)
        model.objective.shape = shape
        return Layout.of(model, False).mirrored

    same = {"kernel": 3, "stride": 2, "padding": "same"}
    assert mirrored(sa.Conv2d(1, 1, **same), shape=(8, 9, 1)) == (True, False)
    assert mirrored(sa.Conv2d(1, 1, 3, 2), shape=(8, 9, 1)) == (False, False)
    large, small = sa.Conv2d(1, 1, **same), sa.Conv2d(1, 1, 3, 2)
    assert mirrored(large, small, shape=(16, 16, 1)) == (True, True)  # 256 numbers or 64 are cut


@pytest.mark.parametrize("name", [*recipes.EVERYDAY, *(drawn.NAME.format(5, i) for i in range(6))])
def test_no_layer_is_padded_or_sliced(name):
    recipe = recipes.find(name)
    model = recipe.model()
    model.objective.declare(recipe.shape)
    layout = Layout.of(model, False)
    for part in (model.objective.encoder, model.objective.decoder):
        for layer in part.layers:
            if layout.images and hasattr(layer, "stride"):
                extra = [torch_images.extra(layer, i, layout.mirrored[i]) for i in range(2)]
                assert extra == [0, 0], layer
