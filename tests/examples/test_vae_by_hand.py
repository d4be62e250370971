"""The page is the library: the same terms, gradients and steps from the same weights, images and
noise.

Each error that is planted in a line of the page is seen by that comparison.
"""

import ast
import re
import types

import numpy as np
import pytest
import vae_by_hand
from examples.page import LINES, SOURCE, TREE, cited
from matplotlib.image import imread

from scratchae import VAE, Adam, Dense, Gaussian, Sequential, datasets

NAMES = [
    f"{half}.{layer}.{tensor}"
    for half in ("encoder", "decoder")
    for layer in (0, 1)
    for tensor in "Wb"
]
TERMS = ("loss", "reconstruction", "kl")
SMALL = (7, 12, 9, 3)  # images in a batch, pixels, hidden units, latent dimensions
STEPS, RATE, OFF = 5, 2e-3, 1.001


class Library:
    """The library's VAE of the page's network, its weights and noise handed in: params, x (N, I),
    eps (N, D)."""

    def __init__(self, backend, sizes, params):
        N, I, H, D = sizes
        encoder = Sequential(Dense(I, H, "relu"), Dense(H, 2 * D))
        decoder = Sequential(Dense(D, H, "relu"), Dense(H, I))
        self.model = VAE(encoder, decoder, Gaussian(D)).build(I, backend=backend, dtype="float64")
        self.grads = self.model.backend.zeros((1, self.model.parameters.size))
        self.replica = self.model.replica(N, self.grads[0])
        self.optimizer = Adam(RATE)
        self.optimizer.start(self.model.parameters)
        for name, value in zip(NAMES, params, strict=True):
            self.model.backend.write(self.model.parameters.view(name), value)

    def tensors(self, flat=None):
        """The parameters, or those parts of a vector like theirs, in the page's order."""
        return [
            self.model.backend.to_host(self.model.parameters.view(name, flat)) for name in NAMES
        ]

    def step(self, x, eps):
        """One step of Adam -> {what: the library's arrays}."""
        replica, backend = self.replica, self.model.backend
        x = backend.asarray(x)
        backend.write(replica.latent.eps, eps)
        total = backend.to_host(replica.forward(x)).copy()
        replica.backward(total)
        found = {
            "nll": [backend.to_host(replica.likelihood.nll)],
            "kl": [backend.to_host(replica.latent.kl)],
        }
        found |= {
            "terms": [replica.loss(total)[name] for name in TERMS],
            "grads": self.tensors(self.grads[0]),
        }
        self.optimizer.tick(total)
        self.optimizer.update(
            self.model.parameters.values, self.grads, slice(0, self.model.parameters.size)
        )
        found |= {name: self.tensors(vector) for name, vector in self.optimizer.vectors.items()}
        return found | {"params": self.tensors()}


class Page:
    """A module like the page, with the state that its main keeps."""

    def __init__(self, page, params):
        self.page, self.params = page, [value.copy() for value in params]
        self.m, self.v, self.t = [0.0] * 8, [0.0] * 8, 0

    def step(self, x, eps):
        """One step of Adam -> {what: the page's arrays}."""
        nll, kl, kept = self.page.forward(x, eps, self.params)
        grads = self.page.backward(x, eps, self.params, kept)
        self.t += 1
        self.page.adam(self.params, grads, self.m, self.v, self.t, len(x), alpha=RATE)
        terms = [(nll.sum() + kl.sum()) / len(x), nll.sum() / len(x), kl.sum() / len(x)]
        found = {"nll": [nll], "kl": [kl], "terms": terms, "grads": grads}
        return found | {"m": self.m, "v": self.v, "params": self.params}


def drawn(sizes):
    """Parameters of ordinary size, and for each step a batch x (N, I) of ink and paper, and noise
    eps (N, D)."""
    N, I, H, D = sizes
    rng, params = np.random.default_rng(0), []
    for inputs, outputs in ((I, H), (H, 2 * D), (D, H), (H, I)):
        params += [
            rng.normal(size=(inputs, outputs)) / np.sqrt(inputs),
            0.3 * rng.normal(size=outputs),
        ]
    return params, [
        ((rng.random((N, I)) < 0.4) * 1.0, rng.normal(size=(N, D))) for _ in range(STEPS)
    ]


def compare(page, backend, sizes, allowed):
    """Hold every array of every step to the library's, relative to the largest of its elements."""
    params, steps = drawn(sizes)
    ours, theirs = Page(page, params), Library(backend, sizes, params)
    for number, (x, eps) in enumerate(steps, start=1):
        found, expected = ours.step(x, eps), theirs.step(x, eps)
        assert found.keys() == expected.keys()
        for what, arrays in expected.items():
            for i, (a, b) in enumerate(zip(found[what], arrays, strict=True)):
                assert np.shape(a) == np.shape(b)
                error = np.abs(a - b).max() / np.abs(b).max()
                assert error <= allowed, (
                    f"step {number}, {what}[{i}]: {error:.1e}, allowed {allowed:.0e}"
                )


@pytest.mark.parametrize("sizes", [SMALL, (20, 100, 40, 10)])
@pytest.mark.parametrize("name", ["reference", "numpy"])
def test_the_page_is_the_library(name, sizes, tolerance):
    compare(vae_by_hand, name, sizes, tolerance("loss"))


def module(source):
    """The page's source, changed, as a module."""
    made = types.ModuleType("planted")
    made.__file__ = vae_by_hand.__file__
    exec(source, vars(made))
    return made


# The mistakes that are made in VAEs: {what is wrong: (the page's words, other words)}.
MISTAKES = {
    "sigma is the variance": ("np.exp(logvar / 2)", "np.exp(logvar)"),
    "the nll is a mean over pixels": (
        "(softplus - x * a).sum(axis=1)",
        "(softplus - x * a).mean(axis=1)",
    ),
    "the kl is doubled": (
        "(mu * mu + np.expm1(logvar) - logvar) / 2",
        "(mu * mu + np.expm1(logvar) - logvar)",
    ),
    "the kl lacks its - 1": (
        "mu * mu + np.expm1(logvar) - logvar",
        "mu * mu + np.exp(logvar) - logvar",
    ),
    "da has the other sign": ("da4 = sigmoid(a) - x", "da4 = x - sigmoid(a)"),
    "no gradient of the kl by mu": ("dmu = dz + mu  #", "dmu = dz  #"),
    "no gradient of the kl by logvar": ("sigma / 2 + np.expm1(logvar) / 2", "sigma / 2"),
    "no gradient of z by logvar": ("dz * eps * sigma / 2 + np", "np"),
    "logvar is log sigma backwards": ("dz * eps * sigma / 2", "dz * eps * sigma"),
    "other noise backwards": ("dz * eps * sigma", "dz * eps[::-1] * sigma"),
    "no relu backwards in the decoder": (" * (y3 > 0)", ""),
    "no relu backwards in the encoder": (" * (y1 > 0)", ""),
    "mu and logvar in the other order": ("[dmu, dlogvar]", "[dlogvar, dmu]"),
    "a sum over the batch": ("g = G / N  #", "g = G  #"),
    "epsilon inside the root": ("(np.sqrt(v_hat) + epsilon)", "np.sqrt(v_hat + epsilon)"),
    "m is not corrected": ("m[i] / (1 - beta1**t)", "m[i]"),
    "v is corrected by another t": ("1 - beta2**t", "1 - beta2 ** (t + 1)"),
    "v is of g, not of its square": ("(1 - beta2) * g * g", "(1 - beta2) * g"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(mistake, tolerance):
    right, wrong = MISTAKES[mistake]
    assert SOURCE.count(right) == 1
    page = module(SOURCE.replace(right, wrong))
    with pytest.raises(AssertionError, match="allowed"), np.errstate(all="ignore"):
        compare(page, "reference", SMALL, tolerance("loss"))


def values():
    """(line, first column, last column) of what each numbered line outside main computes, a
    tuple's parts each."""
    for function in (
        node for node in TREE.body if isinstance(node, ast.FunctionDef) and node.name != "main"
    ):
        for node in ast.walk(function):
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.Return)) and cited(
                LINES[node.lineno - 1]
            ):
                parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
                computed = [
                    part
                    for part in parts
                    if not isinstance(part, ast.Name) and called(part) != "mlp"
                ]
                yield from (
                    (part.lineno - 1, part.col_offset, part.end_col_offset) for part in computed
                )


def called(node):
    """The name of the function that a call calls, or None."""
    return getattr(getattr(node, "func", None), "id", None)


@pytest.mark.parametrize("place", list(values()), ids=lambda p: LINES[p[0]][p[1] : p[2]])
def test_an_error_of_a_thousandth_is_seen(place, tolerance):
    line, start, stop = place
    words = LINES[line]
    wrong = f"{words[:start]}{OFF} * ({words[start:stop]}){words[stop:]}"
    page = module("\n".join([*LINES[:line], wrong, *LINES[line + 1 :]]))
    with pytest.raises(AssertionError, match="allowed"):
        compare(page, "reference", SMALL, tolerance("loss"))


def test_no_logit_overflows(tolerance):
    """Logits of -800, 0 and 800, whose exponentials have no float64: warnings are errors here."""
    a = np.array([-800.0, 0.0, 800.0])
    assert vae_by_hand.sigmoid(a).tolist() == [0.0, 0.5, 1.0]
    params = [np.zeros(shape) for shape in ((3, 2), (2,), (2, 2), (2,), (1, 2), (2,), (2, 3))] + [
        a
    ]
    nll, kl, _ = vae_by_hand.forward(np.array([[1.0, 1.0, 0.0]]), np.zeros((1, 1)), params)
    assert nll == pytest.approx([1600 + np.log(2)], rel=tolerance("loss")) and kl.tolist() == [
        [0.0]
    ]


@pytest.mark.parametrize(
    "rows, epochs, share", [(250, 2, 0.95), pytest.param(640, 3, 0.6, marks=pytest.mark.slow)]
)
def test_the_whole_run(rows, epochs, share, tmp_path, monkeypatch, capsys):
    """Every image once an epoch, in another order; the means that are printed fall to a share of
    the first; the picture is written."""
    few, seen = datasets.strokes.load(rows, 1), []
    monkeypatch.setitem(datasets.LOADERS, "strokes", lambda data_dir=None: few)
    forward = vae_by_hand.forward

    def recorded(x, eps, params):
        nll, kl, kept = forward(x, eps, params)
        seen.append((x, eps, nll.sum(), kl.sum()))
        return nll, kl, kept

    monkeypatch.setattr(vae_by_hand, "forward", recorded)
    vae_by_hand.main(tmp_path / "out", epochs=epochs)
    printed = [re.findall(r"\d+\.\d+", line) for line in capsys.readouterr().out.splitlines()]
    steps = rows // 100
    assert len(printed) == epochs and len(seen) == epochs * steps
    parts = [seen[start : start + steps] for start in range(0, len(seen), steps)]
    for words, batches in zip(printed, parts, strict=True):
        nll, kl = (sum(batch[term] for batch in batches) / rows for term in (2, 3))
        assert words == [f"{value:.2f}" for value in (nll, kl, nll + kl)]
    losses = [float(words[2]) for words in printed]
    assert losses == sorted(losses, reverse=True) and losses[-1] < share * losses[0]
    images = few[0][0].reshape(rows, 784) > 127
    orders = [np.concatenate([batch[0] for batch in batches]) for batches in parts]
    for order in orders:
        assert sorted(row.tobytes() for row in order) == sorted(
            row.tobytes() for row in images.astype(float)
        )
    assert not np.array_equal(orders[0], orders[1])
    eps = np.concatenate([batch[1] for batch in seen])
    assert abs(eps.mean()) < 5 / np.sqrt(eps.size) and abs(eps.var() - 1) < 5 * np.sqrt(
        2 / eps.size
    )
    picture = imread(tmp_path / "out" / "samples.png")
    assert picture.shape[:2] == (6 * 28 * 3, 10 * 28 * 3) and picture[..., 0].min() < 0.9


def test_a_folder_that_cannot_be_is_found_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(vae_by_hand, "forward", None)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="file"):
        vae_by_hand.main(tmp_path / "file")
