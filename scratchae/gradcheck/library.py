"""Every layer, latent, likelihood, objective and kind of model, checked in one go:
``python -m scratchae.gradcheck``. How it is printed stands in table.py."""

import numpy as np

from ..backend import get_backend
from ..initializers import he_normal
from ..kernels.activation import BIAS_ACTIVATION
from ..latents import Gaussian, GivenPrior, Hierarchy, Latent
from ..layers import (
    LSTM,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    Given,
    Layer,
    Masking,
    MaxPool2d,
    Repeat,
    Reshape,
    SaltAndPepper,
    Sequential,
    Tied,
    Upsample2d,
)
from ..likelihoods import (
    AbsoluteError,
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretisedLogistic,
    GaussianLikelihood,
    Laplace,
    LearnedGaussian,
    Likelihood,
    OptimalGaussian,
    Poisson,
    SharedGaussian,
    SquaredError,
)
from ..models import VAE, Autoencoder, Model
from ..objectives import (
    ELBO,
    IWAE,
    L1,
    STL,
    Capacity,
    Contractive,
    DReG,
    FreeBits,
    KLRate,
    Objective,
    Reconstruction,
    StudentT,
)
from .bounds import check_bound
from .distributions import distribution_rows
from .estimators import check_estimator
from .latents import check_latent
from .layers import check_layer, grey, title
from .measure import Report
from .models import check_model, check_objective, likelihood_gradients, possible
from .samplers import check_sampler

Shape = tuple[int, ...]
LIKELIHOODS = (
    *(Bernoulli(), Categorical(), SquaredError(), AbsoluteError(), GaussianLikelihood(0.6)),
    *(LearnedGaussian(0.3), LearnedGaussian(0), Laplace(0.7), ContinuousBernoulli()),
    *(DiscretisedLogistic(5, -1.0, 2.0), Poisson(), SharedGaussian(0.6), OptimalGaussian()),
)
DRAWS = 2**16  # of each sample; a check by itself takes more


def _layers(backend: str) -> list[Report]:
    made: list[tuple[Layer, Shape]] = [(Dense(5, 4, name), (5,)) for name in BIAS_ACTIVATION]
    made += [(Conv2d(2, 3, 3, 2, (0, 1, 1, 1), name), (6, 5, 2)) for name in BIAS_ACTIVATION]
    made += [
        (ConvTranspose2d(3, 2, 3, 2, (1, 0, 1, 0), name), (3, 2, 3)) for name in BIAS_ACTIVATION
    ]
    made += [(MaxPool2d(2, padding="same"), (5, 4, 3)), (MaxPool2d(3, (2, 1)), (5, 4, 2))]
    made += [(Upsample2d((2, 3)), (3, 2, 2))]
    made += [(Conv2d(6, 1, 3, 1, "same"), (4, 5, 6)), (Conv2d(6, 5, 3, 2, "same"), (4, 5, 6))]
    made += [(ConvTranspose2d(3, 6, 3, 2, "same"), (3, 2, 3))]
    made += [(Reshape(3, 2), (6,)), (Flatten(), (2, 3)), (_encoder(4), (6, 6, 1))]
    made += [(LSTM(2, 3, True), (4, 2)), (LSTM(3, 2, False), (5, 3))]
    made += [
        (Conv1d(2, 3, 3, 2, (0, 1), "tanh"), (6, 2)),
        (ConvTranspose1d(3, 2, 3, 2, (1, 0), "tanh"), (3, 3)),
    ]
    made += [
        (Repeat(3), (4,)),
        (GaussianNoise(0.5), (6,)),
        (GaussianNoise(0.5, (-0.4, 0.6)), (6, 3)),
    ]
    made += [(Masking(0.4), (6, 3)), (SaltAndPepper(0.4), (6, 3)), (Dropout(0.4), (6, 3))]
    made += [(_there_and_back(name), (5,)) for name in BIAS_ACTIVATION]
    made += [(Sequential(Masking(0.3), Dense(5, 4, "tanh"), Dropout(0.4), Dense(4, 2)), (5,))]
    made += [(Given(3), (4,)), (Sequential(Dense(4, 2), Given(3), Dense(5, 2, "tanh")), (4,))]
    return [check_layer(layer, shape, backend=backend) for layer, shape in made]


def _latents(backend: str) -> list[Report]:
    return [
        check_latent(Gaussian(4), backend=backend),
        check_latent(_hierarchy(), (6,), backend=backend),
        check_latent(GivenPrior(4, 3, Dense(3, 8, "tanh")), backend=backend),
    ]


def _hierarchy() -> Hierarchy:
    """Three numbers below, two above."""
    return Hierarchy(Dense(3, 4, "tanh"), Dense(2, 6, "tanh"))


def _likelihoods(backend: str) -> list[Report]:
    bound = get_backend(backend, "float64")
    made = [(each, likelihood_gradients(each, (3, 2), None, 3, bound)) for each in LIKELIHOODS]
    return [Report(title(likelihood), rows) for likelihood, rows in made]


def _objectives(backend: str) -> list[Report]:
    penalties = (L1(0.3), StudentT(0.7), KLRate(0.9, 0.2), Contractive(0.6))
    made = (
        Reconstruction(Dense(6, 3, "tanh"), Dense(3, 6), AbsoluteError()),
        *(
            Reconstruction(Dense(6, 3, "sigmoid"), Dense(3, 6), SquaredError(), p)
            for p in penalties
        ),
        Reconstruction(code := Dense(6, 3, "tanh"), Tied(code), SquaredError(), Contractive(0.6)),
        ELBO(Dense(6, 4), Dense(2, 6), Gaussian(2), Bernoulli(), beta=0.5),
        ELBO(Dense(6, 4), Dense(2, 12), Gaussian(2), LearnedGaussian(0.3)),
        ELBO(Dense(6, 4), Dense(2, 6), Gaussian(2), SharedGaussian(0.5), samples=2),
        Reconstruction(Dense(6, 3, "tanh"), Dense(3, 6), SharedGaussian(0.5, 0.3)),
        ELBO(Dense(6, 4), Dense(2, 6), Gaussian(2), OptimalGaussian(), samples=2),
        ELBO(Dense(6, 4), Dense(2, 6), Gaussian(2), Bernoulli(), beta=0.5, samples=3),
        IWAE(Dense(6, 4), Dense(2, 6), Gaussian(2), Bernoulli(), samples=3),
        ELBO(Dense(6, 6), Dense(3, 6), _hierarchy(), Bernoulli(), beta=0.5),
        IWAE(Dense(6, 6), Dense(3, 6), _hierarchy(), Bernoulli(), samples=3),
        FreeBits(Dense(6, 8), Dense(4, 6), Gaussian(4), Bernoulli(), 0.3, beta=0.5),
        FreeBits(Dense(6, 8), Dense(4, 6), Gaussian(4), Bernoulli(), 0.6, groups=2, samples=3),
        *(Capacity(Dense(6, 4), Dense(2, 6), Gaussian(2), Bernoulli(), C, 2.0) for C in (0.1, 9)),
        *_conditional(),
        Reconstruction(Dense(6, 3, "tanh"), Dense(3, 6), Categorical()),
    )
    return [check_objective(objective, (6,), backend=backend) for objective in made]


def _conditional() -> list[Objective]:
    """Given before and behind the latent, and in its prior."""

    def parts() -> tuple[Layer, Layer, Latent, Likelihood]:
        encoder = Sequential(Given(3), Dense(9, 4))
        decoder = Sequential(Given(3), Dense(5, 6))
        return encoder, decoder, GivenPrior(2, 3, Dense(3, 4, "tanh")), Bernoulli()

    return [ELBO(*parts(), beta=0.5, samples=3), IWAE(*parts(), samples=3)]


def _models(backend: str) -> list[Report]:
    shape = (6, 6, 1)
    made = (
        Autoencoder(_encoder(3), _decoder(3)),
        VAE(_encoder(4), _decoder(2), Gaussian(2)),
        VAE(_encoder(4), _decoder(2), Gaussian(2), GaussianLikelihood(0.5), beta=4.0),
    )
    return [check_model(model, grey((4, *shape)), backend=backend) for model in made]


def _there_and_back(activation: str) -> Layer:
    code = Dense(5, 4, "tanh")
    return Sequential(code, Dense(4, 4), Tied(code, activation))


def _encoder(outputs: int) -> Layer:
    return Sequential(Conv2d(1, 2, 3, 2, "same", "relu"), Flatten(), Dense(18, outputs))


def _decoder(inputs: int) -> Layer:
    return Sequential(
        Dense(inputs, 18, "softplus"),
        Reshape(3, 3, 2),
        ConvTranspose2d(2, 1, 3, 2, "same", init=he_normal),
    )


def _samplers(backend: str) -> list[Report]:
    h = np.array([0.7, -1.2, 0.9, 0.8, -0.6, 0.5])  # three means, three logvar
    return [
        check_sampler(Gaussian(4), draws=8 * DRAWS, backend=backend),
        check_sampler(_hierarchy(), h, draws=8 * DRAWS, backend=backend),
        check_sampler(GivenPrior(2, 3, Dense(3, 4)), draws=8 * DRAWS, backend=backend),
    ]


def _distributions(backend: str) -> list[Report]:
    bound = get_backend(backend, "float64")
    made = [(each, distribution_rows(each, (3, 3, 2), bound, DRAWS)) for each in LIKELIHOODS]
    return [Report(title(likelihood), rows) for likelihood, rows in made]


def _bounds(backend: str) -> list[Report]:
    made = (
        VAE(Dense(6, 4), Dense(2, 6, "tanh"), Gaussian(2), Bernoulli()),
        VAE(Dense(6, 2), Dense(1, 6, "tanh"), Gaussian(1), Categorical()),
        VAE(Dense(6, 2), Dense(1, 12, "tanh"), Gaussian(1), LearnedGaussian(0.3), beta=0.5),
        VAE(_encoder(4), _decoder(2), Gaussian(2), GaussianLikelihood(0.5), beta=4.0),
        Model(FreeBits(*_small(6), floor=0.3, samples=2)),
        Model(Capacity(*_small(6), capacity=3.0)),
        *(Model(kind(*_small(6), samples=2)) for kind in (IWAE, DReG)),
        *map(Model, _conditional()[:1]),
    )
    shapes = ((6,), (6,), (6,), (6, 6, 1), *[(6,)] * 5)
    return [
        check_bound(model, possible(model.likelihood, (3, *shape)), backend=backend)
        for model, shape in zip(made, shapes, strict=True)
    ]


def _small(inputs: int) -> tuple[Layer, Layer, Latent, Likelihood]:
    """Parts of one latent number."""
    return Dense(inputs, 2), Dense(1, inputs, "tanh"), Gaussian(1), Bernoulli()


def _estimators(backend: str) -> list[Report]:
    made = STL(*_small(4), samples=1), DReG(*_small(4), samples=2)
    return [check_estimator(objective, (4,), backend=backend) for objective in made]


GRADIENTS = {  # what each line of a group proves, and what none of them can see
    "layers": (
        _layers,
        "dx, dW, db, ... are the slopes of y; gradients add; rows are independent",
        "a forward that is another layer than you mean, with the backward that fits it",
    ),
    "latents": (
        _latents,
        "dh is the slope of z and of kl",
        "a wrong sampler, such as sigma = exp(logvar), or a wrong kl: samplers, bounds below",
    ),
    "likelihoods": (
        _likelihoods,
        "da is the slope of nll",
        "a constant that nll lacks, a mean or sample of something else: distributions below",
    ),
    "objectives": (
        _objectives,
        "the gradient of every parameter is the slope of the loss that is printed",
        "a loss that bounds nothing: bounds below",
    ),
    "models": (
        _models,
        "the gradient of every parameter, through a whole model, is the slope of its loss",
        "a loss that bounds nothing: bounds below",
    ),
}
PROOFS = {  # the same of what no gradient check can see
    "samplers": (
        _samplers,
        "z has the moments of N(mu, exp(logvar)), and its numbers are independent",
        "a variance off by less than 2 %, or 1 % where check_sampler is called; a wrong kl",
    ),
    "distributions": (
        _distributions,
        "p has the mass 1 over each axis; mean(a) is its mean, sample has its moments",
        "that it is the distribution you mean; a variance of sample off by less than 4 %",
    ),
    "bounds": (
        _bounds,
        "an ELBO is -log p(x) + KL(q, p(z|x)), IWAE its tighter bound; p has the mass 1",
        "noise that is drawn wrongly: samplers above; a wrong gradient",
    ),
    "estimators": (
        _estimators,
        "the mean over the noise of a gradient that is no slope is the slope of the mean loss",
        "its scatter; noise that is drawn wrongly: samplers above",
    ),
}
