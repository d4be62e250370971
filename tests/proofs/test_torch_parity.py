"""An outside view: the same weights, batches and noise in PyTorch give the same losses and
gradients.

PyTorch computes in its own layout, (N, C, H, W), with its own convolutions, likelihoods, KL,
autograd and optimisers; only the weights, in our shapes, and the noise are handed over.
"""

import copy

import numpy as np
import pytest
from proofs.torch_models import (
    PHI,
    assert_one_step_agrees,
    conv_vae,
    dense_vae,
    images,
    torch,
    torch_layer,
)

import scratchae as sa

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread", "whole_shards")]


VAES = {
    "Bernoulli": {},
    "Gaussian": {"likelihood": sa.GaussianLikelihood(0.5)},
    "beta": {"beta": 4.0},
}
DTYPES = ("float64", "float32")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", VAES)
def test_dense_vae(backend, dtype, case, rng, tolerance):
    model = dense_vae(**VAES[case], backend=backend, dtype=dtype)
    assert_one_step_agrees(model, images(rng, 33, (784,)), tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", VAES)
def test_conv_vae(backend, dtype, case, rng, tolerance):
    model = conv_vae(5, 7, **VAES[case], backend=backend, dtype=dtype)
    assert_one_step_agrees(model, images(rng, 9, (28, 28, 1)), tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
def test_conv_vae_of_full_size(backend, dtype, rng, tolerance):
    assert_one_step_agrees(
        conv_vae(backend=backend, dtype=dtype), images(rng, 16, (28, 28, 1)), tolerance
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", PHI)
@pytest.mark.parametrize("likelihood", [sa.SquaredError, sa.AbsoluteError])
def test_dense_autoencoder(backend, dtype, activation, likelihood, rng, tolerance):
    encoder = sa.Sequential(sa.Dense(12, 8, activation), sa.Dense(8, 3))
    decoder = sa.Sequential(sa.Dense(3, 8, activation), sa.Dense(8, 12))
    model = sa.Autoencoder(encoder, decoder, likelihood()).build(12, backend=backend, dtype=dtype)
    assert_one_step_agrees(model, rng.normal(size=(11, 12)), tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("likelihood", [sa.SquaredError, sa.AbsoluteError])
def test_conv_autoencoder_with_the_padding_of_pytorch(backend, dtype, likelihood, rng, tolerance):
    encoder = sa.Sequential(sa.Conv2d(1, 4, 3, 2, 1, "relu"), sa.Conv2d(4, 6, 3, 2, 1))
    decoder = sa.Sequential(
        sa.ConvTranspose2d(6, 4, 3, 2, (1, 0, 1, 0), "softplus"),
        sa.ConvTranspose2d(4, 1, 3, 2, (1, 0, 1, 0), "sigmoid"),
    )
    model = sa.Autoencoder(encoder, decoder, likelihood()).build(
        (28, 28, 1), backend=backend, dtype=dtype
    )
    assert_one_step_agrees(model, images(rng, 5, (28, 28, 1)), tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "likelihood, outputs",
    [(sa.LearnedGaussian(0.2), 2), (sa.LearnedGaussian(0), 2), (sa.Categorical(), 1)],
)
def test_likelihoods_whose_last_axis_means_something(
    backend, dtype, likelihood, outputs, rng, tolerance
):
    """Images of 3 channels: mu and logvar of each, or the probabilities of three categories."""
    encoder = sa.Sequential(
        sa.Conv2d(3, 4, 3, 2, 1, "relu"), sa.Flatten(), sa.Dense(4 * 14 * 14, 4)
    )
    decoder = sa.Sequential(
        *(sa.Dense(2, 7 * 7 * 4, "relu"), sa.Reshape(7, 7, 4)),
        sa.ConvTranspose2d(4, 4, 3, 2, (1, 0, 1, 0), "tanh"),
        sa.ConvTranspose2d(4, 3 * outputs, 3, 2, (1, 0, 1, 0)),
    )
    model = sa.VAE(encoder, decoder, sa.Gaussian(2), likelihood).build(
        (28, 28, 3), backend=backend, dtype=dtype
    )
    x = rng.random((5, 28, 28, 3))
    assert_one_step_agrees(model, x / x.sum(axis=-1, keepdims=True), tolerance)


@pytest.mark.filterwarnings("ignore::scratchae.WideCode")
@pytest.mark.parametrize("dtype", DTYPES)
def test_conv_autoencoder_of_keras(backend, dtype, rng, tolerance):
    """Pooled from 28 to 4 and repeated back, as in the blog post "Building autoencoders in
    Keras"."""
    pool, up = lambda: sa.MaxPool2d(2, padding="same"), lambda: sa.Upsample2d(2)
    encoder = sa.Sequential(
        *(sa.Conv2d(1, 6, 3, 1, 1, "relu"), pool()),
        *(sa.Conv2d(6, 4, 3, 1, 1, "relu"), pool()),
        *(sa.Conv2d(4, 4, 3, 1, 1, "relu"), pool()),
    )
    decoder = sa.Sequential(
        *(sa.Conv2d(4, 4, 3, 1, 1, "relu"), up(), sa.Conv2d(4, 4, 3, 1, 1, "relu"), up()),
        *(sa.Conv2d(4, 6, 3, 1, 0, "relu"), up(), sa.Conv2d(6, 1, 3, 1, 1)),
    )
    model = sa.Autoencoder(encoder, decoder, sa.Bernoulli()).build(
        (28, 28, 1), backend=backend, dtype=dtype
    )
    assert_one_step_agrees(model, images(rng, 7, (28, 28, 1)), tolerance)


POOLS = {
    "2": sa.MaxPool2d(2),
    "2 same": sa.MaxPool2d(2, padding="same"),
    "overlapping": sa.MaxPool2d(3, (2, 1), "same"),
    "apart": sa.MaxPool2d((2, 1), 3),
    "up": sa.Upsample2d((2, 3)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("values", ["distinct", "ties", "nan", "-inf"])
@pytest.mark.parametrize("case", POOLS)
def test_pooling_and_upsampling(backend, dtype, case, values, rng, tolerance):
    """y and dx of one layer, among equal pixels too, and with NaN and minus infinity strewn in."""
    layer, x = copy.deepcopy(POOLS[case]), rng.normal(size=(3, 7, 9, 5))
    if values != "distinct":
        x = np.round(x)
        x[rng.random(x.shape) < 0.5] = 0 if values == "ties" else float(values)
    ours = sa.get_backend(backend, dtype)
    dy = rng.normal(size=(3, *layer.declare(x.shape[1:])[0])).astype(dtype)
    layer.bind(ours, 3, True)
    y, dx = (
        ours.to_host(layer.forward(ours.asarray(x))),
        ours.to_host(layer.backward(ours.asarray(dy))),
    )
    leaf = torch.tensor(x.astype(dtype)).permute(0, 3, 1, 2).requires_grad_()
    theirs = torch_layer(layer, leaf, None, None)
    theirs.backward(torch.tensor(dy).permute(0, 3, 1, 2))
    np.testing.assert_array_equal(y, theirs.detach().permute(0, 2, 3, 1))
    np.testing.assert_allclose(dx, leaf.grad.permute(0, 2, 3, 1), atol=tolerance("layer", dtype))
