"""pretrain: a deep autoencoder, one layer at a time, before ``fit`` trains it as a whole.

The gradient that reaches the inner layers of a deep autoencoder from random weights is small,
above all through sigmoids, and says little. A layer by itself has its target beside it: what it is
handed. The encoder is cut into stages f_1 ... f_k, the decoder into their mirror images g_k ...
g_1, and with x_0 = x, for i = 1 ... k,

    f_i, g_i minimise 1/N sum_n L_i(x_i-1, g_i(f_i(c(x_i-1))))   over the rows n of x_i-1    (1)
    x_i = f_i(x_i-1)                          the codes of all rows, without noise      (2)
    code = f_k(... f_1(x)),   a = g_1(... g_k(code)), the parameters of p(x | code)     (3)

where L_1 is the model's -log p(x | g_1), the other L_i are squared errors, c is a corruption or
nothing, and (3) is where the model starts.

Source: Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks", 2006
(by restricted Boltzmann machines); Bengio, Lamblin, Popovici, Larochelle, "Greedy layer-wise
training of deep networks", 2007 (by autoencoders, as here); Vincent et al., "Stacked denoising
autoencoders", 2010 (c); Goodfellow, Bengio, Courville, "Deep Learning", 2016, section 15.1.
"""

import copy
import warnings
from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from typing import Any

from ..backend import Array, Backend
from ..datasets import Values
from ..datasets.fitting import ScaleWarning, fitting_rows
from ..layers import Layer, Sequential, Tied
from ..layers.sequential import leaves
from ..likelihoods import SquaredError
from ..models import Autoencoder
from ..optim import Optimizer
from .fit import fit
from .history import History
from .preparing import claimed

Leaves = list[tuple[str, Layer]]  # the layers of a stage, with their names in the model
Stage = tuple[Leaves, Leaves]  # f_i, g_i


def pretrain(
    model: Autoencoder,
    data: Any,
    optimizer: Optimizer,
    *,
    epochs: int,
    batch_size: int = 128,
    shards: int | None = None,
    threads: int | None = None,
    seed: int = 0,
    corruption: Layer | None = None,
    progress: bool = True,
) -> list[History]:
    """Train a built Autoencoder stage by stage on data (N, *input_shape) -> a History for each
    stage.

    A stage of the encoder is a layer with parameters and those without that follow it, noise too,
    which then spoils what that layer gives; the first has all that stands before as well. Layers
    keep their activations: what mirrors relu codes is to end in relu, and Tied is to be of the
    layer it mirrors. The model's penalty belongs to the last stage. Stages start from the model's
    values. The first one's loss is in nats per example, that of the others a squared error, summed
    over a row.

    data: as for ``fit``, a Source with values(rows); the codes of all rows (N, ...), of two
    stages, lie in memory in the model's dtype. optimizer: a new one, of which each stage takes a
    copy. epochs, batch_size, shards, threads, seed, progress: of each stage, as for ``fit``.
    corruption: noise such as Masking(0.25), put before every stage's encoder.

    A stage's values are in the model when it has ended, so that Ctrl-C (the list ends there) or an
    error in a later one loses none. model.optimizer is then None, since its moments were those of
    other values: fit with a new one. Raises TypeError and ValueError, before anything is changed,
    for what is no Autoencoder, a decoder that does not mirror the encoder, a Tied that does not
    mirror its layer, a single stage, one that is frozen as a whole, a Given behind the first, a
    used optimizer, a corruption that is no noise, and all that fit refuses. Warns (WideCode) of a
    stage that can copy. Source: the module, (1) to (3).
    """
    source = _source(model, data)
    if getattr(optimizer, "owner", None) is not None:
        raise ValueError(
            "the optimizer holds the state of a model, but every stage begins anew: hand in a new "
            "one"
        )
    stages = _stages(model)
    stacks = [_shallow(model, stage, stages, corruption) for stage in stages]
    train = partial(
        fit,
        epochs=epochs,
        batch_size=batch_size,
        shards=shards,
        threads=threads,
        seed=seed,
        progress=progress,
    )
    histories: list[History] = []
    with claimed(model):
        for i, (stage, shallow) in enumerate(zip(stages, stacks, strict=True)):
            if i > 0:
                source = Values(stacks[i - 1].encode(source))  # (2)
            with warnings.catch_warnings():
                if i > 0:  # codes are as the layers give them, and nobody's to scale
                    warnings.simplefilter("ignore", ScaleWarning)
                histories.append(train(shallow, source, copy.deepcopy(optimizer)))  # (1)
            trained = shallow.parameters.views().values()
            _give(model.backend, _views(model, stage, stages), trained)  # (3)
            model.optimizer = None
            if histories[-1].interrupted:
                break
    return histories


def _source(model: Any, data: Any) -> Any:
    if not isinstance(model, Autoencoder):
        raise TypeError(
            f"the model is a {type(model).__qualname__}, but only an Autoencoder has stages: "
            "train it by fit alone"
        )
    return fitting_rows(model, data, "data").source


def _stages(model: Autoencoder) -> list[Stage]:
    """The encoder cut before each layer with parameters but the first, the decoder where it has
    those shapes."""
    encoder, decoder = (
        leaves(part, getattr(model.objective, part)) for part in ("encoder", "decoder")
    )
    own, mirrored = _trainable(model, encoder), _trainable(model, decoder)
    if len(own) != len(mirrored):
        raise ValueError(
            f"encoder and decoder have {len(own)} and {len(mirrored)} layers with parameters, but "
            "a stage is one of each: let the decoder mirror the encoder"
        )
    if len(own) < 2:
        raise ValueError(
            f"layers with parameters are {len(own)} in the encoder, but pretraining is for 2 or "
            "more, one by one: train the model by fit alone"
        )
    last = [encoder[cut - 1] for cut in own[1:]]
    ends = [
        _end(decoder, *gap, *leaf)
        for gap, leaf in zip(pairwise(mirrored), reversed(last), strict=True)
    ]
    stages = list(zip(_cut(encoder, own[1:]), reversed(_cut(decoder, ends)), strict=True))
    for stage in stages[1:]:
        _require_codes_alone(*stage)
    for stage in stages:
        _require_own_ties(*stage)
        _require_learning(model, *stage)
    return stages


def _require_learning(model: Autoencoder, encoder: Leaves, decoder: Leaves) -> None:
    """Raise ValueError for a stage that has nothing to train."""
    own = [leaf for leaf in encoder + decoder if _tensors(model, [leaf])]
    if not any(layer.trainable for _, layer in own):
        raise ValueError(
            f"{' and '.join(name for name, _ in own)} are frozen, but every stage is trained: set "
            "trainable = True in one of them"
        )


def _require_codes_alone(encoder: Leaves, decoder: Leaves) -> None:
    """Raise ValueError for a stage behind the first that takes more than the codes before it."""
    if taking := [name for name, layer in encoder + decoder if layer.conditions]:
        raise ValueError(
            f"{' and '.join(taking)} are to be given numbers beside x, but stages behind the "
            "first are handed codes alone: train the model by fit alone"
        )


def _require_own_ties(encoder: Leaves, decoder: Leaves) -> None:
    """Raise ValueError for a Tied of a layer that another stage trains."""
    every = [layer for _, layer in encoder + decoder]
    for name, layer in encoder + decoder:
        if isinstance(layer, Tied) and not any(layer.of is other for other in every):
            raise ValueError(
                f"{name} is tied to a layer of another stage, but its own is "
                f"{', '.join(n for n, _ in encoder)}: tie it to the layer that it mirrors, or "
                "train the model by fit alone"
            )


def _trainable(model: Autoencoder, layers: Leaves) -> list[int]:
    return [i for i, leaf in enumerate(layers) if _tensors(model, [leaf])]


def _tensors(model: Autoencoder, layers: Leaves) -> list[str]:
    """The names of all tensors of those layers, in the order of their declaration."""
    return [
        tensor
        for name, _ in layers
        for tensor in model.parameters.declared
        if tensor.startswith(f"{name}.")
    ]


def _end(decoder: Leaves, first: int, second: int, name: str, layer: Layer) -> int:
    """Where, between two layers with parameters, the decoder has the shape that the encoder's
    layer gives."""
    outputs = [inner.output for _, inner in decoder[first:second]]
    if layer.output not in outputs:
        raise ValueError(
            f"{name} gives rows of shape {layer.output}, but the decoder, from "
            f"{decoder[first][0]} to {decoder[second][0]}, passes on "
            f"{', '.join(map(str, outputs))}: let the decoder mirror the encoder"
        )
    return first + 1 + outputs.index(layer.output)


def _cut(layers: Leaves, at: list[int]) -> list[Leaves]:
    return [layers[i:j] for i, j in pairwise([0, *at, len(layers)])]


def _shallow(
    model: Autoencoder, stage: Stage, stages: list[Stage], corruption: Layer | None
) -> Autoencoder:
    """f_i and g_i of copied layers as a model of its own, with the model's values."""
    encoder, decoder = ([layer for _, layer in part] for part in stage)
    shape = encoder[0].shape
    if corruption is not None:
        if not isinstance(corruption, Layer) or copy.deepcopy(corruption).declare(shape) != (
            shape,
            {},
        ):
            raise TypeError(
                f"the corruption is {corruption!r}, but a layer that keeps the shape {shape} and "
                "has no parameters, such as Masking(0.25), is expected"
            )
        encoder = [corruption, *encoder]
    likelihood = model.likelihood if stage is stages[0] else SquaredError()
    penalty = model.penalty if stage is stages[-1] else None
    shallow = Autoencoder(Sequential(*encoder), Sequential(*decoder), likelihood, penalty)
    shallow.build(shape, backend=model.backend)
    _give(model.backend, shallow.parameters.views().values(), _views(model, stage, stages))
    return shallow


def _views(model: Autoencoder, stage: Stage, stages: list[Stage]) -> list[Array]:
    """The model's tensors of that stage, those of the likelihood with the first: in the order in
    which a model of the stage alone has them."""
    names = [tensor for part in stage for tensor in _tensors(model, part)]
    if stage is stages[0]:
        names += [name for name in model.parameters.declared if name.startswith("likelihood.")]
    return [model.parameters.view(name) for name in names]


def _give(backend: Backend, outs: Iterable[Array], values: Iterable[Array]) -> None:
    for out, value in zip(outs, values, strict=True):
        backend.write(out, backend.to_host(value))
