"""The contractive penalty: the Jacobian by finite differences, gradients, and what it is for."""

import copy

import numpy as np
import pytest

import scratchae as sa
from scratchae.gradcheck import check_model
from scratchae.kernels import contraction

X = np.random.default_rng(0).random((24, 6))
EACH = pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
pytestmark = pytest.mark.filterwarnings("ignore::scratchae.WideCode")


def model(activation, backend="numpy", dtype="float64", weight=0.6):
    encoder, decoder = sa.Dense(6, 8, activation), sa.Dense(8, 6)
    made = sa.Autoencoder(encoder, decoder, penalty=sa.Contractive(weight))
    return made.build(6, backend=backend, dtype=dtype, seed=2)


def jacobians(m, x, step=1e-5):
    """dh/dx of each row by central differences, (N, I, O)."""
    ways = step * np.eye(x.shape[1])
    return np.stack([(m.encode(x + e) - m.encode(x - e)) / (2 * step) for e in ways], axis=1)


@EACH
@pytest.mark.parametrize("shards", [1, 3])
def test_the_value_is_the_norm_of_the_jacobian(activation, backend, shards, tolerance):
    m = model(activation, backend)
    expected = 0.6 * (jacobians(m, X) ** 2).sum(axis=(1, 2)).mean()
    assert sa.evaluate(m, X, shards=shards)["penalty"] == pytest.approx(
        expected, rel=tolerance("gradient")
    )


@EACH
def test_the_gradient_is_that_of_the_loss(activation, backend):
    assert check_model(model(activation, backend), X, backend=backend).ok


@pytest.mark.parametrize("kernel", ["contraction_gradient", "contraction_weights"])
@pytest.mark.parametrize("factor", [0.999, 0.0])
def test_a_planted_error_is_found(kernel, factor, monkeypatch):
    """Through h and straight through W, each a little wrong or left out."""
    variable = kernel.upper()
    right = getattr(contraction, variable).definition

    def wrong(out, *arguments):
        *arrays, w = (
            arguments if kernel == "contraction_weights" else (*arguments[:-2], arguments[-2])
        )
        right(
            out, *arrays, factor * w, *([] if kernel == "contraction_weights" else arguments[-1:])
        )

    from scratchae.objectives import contractive

    monkeypatch.setattr(contractive, variable, contraction.Kernel(wrong))
    report = check_model(model("tanh", "reference"), X, backend="reference")
    assert not report.ok


@pytest.mark.slow
def test_it_keeps_the_directions_in_which_data_varies():
    """Data on a line in six dimensions: the code moves along the line, and little across it."""
    rng = np.random.default_rng(1)
    way = np.array([1.0, 1, 1, 0, 0, 0]) / np.sqrt(3)
    x = 0.5 + 0.5 * rng.uniform(-1, 1, (256, 1)) * way + 0.01 * rng.normal(size=(256, 6))
    along = {}
    for weight in (0.0, 0.1):
        m = model("tanh", weight=weight)
        sa.fit(m, x, sa.Adam(1e-2), epochs=150, batch_size=64)
        J = jacobians(m, x[:50])
        along[weight] = (
            np.linalg.norm(way @ J, axis=1).mean() / np.linalg.norm(J, axis=(1, 2)).mean()
        )
    assert along[0.0] < 0.6 and along[0.1] > 0.9


@pytest.mark.parametrize(
    "encoder",
    [
        sa.Dense(6, 3, "relu"),
        sa.Dense(6, 3),
        sa.Sequential(sa.Dense(6, 4, "tanh"), sa.Dense(4, 3, "tanh")),
        sa.Sequential(sa.Masking(0.2), sa.Dense(6, 3, "tanh")),
        sa.Reshape(6),
    ],
)
def test_another_encoder_is_refused_when_built(encoder):
    units = 6 if isinstance(encoder, sa.Reshape) else 3
    with pytest.raises(
        ValueError, match=r"made of .* but the contractive penalty knows the Jacobian of one"
    ):
        sa.Autoencoder(encoder, sa.Dense(units, 6), penalty=sa.Contractive(0.1)).build(6)


def test_images_and_a_file(tmp_path):
    """Flatten before the layer; saved and loaded, it goes on as it was."""
    m = sa.Autoencoder(
        sa.Sequential(sa.Flatten(), sa.Dense(6, 3, "sigmoid")),
        sa.Sequential(sa.Dense(3, 6), sa.Reshape(2, 3)),
        penalty=sa.Contractive(0.3),
    ).build((2, 3), dtype="float64", seed=1)
    x = X.reshape(24, 2, 3)
    adam = sa.Adam(1e-2)
    sa.fit(m, x, adam, epochs=2)
    sa.save(m, tmp_path / "m.safetensors", optimizer=adam)
    again = sa.load(tmp_path / "m.safetensors")
    assert sa.evaluate(again, x) == sa.evaluate(m, x)
    for each, optimizer in ((m, adam), (again, again.optimizer)):
        sa.fit(each, x, optimizer, epochs=1)
    np.testing.assert_array_equal(again.parameters.values, m.parameters.values)
    assert copy.deepcopy(m.objective).penalty.layer is not m.objective.penalty.layer
