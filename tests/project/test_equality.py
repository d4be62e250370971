"""Results that hold arrays are equal by identity: an array of comparisons has no one truth."""

import dataclasses
import pkgutil
from importlib import import_module

import scratchae as sa

HELD = "ndarray"


def modules():
    for found in pkgutil.walk_packages(sa.__path__, f"{sa.__name__}."):
        if not {"kernels", "cuda", "gradcheck"} & set(found.name.split(".")):
            yield import_module(found.name)


def of_arrays(module):
    for kind in vars(module).values():
        if dataclasses.is_dataclass(kind) and any(
            HELD in str(field.type) for field in dataclasses.fields(kind)
        ):
            yield kind


def test_what_holds_arrays_is_compared_by_identity():
    found = {kind for module in modules() for kind in of_arrays(module)}
    assert len(found) > 5
    assert [kind for kind in found if kind.__eq__ is not object.__eq__] == []
