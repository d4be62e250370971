"""Every number that may be set is set at each moment: loss, gradient and file follow, or a
sentence refuses.

A run has one step an epoch, so that the loss of the second epoch is computed with the parameters
that the first has left: what differs from a run where nothing was set differs by the number alone.
The parameters after that step tell about the gradient.
"""

import numpy as np
import pytest

import scratchae as sa
from scratchae.settings import Fixed, Flag, Number, parts, store

X = np.random.default_rng(0).uniform(0.2, 0.8, (6, 5)).astype(np.float32)
# float64: the gradients need it, so that its loops are compiled in any case
BUILD = {"dtype": "float64", "seed": 1}
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


def autoencoder(*before, code="sigmoid", **options):
    encoder = sa.Sequential(*before, sa.Dense(5, 3, code))
    decoder = sa.Sequential(sa.Dense(3, 5))
    return sa.Autoencoder(encoder, decoder, **options)


def vae(**options):
    return sa.VAE(sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), **options)


def penalised(kind, *more):
    def make(value):
        penalty = kind(value, *more)
        return autoencoder(penalty=penalty), penalty

    return make


def noisy(kind):
    def make(value):
        layer = kind(value)
        return autoencoder(layer), layer

    return make


def likely(kind, outputs=5):
    def make(value):
        likelihood = kind(value)
        model = sa.VAE(sa.Dense(5, 4), sa.Dense(2, outputs), sa.Gaussian(2), likelihood)
        return model, likelihood

    return make


def weighed(value):
    model = vae(beta=value)
    return model, model


def objective(name, value, kind, *more):
    """A model over an objective with that number, and the objective."""
    parts = sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), sa.Bernoulli()
    made = kind(*parts, *more, **{name: value})
    return sa.Model(made), made


def free_bits(name, *more):
    return lambda value: objective(name, value, sa.FreeBits, *more)


def capacity(name, *more):
    return lambda value: objective(name, value, sa.Capacity, *more)


def rated(value):
    penalty = sa.KLRate(0.5, value)
    return autoencoder(penalty=penalty), penalty


NUMBERS = {  # what is made with a number, the number's name, two values of it
    "beta": (weighed, "beta", 1.0, 3.0),
    "FreeBits floor": (free_bits("floor"), "floor", 0.0, 9.0),
    "FreeBits beta": (free_bits("beta", 0.0), "beta", 1.0, 3.0),
    "Capacity": (capacity("capacity"), "capacity", 0.0, 9.0),
    "Capacity gamma": (capacity("gamma", 0.2), "gamma", 1.0, 3.0),
    "L1": (penalised(sa.L1), "weight", 0.5, 2.0),
    "StudentT": (penalised(sa.StudentT), "weight", 0.5, 2.0),
    "KLRate weight": (penalised(sa.KLRate), "weight", 0.5, 2.0),
    "KLRate weight from 0": (penalised(sa.KLRate), "weight", 0.0, 2.0),
    "KLRate weight to 0": (penalised(sa.KLRate), "weight", 2.0, 0.0),
    "KLRate rate": (rated, "rate", 0.05, 0.3),
    "Contractive": (penalised(sa.Contractive), "weight", 0.5, 2.0),
    "GaussianLikelihood": (likely(sa.GaussianLikelihood), "sigma", 1.0, 0.5),
    "Laplace": (likely(sa.Laplace), "b", 1.0, 0.5),
    "SharedGaussian": (likely(lambda f: sa.SharedGaussian(0.5, f)), "floor", 0.1, 0.5),
    "LearnedGaussian": (likely(sa.LearnedGaussian, 10), "floor", 0.1, 0.5),
    "GaussianNoise": (noisy(sa.GaussianNoise), "sigma", 0.1, 0.5),
    "Masking": (noisy(sa.Masking), "p", 0.1, 0.6),
    "SaltAndPepper": (noisy(sa.SaltAndPepper), "p", 0.1, 0.6),
    "Dropout": (noisy(sa.Dropout), "p", 0.1, 0.6),
}


def run(model, epochs=2, optimizer=None, **options):
    """Weights, losses and the optimiser of a run with one step an epoch."""
    optimizer = optimizer or sa.Adam(1e-2)
    history = sa.fit(model, X, optimizer, epochs=epochs, progress=False, **options)
    return dict(model.weights), history["train_loss"], optimizer


def same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


def built(make, value, backend, dtype):
    model, owner = make(value)
    return model.build(5, backend=backend, dtype=dtype, seed=1), owner


@DTYPES
@pytest.mark.parametrize("name", NUMBERS)
def test_before_and_after_build(name, backend, dtype):
    make, attribute, old, new = NUMBERS[name]
    weights, losses, _ = run(built(make, new, backend, dtype)[0])
    others = run(built(make, old, backend, dtype)[0])
    assert not same(weights, others[0]) and losses[0] != others[1][0]
    model, owner = make(old)
    setattr(owner, attribute, new)
    before = run(model.build(5, backend=backend, dtype=dtype, seed=1))
    model, owner = built(make, old, backend, dtype)
    setattr(owner, attribute, new)
    after = run(model)
    assert same(before[0], weights) and before[1] == losses
    assert same(after[0], weights) and after[1] == losses


@DTYPES
@pytest.mark.parametrize("name", NUMBERS)
def test_in_a_callback(name, backend, dtype, tmp_path):
    make, attribute, old, new = NUMBERS[name]
    plain_weights, plain, _ = run(built(make, old, backend, dtype)[0])
    model, owner = built(make, old, backend, dtype)

    def turn(model, history):
        setattr(owner, attribute, new)

    weights, losses, _ = run(model, callbacks=turn)
    assert losses[0] == plain[0] and losses[1] != plain[1]  # the loss that is printed
    assert not same(weights, plain_weights)  # the gradient that was taken
    again, owner = built(make, old, backend, dtype)
    _, first, optimizer = run(again, epochs=1)
    setattr(owner, attribute, new)
    then, second, _ = run(again, epochs=1, optimizer=optimizer)
    assert losses == first + second and same(weights, then)
    sa.save(model, tmp_path / "model")  # and the file
    loaded = sa.load(tmp_path / "model", backend=backend)
    found = [
        store(part)[attribute] for part in parts(loaded.objective) if attribute in store(part)
    ]
    assert found == [new]


def test_the_numbers_of_a_models_own_parts_are_those_that_were_handed_in(backend):
    layer = sa.GaussianNoise(0.1)
    model = autoencoder(layer).build(5, backend=backend)
    layer.sigma = 0.3
    assert model.encoder.layers[0].sigma == 0.3
    model.encoder.layers[0].sigma = 0.4
    assert layer.sigma == 0.4


OPTIMIZERS = {
    "Adam": (sa.Adam, {"lr": 0.1, "beta1": 0.5, "beta2": 0.5, "eps": 0.1}),
    "AdamW": (sa.AdamW, {"lr": 0.1, "beta1": 0.5, "beta2": 0.5, "eps": 0.1, "weight_decay": 0.5}),
    "SGD": (sa.SGD, {"lr": 0.1, "momentum": 0.5}),
    "RMSProp": (sa.RMSProp, {"lr": 0.1, "rho": 0.5, "eps": 0.1}),
    "Adagrad": (sa.Adagrad, {"lr": 0.1, "eps": 0.1}),
    "Adadelta": (sa.Adadelta, {"lr": 0.1, "rho": 0.5, "eps": 0.1}),
}
CONSTANTS = [(name, constant) for name, (_, values) in OPTIMIZERS.items() for constant in values]


@DTYPES
@pytest.mark.parametrize("name, constant", CONSTANTS)
def test_an_optimisers_constants(name, constant, backend, dtype, tmp_path):
    kind, values = OPTIMIZERS[name]
    options = {"momentum": 0.9} if name == "SGD" else {}

    def steps(optimizer, **more):
        model = vae().build(5, backend=backend, dtype=dtype, seed=1)
        return run(model, epochs=3, optimizer=optimizer, **more), model

    (plain, _, _), _ = steps(kind(**options))
    at_once = kind(**options)
    setattr(at_once, constant, values[constant])
    (first, _, _), _ = steps(at_once)
    (same_as_first, _, _), _ = steps(kind(**{**options, constant: values[constant]}))
    assert same(first, same_as_first) and not same(first, plain)
    optimizer = kind(**options)
    (turned, _, _), model = steps(
        optimizer, callbacks=lambda model, history: setattr(optimizer, constant, values[constant])
    )
    assert not same(turned, plain)
    sa.save(model, tmp_path / "model", optimizer=optimizer)
    assert getattr(sa.load(tmp_path / "model").optimizer, constant) == values[constant]


def models():
    """Models that together have every kind of part."""
    yield autoencoder(sa.GaussianNoise(0.1, (0, 1)), penalty=sa.KLRate(0.1)).build(5)
    yield vae().build(5)
    iwae = sa.IWAE(sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), sa.Bernoulli(), samples=3)
    yield sa.Model(iwae).build(5)
    yield sa.Autoencoder(
        sa.Sequential(sa.Conv2d(1, 2, 3, 2, "same"), sa.MaxPool2d(2), sa.Upsample2d(2)),
        sa.Sequential(sa.ConvTranspose2d(2, 1, 3, 2, "same")),
    ).build((8, 8, 1))
    code = sa.Dense(12, 3, "tanh")
    yield sa.Autoencoder(
        sa.Sequential(sa.Flatten(), code, sa.Dropout(0.1)),
        sa.Sequential(sa.Tied(code), sa.Reshape(4, 3), sa.LSTM(3, 3, True), sa.Conv1d(3, 3, 1)),
    ).build((4, 3))


def test_what_is_no_number_is_refused():
    refused = set()
    for model in models():
        for part in parts(model.objective):
            for name in dir(type(part)):
                if isinstance(getattr(type(part), name, None), Fixed):
                    with pytest.raises(AttributeError, match=rf"{name} cannot become"):
                        setattr(part, name, object())
                    refused.add((type(part).__name__, name))
        for name in ("encoder", "decoder", "likelihood"):
            with pytest.raises(AttributeError, match=f"{name} cannot become"):
                setattr(model, name, object())
    assert {("Dense", "activation"), ("Conv2d", "stride"), ("LSTM", "sequences")} <= refused
    assert {("ELBO", "samples"), ("IWAE", "samples")} <= refused
    optimizer = sa.Adagrad()
    run(vae().build(5, **BUILD), optimizer=optimizer)
    with pytest.raises(AttributeError, match="initial cannot become"):
        optimizer.initial = 0.5


class Scale(sa.Layer):
    """y = factor x: a layer of a reader's own with a number that may change, and one that may
    not."""

    factor = Number(0)

    def __init__(self, factor, units):
        self.factor, self.units = factor, units

    def declare(self, shape):
        self.shape = self.output = shape
        return shape, {}

    def bind(self, backend, rows, need_dx):
        self.backend = backend

    def forward(self, x):
        return x * x.dtype.type(self.factor)

    def backward(self, dy):
        return dy * dy.dtype.type(self.factor)


def test_a_layer_of_ones_own():
    layer = Scale(1.0, 5)
    model = sa.Autoencoder(sa.Sequential(sa.Dense(5, 3), layer), sa.Dense(3, 5)).build(5)
    _, losses, _ = run(model, callbacks=lambda *_: setattr(layer, "factor", 2.0))
    plain = sa.Autoencoder(sa.Sequential(sa.Dense(5, 3), Scale(1.0, 5)), sa.Dense(3, 5)).build(5)
    assert losses[1] != run(plain)[1][1]
    with pytest.raises(AttributeError, match=r"Scale\.units cannot become 6"):
        layer.units = 6
    with pytest.raises(ValueError, match=r"Scale\(factor\) is -1"):
        layer.factor = -1


FROZEN = {
    "encoder": lambda model: model.encoder,
    "decoder": lambda model: model.decoder,
    "lower": lambda model: model.encoder.layers[0],
    "upper": lambda model: model.encoder.layers[1],
}


def deep():
    encoder = sa.Sequential(sa.Dense(5, 4, "tanh"), sa.Dense(4, 3, "sigmoid"))
    return sa.Autoencoder(encoder, sa.Sequential(sa.Dense(3, 4, "tanh"), sa.Dense(4, 5)))


@pytest.mark.parametrize("which", FROZEN)
def test_frozen_layers_stay_and_the_others_learn_as_ever(which, backend, tmp_path):
    plain = deep().build(5, backend=backend, **BUILD)
    start = dict(plain.weights)
    run(plain, epochs=1)
    model = deep().build(5, backend=backend, **BUILD)
    FROZEN[which](model).trainable = False
    frozen = set(model.objective.frozen())
    run(model, epochs=1)
    for name, values in model.weights.items():
        expected = start if name.rpartition(".")[0] in frozen else dict(plain.weights)
        np.testing.assert_array_equal(values, expected[name])
    sa.save(model, tmp_path / "model")
    again = sa.load(tmp_path / "model")
    assert set(again.objective.frozen()) == frozen and "(frozen)" in str(again)


@pytest.mark.parametrize("which", FROZEN)
def test_a_layer_is_frozen_and_set_free_in_a_callback(which, backend):
    model = deep().build(5, backend=backend, **BUILD)
    seen = []

    def turn(model, history):
        seen.append(dict(model.weights))
        FROZEN[which](model).trainable = len(history) != 1  # frozen in the second epoch alone

    run(model, epochs=3, optimizer=sa.AdamW(1e-2), callbacks=turn)
    part = FROZEN[which](model)
    inside = (part, *getattr(part, "layers", ()))
    frozen = [name for name, layer in model.objective.leaves() if layer in inside]
    first, second, third = seen
    for name in first:
        stayed = name.rpartition(".")[0] in frozen
        assert np.array_equal(first[name], second[name]) == stayed
        assert not np.array_equal(second[name], third[name])


def test_what_nobody_needs_is_not_computed():
    """A frozen encoder: no gradient leaves the decoder, and the encoder's backward is not
    called."""
    model = deep().build(5)
    model.encoder.trainable = False
    replica = model.replica(6, model.backend.zeros((model.parameters.size,)))
    replica.encoder.backward = None  # would be an error
    replica.forward(X)
    replica.backward(replica.sums)
    assert replica.decoder.layers[0].dx is None and not replica.encoder.layers[0].dW.any()
    assert replica.decoder.layers[0].dW.any()


def test_a_model_that_is_all_frozen_has_nothing_to_train():
    model = deep().build(5)
    model.encoder.trainable = model.decoder.trainable = False
    with pytest.raises(ValueError, match="every layer with parameters is frozen"):
        run(model)
    with pytest.raises(ValueError, match="must be True or False"):
        model.encoder.layers[0].trainable = 1


def test_every_number_of_the_library_is_in_this_test():
    """A new one must be turned here too."""
    turned = {
        (type(make(old)[1]).__name__, attribute) for make, attribute, old, _ in NUMBERS.values()
    }
    turned = {("ELBO" if kind == "VAE" else kind, name) for kind, name in turned}
    turned |= set(CONSTANTS)
    everywhere = (sa.layers, sa.likelihoods, sa.objectives, sa.optim, sa.latents)
    for package in everywhere:
        for kind in vars(package).values():
            if not isinstance(kind, type) or kind.__name__ in ("Layer", "Optimizer", "Penalty"):
                continue
            for name in dir(kind):
                number = getattr(kind, name, None)
                if isinstance(number, Number) and not isinstance(number, Flag):
                    assert (kind.__name__, name) in turned, (kind, name)
