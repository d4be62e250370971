"""Convolution over time against PyTorch's, against its definition, against its adjoint; and what
it refuses."""

import copy

import numpy as np
import pytest

import scratchae as sa
from scratchae import by_hand, get_backend
from scratchae.initializers import Normal
from scratchae.parameters import Parameters

DRAWN = {"init": Normal(0.7), "init_b": Normal(0.7)}


def passes(layer, x, dy, backend):
    """y, dx, dW, db, W, b on the host."""
    layer = by_hand(layer, x.shape[1:], backend=backend, seed=2)
    return layer(x), layer.backward(dy), layer.dW, layer.db, layer.W, layer.b


CASES = {  # layer, T, PyTorch's arguments
    "plain": (sa.Conv1d(3, 4, 3, **DRAWN), 9, {}),
    "strided": (sa.Conv1d(3, 4, 4, 2, 1, "tanh", **DRAWN), 10, {"stride": 2, "padding": 1}),
    "same": (sa.Conv1d(2, 6, 5, 1, "same", **DRAWN), 7, {"padding": 2}),
    "to few": (sa.Conv1d(6, 1, 3, 1, 1, **DRAWN), 7, {"padding": 1}),
    "beyond": (sa.Conv1d(2, 2, 2, 3, **DRAWN), 8, {"stride": 3}),
    "back": (sa.ConvTranspose1d(3, 4, 3, **DRAWN), 5, {}),
    "back strided": (
        sa.ConvTranspose1d(3, 2, 4, 2, 1, "tanh", **DRAWN),
        5,
        {"stride": 2, "padding": 1},
    ),
    "back twice": (
        sa.ConvTranspose1d(4, 1, 3, 2, (1, 0), **DRAWN),
        5,
        {"stride": 2, "padding": 1, "output_padding": 1},
    ),
}


@pytest.mark.slow  # the import of PyTorch
@pytest.mark.parametrize("case", CASES)
def test_as_in_pytorch(case, backend, rng, tolerance):
    torch = pytest.importorskip(
        "torch", reason="needs PyTorch, the outside view: pip install torch"
    )
    layer, T, options = CASES[case]
    output = copy.deepcopy(layer).declare((T, layer.inputs))[0]
    x, dy = rng.normal(size=(4, T, layer.inputs)), rng.normal(size=(4, *output))
    y, dx, dW, db, W, b = passes(layer, x, dy, backend)
    there = [torch.tensor(v, requires_grad=True) for v in (x, W, b)]
    kernel = there[1].permute(2, 1, 0)  # (O, C, k); transposed: (C, O, k)
    function = (
        torch.nn.functional.conv_transpose1d if "back" in case else torch.nn.functional.conv1d
    )
    a = function(there[0].permute(0, 2, 1), kernel, there[2], **options).permute(0, 2, 1)
    right = torch.tanh(a) if layer.activation == "tanh" else a
    right.backward(torch.tensor(dy))
    expected = [right.detach(), *(v.grad for v in there)]
    for found, theirs in zip((y, dx, dW, db), expected, strict=True):
        np.testing.assert_allclose(
            found, theirs.numpy(), rtol=tolerance("layer"), atol=tolerance("layer")
        )


def test_the_definition(rng):
    """y[n, p, o] = sum over i, c of W[i, c, o] x[n, p s + i - before, c] + b[o], with uneven
    padding."""
    layer, x = sa.Conv1d(2, 3, 3, 2, (2, 1), **DRAWN), rng.normal(size=(4, 6, 2))
    y, *_, W, b = passes(layer, x, np.zeros((4, 4, 3)), "numpy")
    assert W.shape == (3, 2, 3)
    padded = np.pad(x, ((0, 0), (2, 1), (0, 0)))
    for p in range(4):
        np.testing.assert_allclose(
            y[:, p], np.einsum("nic,ico->no", padded[:, 2 * p : 2 * p + 3], W) + b
        )


@pytest.mark.parametrize(
    "k, s, padding, T", [(3, 1, "valid", 7), (4, 2, (2, 1), 7), (5, 3, "same", 9)]
)
def test_the_transpose_is_the_adjoint(k, s, padding, T, rng, backend):
    """<conv(u), v> = <u, convT(v)> with one W, read as (k, C, O) by both."""
    there = by_hand(sa.Conv1d(2, 3, k, s, padding, **DRAWN), (T, 2), backend=backend)
    P = there.output[0]
    back = by_hand(sa.ConvTranspose1d(3, 2, k, s, padding), (P, 3), backend=backend)
    assert back.output == (T, 2)
    back.W, there.b = there.W, np.zeros(3)
    u, v = rng.normal(size=(4, T, 2)), rng.normal(size=(4, P, 3))
    assert np.vdot(there(u), v) == pytest.approx(np.vdot(u, back(v)), rel=1e-12)


class Seen(list):
    """An initialiser that writes down what it is asked for."""

    def __call__(self, shape, fan_in, fan_out, noise):
        self.append((shape, fan_in, fan_out))
        return np.zeros(shape)


def test_the_fans_are_those_of_a_window():
    seen = Seen()
    for layer in (
        sa.Conv1d(2, 3, 5, init=seen, init_b=seen),
        sa.ConvTranspose1d(2, 3, 5, init=seen, init_b=seen),
    ):
        Parameters(get_backend("numpy"), layer.declare((6, 2))[1]).initialise(0)
    assert seen == [((5, 2, 3), 10, 15), ((3,), 10, 15), ((5, 3, 2), 10, 15), ((3,), 10, 15)]


def autoencoder():
    encoder = sa.Sequential(sa.Conv1d(1, 4, 7, 2, "same", "relu"), sa.Flatten(), sa.Dense(20, 3))
    decoder = sa.Sequential(
        sa.Dense(3, 20),
        sa.Reshape(5, 4),
        sa.ConvTranspose1d(4, 1, 7, 2, "same", "tanh", Normal(0.2)),
    )
    return sa.Autoencoder(encoder, decoder).build((10, 1), dtype="float64", seed=1)


def test_an_autoencoder_of_sequences_learns_and_is_saved(rng, tmp_path):
    phase = rng.uniform(0, 6, (64, 1, 1))
    x = (0.8 * np.sin(phase + np.arange(10)[:, None] / 2)).astype("f4")
    model = autoencoder()
    losses = sa.fit(model, x, sa.Adam(1e-2), epochs=30, batch_size=16)["train_loss"]
    assert losses[-1] < 0.2 * losses[0]
    sa.save(model, tmp_path / "m")
    again = sa.load(tmp_path / "m")
    np.testing.assert_array_equal(again.reconstruct(x), model.reconstruct(x))
    assert repr(again) == repr(model)
    assert "Conv1d(1, 4, 7, stride=2, padding='same', activation='relu')" in repr(model)


def test_a_code_for_each_time(rng):
    decoder = sa.Sequential(sa.Repeat(5), sa.Conv1d(3, 2, 3, 1, "same"))
    model = sa.Autoencoder(sa.Sequential(sa.Flatten(), sa.Dense(10, 3)), decoder)
    model.build((5, 2), dtype="float64")
    assert model.reconstruct(np.zeros((2, 5, 2), "f4")).shape == (2, 5, 2)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: sa.Conv1d(0, 2, 3), r"Conv1d\(inputs\) is 0"),
        (lambda: sa.Conv1d(2, 0, 3), r"Conv1d\(outputs\) is 0"),
        (lambda: sa.ConvTranspose1d(2, 2, (3, 3)), r"ConvTranspose1d\(kernel\) is \(3, 3\)"),
        (lambda: sa.Conv1d(2, 2, 3, 0), r"Conv1d\(stride\) is 0"),
        (
            lambda: sa.Conv1d(2, 2, 3, 1, "full"),
            r"padding\) is 'full', but .*one or two whole numbers",
        ),
        (lambda: sa.Conv1d(2, 2, 3, 1, (0, 1, 0, 1)), r"padding\) is \(0, 1, 0, 1\)"),
        (lambda: sa.Conv1d(2, 2, 3, 1, -1), r"padding\) is -1"),
        (lambda: sa.Conv1d(2, 2, 3, activation="swish"), r"no activation 'swish'"),
        (
            lambda: sa.Conv1d(2, 2, 3).declare((6, 3)),
            r"Conv1d\(2, 2\) is handed.*\(6, 3\).*\(time, 2\)",
        ),
        (lambda: sa.Conv1d(2, 2, 3).declare((6, 6, 2)), r"Conv1d\(2, 2\) is handed.*\(6, 6, 2\)"),
        (lambda: sa.Conv1d(2, 2, 7).declare((6, 2)), r"kernel of 7 does not fit into 6"),
        (lambda: sa.ConvTranspose1d(2, 2, 2, 1, 4).declare((6, 2)), r"leave no pixel"),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(ValueError, match=words):
        make()
