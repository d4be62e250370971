"""Optimisers: three steps by hand, and every number that one may choose does something."""

import math
from functools import partial

import numpy as np
import pytest

import scratchae as sa
from scratchae import SGD, Adadelta, Adagrad, Adam, AdamW, RMSProp
from scratchae.parameters import Parameters

THETA, COUNT = (0.5, -1.0, 2.0), 4
GRADS = (
    [8.0, -0.4, 0.0],
    [-2.0, 0.8, 1e-3],
    [4.0, 0.4, -8.0],
)  # sums over the batch, one list a step


def stepped(
    optimizer, backend="numpy", grads=GRADS, shards=1, dtype="float64", parts=(slice(0, 3),)
):
    """Theta after each step on those gradients, each cut into that many shards."""
    declared = {"theta": ((3,), lambda noise: np.array(THETA))}
    b = sa.get_backend(backend, dtype)
    parameters = Parameters(b, declared)
    parameters.initialise(seed=0)
    optimizer.start(parameters)
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
    """Algorithm 1 of Kingma and Ba in scalars; inside and corrected are the two ways it is got
    wrong."""
    thetas = []
    theta, m, v = list(THETA), [0.0] * 3, [0.0] * 3
    for t, sums in enumerate(GRADS, start=1):
        for i in range(3):
            g = sums[i] / COUNT
            m[i] = beta1 * m[i] + (1 - beta1) * g
            v[i] = beta2 * v[i] + (1 - beta2) * g * g
            m_hat = m[i] / (1 - beta1**t) if corrected else m[i]
            v_hat = v[i] / (1 - beta2**t) if corrected else v[i]
            theta[i] -= (
                alpha
                * m_hat
                / (math.sqrt(v_hat + epsilon**2) if inside else math.sqrt(v_hat) + epsilon)
            )
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


@pytest.mark.parametrize(
    "wrong", [{"inside": True}, {"corrected": False}, {"beta2": 0.901}], ids=str
)
def test_another_adam_is_seen(wrong, tolerance):
    right, other = adam_by_hand(), adam_by_hand(**wrong)
    assert np.abs(right - other).max() > 1000 * tolerance("kernel")
    if wrong != {"corrected": False}:
        # they differ by little: a look at a run would not tell
        assert np.abs(right - other)[0].max() < 0.1


def test_the_first_step_is_the_learning_rate(backend, tolerance):
    """Bias correction makes step 1 independent of both betas: alpha g / (|g| + epsilon)."""
    g = np.array(GRADS[0]) / COUNT
    for betas in ((0.9, 0.999), (0.0, 0.5)):
        found = stepped(Adam(0.1, *betas, 0.01), backend, GRADS[:1])[0]
        np.testing.assert_allclose(
            found, THETA - 0.1 * g / (np.abs(g) + 0.01), atol=tolerance("kernel")
        )


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_by_hand(backend, momentum, tolerance):
    np.testing.assert_allclose(
        stepped(SGD(0.1, momentum), backend), sgd_by_hand(0.1, momentum), atol=tolerance("kernel")
    )


# One step of one parameter, in scalars: (theta, g, t, *state) -> theta, *state. mutant: a way to
# get it wrong.


def adagrad_by_hand(theta, g, t, h, mutant=""):
    h += g * g
    root = math.sqrt(h + 0.01) if mutant == "epsilon inside" else math.sqrt(h) + 0.01
    return theta - 0.1 * g / root, h


def adadelta_by_hand(theta, g, t, v, u, mutant=""):
    v = 0.8 * v + 0.2 * g * g
    d = -math.sqrt(u + 0.01) / math.sqrt(v + 0.01) * g
    if mutant == "epsilon outside":
        d = -(math.sqrt(u) + 0.01) / (math.sqrt(v) + 0.01) * g
    if mutant == "this step's u":
        d = -math.sqrt(0.8 * u + 0.2 * d * d + 0.01) / math.sqrt(v + 0.01) * g
    kept = 0.5 * d if mutant == "u of scaled steps" else d
    return theta + 0.5 * d, v, 0.8 * u + 0.2 * kept * kept


def rmsprop_by_hand(theta, g, t, v, mutant=""):
    v = 0.8 * v + 0.2 * g * g
    root = math.sqrt(v + 0.01) if mutant == "epsilon inside" else math.sqrt(v) + 0.01
    return theta - 0.1 * g / root, v


def adamw_by_hand(theta, g, t, m, v, mutant=""):
    if mutant == "an L2 penalty":
        g += 0.05 * theta
    m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g * g
    moved = 0.1 * m / (1 - 0.8**t) / (math.sqrt(v / (1 - 0.9**t)) + 0.01)
    decay = {
        "an L2 penalty": 0,
        "lr left out": 0.05,
        "theta after the step": 0.1 * 0.05 * (1 - moved / theta),
    }
    return theta - moved - decay.get(mutant, 0.1 * 0.05) * theta, m, v


# An optimiser, the same by hand, what its state starts at, and how others get it wrong.
BY_HAND = {
    "adagrad": (lambda: Adagrad(0.1, 0.0, 0.01), adagrad_by_hand, (0.0,), ["epsilon inside"]),
    "adagrad of Keras": (lambda: Adagrad(0.1, 0.1, 0.01), adagrad_by_hand, (0.1,), []),
    "adadelta": (
        *(lambda: Adadelta(0.5, 0.8, 0.01), adadelta_by_hand, (0.0, 0.0)),
        ["epsilon outside", "this step's u", "u of scaled steps"],
    ),
    "rmsprop": (lambda: RMSProp(0.1, 0.8, 0.01), rmsprop_by_hand, (0.0,), ["epsilon inside"]),
    "adamw": (
        *(lambda: AdamW(0.1, 0.8, 0.9, 0.01, 0.05), adamw_by_hand, (0.0, 0.0)),
        ["an L2 penalty", "lr left out", "theta after the step"],
    ),
}


def by_hand(rule, start, **mutant):
    thetas, theta, state = [], list(THETA), [start] * 3
    for t, sums in enumerate(GRADS, start=1):
        for i in range(3):
            theta[i], *state[i] = rule(theta[i], sums[i] / COUNT, t, *state[i], **mutant)
        thetas.append(list(theta))
    return np.array(thetas)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(backend, name, dtype, tolerance):
    make, rule, start, _ = BY_HAND[name]
    found = stepped(make(), backend, dtype=dtype)
    np.testing.assert_allclose(found, by_hand(rule, start), atol=tolerance("kernel", dtype))


@pytest.mark.parametrize(
    "name, mutant", [(name, wrong) for name, case in BY_HAND.items() for wrong in case[3]]
)
def test_another_formula_is_seen(name, mutant, tolerance):
    _, rule, start, _ = BY_HAND[name]
    assert np.abs(
        by_hand(rule, start) - by_hand(rule, start, mutant=mutant)
    ).max() > 1000 * tolerance("kernel")


@pytest.mark.parametrize(
    "make, moved",
    [
        (lambda: Adagrad(0.1), [0.1, -0.1, 0.0]),
        (lambda: RMSProp(0.1, 0.75), [0.2, -0.2, 0.0]),
        (lambda: Adadelta(3.0, 0.75, 1e-8), [6e-4, -6e-4, 0.0]),
        (lambda: AdamW(0.1, weight_decay=0.5), [0.1 + 0.05 * 0.5, -0.1 + 0.05 * -1.0, 0.05 * 2.0]),
    ],
    ids=["adagrad", "rmsprop", "adadelta", "adamw"],
)
def test_the_size_of_the_first_step(backend, make, moved):
    """Whatever the gradient, 2 or -0.1: alpha; alpha / sqrt(1 - rho); alpha sqrt(epsilon / (1 -
    rho)); Adam's."""
    np.testing.assert_allclose(THETA - stepped(make(), backend, GRADS[:1])[0], moved, rtol=1e-5)


def test_adamw_without_decay_is_adam(backend):
    settings = (0.1, 0.8, 0.9, 0.01)
    np.testing.assert_array_equal(
        stepped(AdamW(*settings, 0.0), backend), stepped(Adam(*settings), backend)
    )


def test_weights_decay_where_there_is_no_gradient(backend, tolerance):
    """Each step leaves 1 - lr * weight_decay of every parameter, and a schedule of lr scales that
    too."""
    optimizer = AdamW(0.1, weight_decay=0.5)
    found = stepped(optimizer, backend, [[0.0] * 3] * 2)
    np.testing.assert_allclose(found, np.outer([0.95, 0.95**2], THETA), atol=tolerance("kernel"))


EVERY = {name: case[0] for name, case in BY_HAND.items()}
EVERY |= {"adam": lambda: Adam(0.1, 0.8, 0.9), "sgd": lambda: SGD(0.1, 0.9)}


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)
def test_shards_are_summed_and_parts_are_one_vector(backend, make, tolerance):
    whole = stepped(make(), backend)
    np.testing.assert_allclose(stepped(make(), backend, shards=3), whole, atol=tolerance("kernel"))
    parts = [slice(0, 2), slice(2, 3)]
    np.testing.assert_array_equal(stepped(make(), backend, parts=parts), whole)


def test_an_optimiser_belongs_to_one_model():
    def parameters():
        return Parameters(sa.get_backend(), {"theta": ((3,), lambda noise: np.zeros(3))})

    optimizer, mine = Adam(), parameters()
    optimizer.start(mine)
    m = optimizer.vectors["m"]
    optimizer.start(mine)  # going on keeps the state
    assert optimizer.vectors["m"] is m
    with pytest.raises(
        ValueError, match=r"this Adam already holds the state of another model.*make a new one"
    ):
        optimizer.start(parameters())


# A knob does something: each of these, alone, must move the loss of epoch 3 from that of the run
# beside it.
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
    *(
        ({"optimizer": kind}, {"optimizer": partial(kind, **knob)})
        for kind, *knobs in [
            (Adagrad, {"lr": 0.01001}, {"initial": 0.1}, {"eps": 1e-5}),
            (Adadelta, {"lr": 1.001}, {"rho": 0.951}, {"eps": 1.001e-6}),
            (RMSProp, {"lr": 1.001e-3}, {"rho": 0.901}, {"eps": 1e-5}),
            (
                AdamW,
                {"lr": 1.001e-3},
                {"beta1": 0.901},
                {"beta2": 0.99},
                {"eps": 1e-5},
                {"weight_decay": 0.011},
            ),
        ]
        for knob in knobs
    ),
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
    history = sa.fit(
        model, data, k["optimizer"](), epochs=3, batch_size=k["batch_size"], seed=k["seed"]
    )
    return history["train_loss"][-1]


@pytest.mark.parametrize("beside, knob", KNOBS, ids=lambda value: " ".join(value))
def test_a_knob_does_something(beside, knob, tolerance):
    before, after = last_loss(**beside), last_loss(**beside | knob)
    assert math.isfinite(after)
    assert abs(after / before - 1) > 1000 * tolerance("loss")


def test_the_same_run_has_the_same_loss():
    assert last_loss() == last_loss()
