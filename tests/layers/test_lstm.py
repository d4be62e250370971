"""The LSTM: against a loop that anyone can read, against PyTorch, over long sequences, with
errors, trained."""

import re
import types
from pathlib import Path

import numpy as np
import pytest

import scratchae as sa
from scratchae import by_hand
from scratchae.backend.cuda import source as cuda
from scratchae.gradcheck import check_layer
from scratchae.initializers import Normal
from scratchae.kernels import lstm as kernels
from scratchae.layers import lstm

DRAWN = {"init": Normal(0.7), "init_r": Normal(0.7), "init_b": Normal(0.7)}
SEQUENCES = pytest.mark.parametrize("sequences", [True, False], ids=["all", "last"])
SIZES = pytest.mark.parametrize(
    "N, T, I, U", [(3, 5, 2, 4), (1, 1, 3, 2), (4, 1, 1, 1), (2, 7, 1, 9), (5, 2, 6, 1)]
)


def bound(layer, T, backend="numpy", dtype="float64"):
    return by_hand(layer, (T, layer.inputs), backend=backend, dtype=dtype, seed=5)


def step(b, x, dy):
    """y, dx and the gradients by name."""
    return b(x), b.backward(dy), b.gradients


def inputs(layer, N, T, dtype="float64"):
    rng = np.random.default_rng(2)
    output = (N, T, layer.units) if layer.sequences else (N, layer.units)
    return rng.normal(size=(N, T, layer.inputs)).astype(dtype), rng.normal(size=output).astype(
        dtype
    )


def naive(x, W, R, b, sequences):
    """One example, one step, one unit at a time."""
    sigmoid, U = lambda a: 1 / (1 + np.exp(-a)), len(R)
    y = np.zeros((len(x), x.shape[1], U))
    for n, series in enumerate(x):
        h, c = np.zeros(U), np.zeros(U)
        for t, x_t in enumerate(series):
            before, h = h, np.zeros(U)
            for u in range(U):
                a_i, a_f, a_g, a_o = (
                    x_t @ W[:, k] + before @ R[:, k] + b[k] for k in range(u, 4 * U, U)
                )
                c[u] = sigmoid(a_f) * c[u] + sigmoid(a_i) * np.tanh(a_g)
                h[u] = sigmoid(a_o) * np.tanh(c[u])
            y[n, t] = h
    return y if sequences else y[:, -1]


@SEQUENCES
@SIZES
def test_against_loops(backend, N, T, I, U, sequences, tolerance):
    b = bound(sa.LSTM(I, U, sequences, **DRAWN), T, backend)
    x, dy = inputs(b.part, N, T)
    y = step(b, x, dy)[0]
    np.testing.assert_allclose(
        y, naive(x, **b.weights, sequences=sequences), atol=tolerance("layer")
    )


@pytest.mark.slow  # the import of PyTorch
@SEQUENCES
@SIZES
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_against_pytorch(backend, N, T, I, U, sequences, dtype, tolerance):
    torch = pytest.importorskip(
        "torch", reason="needs PyTorch, the outside view: pip install torch"
    )
    b = bound(sa.LSTM(I, U, sequences, **DRAWN), T, backend, dtype)
    x, dy = inputs(b.part, N, T, dtype)
    theirs = torch.nn.LSTM(I, U, batch_first=True, dtype=getattr(torch, dtype))
    with torch.no_grad():
        for name, value in (
            ("weight_ih", b.weights["W"].T),
            ("weight_hh", b.weights["R"].T),
            ("bias_ih", b.weights["b"]),
        ):
            getattr(theirs, f"{name}_l0").copy_(torch.tensor(value.copy()))
        theirs.bias_hh_l0.zero_()
    leaf = torch.tensor(x, requires_grad=True)
    out = theirs(leaf)[0] if sequences else theirs(leaf)[1][0][0]
    out.backward(torch.tensor(dy))
    grads = {
        "W": theirs.weight_ih_l0.grad.T,
        "R": theirs.weight_hh_l0.grad.T,
        "b": theirs.bias_ih_l0.grad,
    }
    y, dx, named = step(b, x, dy)
    tol = tolerance("layer", dtype)
    np.testing.assert_allclose(y, out.detach(), atol=tol)
    np.testing.assert_allclose(dx, leaf.grad, atol=tol)
    for name, theirs_grad in grads.items():
        np.testing.assert_allclose(named[name], theirs_grad, rtol=tol, atol=tol, err_msg=name)


@pytest.mark.parametrize("size", [(40, 100, 2, 33), (9, 3, 2, 70)], ids=["long", "wide"])
def test_large_sizes(size, tolerance):
    """More steps than a loop is written for by mistake, more numbers in a gate, units for two
    tiles and a half."""
    N, T, I, U = size
    mild = {"init": Normal(0.3), "init_r": Normal(0.5 / U**0.5), "init_b": Normal(0.3)}
    oracle, ours = (
        bound(sa.LSTM(I, U, True, **mild), T, backend) for backend in ("reference", "numpy")
    )
    x, dy = inputs(oracle.part, N, T)
    (y, dx, named), found = step(oracle, x, dy), step(ours, x, dy)
    for a, right in zip((*found[:2], *found[2].values()), (y, dx, *named.values()), strict=True):
        np.testing.assert_allclose(a, right, rtol=tolerance("layer"), atol=tolerance("layer"))


@pytest.mark.slow
def test_a_small_candidate_is_not_rounded_away(backend, tolerance):
    """tanh(a) of 1e-6 as exp would have it is off by a hundredth: c is i g, and relative errors
    count."""
    b = bound(sa.LSTM(1, 3, True, *[sa.initializers.zeros] * 3), 1, backend, "float32")
    b.W = np.repeat([[0, 0, 1, 0]], 3, axis=1)
    y = step(b, np.full((2, 1, 1), 1e-6, np.float32), np.zeros((2, 1, 3), np.float32))[0]
    np.testing.assert_allclose(y, 0.5 * 0.5 * 1e-6, rtol=tolerance("kernel", "float32"))


@SEQUENCES
@pytest.mark.parametrize("T", [1, 2, 6])
def test_finite_differences(backend, T, sequences):
    report = check_layer(sa.LSTM(2, 3, sequences), (T, 2), backend=backend)
    assert report.ok, str(report)
    assert [row.what for row in report.rows] == [
        "W",
        "R",
        "b",
        "x",
        "gradients add",
        "smaller batch",
    ]


@SEQUENCES
@pytest.mark.parametrize("scale", [0.3, 5.0])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_long_sequences_stay_finite(backend, scale, dtype, sequences, T=700):
    """Gates wide open and shut, and inputs of 100; the states stay between -1 and 1."""
    wild = {"init": Normal(scale), "init_r": Normal(scale), "init_b": Normal(scale)}
    b = bound(sa.LSTM(2, 5, sequences, **wild), T, backend, dtype)
    x, dy = inputs(b.part, 3, T, dtype)
    x[:, ::3] *= 100
    y, dx, named = step(b, x, dy)
    assert np.abs(y).max() <= 1
    assert all(np.isfinite(a).all() for a in (dx, *named.values()))


def test_an_open_forget_gate_remembers(backend):
    """With f = 1 and i = 0 after the first step, the first input is there 300 steps later, as is
    its gradient."""
    b = bound(sa.LSTM(2, 1, False), 300, backend)
    b.W = [[0, 0, 1, 0], [80, 0, 0, 0]]
    b.R, b.b = np.zeros((1, 4)), [-40, 40, 0, 40]
    x = np.zeros((2, 300, 2))
    x[:, 0] = [[0.5, 1], [-0.25, 1]]
    y, dx, _ = step(b, x, np.ones((2, 1)))
    c = np.tanh(x[:, 0, 0])
    np.testing.assert_allclose(y[:, 0], np.tanh(c), rtol=1e-12)
    np.testing.assert_allclose(dx[:, 0, 0], (1 - np.tanh(c) ** 2) * (1 - c**2), rtol=1e-12)


@SEQUENCES
def test_smaller_batches_leave_no_trace(backend, sequences, tolerance):
    """The state before the first step stays zero, whatever batches came in between."""
    layer = sa.LSTM(2, 3, sequences, **DRAWN)
    b = bound(layer, 4, backend)
    x, dy = inputs(layer, 6, 4)
    first = step(b, x, dy)
    for n in (1, 4, 5, 2):
        fresh = step(bound(layer, 4, backend), x[:n], dy[:n])
        found = step(b, x[:n], dy[:n])
        for a, right in zip(
            (*found[:2], *found[2].values()), (*fresh[:2], *fresh[2].values()), strict=True
        ):
            np.testing.assert_allclose(a, right, atol=tolerance("layer"))
    again = step(b, x, dy)
    for a, right in zip(
        (*again[:2], *again[2].values()), (*first[:2], *first[2].values()), strict=True
    ):
        np.testing.assert_array_equal(a, right)


def test_how_it_starts():
    b = bound(sa.LSTM(3, 4, True), 2)
    np.testing.assert_array_equal(b.weights["b"], np.repeat([0, 1, 0, 0], 4))
    np.testing.assert_allclose(b.weights["R"] @ b.weights["R"].T, np.eye(4), atol=1e-14)
    assert 0 < np.abs(b.weights["W"]).max() <= np.sqrt(6 / (3 + 16))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: sa.LSTM(0, 2, True), r"LSTM\(inputs\) is 0"),
        (lambda: sa.LSTM(2, 1.5, True), r"LSTM\(units\) is 1\.5"),
        (lambda: sa.LSTM(2, 3, 1), r"LSTM\(sequences\) is 1, but it must be True.*or False"),
        (
            lambda: sa.LSTM(2, 3, True).declare((2,)),
            r"rows of shape \(2,\), but it takes \(steps, 2\).*Reshape",
        ),
        (
            lambda: sa.LSTM(2, 3, True).declare((4, 3)),
            r"rows of shape \(4, 3\), but it takes \(steps, 2\)",
        ),
        (
            lambda: sa.LSTM(2, 3, True).declare((0, 2)),
            r"rows of shape \(0, 2\), but it takes \(steps, 2\)",
        ),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# --- planted errors ---

CUDA = {
    7: "= dh * t * o",
    8: "= dc * g * i",
    9: "= dc * c_before",
    10: "= dc * i",
    11: "= f;",
}


def planted(number, factor="1.001 *"):
    """The module of the kernels, with a factor in one of its equations (7) to (11), its loops not
    compiled."""
    lines = Path(kernels.__file__).read_text(encoding="utf-8").splitlines()
    spoiled = [
        re.sub(r"( \*?=) (?=[^=]*$)", rf"\1 {factor} ", line)
        if line.endswith(f"# ({number})")
        else line
        for line in lines
    ]
    assert sum(map(str.__ne__, lines, spoiled)) == 2  # the definition and the loop
    module = types.ModuleType("scratchae.kernels.planted")
    module.__package__ = "scratchae.kernels"
    plain = (line for line in spoiled if line != "@jit")
    exec(compile("\n".join(plain), "planted", "exec"), vars(module))
    return module


def wrong(report):
    return {row.what for row in report.rows if row.verdict == "wrong"}


@SEQUENCES
@pytest.mark.parametrize("number", CUDA)
def test_an_error_in_an_equation_is_seen(backend, number, sequences, monkeypatch):
    if backend == "cupy":
        term, text = CUDA[number], cuda.texts()["lstm.cu"]
        start = text.index("void step_gradient")
        assert text[start:].count(term) == 1
        spoiled = text[:start] + text[start:].replace(term, term.replace("=", "= REAL(1.001) *"))
        monkeypatch.setitem(cuda.texts(), "lstm.cu", spoiled)
    else:
        monkeypatch.setattr(lstm, "THROUGH_TIME_GRADIENT", planted(number).THROUGH_TIME_GRADIENT)
    assert wrong(check_layer(sa.LSTM(2, 3, sequences), (4, 2), backend=backend)) == {
        "W",
        "R",
        "b",
        "x",
    }


@pytest.mark.parametrize("spelling", ["reference", "numpy"])
def test_a_cell_that_is_forgotten_is_seen(spelling, monkeypatch):
    """Gradients that do not go back through c."""
    monkeypatch.setattr(lstm, "THROUGH_TIME_GRADIENT", planted(11, "0 *").THROUGH_TIME_GRADIENT)
    assert wrong(check_layer(sa.LSTM(2, 3, True), (4, 2), backend=spelling)) == {
        "W",
        "R",
        "b",
        "x",
    }


class CutsTheStateOff(sa.LSTM):
    """Gradients that do not go back through h."""

    def backward(self, dy):
        R, self.R = self.R, 0 * self.R
        dx = super().backward(dy)
        self.R = R
        return dx


class TakesTheStateAfter(sa.LSTM):
    """h_t in the place of h_{t-1} in dR."""

    def backward(self, dy):
        dx, N = super().backward(dy), len(dy)
        rows = self.shape[0] * N
        self.matmul(self._states(self.h, N)[1:].reshape(rows, -1).T, self.a[:rows], out=self.dR)
        return dx


class CountsTheLastStep(sa.LSTM):
    """A gradient of W that is that of one step."""

    def backward(self, dy):
        dx, N = super().backward(dy), len(dy)
        last = slice((self.shape[0] - 1) * N, self.shape[0] * N)
        self.matmul(self.x[last].T, self.a[last], out=self.dW)
        return dx


class StartsWhereItEnded(sa.LSTM):
    """The state before the first step is not that of the largest batch, so smaller ones write on
    it."""

    def _states(self, buffer, N):
        return buffer[: (1 + self.shape[0]) * N].reshape(-1, N, self.units)


@pytest.mark.parametrize(
    "fault, sees",
    [
        (CutsTheStateOff, {"W", "R", "b", "x"}),
        (TakesTheStateAfter, {"R"}),
        (CountsTheLastStep, {"W"}),
    ],
)
def test_a_famous_bug_is_seen(fault, sees):
    report = check_layer(fault(2, 3, True), (4, 2))
    assert wrong(report) - {"gradients add", "smaller batch"} == sees, str(report)


def test_a_trace_of_smaller_batches_is_seen(tolerance, monkeypatch):
    test_smaller_batches_leave_no_trace("numpy", True, tolerance)
    monkeypatch.setattr(sa, "LSTM", StartsWhereItEnded)
    with pytest.raises(AssertionError):
        test_smaller_batches_leave_no_trace("numpy", True, tolerance)


# --- trained ---


def waves(n=70, T=8):
    rng = np.random.default_rng(1)
    t, phase, speed = (
        np.arange(T)[:, None],
        rng.uniform(0, 6, (n, 1, 1)),
        rng.uniform(0.5, 1.2, (n, 1, 1)),
    )
    return np.concatenate([np.sin(speed * t + phase), np.cos(speed * t + phase)], axis=2).astype(
        np.float32
    )


def autoencoder(backend, dtype="float32", T=8, units=6):
    """Two recurrent layers, of which one says all its states, and a dense way back."""
    encoder = sa.Sequential(sa.LSTM(2, units, True), sa.LSTM(units, 5, False), sa.Dense(5, 3))
    decoder = sa.Sequential(sa.Dense(3, 12, "tanh"), sa.Dense(12, 2 * T), sa.Reshape(T, 2))
    return sa.Autoencoder(encoder, decoder, sa.SquaredError()).build(
        (T, 2), dtype=dtype, backend=backend, seed=1
    )


def trained(backend, dtype="float32", epochs=4, units=6):
    model = autoencoder(backend, dtype, units=units)
    # 32, 32, 6 rows
    history = sa.fit(model, waves(), sa.Adam(1e-2), epochs=epochs, batch_size=32, shards=2)
    return np.array(history["train_loss"]), model.backend.to_host(model.parameters.values)


UNITS = pytest.mark.parametrize("units", [6, kernels.UNITS + 1], ids=["one launch", "steps"])


@UNITS
def test_the_gpu_trains_as_the_cpu_does(gpu, units, tolerance):
    ours, cpu = (trained(backend, units=units)[0] for backend in (gpu, "numpy"))
    np.testing.assert_allclose(ours, cpu, rtol=tolerance("trajectory", "float32"))


@UNITS
def test_a_graph_has_the_bits_of_its_launches(gpu, units):
    graphs, launches = (
        trained(sa.get_backend(gpu, graph=graph), units=units) for graph in (True, False)
    )
    for one, other in zip(graphs, launches, strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_learns():
    losses = trained("numpy", "float64", epochs=60)[0]
    assert losses[-1] < 0.3 * losses[0]


def test_it_is_saved_and_loaded(tmp_path):
    model = autoencoder("numpy", "float64")
    sa.save(model, tmp_path / "model")
    again = sa.load(tmp_path / "model")
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again.reconstruct(waves(4)), model.reconstruct(waves(4)))
