"""The outside view of penalties and of tied weights: PyTorch's own sums, Jacobian, norm and
gradients."""

from functools import partial

import pytest
from proofs.torch_models import NLL, PHI, assert_one_step_agrees, torch

import scratchae as sa
from scratchae.initializers import Normal

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
DRAWN = {"init": Normal(0.5), "init_b": Normal(0.5)}
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


def model(activation, last, tied, penalty=None, likelihood=None, **build):
    """Images of 2 x 3 pixels, four units, and back by the same matrix or by another."""
    code = sa.Dense(6, 4, activation, **DRAWN)
    back = sa.Tied(code, last, Normal(0.5)) if tied else sa.Dense(4, 6, last, **DRAWN)
    encoder, decoder = sa.Sequential(sa.Flatten(), code), sa.Sequential(back, sa.Reshape(2, 3, 1))
    return sa.Autoencoder(encoder, decoder, likelihood, penalty).build((2, 3, 1), **build)


def jacobian_norm(encode, x):
    """||dh/dx||^2 of each row x (N, I) -> (N,), in the graph of autograd."""
    jacobian = torch.func.vmap(torch.func.jacrev(encode))
    return torch.linalg.matrix_norm(jacobian(x)) ** 2


def contraction(encode, x, weight):
    return weight * jacobian_norm(encode, x).sum()


def absolute(encode, x, weight):
    return weight * encode(x).abs().sum()


def student_t(encode, x, weight):
    return weight * torch.log(1 + encode(x) ** 2).sum()


def to_a_rate(encode, x, weight, rho=0.2):
    """N w KL(rho || mean activity), by PyTorch's own divergence of two Bernoullis."""
    mean = torch.distributions.Bernoulli(probs=encode(x).mean(dim=0))
    target = torch.distributions.Bernoulli(probs=torch.full_like(mean.probs, rho))
    return len(x) * weight * torch.distributions.kl_divergence(target, mean).sum()


def torch_loss(m, p, x, eps, price=None, weight=0.0):
    """The loss per example of those models, from x (N, 2, 3, 1); price: summed over the batch."""
    (_, code), (back, _) = m.encoder.layers, m.decoder.layers

    def encode(rows):
        return PHI[code.activation](rows @ p["encoder.1.W"] + p["encoder.1.b"])

    W = p["encoder.1.W"].T if isinstance(back, sa.Tied) else p["decoder.0.W"]
    x = x.flatten(1)
    a = PHI[back.activation](encode(x) @ W + p["decoder.0.b"])
    nll = NLL[type(m.likelihood)](a, x, m.likelihood)
    return (nll + (price(encode, x, weight) if price else 0.0)) / len(x)


@DTYPES
@pytest.mark.parametrize("activation", PHI)
@pytest.mark.parametrize("likelihood", [sa.SquaredError, sa.Bernoulli])
def test_tied(backend, dtype, activation, likelihood, rng, tolerance):
    m = model(activation, activation, True, likelihood=likelihood(), backend=backend, dtype=dtype)
    assert_one_step_agrees(m, rng.random((11, 2, 3, 1)), tolerance, torch_loss=torch_loss)


@DTYPES
@pytest.mark.parametrize("tied", [False, True], ids=["free", "tied"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("weight", [0.1, 3.0])
def test_contractive(backend, dtype, activation, tied, weight, rng, tolerance):
    m = model(activation, "sigmoid", tied, sa.Contractive(weight), backend=backend, dtype=dtype)
    loss = partial(torch_loss, price=contraction, weight=weight)
    assert_one_step_agrees(m, rng.random((11, 2, 3, 1)), tolerance, torch_loss=loss)


OF_CODES = [
    (sa.L1, "relu", absolute),
    (sa.L1, "tanh", absolute),
    (sa.StudentT, "relu", student_t),
    (sa.StudentT, "tanh", student_t),
    (partial(sa.KLRate, rate=0.2), "sigmoid", to_a_rate),
]


@DTYPES
@pytest.mark.parametrize("penalty, activation, price", OF_CODES)
def test_penalties_on_the_code(backend, dtype, penalty, activation, price, rng, tolerance):
    m = model(activation, "sigmoid", False, penalty(0.7), backend=backend, dtype=dtype)
    loss = partial(torch_loss, price=price, weight=0.7)
    assert_one_step_agrees(m, rng.random((11, 2, 3, 1)), tolerance, torch_loss=loss)


def overwrites(self, dy, backward=sa.Dense.backward):
    self.shared = False
    return backward(self, dy)


@pytest.mark.parametrize(
    "kind, method, wrong, where",
    [
        (
            sa.Contractive,
            "value",
            lambda self, total: 1.001 * self.weight * float(total[2] / total[0]),
            "loss",
        ),
        (sa.Contractive, "backward", lambda self, dh, h, total: dh, r"encoder\.1\.W"),
        (sa.Contractive, "direct_gradient", lambda self, h: None, r"encoder\.1\.W"),
        (sa.Dense, "backward", overwrites, r"encoder\.1\.W"),
    ],
)
def test_a_planted_error_is_seen(kind, method, wrong, where, monkeypatch, rng, tolerance):
    """The penalty's value, its gradient through h, that of W alone, and what the tied layer gave
    W."""
    m = model("tanh", "sigmoid", True, sa.Contractive(0.6), dtype="float64")
    x, loss = rng.random((11, 2, 3, 1)), partial(torch_loss, price=contraction, weight=0.6)
    assert_one_step_agrees(m, x, tolerance, torch_loss=loss)
    monkeypatch.setattr(kind, method, wrong)
    with pytest.raises(AssertionError, match=f"^{where}: "):
        assert_one_step_agrees(m, x, tolerance, torch_loss=loss)
