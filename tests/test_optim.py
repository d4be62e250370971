"""Optimisers: three steps by hand, and every number that one may choose does something."""

import math

import numpy as np
import pytest

import scratchae as sa
from scratchae import SGD, Adam
from scratchae.parameters import Parameters

THETA, COUNT = (0.5, -1.0, 2.0), 4
GRADS = ([8.0, -0.4, 0.0], [-2.0, 0.8, 1e-3], [4.0, 0.4, -8.0])  # sums over the batch, one list a step


def stepped(optimizer, backend="numpy", grads=GRADS, shards=1, dtype="float64", parts=(slice(0, 3),)):
    """Theta after each step on those gradients, each cut into that many shards."""
    declared = {"theta": ((3,), lambda noise: np.array(THETA))}
    b = sa.get_backend(backend, dtype)
    parameters = Parameters(b, declared)
    parameters.initialise(seed=0)
    optimizer.own(parameters)
    thetas, G = [], b.zeros((shards, parameters.size))
    weights = np.arange(1, shards + 1) / np.arange(1, shards + 1).sum()
    for sums in grads:
        for shard, weight in enumerate(weights):
            b.write(parameters.view("theta", G[shard]), weight * np.array(sums))
        optimizer.tick(np.array([float(COUNT), 1.0]))
        for part in parts:
            optimizer.update(parameters.values, G, part)
        thetas.append(b.to_host(parameters.view("theta")))
    return np.array(thetas)


def adam_by_hand(alpha=0.1, beta1=0.8, beta2=0.9, epsilon=0.01, inside=False, corrected=True):
    """Algorithm 1 of Kingma and Ba in scalars; inside and corrected are the two ways it is got wrong."""
    thetas = []
    theta, m, v = list(THETA), [0.0] * 3, [0.0] * 3
    for t, sums in enumerate(GRADS, start=1):
        for i in range(3):
            g = sums[i] / COUNT
            m[i] = beta1 * m[i] + (1 - beta1) * g
            v[i] = beta2 * v[i] + (1 - beta2) * g * g
            m_hat = m[i] / (1 - beta1**t) if corrected else m[i]
            v_hat = v[i] / (1 - beta2**t) if corrected else v[i]
            theta[i] -= alpha * m_hat / (math.sqrt(v_hat + epsilon**2) if inside else math.sqrt(v_hat) + epsilon)
        thetas.append(list(theta))
    return np.array(thetas)


def sgd_by_hand(alpha, mu):
    thetas, theta, v = [], list(THETA), [0.0] * 3
    for sums in GRADS:
        for i in range(3):
            v[i] = mu * v[i] + sums[i] / COUNT
            theta[i] -= alpha * v[i]
        thetas.append(list(theta))
    return np.array(thetas)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_by_hand(backend, dtype, tolerance):
    found = stepped(Adam(0.1, 0.8, 0.9, 0.01), backend, dtype=dtype)
    np.testing.assert_allclose(found, adam_by_hand(), atol=tolerance("kernel", dtype))


@pytest.mark.parametrize("wrong", [{"inside": True}, {"corrected": False}, {"beta2": 0.901}], ids=str)
def test_another_adam_is_seen(wrong, tolerance):
    right, other = adam_by_hand(), adam_by_hand(**wrong)
    assert np.abs(right - other).max() > 1000 * tolerance("kernel")
    if wrong != {"corrected": False}:
        assert np.abs(right - other)[0].max() < 0.1  # they differ by little: a look at a run would not tell


def test_the_first_step_is_the_learning_rate(backend, tolerance):
    """Bias correction makes step 1 independent of both betas: alpha g / (|g| + epsilon)."""
    g = np.array(GRADS[0]) / COUNT
    for betas in ((0.9, 0.999), (0.0, 0.5)):
        found = stepped(Adam(0.1, *betas, 0.01), backend, GRADS[:1])[0]
        np.testing.assert_allclose(found, THETA - 0.1 * g / (np.abs(g) + 0.01), atol=tolerance("kernel"))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_by_hand(backend, momentum, tolerance):
    np.testing.assert_allclose(
        stepped(SGD(0.1, momentum), backend), sgd_by_hand(0.1, momentum), atol=tolerance("kernel")
    )


@pytest.mark.parametrize("make", [lambda: Adam(0.1, 0.8, 0.9), lambda: SGD(0.1, 0.9)], ids=["adam", "sgd"])
def test_shards_are_summed_and_parts_are_one_vector(backend, make, tolerance):
    whole = stepped(make(), backend)
    np.testing.assert_allclose(stepped(make(), backend, shards=3), whole, atol=tolerance("kernel"))
    parts = [slice(0, 2), slice(2, 3)]
    np.testing.assert_array_equal(stepped(make(), backend, parts=parts), whole)


def test_an_optimiser_belongs_to_one_model():
    def parameters():
        return Parameters(sa.get_backend(), {"theta": ((3,), lambda noise: np.zeros(3))})

    optimizer, mine = Adam(), parameters()
    optimizer.own(mine)
    m = optimizer.vectors["m"]
    optimizer.own(mine)  # going on keeps the state
    assert optimizer.vectors["m"] is m
    with pytest.raises(ValueError, match=r"this Adam already holds the state of another model.*make a new one"):
        optimizer.own(parameters())


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Adam(0), "lr is 0"),
        (lambda: Adam(float("nan")), "lr is nan"),
        (lambda: Adam(-1e-3), "lr is -0.001"),
        (lambda: SGD(float("inf")), "lr is inf"),
        (lambda: Adam(beta1=1), "beta1 is 1"),
        (lambda: Adam(beta2=-0.1), "beta2 is -0.1"),
        (lambda: Adam(eps=0), "eps is 0"),
        (lambda: SGD(momentum=1.0), "momentum is 1.0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_numbers(make, words):
    with pytest.raises(ValueError, match=f"{words}, but it must be"):
        make()


# A knob does something: each of these, alone, must move the loss of epoch 3 from that of the run beside it.
DEFAULT = {
    **{"hidden": 5, "activation": "relu", "init": sa.initializers.glorot_uniform, "latent": 2},
    **{"likelihood": sa.Bernoulli(), "beta": 1.0, "optimizer": lambda: Adam(0.01)},
    **{"batch_size": 8, "seed": 0, "weights": 0, "binarize": "none"},
}
KNOBS = [
    ({}, {"hidden": 6}),
    ({}, {"activation": "leaky_relu"}),
    ({}, {"init": sa.initializers.he_normal}),
    ({"init": sa.initializers.Normal(0.1)}, {"init": sa.initializers.Normal(0.1001)}),
    ({}, {"latent": 3}),
    ({}, {"beta": 1.001}),
    ({}, {"batch_size": 7}),
    ({}, {"seed": 1}),
    ({}, {"weights": 1}),
    ({}, {"binarize": "threshold"}),
    ({"binarize": "threshold"}, {"binarize": "dynamic"}),
    ({}, {"likelihood": sa.SquaredError()}),
    ({"likelihood": sa.SquaredError()}, {"likelihood": sa.AbsoluteError()}),
    ({"likelihood": sa.GaussianLikelihood()}, {"likelihood": sa.GaussianLikelihood(1.001)}),
    ({}, {"optimizer": lambda: Adam(0.01001)}),
    ({}, {"optimizer": lambda: Adam(0.01, beta1=0.901)}),
    ({}, {"optimizer": lambda: Adam(0.01, beta2=0.99)}),
    ({}, {"optimizer": lambda: Adam(0.01, eps=1e-5)}),
    ({}, {"optimizer": lambda: SGD(0.01)}),
    ({"optimizer": lambda: SGD(0.01)}, {"optimizer": lambda: SGD(0.01001)}),
    ({"optimizer": lambda: SGD(0.01)}, {"optimizer": lambda: SGD(0.01, 0.01)}),
]


def last_loss(**knobs):
    k = DEFAULT | knobs
    hidden = sa.Sequential(
        sa.Flatten(),
        sa.Dense(9, k["hidden"], k["activation"], k["init"]),
        sa.Dense(k["hidden"], 2 * k["latent"], init=k["init"]),
    )
    decoder = sa.Sequential(sa.Dense(k["latent"], 9, init=k["init"]), sa.Reshape(3, 3, 1))
    model = sa.VAE(hidden, decoder, sa.Gaussian(k["latent"]), k["likelihood"], k["beta"])
    model.build((3, 3, 1), dtype="float64", seed=k["weights"])
    pixels = np.random.default_rng(0).integers(0, 256, (20, 3, 3, 1)).astype(np.uint8)
    data = sa.Images(pixels, binarize=k["binarize"])
    history = sa.fit(model, data, k["optimizer"](), epochs=3, batch_size=k["batch_size"], seed=k["seed"])
    return history["train_loss"][-1]


@pytest.mark.parametrize("beside, knob", KNOBS, ids=lambda value: " ".join(value))
def test_a_knob_does_something(beside, knob, tolerance):
    before, after = last_loss(**beside), last_loss(**beside | knob)
    assert math.isfinite(after)
    assert abs(after / before - 1) > 1000 * tolerance("loss")


def test_the_same_run_has_the_same_loss():
    assert last_loss() == last_loss()
