"""An outside view: the same weights, batches and noise in PyTorch give the same losses and
gradients.

PyTorch computes in its own layout, (N, C, H, W), with its own convolutions, likelihoods, KL,
autograd and optimisers; only the weights, in our shapes, and the noise are handed over.
"""

import copy

import numpy as np
import pytest

import scratchae as sa
from scratchae import randomness
from scratchae.execution.runner import runner_for
from scratchae.initializers import torch_uniform

torch = pytest.importorskip("torch", reason="needs PyTorch, the outside view: pip install torch")
pytestmark = pytest.mark.slow
F = torch.nn.functional
PHI = {
    "identity": lambda a: a,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
}


def learned_gaussian(mu, logvar, x, floor):
    return (
        -torch.distributions.Normal(mu, torch.sqrt(floor**2 + torch.exp(logvar))).log_prob(x).sum()
    )


NLL = {
    sa.Bernoulli: lambda a, x, p: F.binary_cross_entropy_with_logits(a, x, reduction="sum"),
    sa.GaussianLikelihood: lambda a, x, p: (
        -torch.distributions.Normal(a, p.sigma).log_prob(x).sum()
    ),
    sa.LearnedGaussian: lambda a, x, p: learned_gaussian(*a.chunk(2, dim=1), x, p.floor),
    sa.Categorical: lambda a, x, p: F.cross_entropy(
        a, x, reduction="sum"
    ),  # the categories stand in axis 1
    sa.SquaredError: lambda a, x, p: F.mse_loss(a, x, reduction="sum"),
    sa.AbsoluteError: lambda a, x, p: F.l1_loss(a, x, reduction="sum"),
}


@pytest.fixture(autouse=True)
def whole_shards(monkeypatch):
    """Shards go through in one block, so that the noise of all their rows can be read back."""
    monkeypatch.setattr("scratchae.execution.threads.BLOCK_BYTES", 1 << 40)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def torch_layer(layer, x, W, b):
    """One layer of ours by PyTorch's functions; images are (N, C, H, W) between convolutions."""
    if isinstance(layer, sa.Flatten):
        return (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).flatten(1)
    if isinstance(layer, sa.Reshape):
        return x.reshape(len(x), *layer.sizes).permute(0, 3, 1, 2)
    if isinstance(layer, sa.MaxPool2d):
        return torch_pool(layer, x)
    if isinstance(layer, sa.Upsample2d):
        return F.interpolate(x, scale_factor=layer.factor, mode="nearest")
    if isinstance(layer, sa.Dense):
        return PHI[layer.activation](F.linear(x, W.T, b))
    kernel = W.permute(3, 2, 0, 1).contiguous()  # (O, C, kh, kw); transposed: (C, O, kh, kw)
    stride = layer.stride[0]
    if isinstance(layer, sa.Conv2d):
        a = F.conv2d(x, kernel, b, stride, layer.padding if isinstance(layer.padding, int) else 0)
    # TensorFlow's rule: what the kernel overhangs is cut, the odd pixel after
    elif layer.padding == "same":
        cut = layer.kernel[0] - stride
        before, H = cut // 2, x.shape[2] * stride
        a = F.conv_transpose2d(x, kernel, b, stride)[
            :, :, before : before + H, before : before + H
        ]
    else:  # PyTorch's own rule for twice the size
        assert layer.padding == (1, 0, 1, 0) and layer.kernel == (3, 3) and stride == 2
        a = F.conv_transpose2d(x, kernel, b, stride, padding=1, output_padding=1)
    return PHI[layer.activation](a)


def torch_pool(layer, x):
    """PyTorch pads alike on all sides; what TensorFlow's rule has after an axis beyond that is
    minus infinity."""
    size, stride = layer.size, layer.stride or layer.size
    lack = [0, 0]
    if layer.padding == "same":
        lack = [
            max(0, (-(-n // s) - 1) * s + k - n)
            for n, k, s in zip(x.shape[2:], size, stride, strict=True)
        ]
        x = F.pad(x, (0, lack[1] % 2, 0, lack[0] % 2), value=-torch.inf)
    return F.max_pool2d(x, size, stride, [n // 2 for n in lack])


def torch_network(name, sequential, x, p):
    for i, layer in enumerate(sequential.layers):
        x = torch_layer(layer, x, p.get(f"{name}.{i}.W"), p.get(f"{name}.{i}.b"))
    return x


def torch_loss(model, p, x, eps):
    """The loss per example, from x (N, ...) in our layout and, for a VAE, the noise eps (N, D)."""
    inside = x.permute(0, 3, 1, 2) if x.ndim == 4 else x
    h, kl = torch_network("encoder", model.encoder, inside, p), 0.0
    if eps is not None:
        mu, logvar = h.chunk(2, dim=1)
        sigma = torch.exp(logvar / 2)
        q, prior = torch.distributions.Normal(mu, sigma), torch.distributions.Normal(0.0, 1.0)
        kl = model.beta * torch.distributions.kl_divergence(q, prior).sum()
        h = mu + sigma * eps
    a = torch_network("decoder", model.decoder, h, p)
    return (NLL[type(model.likelihood)](a, inside, model.likelihood) + kl) / len(x)


def leaves(model):
    """The parameters as PyTorch leaves, copied, in our shapes."""
    views = model.parameters.views()
    return {
        name: torch.tensor(model.backend.to_host(v)).requires_grad_() for name, v in views.items()
    }


def noise(runner, n):
    """The eps (N, D) that the runner's replicas drew for the last n rows, or None without a
    latent."""
    if not hasattr(runner.objective, "latent"):
        return None
    eps, rows = [], n
    for replica in runner.replicas[: runner.active]:
        take = min(-(-n // runner.shards), rows)
        eps.append(torch.tensor(runner.backend.to_host(replica.latent.eps[:take])))
        rows -= take
    return torch.cat(eps)


def same(ours, theirs, allowed, what):
    """Every element within allowed of the largest one of PyTorch's."""
    theirs = np.asarray(theirs)
    error = np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max()
    assert error <= allowed, f"{what}: {error:.1e}, allowed {allowed:.0e}"


def assert_one_step_agrees(model, x, tolerance, shards=2, torch_loss=torch_loss):
    """Loss and every named gradient of one batch x (N, ...), over two shards."""
    x = x.astype(model.backend.dtype)
    allowed, p = tolerance("layer", model.backend.dtype), leaves(model)
    with runner_for(model, len(x), shards=shards, threads=1) as runner:
        total = runner.gradients(runner.feeds(sa.Values(x)), np.arange(len(x), dtype=np.uint32))
        loss = torch_loss(model, p, torch.tensor(x), noise(runner, len(x)))
        loss.backward()
        same(runner.objective.loss(total)["loss"], loss.item(), allowed, "loss")
        grads = runner.backend.to_host(runner.grads).sum(axis=0) / len(x)
        for name, ours in model.parameters.views(grads).items():
            same(ours, p[name].grad, allowed, name)


def dense_vae(likelihood=None, beta=1.0, hidden=400, D=20, **build):
    """pytorch/examples: 784-400-20-400-784."""
    init = (torch_uniform, torch_uniform)
    encoder = sa.Sequential(
        sa.Dense(784, hidden, "relu", *init), sa.Dense(hidden, 2 * D, "identity", *init)
    )
    decoder = sa.Sequential(
        sa.Dense(D, hidden, "relu", *init), sa.Dense(hidden, 784, "identity", *init)
    )
    return sa.VAE(encoder, decoder, sa.Gaussian(D), likelihood, beta).build(784, **build)


def conv_vae(c1=32, c2=64, likelihood=None, beta=1.0, **build):
    """TensorFlow's CVAE; its full channel counts are the defaults."""
    encoder = sa.Sequential(
        sa.Conv2d(1, c1, 3, 2, "valid", "relu"),
        sa.Conv2d(c1, c2, 3, 2, "valid", "relu"),
        sa.Flatten(),
        sa.Dense(36 * c2, 4),
    )
    decoder = sa.Sequential(
        sa.Dense(2, 49 * c1, "relu"),
        sa.Reshape(7, 7, c1),
        sa.ConvTranspose2d(c1, c2, 3, 2, "same", "relu"),
        sa.ConvTranspose2d(c2, c1, 3, 2, "same", "relu"),
        sa.ConvTranspose2d(c1, 1, 3, 1, "same"),
    )
    return sa.VAE(encoder, decoder, sa.Gaussian(2), likelihood, beta).build((28, 28, 1), **build)


def images(rng, n, shape):
    """Batches with structure: a few blurred blobs, in [0, 1]."""
    y, x = np.mgrid[:28, :28]
    at = rng.uniform(6, 22, (n, 2, 1, 1))
    blobs = np.exp(-((y - at[:, 0]) ** 2 + (x - at[:, 1]) ** 2) / rng.uniform(8, 60, (n, 1, 1)))
    return blobs.reshape(n, *shape)


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


OPTIMIZERS = {
    "adam": (lambda: sa.Adam(1e-3), lambda p: torch.optim.Adam(p, 1e-3)),
    "fused adam": (lambda: sa.Adam(1e-3), lambda p: torch.optim.Adam(p, 1e-3, fused=True)),
    "sgd": (lambda: sa.SGD(1e-4, 0.9), lambda p: torch.optim.SGD(p, 1e-4, momentum=0.9)),
}
TRAINED = {
    "dense": (lambda backend: dense_vae(backend=backend), (784,)),
    "conv": (lambda backend: conv_vae(8, 8, backend=backend), (28, 28, 1)),
}
RUNS = [("dense", "adam"), ("dense", "fused adam"), ("dense", "sgd"), ("conv", "adam")]


def trajectories(model, x, ours, theirs, steps=100, batch=16):
    """The losses of a run of ours and of the same run in PyTorch, from the same start: (steps,)
    each."""
    p, losses = leaves(model), []
    ours.start(model.parameters)
    optimizer = theirs(list(p.values()))
    with runner_for(model, batch, shards=1, threads=1) as runner:
        feeds = runner.feeds(sa.Values(x))
        for step in range(steps):
            rows = randomness.permutation(len(x), 0, step)[:batch]
            runner.set_clock(randomness.clock(0, step))
            total = runner.gradients(feeds, rows)
            runner.update(ours, total)
            optimizer.zero_grad()
            loss = torch_loss(model, p, torch.tensor(x[rows]), noise(runner, batch))
            loss.backward()
            optimizer.step()
            losses.append((runner.objective.loss(total)["loss"], loss.item()))
    return np.array(losses).T


@pytest.mark.parametrize("kind, optimizer", RUNS)
def test_trajectory(backend, kind, optimizer, rng, tolerance):
    """100 steps: the losses stay together all the way, and they fall."""
    build, shape = TRAINED[kind]
    make, theirs = OPTIMIZERS[optimizer]
    x = images(rng, 256, shape).astype(np.float32)
    a, b = trajectories(build(backend), x, make(), theirs)
    np.testing.assert_allclose(a, b, rtol=tolerance("trajectory", "float32"))
    assert a[-1] < 0.9 * a[0]


ALONE = {
    "adam": (lambda: sa.Adam(0.1), lambda p: torch.optim.Adam(p, 0.1)),
    "adamw": (lambda: sa.AdamW(0.1), lambda p: torch.optim.AdamW(p, 0.1)),
    "adamw 0.3": (
        lambda: sa.AdamW(0.1, 0.8, 0.99, 1e-3, 0.3),
        lambda p: torch.optim.AdamW(p, 0.1, (0.8, 0.99), 1e-3, weight_decay=0.3),
    ),
    "adagrad": (lambda: sa.Adagrad(0.1), lambda p: torch.optim.Adagrad(p, 0.1)),
    "adagrad 0.1": (
        lambda: sa.Adagrad(0.1, 0.1, 1e-3),
        lambda p: torch.optim.Adagrad(p, 0.1, initial_accumulator_value=0.1, eps=1e-3),
    ),
    "adadelta": (lambda: sa.Adadelta(), lambda p: torch.optim.Adadelta(p, 1.0, 0.95, 1e-6)),
    "adadelta 0.5": (
        lambda: sa.Adadelta(0.5, 0.8, 1e-3),
        lambda p: torch.optim.Adadelta(p, 0.5, 0.8, 1e-3),
    ),
    "rmsprop": (lambda: sa.RMSProp(0.1), lambda p: torch.optim.RMSprop(p, 0.1, 0.9)),
    "rmsprop 0.8": (
        lambda: sa.RMSProp(0.1, 0.8, 1e-3),
        lambda p: torch.optim.RMSprop(p, 0.1, 0.8, 1e-3),
    ),
    "sgd": (lambda: sa.SGD(0.1, 0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
}


@pytest.mark.parametrize("name", ALONE)
def test_an_optimiser_alone(backend, name, rng, tolerance):
    """40 steps on gradients of very different sizes, some of them zero: theta stays together to
    rounding."""
    (make, theirs), b = ALONE[name], sa.get_backend(backend, "float64")
    start, n = rng.normal(size=37), 37
    grads = rng.normal(size=(40, n)) * 10.0 ** rng.integers(-6, 3, n) * (rng.random((40, n)) < 0.8)
    ours, theta, leaf = make(), b.asarray(start.copy()), torch.tensor(start).requires_grad_()
    ours.backend = b
    ours.bind(b, n)
    optimizer = theirs([leaf])
    for g in grads:
        ours.tick(np.array([8.0]))
        ours.update(theta, b.asarray(8 * g[None]), slice(0, n))
        leaf.grad = torch.tensor(g)
        optimizer.step()
        np.testing.assert_allclose(
            b.to_host(theta), leaf.detach(), rtol=0, atol=tolerance("kernel")
        )
    assert (np.abs(b.to_host(theta) - start) > 1e-9).all()


def test_a_wrong_factor_of_one_in_a_thousand_is_seen(monkeypatch, rng, tolerance):
    """The negative control: each gradient and the trajectory notice a planted 0.1 %."""
    model = conv_vae(5, 7, backend="reference")
    x = images(rng, 4, (28, 28, 1))
    backward = sa.ConvTranspose2d.backward

    def planted(self, dy):
        dx = backward(self, dy)
        self.db *= 1.001
        return dx

    assert_one_step_agrees(model, x, tolerance)
    monkeypatch.setattr(sa.ConvTranspose2d, "backward", planted)
    with pytest.raises(AssertionError, match=r"decoder\.2\.b"):
        assert_one_step_agrees(model, x, tolerance)
    x = images(rng, 64, (784,)).astype(np.float32)
    losses = trajectories(
        dense_vae(hidden=30), x, sa.Adam(1.1e-3), lambda p: torch.optim.Adam(p, 1e-3)
    )
    assert np.abs(losses[0] / losses[1] - 1).max() > 10 * tolerance("trajectory", "float32")
