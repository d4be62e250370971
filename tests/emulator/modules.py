"""Modules made of values, and their place in sys.modules."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def module(name: str, **values: Any) -> ModuleType:
    """A module with these public names, as if it had been imported."""
    made = ModuleType(name)
    made.__spec__ = ModuleSpec(name, loader=None, is_package=True)
    made.__path__ = []
    made.__all__ = list(values)
    vars(made).update(values)
    return made


@contextmanager
def standing_in(*modules: ModuleType) -> Iterator[None]:
    """Within it, these are what an import finds; submodules of theirs that were imported before
    are hidden."""
    names = {made.__name__.partition(".")[0] for made in modules}
    hidden = {
        name: found for name, found in sys.modules.items() if name.partition(".")[0] in names
    }
    for name in hidden:
        del sys.modules[name]
    sys.modules.update({made.__name__: made for made in modules})
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in names]:
            del sys.modules[name]
        sys.modules.update(hidden)
