"""One category out of several: closed forms, hard values, its optimum, its draws, what is
refused."""

import math

import numpy as np
import pytest

import scratchae as sa
from scratchae.initializers import TensorDraws

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def run(likelihood, a, x, backend, dtype="float64"):
    """a (N K, ..., C), x (N, ..., C) -> nll (N K,), da (N K, ..., C), on the host."""
    bound = sa.get_backend(backend, dtype)
    likelihood.bind(bound, len(x), x.shape[1:], len(a) // len(x))
    nll = bound.to_host(likelihood.forward(bound.asarray(a), bound.asarray(x)))
    return nll, bound.to_host(likelihood.backward())


def one_hot(rng, *shape):
    """One-hot x of that shape, categories last."""
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


@pytest.mark.slow
@DTYPES
@pytest.mark.parametrize("shape, K", [((5,), 1), ((2,), 3), ((4, 3, 6), 2), ((1,), 1)])
@pytest.mark.parametrize("soft", [False, True])
def test_the_outside_view_agrees(shape, K, soft, dtype, backend, rng, tolerance):
    torch = pytest.importorskip(
        "torch", reason="needs PyTorch, the outside view: pip install torch"
    )
    a = (3 * rng.normal(size=(3 * K, *shape))).astype(dtype)
    x = rng.dirichlet(np.ones(shape[-1]), (3, *shape[:-1])) if soft else one_hot(rng, 3, *shape)
    leaf, data = (
        torch.tensor(a).requires_grad_(),
        torch.tensor(x.astype(dtype)).repeat_interleave(K, dim=0),
    )
    theirs = torch.nn.functional.cross_entropy(
        leaf.movedim(-1, 1), data.movedim(-1, 1), reduction="none"
    )
    theirs.sum().backward()
    nll, da = run(sa.Categorical(), a, x, backend, dtype)
    tol = {"rtol": tolerance("layer", dtype), "atol": tolerance("layer", dtype)}
    np.testing.assert_allclose(nll, theirs.detach().reshape(3 * K, -1).sum(1), **tol)
    np.testing.assert_allclose(da, leaf.grad, **tol)
    assert nll.dtype == da.dtype == dtype


HARD = [
    [0, 0, 0],
    [50, 0, -50],
    [-50, -50, 50],
    [100, -100, 0],
    [-100, -100, -100],
    [100, 100, 100],
    [0, 20, 0],
]


@DTYPES
@pytest.mark.parametrize("c", range(3))
def test_hard_values(c, dtype, backend, tolerance):
    """Logits of +-50 and +-100, and what is left of the loss where the category is all but sure:
    4e-9 and 4e-22."""
    a, x = np.array(HARD, float), np.tile(np.eye(3)[c], (len(HARD), 1))
    nll, da = run(sa.Categorical(), a, x, backend, dtype)
    wide = a.astype(np.longdouble)
    # of the others, in units of category c
    rest = np.exp(np.delete(wide, c, axis=1) - wide[:, [c]]).sum(axis=1)
    tol = {"rtol": tolerance("kernel", dtype), "atol": 1e-15}
    np.testing.assert_allclose(nll, np.log1p(rest).astype(float), **tol)
    p = np.exp(wide - wide.max(axis=1, keepdims=True))
    right = (p / p.sum(axis=1, keepdims=True)).astype(float) - x
    np.testing.assert_allclose(da, right, rtol=0, atol=tolerance("kernel", dtype))
    assert np.isfinite(nll).all() and np.isfinite(da).all()


def test_two_categories_are_a_bernoulli(backend, rng, tolerance):
    a, x = 5 * rng.normal(size=(4, 3)), rng.integers(0, 2, (4, 3)).astype(float)
    both = [np.stack([v, w], axis=-1) for v, w in ((a, 0 * a), (x, 1 - x))]
    nll, da = run(sa.Categorical(), *both, backend)
    known = run(sa.Bernoulli(), a, x, backend)
    np.testing.assert_allclose(nll, known[0], rtol=tolerance("kernel"))
    np.testing.assert_allclose(da[..., 0], known[1], atol=tolerance("kernel"))
    np.testing.assert_allclose(da[..., 1], -known[1], atol=tolerance("kernel"))


def test_a_shift_of_all_logits_changes_nothing(backend, rng, tolerance):
    a, x = rng.normal(size=(4, 3, 5)), one_hot(rng, 4, 3, 5)
    nll, da = run(sa.Categorical(), a, x, backend)
    moved = run(sa.Categorical(), a + rng.normal(size=(4, 3, 1)), x, backend)
    np.testing.assert_allclose(moved[0], nll, rtol=tolerance("kernel"))
    np.testing.assert_allclose(da.sum(axis=-1), 0, atol=tolerance("kernel"))


def test_the_best_probabilities_are_the_frequencies(backend, rng, tolerance):
    """The same logits for all examples: the gradient is zero at the logarithm of how often each is
    seen."""
    x = np.eye(4)[rng.choice(4, 60, p=[0.1, 0.2, 0.3, 0.4])]
    often = x.mean(axis=0)
    nll, da = run(sa.Categorical(), np.tile(np.log(often) + 3, (60, 1)), x, backend)
    np.testing.assert_allclose(da.sum(axis=0), 0, atol=60 * tolerance("kernel"))
    assert nll.mean() == pytest.approx(-(often * np.log(often)).sum())  # the entropy
    for c in range(4):
        assert (
            run(
                sa.Categorical(), np.tile(np.log(often) + 0.1 * np.eye(4)[c], (60, 1)), x, backend
            )[0].sum()
            > nll.sum()
        )


def test_draws_come_as_often_as_they_are_likely():
    n, p = 20_000, np.array([0.5, 0.0, 0.2, 0.3, 0.0])
    with np.errstate(divide="ignore"):
        a = np.tile(np.maximum(np.log(p), -100), (n, 2, 1))
    x = sa.Categorical().sample(a, TensorDraws(0, 0))
    assert x.shape == a.shape and set(np.unique(x)) == {0, 1}
    np.testing.assert_array_equal(x.sum(axis=-1), 1)
    # what cannot be is never drawn
    assert (np.abs(x.mean(axis=0) - p) <= 5 * np.sqrt(p * (1 - p) / n)).all()
    both = (x[:, 0, 0] * x[:, 1, 0]).mean()
    assert abs(both - 0.25) < 5 * math.sqrt(0.25 * 0.75 / n)  # each place of its own


class Ends:
    """Draws at the ends of [0, 1)."""

    def uniform(self, shape):
        return np.resize([0.0, 1 - 2.0**-24], shape)


@DTYPES
def test_draws_at_the_ends_of_the_unit_interval(dtype):
    a = np.array([[-1000.0, 2.0, 1.0, -1000.0]] * 2).astype(dtype)
    x = sa.Categorical().sample(a, Ends())
    assert x.dtype == dtype
    np.testing.assert_array_equal(x.argmax(axis=1), [1, 2])


@DTYPES
def test_the_mean_is_softmax(dtype, rng, tolerance):
    a = (40 * rng.normal(size=(4, 3, 5))).astype(dtype)
    mean, likelihood = sa.Categorical().mean(a), sa.Categorical()
    assert mean.shape == a.shape and mean.dtype == dtype
    np.testing.assert_allclose(mean.sum(axis=-1), 1, rtol=tolerance("kernel", dtype))
    _, da = run(likelihood, a, np.zeros_like(a), "reference", dtype)
    assert not da.any()  # S = 0: nothing is said of x, and nothing pulls
    assert np.isfinite(likelihood.mean(np.array([[100.0, -100.0, 50.0]], dtype))).all()


X = np.eye(3)[[0, 1, 2, 1]]


def changed(*at, value):
    x = X.copy()
    x[at] = value
    return x


REFUSED = [
    (
        changed(2, 1, value=-0.5),
        r"data is -0\.5 at index \(2, 1\), but a Categorical .*one-hot rows or probabilities",
    ),
    (
        changed(1, 0, value=0.5),
        r"data sums to 1\.5 over the last axis at index \(1,\), .*which sum to 1: encode",
    ),
    (
        changed(3, 1, value=0.0),
        r"data sums to 0 over the last axis at index \(3,\).*np\.eye\(C\)\[labels\]",
    ),
    (changed(0, 0, value=1.001), r"data sums to 1\.001 over the last axis at index \(0,\)"),
    (
        np.tile(changed(1, 0, value=1)[:, None], (1, 2, 1)),
        r"data sums to 2 over the last axis at index \(1, 0\)",
    ),
]


@pytest.mark.parametrize("x, words", REFUSED)
def test_what_is_no_category_is_refused(x, words):
    model = sa.Autoencoder(
        sa.Sequential(sa.Flatten(), sa.Dense(x[0].size, 2)), sa.Dense(2, 3), sa.Categorical()
    )
    if x.ndim == 3:
        model.decoder = sa.Sequential(sa.Dense(2, 6), sa.Reshape(2, 3))
        model = sa.Autoencoder(model.encoder, model.decoder, sa.Categorical())
    model.build(x.shape[1:])
    for call in (
        lambda: sa.fit(model, x, sa.Adam(), epochs=1),
        lambda: sa.evaluate(model, x),
        lambda: model.encode(x),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "x", [X, X.astype(bool), X.astype("float32") * (1 + 5e-5), np.full((4, 3), 1 / 3, "f4")]
)
def test_what_sums_to_one_is_taken(x, backend):
    model = sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3), sa.Categorical()).build(
        3, backend=backend, dtype="float64"
    )
    assert np.isfinite(sa.fit(model, x, sa.Adam(), epochs=1)["train_loss"][0])


def test_pixels_are_looked_at():
    """Grey images are in [0, 1], but sum to nothing; masks of 0 and 255, one channel a category,
    are one-hot."""
    masks = (255 * np.eye(3, dtype=np.uint8))[np.arange(8).reshape(2, 2, 2) % 3]
    encoder, decoder = (
        sa.Sequential(sa.Flatten(), sa.Dense(12, 2)),
        sa.Sequential(sa.Dense(2, 12), sa.Reshape(2, 2, 3)),
    )
    model = sa.Autoencoder(encoder, decoder, sa.Categorical())
    model.build((2, 2, 3), dtype="float64")
    assert np.isfinite(sa.fit(model, sa.Images(masks), sa.Adam(), epochs=1)["train_loss"][0])
    with pytest.raises(
        ValueError, match=r"sums to 0\.784314 over the last axis at index \(0, 0, 0\)"
    ):
        sa.fit(
            model,
            sa.Images(np.where(masks == 255, 200, masks).astype(np.uint8)),
            sa.Adam(),
            epochs=1,
        )
