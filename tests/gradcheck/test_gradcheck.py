"""The check is itself checked: right code passes, and a reader's wrong layer does not.

Planted errors in our own code, the measure and its verdicts, and the V-curve have files of their
own.
"""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gradcheck.planting import OFF, spoiled, wrong

import scratchae as sa
from scratchae import latents, layers, likelihoods, objectives
from scratchae.gradcheck import __main__ as command
from scratchae.gradcheck import check, check_function, check_layer, check_model, library, table
from scratchae.kernels.activation import ACTIVATION_GRADIENT
from scratchae.kernels.kernel import Kernel
from scratchae.latents import gaussian

ROOT = Path(__file__).resolve().parents[2]


class Scale(sa.Layer):
    """A reader's own layer, y = x exp(s), computed on the host: shapes x, y (N, I), s (I,)."""

    def declare(self, shape):
        self.shape = self.output = shape
        return shape, {"s": (shape, lambda noise: np.zeros(shape))}

    def bind(self, backend, rows, need_dx):
        self.y, self.dx = backend.empty((rows, *self.shape)), backend.empty((rows, *self.shape))
        self.host, self.write = backend.to_host, backend.write

    def forward(self, x):
        self.x, self.N = x, len(x)
        self.write(self.y[: self.N], self.host(x) * np.exp(self.host(self.s)))
        return self.y[: self.N]

    def backward(self, dy):
        dy, s = self.host(dy), self.host(self.s)
        ds = (dy * self.host(self.y[: self.N])).sum(axis=0)
        self.write(self.ds, self.host(self.ds) + ds if self.add else ds)
        self.write(self.dx[: self.N], dy * np.exp(s))
        return self.dx[: self.N]


def vae():
    return sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6, "sigmoid"), sa.Gaussian(2), sa.Bernoulli())


# --- everything is right, and everything is looked at ---


@pytest.mark.slow
def test_the_command_ends_with_one_line(tolerance):
    arguments = [sys.executable, "-W", "error", "-m", "scratchae.gradcheck"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    found = re.fullmatch(
        (
            r"all (\d+) gradients and (\d+) proofs right on reference and numpy; the largest "
            r"relative error is (\S+) \((.+)\)"
        ),
        last,
    )
    assert found and int(found[1]) > 500 and int(found[2]) > 100, last
    assert float(found[3]) < tolerance("gradient") / 100, last


def test_the_command_on_a_gpu(gpu, capsys, tolerance):
    assert table.main([gpu]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    found = re.fullmatch(
        (
            r"all (\d+) gradients and (\d+) proofs right on cupy; the largest relative error is "
            r"(\S+) \((.+)\)"
        ),
        last,
    )
    assert found and int(found[1]) > 250 and int(found[2]) > 50, last
    assert float(found[3]) < tolerance("gradient") / 100, last


def one_layer(backend):
    return [check_layer(sa.Dense(3, 2, "tanh"), (3,), backend=backend)]


def test_the_command_names_what_is_wrong(monkeypatch, capsys):
    def planted(da, *args):
        right.definition(da, *args)
        da *= OFF

    right = ACTIVATION_GRADIENT["tanh"]
    monkeypatch.setitem(ACTIVATION_GRADIENT, "tanh", Kernel(planted))
    monkeypatch.setattr(library, "GRADIENTS", {"layers": (one_layer, "slopes", "the rest")})
    monkeypatch.setattr(library, "PROOFS", {})
    assert table.main(["reference"]) == 1
    out = capsys.readouterr().out
    assert (
        out.splitlines()[-1]
        == "2 of 5 checks are wrong: Dense tanh: W, reference; Dense tanh: x, reference"
    )
    assert "  each line proves: slopes\n  none can see: the rest\n" in out


@pytest.mark.slow
def test_the_command_names_a_sampler_that_is_wrong(monkeypatch, capsys):
    """sigma = exp(logvar) in z and in its gradient: every gradient is right."""
    monkeypatch.setattr(library, "GRADIENTS", {"layers": (one_layer, "", "")})
    monkeypatch.setattr(library, "PROOFS", {"samplers": library.PROOFS["samplers"]})

    def twice_logvar(z, kl, h, eps):
        mu, logvar = np.split(h, 2, axis=1)
        z[...] = np.repeat(mu, 2, axis=0) + np.exp(np.repeat(logvar, 2, axis=0)) * eps

    kernel = spoiled(gaussian.GAUSSIAN_SAMPLE, twice_logvar)
    monkeypatch.setattr(gaussian, "GAUSSIAN_SAMPLE", kernel)
    assert table.main(["numpy"]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "1 of 29 checks are wrong: sampler of Gaussian: variance, numpy"


@pytest.mark.parametrize(
    "argv, backends",
    [([], ("reference", "numpy")), (["numpy"], ("numpy",)), (["reference"], ("reference",))],
)
def test_the_command_checks_what_it_is_told(argv, backends, monkeypatch):
    seen = []
    monkeypatch.setattr(table, "main", lambda backends: seen.append(backends) or 1)
    assert command.main(argv) == 1 and seen == [backends]


@pytest.mark.parametrize(
    "argv, words",
    [
        (["bogus"], "there is no backend 'bogus'"),
        ([""], "there is no backend ''"),
        (["cupy"], "needs CuPy, which is not installed"),
        (["numpy", "reference"], "unrecognized arguments: reference"),
        (["--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_the_command_refuses_in_a_sentence(argv, words, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    with pytest.raises(SystemExit) as ended:
        command.main(argv)
    out, sentence = capsys.readouterr()
    assert (ended.value.code, out, sentence.count("\n")) == (2, "", 1)
    assert sentence.startswith("python -m scratchae.gradcheck: ") and words in sentence


def test_the_command_tells_its_use(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert (
        ended.value.code == 0
        and "usage: python -m scratchae.gradcheck [-h] [--shape N" in capsys.readouterr().out
    )


def test_the_command_is_interrupted(monkeypatch, capsys):
    def interrupted(backends):
        raise KeyboardInterrupt

    monkeypatch.setattr(table, "main", interrupted)
    with pytest.raises(SystemExit) as ended:
        command.main([])
    assert (
        ended.value.code == 130
        and capsys.readouterr().err == "\npython -m scratchae.gradcheck: interrupted\n"
    )


def test_a_bug_in_the_command_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(library, "GRADIENTS", {"layers": (lambda backend: [][0], "", "")})
    with pytest.raises(IndexError):
        command.main(["numpy"])


@pytest.mark.parametrize(
    "group, package",
    [
        ("layers", layers),
        ("latents", latents),
        ("likelihoods", likelihoods),
        pytest.param("objectives", objectives, marks=pytest.mark.slow),
        ("samplers", latents),
        ("distributions", likelihoods),
    ],
)
def test_nothing_of_the_library_is_left_out(group, package, monkeypatch):
    """Whatever is found."""
    monkeypatch.setattr(library, "DRAWS", 64)
    monkeypatch.setattr(library, "distribution_rows", lambda *_: [])
    reports_on, _, _ = (library.GRADIENTS | library.PROOFS)[group]
    reports = reports_on("reference")
    if group == "objectives":  # those whose gradient is a slope in the mean
        reports += library.PROOFS["estimators"][0]("reference")
    checked = {word for report in reports for word in report.title.split()}
    protocols = {"Latent", "Layer", "Likelihood", "Objective", "Penalty"}
    assert set(package.__all__) - protocols <= checked


# --- the reader's own layer ---


def test_a_readers_layer(backend):
    report = check(Scale(), (4,), 3, backend)
    assert [row.what for row in report.rows] == ["s", "x", "gradients add", "smaller batch"]
    assert report.ok, str(report)
    several = sa.Sequential(Scale(), sa.Dense(4, 2, "tanh"), Scale())
    assert not check_layer(several, (4,), backend=backend).rows[0].note


class WrongTensor(Scale):
    def backward(self, dy):
        dx = super().backward(dy)
        self.ds *= OFF
        return dx


class WrongInput(Scale):
    def backward(self, dy):
        return OFF * super().backward(dy)


class Assigns(Scale):
    def backward(self, dy):
        self.add = False
        return super().backward(dy)


class ReadsOldRows(Scale):
    def backward(self, dy):
        dx = super().backward(dy)
        self.ds[...] += (self.y[self.N :] ** 2).sum(axis=0)
        return dx


class NotWritten(Scale):
    def backward(self, dy):
        np.multiply(dy, np.exp(self.s), out=self.dx[: self.N])
        return self.dx[: self.N]


class NoInput(Scale):
    def backward(self, dy):
        super().backward(dy)


class DropsInput(Scale):
    def backward(self, dy):
        return super().backward(dy)[:-1]


class DropsOutput(Scale):
    def forward(self, x):
        return super().forward(x)[:-1]


class NoOutput(Scale):
    def forward(self, x):
        super().forward(x)


class Noisy(Scale):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * (1 + 0.1 * np.sin(self.calls))


class WritesToX(Scale):
    def forward(self, x):
        y = super().forward(x)
        x[...] = y
        return y


@pytest.mark.parametrize(
    "layer, sees, note",
    [
        (WrongTensor, {"s", "gradients add"}, "furthest off at"),
        (WrongInput, {"x"}, "furthest off at"),
        (Assigns, {"gradients add"}, "layer.add"),
        (ReadsOldRows, {"smaller batch"}, "old ones"),
        (NotWritten, {"s", "gradients add", "smaller batch"}, "not written"),
        (NoInput, {"x"}, "there is no gradient: give one, and not None"),
        (DropsInput, {"x", "smaller batch"}, "the gradient has shape (2, 4), but x has (3, 4)"),
        (Noisy, {"s", "x", "smaller batch"}, "two calls"),
        (WritesToX, {"x is kept"}, "which the layer before reads"),
    ],
)
def test_a_readers_wrong_layer(layer, sees, note):
    report = check_layer(layer(), (4,))
    assert set(wrong(report)) == sees and not report.ok
    assert any(note in row.note for row in report.rows), str(report)


@pytest.mark.parametrize(
    "layer, words",
    [
        (DropsOutput(), r"DropsOutput.forward gives an array of shape \(2, 4\), .* handed 3 rows"),
        (NoOutput(), "NoOutput.forward gives None, but y is needed"),
        (Scale, r"the layer is the class Scale, but an object is expected: Scale\(...\)"),
    ],
)
def test_what_is_no_layer_is_a_sentence(layer, words):
    with pytest.raises(TypeError, match=words):
        check_layer(layer, (4,))


# --- whole models, and check itself ---


def test_a_model_is_checked_where_it_stands(backend):
    model = vae()
    x = np.full((3, 6), 0.3)
    model.build(6, backend=backend, seed=2)
    values, host = model.parameters.values, model.backend.to_host
    model.backend.write(values, 2 * host(values))
    before = host(values)
    for report in (check_model(model), check_model(model, x)):
        assert report.ok and report.title == "VAE Bernoulli", str(report)
        assert [row.what for row in report.rows] == [
            "encoder.W",
            "encoder.b",
            "decoder.W",
            "decoder.b",
        ]
    np.testing.assert_array_equal(host(values), before)


def test_a_model_on_its_kink_is_told_from_a_wrong_one():
    x = np.zeros((3, 8, 8, 1))
    x[:, 3:5, 3:5] = 0.7  # a border of zeros and a bias of zero: relu at exactly 0
    encoder = sa.Sequential(sa.Conv2d(1, 2, 3, 2, "same", "relu"), sa.Flatten(), sa.Dense(32, 3))
    model = sa.Autoencoder(encoder, sa.Sequential(sa.Dense(3, 64), sa.Reshape(8, 8, 1))).build(
        (8, 8, 1)
    )
    report = check_model(model, x)
    assert report.ok
    assert {row.what: row.verdict for row in report.rows if row.verdict != "right"} == {
        "encoder.0.b": "kink"
    }


def test_a_model_needs_a_shape():
    with pytest.raises(ValueError, match="VAE is not built, so 4 rows have no shape"):
        check_model(vae())
    with pytest.raises(ValueError, match="Bernoulli likelihood takes values in"):
        check_model(vae(), np.full((2, 6), 1.5))
    with pytest.raises(ValueError, match=r"\(N, 6\) is expected"):
        check_model(vae().build(6), np.zeros((2, 5)))


def test_check_goes_by_type():
    for thing, args, title, n in [
        (sa.Dense(3, 2), ((3,),), "Dense identity", 5),
        (sa.Gaussian(2), (), "Gaussian", 12),
        (sa.SquaredError(), ((3,),), "SquaredError", 3),
        (vae().objective, ((6,),), "ELBO Bernoulli", 5),
        (vae(), (np.full((2, 6), 0.3),), "VAE Bernoulli", 4),
        (np.tanh, (lambda x, dy: dy * (1 - np.tanh(x) ** 2), np.arange(3.0)), "function", 1),
    ]:
        report = check(thing, *args)
        assert (report.title, len(report.rows), report.ok) == (title, n, True), str(report)


def test_what_has_no_check_is_refused():
    with pytest.raises(TypeError, match="no check for a str"):
        check("numpy")
    with pytest.raises(ValueError, match="no backend 'fast'"):
        check_layer(sa.Dense(3, 2), (3,), backend="fast")


def test_a_scalar_function_has_a_gradient_of_one_argument():
    report = check_function(
        lambda x: (x**3).sum(), lambda x: 3 * x**2, np.array([1.0, -2.0]), "theta"
    )
    assert report.ok and report.rows[0].what == "theta"
    assert not check_function(
        lambda x: (x**3).sum(), lambda x: OFF * 3 * x**2, np.array([1.0, -2.0])
    ).ok


def test_a_layer_that_is_in_use_is_left_alone():
    layer = sa.Dense(3, 2, "tanh")
    model = sa.Autoencoder(layer, sa.Dense(2, 3)).build(3)
    bound = model.replica(2).encoder
    W = bound.W
    assert check_layer(bound, (3,)).ok and check_layer(layer, (3,)).ok
    assert bound.W is W and not hasattr(layer, "W")


def test_what_is_frozen_is_checked_all_the_same():
    layer = sa.Dense(3, 2)
    model = sa.Autoencoder(sa.Sequential(sa.Dense(4, 3), layer), sa.Dense(2, 4)).build(4)
    model.encoder.layers[0].trainable = layer.trainable = False
    for report in (check_layer(layer, (3,)), check_model(model, 4)):
        assert wrong(report) == {}, report
    assert not layer.trainable and not model.encoder.layers[0].trainable
