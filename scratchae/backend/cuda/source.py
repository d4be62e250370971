"""The CUDA spellings as text: which file defines a function, what its arguments are, what is
compiled.

A file of kernels/ is compiled by itself, behind the lines that all share:

    #define REAL float, or double
    device.cu
    the file

Source: CuPy's guide to raw modules; NVRTC's user guide (``#line``).
"""

import re
from functools import cache
from importlib.resources import files

SHARED = "device.cu"
REALS = {"float32": "float", "float64": "double"}
FUNCTION = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(\w+)\s*\(([^)]*)\)')
COMMENT = re.compile(r"//[^\n]*")

Parameter = tuple[str, str]  # its type and its name, such as ("const REAL*", "x")


@cache
def texts() -> dict[str, str]:
    """Every .cu file of the kernels, by its name."""
    folder = files("scratchae.kernels")
    found = (entry for entry in folder.iterdir() if entry.name.endswith(".cu"))
    return {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in sorted(found, key=lambda entry: entry.name)
    }


def signatures(text: str) -> dict[str, list[Parameter]]:
    """The functions that a text defines, each with its parameters."""
    found = {}
    for name, parameters in FUNCTION.findall(COMMENT.sub("", text)):
        words = [
            " ".join(parameter.split()) for parameter in parameters.split(",") if parameter.strip()
        ]
        found[name] = [_parameter(word) for word in words]
    return found


def _parameter(text: str) -> Parameter:
    kind, name = re.fullmatch(r"(.*?[\s*])(\w+)", text).groups()  # type: ignore[union-attr]
    return kind.replace(" *", "*").strip(), name


@cache
def home() -> dict[str, str]:
    """Function -> the file that defines it."""
    return {name: file for file, text in texts().items() for name in signatures(text)}


def unit(file: str, dtype: str) -> str:
    """What is compiled for one file and "float32" or "float64"."""
    parts = [f"#define REAL {REALS[dtype]}"]
    for name in (SHARED, file):
        parts += [f'#line 1 "kernels/{name}"', texts()[name]]
    return "\n".join(parts)
