"""Models that are drawn: of all kinds, within bounds, the same from the same numbers."""

import math

import pytest

import scratchae as sa
from benchmarks.shared import drawn, recipes

SOME = [(3, i) for i in range(len(drawn.KINDS) * len(drawn.FORMS))]


def declared(one):
    return one.model().objective.declare(one.shape)


def test_seed_and_number_alone_say_which():
    """Drawn again it is the same, and neither another seed nor another number gives it."""
    for at in SOME[:6]:
        first, again = drawn.draw(*at), drawn.draw.__wrapped__(*at)
        assert (first.words, first.shape, first.batch) == (again.words, again.shape, again.batch)
        sizes = [{k: v[0] for k, v in declared(one).items()} for one in (first, again)]
        assert sizes[0] == sizes[1]
    assert len({drawn.draw(*at).words for at in [*SOME, (4, 0), (4, 1)]}) == len(SOME) + 2


def test_all_kinds_and_forms_within_the_bounds():
    seen = set()
    for seed, number in SOME:
        one = drawn.draw(seed, number)
        form, kind, _ = one.words.split(maxsplit=2)
        seen.add((form, kind))
        model, recipe = one.model(), recipes.find(drawn.NAME.format(seed, number))
        assert isinstance(model, sa.VAE if form == "VAE" else sa.Autoencoder)
        noisy = isinstance(model.objective.encoder.layers[0], sa.GaussianNoise)
        assert noisy == (form == "denoiser")
        weights = 4 * sum(math.prod(shape) for shape, _ in declared(one).values())
        assert 10_000 <= weights <= 100_000_000 and 1 <= one.batch <= 1024
        assert recipe.work(one.batch).flops <= 400 * drawn.FLOPS
        assert recipe.shape == one.shape and recipe.batches == (one.batch,)
        for layer in (*model.objective.encoder.layers, *model.objective.decoder.layers):
            if "Conv" in type(layer).__name__:
                k, s = (v if isinstance(v, tuple) else (v,) for v in (layer.kernel, layer.stride))
                assert max(k) <= 7 and max(s) <= 3 and layer.inputs <= 512
    assert len(seen) == len(SOME)


@pytest.mark.parametrize(
    ("bound", "value", "inside"),
    [
        ("WEIGHTS", (1e4, 1e8), True),
        ("WEIGHTS", (1e3, 1.2e4), False),
        ("MS", (1e4, 1e5), False),
        ("MEMORY", 1e5, False),
        ("NUMBERS", 8, False),
    ],
)
def test_what_is_out_of_bounds_is_refused(bound, value, inside, monkeypatch):
    one = drawn.draw(3, 0)
    key = one.model.args[0]
    monkeypatch.setattr(drawn, bound, value)
    assert bool(drawn.weights(key, *drawn.plan(key)[:2])) == inside
