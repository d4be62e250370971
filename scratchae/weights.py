"""The parameters of a built model, by name, as host arrays."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import numpy as np

from .checks import as_array, finite, representable
from .parameters import Parameters


class Weights(MutableMapping[str, np.ndarray]):
    """name -> tensor: model.weights["encoder.1.W"] reads it, and, assigned, writes it.

    Shapes: as declared. What is read is a copy that cannot be written to, so that a change of it
    is not lost unnoticed. Raises KeyError for an unknown name, with those there are, ValueError
    for values of another shape, NaN or inf. Source: PyTorch's ``state_dict``.
    """

    def __init__(self, parameters: Parameters):
        self._parameters = parameters

    def _view(self, name: str) -> Any:
        if name not in self._parameters.declared:
            names = ", ".join(self._parameters.declared)
            raise KeyError(f"there is no tensor {name!r}: choose one of {names}")
        return self._parameters.view(name)

    def __getitem__(self, name: str) -> np.ndarray:
        values = self._parameters.backend.to_host(self._view(name))
        values.flags.writeable = False
        return values

    def __setitem__(self, name: str, values: Any) -> None:
        view, values = self._view(name), as_array(values, f"the values of {name}")
        if values.shape != tuple(view.shape) or values.dtype.kind not in "fiub":
            raise ValueError(
                f"{name} is to become {values.dtype} of shape {values.shape}, but it holds "
                f"numbers of shape {tuple(view.shape)}"
            )
        finite(values, name)
        representable(values, self._parameters.backend.dtype, name)
        self._parameters.backend.write(view, values)

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name} cannot be deleted: leave the layer out and build the model again")

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters.declared)

    def __len__(self) -> int:
        return len(self._parameters.declared)
