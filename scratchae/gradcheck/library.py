"""Every layer, latent, likelihood, objective and kind of model, checked in one go:
``python -m scratchae.gradcheck``."""

from collections.abc import Sequence

from ..initializers import he_normal
from ..kernels.activation import BIAS_ACTIVATION
from ..latents import Gaussian
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
    GaussianLikelihood,
    LearnedGaussian,
    SquaredError,
)
from ..models import VAE, Autoencoder
from ..objectives import ELBO, L1, Contractive, KLRate, Reconstruction, StudentT
from .layers import check_layer, grey
from .measure import TOLERANCE, Report, Row
from .models import check_latent, check_likelihood, check_model, check_objective

Shape = tuple[int, ...]


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
    return [check_layer(layer, shape, backend=backend) for layer, shape in made]


def _latents(backend: str) -> list[Report]:
    return [check_latent(Gaussian(4), backend=backend)]


def _likelihoods(backend: str) -> list[Report]:
    known = (Bernoulli(), Categorical(), SquaredError(), AbsoluteError(), GaussianLikelihood(0.6))
    made = (*known, LearnedGaussian(0.3), LearnedGaussian(0))
    return [check_likelihood(likelihood, (3, 2), backend=backend) for likelihood in made]


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
        Reconstruction(Dense(6, 3, "tanh"), Dense(3, 6), Categorical()),
    )
    return [check_objective(objective, (6,), backend=backend) for objective in made]


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


LIBRARY = {
    "layers": _layers,
    "latents": _latents,
    "likelihoods": _likelihoods,
    "objectives": _objectives,
    "models": _models,
}


def main(backends: Sequence[str] = ("reference", "numpy")) -> int:
    """Check everything in the library on each backend; print tables and a last line; 1 if anything
    is wrong.

    Shapes: small, a few seconds in all. Source: measure.py.
    """
    rows: list[tuple[str, Row]] = []
    print(f"Relative errors of all gradients, float64; right is up to {TOLERANCE:.0e}.")
    for group, reports_on in LIBRARY.items():
        by_thing = list(zip(*(reports_on(backend) for backend in backends), strict=True))
        print("\n" + _group_table(group, backends, by_thing), flush=True)
        for backend, report in [
            pair for reports in by_thing for pair in zip(backends, reports, strict=True)
        ]:
            rows += [(f"{report.title}: {row.what}, {backend}", row) for row in report.rows]
            if not report.ok:
                print(f"\n{backend}: {report}")
    wrong = [name for name, row in rows if row.verdict == "wrong"]
    if wrong:
        print(f"\n{len(wrong)} of {len(rows)} gradients are wrong: {'; '.join(wrong)}")
        return 1
    worst, row = max(rows, key=lambda pair: pair[1].error)
    where = " and ".join(backends)
    print(
        f"\nall {len(rows)} gradients right on {where}; the largest relative error is "
        f"{row.error:.1e} ({worst})"
    )
    return 0


def _group_table(
    group: str, backends: Sequence[str], by_thing: Sequence[tuple[Report, ...]]
) -> str:
    """A line for each thing: how many gradients, and the largest error on each backend."""
    lines = [f"{group:<32}{'gradients':>10}" + "".join(f"{backend:>12}" for backend in backends)]
    for reports in by_thing:
        errors = [f"{max(row.error for row in report.rows):>12.1e}" for report in reports]
        lines.append(f"  {reports[0].title:<30}{len(reports[0].rows):>10}" + "".join(errors))
    return "\n".join(lines)
