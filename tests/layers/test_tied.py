"""One matrix, there and back: against an untied twin, across shards and blocks, and what cannot be
tied."""

import copy

import numpy as np
import pytest
from blocks import held

import scratchae as sa
from scratchae.execution.runner import runner_for
from scratchae.gradcheck import check_layer, check_model
from scratchae.initializers import Normal
from scratchae.layers import Dense, Tied

N = 12
X = np.random.default_rng(0).random((N, 2, 3, 1))
DRAWN = {"init": Normal(0.7), "init_b": Normal(0.7)}
PENALTIES = {
    "none": lambda: None,
    "L1": lambda: sa.L1(0.1),
    "contractive": lambda: sa.Contractive(0.6),
}
EACH = pytest.mark.parametrize("penalty", PENALTIES)


def model(back="tied", penalty="none", activation="sigmoid", backend="numpy", dtype="float64"):
    """Six pixels to four units and back, by the same matrix or by another."""
    code = Dense(6, 4, activation, **DRAWN)
    last = Tied(code, "tanh", Normal(0.7)) if back == "tied" else Dense(4, 6, "tanh")
    parts = sa.Sequential(sa.Flatten(), code), sa.Sequential(last, sa.Reshape(2, 3, 1))
    made = sa.Autoencoder(*parts, penalty=PENALTIES[penalty]())
    return made.build((2, 3, 1), backend=backend, dtype=dtype, seed=2)


def gradients(m, shards=1):
    """The loss of X, and all gradients of count times loss by name, on the host."""
    with runner_for(m, N, shards=shards, threads=1) as runner:
        total = runner.gradients(runner.feeds(sa.Values(X)), np.arange(N, dtype=np.uint32))
        flat = runner.backend.to_host(runner.grads).sum(axis=0)
        return runner.objective.loss(total)["loss"], m.parameters.views(flat)


@EACH
@pytest.mark.parametrize("shards", [1, 3])
def test_it_is_an_untied_layer_of_the_transposed_matrix(penalty, shards, backend, tolerance):
    """The same loss; the gradients of b are the same, those of W and of the other matrix add
    up."""
    tied, free = (model(back, penalty, backend=backend) for back in ("tied", "free"))
    ours, theirs = tied.parameters.views(), free.parameters.views()
    values = {name: tied.backend.to_host(view) for name, view in ours.items()}
    assert list(values) == ["encoder.1.W", "encoder.1.b", "decoder.0.b"]
    for name, value in {**values, "decoder.0.W": values["encoder.1.W"].T}.items():
        free.backend.write(theirs[name], value)
    loss, found = gradients(tied, shards)
    expected_loss, expected = gradients(free, shards)
    expected["encoder.1.W"] = expected["encoder.1.W"] + expected.pop("decoder.0.W").T
    assert loss == pytest.approx(expected_loss, rel=tolerance("loss"))
    for name, grad in found.items():
        np.testing.assert_allclose(
            grad, expected[name], rtol=tolerance("layer"), atol=tolerance("layer")
        )


@EACH
def test_shards_and_blocks_of_rows_change_nothing(penalty, backend, monkeypatch, tolerance):
    loss, whole = gradients(model(penalty=penalty, backend=backend))
    for shards, block in ((2, 1 << 40), (5, 1 << 40), (1, 1000), (2, 1000), (2, 1)):
        monkeypatch.setattr("scratchae.execution.threads.blocks_of", held(block))
        again, parts = gradients(model(penalty=penalty, backend=backend), shards)
        assert again == pytest.approx(loss, rel=tolerance("loss"))
        for name, grad in parts.items():
            np.testing.assert_allclose(
                grad, whole[name], rtol=tolerance("layer"), atol=tolerance("layer")
            )


@EACH
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_the_gradient_is_that_of_the_loss(penalty, activation, backend):
    report = check_model(
        model(penalty=penalty, activation=activation, backend=backend), X, backend
    )
    assert report.ok and len(report.rows) == 3, str(report)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_is_the_same_everywhere(backend, dtype, tolerance):
    """Ten epochs, on the GPU replayed as graphs: losses as on the reference, lower and lower."""
    losses = []
    for name in (backend, "reference"):
        m = model(backend=name, dtype=dtype)
        losses.append(
            sa.fit(m, X.astype(dtype), sa.Adam(0.02), epochs=10, batch_size=5, shards=2)[
                "train_loss"
            ]
        )
    np.testing.assert_allclose(*losses, rtol=tolerance("loss", dtype))
    assert losses[0][-1] < 0.7 * losses[0][0]


def test_there_is_one_matrix(backend):
    """In every replica, and in what the model says of itself, before training and after."""
    m = model(backend=backend)
    sa.fit(m, X, sa.Adam(0.02), epochs=1)
    objective = m.replica(N, m.backend.zeros((m.parameters.size,)))
    code, tied = objective.encoder.layers[1], objective.decoder.layers[0]
    assert tied.of is code and code.shared and tied.assigns and not hasattr(tied, "W")
    assert (
        m.objective.encoder.layers[1] is not code and m.encoder.layers[1] is m.decoder.layers[0].of
    )
    W = m.backend.to_host(m.parameters.view("encoder.1.W"))
    m.backend.write(m.parameters.view("encoder.1.W"), 2 * W)
    np.testing.assert_array_equal(m.backend.to_host(tied.of.W), 2 * W)
    assert [line.split()[-1] for line in str(m).splitlines()[4:6]] == ["28", "6"]


def test_a_deep_one_and_a_vae(backend):
    """Two layers tied one after the other; and the mean of a VAE's pixels by the encoder's first
    matrix."""
    first, second = Dense(6, 5, "tanh"), Dense(5, 4)
    deep = sa.Autoencoder(
        sa.Sequential(first, second), sa.Sequential(Tied(second, "tanh"), Tied(first))
    )
    vae = sa.VAE(
        sa.Sequential(first, second),
        sa.Sequential(Dense(2, 5, "tanh"), Tied(first)),
        sa.Gaussian(2),
    )
    for m in (deep, vae):
        assert check_model(m.build(6, backend=backend), 4).ok


def test_several_tied_to_one(backend):
    """The last of them assigns the gradient, the others add."""
    code = Dense(6, 4, "tanh")
    decoder = sa.Sequential(Tied(code, "tanh"), Dense(6, 4), Tied(code))
    for shards in (1, 3):
        m = sa.Autoencoder(code, decoder).build(6, backend=backend)
        assert check_model(m, X.reshape(N, 6)).ok
        losses = sa.fit(m, X.reshape(N, 6), sa.Adam(0.02), epochs=5, shards=shards)["train_loss"]
        assert losses[-1] < losses[0]


def test_built_again_and_parts_of_it_built_again(backend):
    """What a build has left in the layers, that they are tied, does not stay."""
    m = model(backend=backend)
    before = gradients(m)[1]["encoder.1.W"]
    m.build((2, 3, 1), backend=backend, dtype="float64", seed=2)
    np.testing.assert_array_equal(gradients(m)[1]["encoder.1.W"], before)
    encoder = m.objective.encoder  # as it was built, tied; here without the Tied
    untied = sa.Autoencoder(encoder, sa.Sequential(Dense(4, 6), sa.Reshape(2, 3, 1)))
    assert check_model(untied.build((2, 3, 1), backend=backend, dtype="float64"), X).ok


def overwrites(self, dy, backward=Dense.backward):
    """Dense, as if nothing were tied to it."""
    self.shared = False
    return backward(self, dy)


def adds(self, dy, backward=Tied.backward):
    """Tied, as if it were not the first to write."""
    add, self.add = self.add, True
    dx = backward(self, dy)
    self.add = add
    return dx


def forward_by_W(self, x):
    self.x, y = x, self.y[: len(x)]
    self.matmul(x, self.of.W, out=y)
    self.bias_activation(y, self.b)
    return y


@pytest.mark.parametrize(
    "kind, method, wrong",
    [(Dense, "backward", overwrites), (Tied, "backward", adds), (Tied, "forward", forward_by_W)],
)
def test_a_planted_error_is_found(kind, method, wrong, monkeypatch):
    """dW overwritten, dW added to what lay there, W in the place of its transpose."""
    code = Dense(5, 5, "tanh", **DRAWN)
    layer = sa.Sequential(code, Tied(code, "sigmoid"))
    assert check_layer(layer, (5,)).ok
    monkeypatch.setattr(kind, method, wrong)
    assert "0.W" in {row.what for row in check_layer(layer, (5,)).rows if row.verdict == "wrong"}


def another():
    """The Dense of another model, as that one has built it."""
    return model().objective.encoder.layers[1]


CODE = Dense(6, 4)
HANDED = Dense(6, 4)
HANDED.declare((6,))
NOT_BEFORE = {
    "in no model": lambda: (Dense(6, 4), Tied(Dense(6, 4))),
    "a copy": lambda: (CODE, Tied(copy.deepcopy(CODE))),
    "of another model": lambda: (Dense(6, 4), Tied(another())),
    "declared by hand": lambda: (Dense(6, 4), Tied(HANDED)),
    "later": lambda: (Dense(6, 4), sa.Sequential(Tied(CODE), CODE, Dense(4, 6))),
    "later, in the encoder": lambda: (sa.Sequential(Dense(6, 4), Tied(CODE), CODE), Dense(4, 6)),
    "a part that was built": lambda: (Dense(6, 4), model().objective.decoder),
}


@pytest.mark.parametrize("case", NOT_BEFORE)
def test_a_layer_that_does_not_stand_before_it_is_refused_when_built(case):
    m = sa.Autoencoder(*NOT_BEFORE[case]())
    with pytest.raises(
        ValueError,
        match=r"Tied is of a Dense\(6, 4\) that does not stand before it in the same model",
    ):
        m.build(6)
    assert not hasattr(m, "parameters")


def test_what_cannot_be_tied():
    for wrong in (sa.Flatten(), sa.Sequential(CODE), Tied(CODE), Dense, None):
        with pytest.raises(TypeError, match=r"Tied\(of\) is .*, but a Dense layer"):
            Tied(wrong)
    with pytest.raises(ValueError, match="no activation 'step'"):
        Tied(CODE, "step")
    code = Dense(6, 4)
    with pytest.raises(
        ValueError,
        match=r"Tied\(Dense\(6, 4\)\) is handed rows of shape \(3,\), but it takes \(4,\)",
    ):
        sa.Autoencoder(sa.Sequential(code, Dense(4, 3)), Tied(code)).build(6)
    with pytest.raises(ValueError, match=r"the same Dense stands at encoder\.0 and at encoder\.1"):
        square = Dense(6, 6)
        sa.Autoencoder(sa.Sequential(square, square), Tied(square)).build(6)
    with pytest.raises(ValueError, match="the same Tied stands at decoder"):
        square = Dense(6, 6)
        back = Tied(square)
        sa.Autoencoder(square, sa.Sequential(back, back)).build(6)
