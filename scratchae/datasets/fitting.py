"""Whether data fits a model: looked at once, before anything is trained or measured."""

from typing import Any

import numpy as np

from .. import checks
from .sources import Values, as_source


def fitting_source(model: Any, data: Any, what: str) -> Any:
    """The data as a source of batches that fits the model.

    Raises RuntimeError before ``build``, TypeError for what is no data, ValueError for rows of
    another shape than the model's, or values that its likelihood cannot have.
    """
    checks.not_a_class("the model", model)
    if not hasattr(model, "require_built"):
        raise TypeError(
            f"the model is a {checks.kind(model)}, but a VAE or an Autoencoder is expected"
        )
    model.require_built()
    if isinstance(data, np.ndarray):
        checks.host_rows(data, model.input_shape, what)
    source = as_source(data)
    if source.shape != model.input_shape:
        raise ValueError(
            f"{what} has rows of shape {source.shape}, but the model takes {model.input_shape}"
        )
    if isinstance(source, Values):
        checks.representable(source.x, model.backend.dtype, what)
    source.check(model.objective.likelihood)
    return source
