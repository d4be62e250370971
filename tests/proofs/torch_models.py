"""The models of this library in PyTorch: the same weights, batches and noise, losses and gradients
side by side.
"""

import numpy as np
import pytest

import scratchae as sa
from scratchae.execution.runner import runner_for
from scratchae.initializers import torch_uniform

torch = pytest.importorskip("torch", reason="needs PyTorch, the outside view: pip install torch")
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
    sa.Laplace: lambda a, x, p: -torch.distributions.Laplace(a, p.b).log_prob(x).sum(),
    sa.LearnedGaussian: lambda a, x, p: learned_gaussian(*a.chunk(2, dim=1), x, p.floor),
    sa.Categorical: lambda a, x, p: F.cross_entropy(
        a, x, reduction="sum"
    ),  # the categories stand in axis 1
    sa.SquaredError: lambda a, x, p: F.mse_loss(a, x, reduction="sum"),
    sa.AbsoluteError: lambda a, x, p: F.l1_loss(a, x, reduction="sum"),
}


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
    if runner.objective.latent is None:
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
