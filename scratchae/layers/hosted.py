"""A copy of a layer, latent or likelihood, bound for host arrays of any number of rows."""

from typing import Any

import numpy as np

from .. import checks, randomness
from ..backend import Array, Backend
from ..datasets.labelled import as_given
from ..parameters import Declared, Parameters, Views
from ..settings import Fixed, Number, shared_copy
from ..weights import Weights
from .base import Layer, Shape, require_views
from .tied import resolve_ties


def _address(name: str, value: Any) -> int:
    """A part of the address of noise. Raises ValueError for what is no whole number of at least
    0."""
    known = name != "purpose" or value in (randomness.TRAINING, randomness.EVALUATION)
    if not checks.whole(value, 0) or not known:
        due = "TRAINING or EVALUATION" if name == "purpose" else "a whole number >= 0"
        raise ValueError(f"{name} is {value!r}, but {due} is expected")
    return int(value)


class ByHand:
    """What all three kinds share: a copy of the part, bound for as many rows as were asked for so
    far.

    Noise is that of the examples first, first + 1, ... in that epoch, in training (purpose;
    randomness.EVALUATION for that of ``evaluate``); it is the same in every call until one of
    these is set. Source: the module.
    """

    part: Any
    name: str
    shape: Shape
    backend: Backend
    seed: int
    epoch: int
    purpose: int
    first: int
    bound: int  # rows that there are buffers for
    called: int  # rows of the last call

    def __init__(self, part: Any, shape: Shape, backend: Backend, seed: int):
        self._keep(part=shared_copy(part), name=type(part).__name__, shape=shape, backend=backend)
        self._keep(seed=checks.seed(seed), epoch=0, purpose=randomness.TRAINING, first=0)
        self._keep(bound=0, called=0)

    def _keep(self, **attributes: Any) -> None:
        """Set attributes of this object itself; what a reader sets goes through __setattr__."""
        self.__dict__.update(attributes)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("epoch", "purpose", "first"):
            self._keep(**{name: _address(name, value)})
        elif self._is_setting(name):  # the part checks the value
            setattr(self.part, name, value)
        else:
            raise AttributeError(f"this {self.name} has no {name!r} that could be set")

    def _is_setting(self, name: str) -> bool:
        held = getattr(type(self.part), name, None)
        return isinstance(held, (Number, Fixed)) or (name == "trainable" and held is not None)

    def __getattr__(self, name: str) -> Any:
        """A setting of the part, or what ``_read`` finds."""
        return getattr(self.part, name) if self._is_setting(name) else self._read(name)

    def _read(self, name: str) -> Any:
        raise AttributeError(f"this {self.name} has no {name!r}; it has its settings")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"this {self.name} holds memory of its backend: call by_hand again")

    def _array(self, a: Any, shape: Shape, what: str) -> Array:
        """A host array (N, *shape) on the backend, checked."""
        what = f"{what} of this {self.name}"
        a = checks.host_rows(a, shape, what)
        checks.representable(a, self.backend.dtype, what)
        return self.backend.asarray(a)

    def _prepare(self, rows: int) -> None:
        """Bind for at least that many rows, and draw the noise of the first ones."""
        if rows > self.bound:
            self._bind(rows)
        self._keep(bound=max(rows, self.bound), called=rows)
        if hasattr(self.part, "draw"):
            index = np.arange(self.first, self.first + rows, dtype=np.uint32)
            clock = randomness.clock(self.seed, self.epoch, self.purpose)
            self.part.draw(
                self.backend.asarray(index, np.uint32), self.backend.asarray(clock, np.uint32)
            )

    def _give(self, given: Any, rows: int) -> None:
        """Hand the part what the rows are given beside x. Raises TypeError where that is missing,
        or is given to what takes none."""
        takes = getattr(self.part, "conditions", 0)
        if (given is None) != (not takes):
            due = (
                f"takes {takes} numbers beside each row: say given=labels, or numbers (N, {takes})"
            )
            due = due if takes else "takes nothing beside x: leave it out"
            raise TypeError(f"given is {given!r}, but this {self.name} {due}")
        if takes:
            self.part.give(self.backend.asarray(as_given(given, rows, takes)))

    def _bind(self, rows: int) -> None:
        raise NotImplementedError

    def _require_called(self) -> None:
        if not self.called:
            raise RuntimeError(
                f"backward reads what the last call of this {self.name} has kept, but it was not "
                "called yet: call it on x first"
            )

    def _same_rows(self, a: Array, what: str) -> Array:
        if len(a) != self.called:
            raise ValueError(
                f"{what} has {len(a)} rows, but the last call of this {self.name} had "
                f"{self.called}: give as many"
            )
        return a


class WithParameters(ByHand):
    """What a part has that may have parameters: these by name, read and written, and their
    gradients, each of its own shape. Source: by_hand.py."""

    weights: Weights  # every parameter by name, "0.W" in a Sequential; assigned, it is written
    grads: Views
    filled: bool  # whether backward has written the gradients

    def _attach(self, declared: Declared) -> None:
        """Draw the parameters, and hand the part its views."""
        resolve_ties(layer for _, layer in self._leaves())
        if hasattr(self.part, "place"):  # a likelihood draws nothing
            self.part.place(randomness.NOISE)
        parameters = Parameters(self.backend, declared)
        parameters.initialise(self.seed)
        grads = self.backend.zeros((parameters.size,))
        self._keep(weights=Weights(parameters), grads=parameters.views(grads), filled=False)
        self.part.attach(parameters.views(), self.grads)

    def _leaves(self) -> list[tuple[str, Layer]]:
        """The layers inside, each with the prefix of its parameters' names."""
        raise NotImplementedError

    def _fill(self) -> None:
        """Note that backward has filled the gradients. Raises TypeError where a layer keeps one
        from the model."""
        for _, layer in self._leaves():
            require_views(layer)
        self._keep(filled=True)

    def _require_filled(self, what: str) -> None:
        if not self.filled:
            raise RuntimeError(f"{what} is filled by backward, which was not called yet")

    def _read(self, name: str) -> Any:
        if name in self.weights:
            return self.weights[name]
        if name.startswith("d") and name[1:] in self.grads:
            return self._gradient(name[1:])
        names = ", ".join([*self.weights, *(f"d{n}" for n in self.grads)]) or "no parameters"
        raise AttributeError(f"this {self.name} has no {name!r}; it has {names}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.weights:
            self.weights[name] = value
        else:
            super().__setattr__(name, value)

    def _frozen(self, name: str) -> bool:
        """Whether the layer with that parameter does not learn."""
        at = name.rpartition(".")[0]
        return any(not layer.trainable for where, layer in self._leaves() if where == at)

    def _gradient(self, name: str) -> np.ndarray:
        self._require_filled(f"d{name}")
        if self._frozen(name):
            raise RuntimeError(f"d{name} is not computed: its layer is frozen (trainable = False)")
        gradient = self.backend.to_host(self.grads[name])
        gradient.flags.writeable = False
        return gradient

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """Every gradient by name, shapes as the parameters; those of frozen layers left out."""
        self._require_filled("each gradient")
        return {name: self._gradient(name) for name in self.grads if not self._frozen(name)}
