"""One flat vector: where the tensors lie in it, and that nothing else ever does."""

from functools import partial

import numpy as np
import pytest

from scratchae import SGD, VAE, Adam, Dense, Gaussian, Sequential, fit, get_backend
from scratchae.datasets import as_source
from scratchae.execution.runner import runner_for
from scratchae.initializers import Normal
from scratchae.parameters import Parameters, below, prefixed

SHAPES = {
    "a.W": (3, 5),
    "a.b": (5,),
    "one": (1,),
    "full": (32,),
    "more": (33,),
    "c.W": (2, 3, 1, 4),
}


def made(backend, dtype="float32"):
    declared = {name: (shape, partial(Normal(1.0), shape, 1, 1)) for name, shape in SHAPES.items()}
    parameters = Parameters(get_backend(backend, dtype), declared)
    parameters.initialise(seed=2)
    return parameters


def address(a):
    return a.ctypes.data if isinstance(a, np.ndarray) else a.data.ptr


def padding(parameters):
    """True where no tensor lies."""
    free = np.ones(parameters.size, bool)
    for name in parameters.declared:
        parameters.view(name, free)[...] = False
    return free


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_tensor_starts_on_128_bytes(backend, dtype):
    parameters = made(backend, dtype)
    for name, shape in SHAPES.items():
        view = parameters.view(name)
        assert view.shape == shape and view.dtype == dtype and view.flags.c_contiguous
        assert address(view) % 128 == 0
    assert (
        parameters.values.shape == (parameters.size,)
        and parameters.size % (128 // view.itemsize) == 0
    )
    # none overlap
    assert (~padding(parameters)).sum() == sum(np.prod(shape) for shape in SHAPES.values())


def test_views_share_memory(backend):
    parameters = made(backend)
    b = parameters.backend
    other = b.zeros((parameters.size,))
    for number, (name, view) in enumerate(parameters.views().items(), 1):
        before, tensor = b.to_host(parameters.values), b.to_host(view)
        b.write(view, tensor + 1)
        changed = b.to_host(parameters.values) != before
        assert (
            changed.sum() == tensor.size
            and changed[parameters.offsets[name] :][: tensor.size].all()
        )
        b.write(parameters.view(name, other), number)
        assert (b.to_host(other) == number).sum() == tensor.size
    assert parameters.views(other).keys() == SHAPES.keys()
    with pytest.raises(KeyError):
        parameters.view("a.w")


def test_names_above_and_below():
    views = dict.fromkeys(("enc.0.W", "enc.10.W", "enc.1.W", "dec.W"), 1)
    assert below("enc", views).keys() == {"0.W", "10.W", "1.W"}
    assert below("enc.1", views).keys() == {"W"}  # and not that of enc.10
    assert prefixed("enc", {"W": ((1,), None)}) == {"enc.W": ((1,), None)}


def test_values_are_drawn_once_for_all_backends(backend):
    reference, single, double = (
        parameters.backend.to_host(parameters.values)
        for parameters in (made("reference"), made(backend), made(backend, "float64"))
    )
    np.testing.assert_array_equal(reference, single)
    np.testing.assert_array_equal(double.astype("float32")[:15], reference[:15])


def test_an_initialiser_of_another_shape_is_refused():
    parameters = Parameters(get_backend(), {"a.W": ((3, 5), lambda noise: noise.normal((5, 3)))})
    with pytest.raises(ValueError, match=r"initialiser of a\.W gave \(5, 3\), not \(3, 5\)"):
        parameters.initialise(seed=0)


@pytest.mark.parametrize("optimizer", [Adam, partial(SGD, 1e-3, 0.9)], ids=["adam", "sgd"])
def test_padding_stays_zero(backend, optimizer, rng):
    """After 5 steps over 3 shards: in the values, in the optimiser's vectors, in every
    gradient."""
    encoder, decoder = Sequential(Dense(6, 5, "relu"), Dense(5, 4)), Dense(2, 6)
    model, optimizer = VAE(encoder, decoder, Gaussian(2)).build(6, backend=backend), optimizer()
    free = padding(model.parameters)
    assert free.any()
    fit(model, rng.random((40, 6)), optimizer, epochs=1, batch_size=8, shards=3)
    assert optimizer.t == 5
    for vector in map(
        model.backend.to_host, (model.parameters.values, *optimizer.vectors.values())
    ):
        assert (vector[free] == 0).all() and (vector[~free] != 0).any()
    with runner_for(model, 8, shards=3) as runner:
        feeds = runner.feeds(as_source(rng.random((8, 6))))
        runner.gradients(feeds, np.arange(8, dtype=np.uint32))
        grads = model.backend.to_host(runner.grads)
    assert (grads[:, free] == 0).all() and (grads[:, ~free] != 0).any(axis=1).all()
