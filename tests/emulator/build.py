"""Compiles CUDA text and the emulated device with g++, once for each content, into a cache of
shared libraries.

The variable SCRATCHAE_EMULATOR chooses a variant: plain, coverage (of the CUDA text), sanitize
(AddressSanitizer and UBSan, which the Python process must preload) or fused, on a processor with
x86's FMA: as CuPy compiles, a product and a sum are rounded once, and what is too small for a
normal number is zero (here float64 too, which a GPU keeps). SCRATCHAE_EMULATOR_CACHE is the folder
of the cache.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
HEADER = HERE / "cuda.h"
COMMON = (
    "-std=c++17",
    "-fPIC",
    "-U_FORTIFY_SOURCE",
    "-ffp-contract=off",
    "-Wall",
    "-Wextra",
    "-Werror",
)
SANITIZERS = "-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=undefined"
SANITIZE = f"-O1 -g -fno-omit-frame-pointer {SANITIZERS}"
FUSED = "-O2 -mfma -ffp-contract=fast"
VARIANTS = {
    "plain": "-O2",
    "coverage": "--coverage -O0 -g",
    "sanitize": SANITIZE,
    "fused": FUSED,
}
# -fno-weak: inline functions are local, or their __shared__ variables could not lie in one
# section. The warnings are those that nvcc does not give either.
KERNEL = (
    "-fno-weak",
    "-Wno-sign-compare",
    "-Wno-unknown-pragmas",
    "-Wno-unused-function",
    "-Wno-unused-parameter",
    "-include",
    str(HEADER),
)
FUNCTION = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(\w+)\s*\(([^)]*)\)')


class CompileError(RuntimeError):
    """g++ does not understand a text; its words."""


def variant() -> str:
    """The name of the variant that the environment asks for."""
    name = os.environ.get("SCRATCHAE_EMULATOR", "plain")
    if name not in VARIANTS:
        raise ValueError(f"SCRATCHAE_EMULATOR is {name!r}: choose one of {', '.join(VARIANTS)}")
    return name


def has_compiler() -> bool:
    return shutil.which("g++") is not None


def has_fma() -> bool:
    """Whether this is an x86 that can run the variant fused."""
    info = Path("/proc/cpuinfo")
    return info.exists() and " fma " in info.read_text()


def folder(name: str) -> Path:
    """The cache of a variant."""
    default = Path(tempfile.gettempdir()) / f"scratchae-emulator-{os.getuid()}"
    path = Path(os.environ.get("SCRATCHAE_EMULATOR_CACHE", default)) / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def signatures(text: str) -> dict[str, list[tuple[str, str]]]:
    """The kernels of a text: name -> its parameters, each ("const REAL*", "x").

    Not the library's own reading of them: the two must agree.
    """
    found = {}
    for name, parameters in FUNCTION.findall(
        re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    ):
        found[name] = [_parameter(part) for part in parameters.split(",") if part.strip()]
    return found


def _parameter(text: str) -> tuple[str, str]:
    *words, name = text.replace("*", " * ").replace("__restrict__", " ").split()
    return " ".join(words).replace(" *", "*"), name


def kernels(text: str, defines: tuple[str, ...] = ()) -> Path:
    """The shared library of a CUDA text. Each kernel f has an entry emulator_call_f(void**
    arguments) in it.

    Raises CompileError with the words of g++ where the text is not right.
    """
    entries = "\n".join(_entry(name, parameters) for name, parameters in signatures(text).items())
    flush = (
        "void emulator_flush() { __gcov_dump(); __gcov_reset(); }"
        if variant() == "coverage"
        else ""
    )
    declared = 'extern "C" void __gcov_dump(), __gcov_reset();' if flush else ""
    whole = f'{text}\n#line 1 "emulator"\n{declared}\nextern "C" {{\n{entries}\n{flush}\n}}\n'
    return _compiled(
        folder(variant()), [], whole, (*COMMON, *VARIANTS[variant()].split(), *KERNEL, *defines)
    )


def _entry(name: str, parameters: list[tuple[str, str]]) -> str:
    values = (f"*({kind}*)arguments[{i}]" for i, (kind, _) in enumerate(parameters))
    return (
        f"void emulator_call_{name}([[maybe_unused]] void** arguments) {{ "
        f"{name}({', '.join(values)}); }}"
    )


@cache
def runtime() -> Path:
    """The shared library of the device itself, with cuBLAS' names in it."""
    sanitized = variant() == "sanitize"
    flags = SANITIZE.split() if sanitized else ["-O3"]
    flags += ["-DFLUSH_TO_ZERO"] if variant() == "fused" else []
    # coverage is of the CUDA texts only
    place = folder("plain" if variant() == "coverage" else variant())
    return _compiled(place, sorted(HERE.glob("*.cpp")), "", (*COMMON, *flags))


def _compiled(place: Path, files: list[Path], text: str, flags: tuple[str, ...]) -> Path:
    parts = [text, *flags, *(path.read_text() for path in [*files, *sorted(HERE.glob("*.h"))])]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    library = place / f"{key}.so"
    if library.exists():
        return library
    with _locked(place / f"{key}.lock"):
        if not library.exists():
            _compile(files, text, flags, place / key)
    return library


def _compile(files: list[Path], text: str, flags: tuple[str, ...], stem: Path) -> None:
    partial = stem.with_suffix(".partial")
    if files:
        _run_compiler([*flags, "-shared", "-o", str(partial), *map(str, files)], "")
    else:  # in two steps: the names of coverage's files follow that of the object
        _run_compiler([*flags, "-c", "-x", "c++", "-", "-o", f"{stem}.o"], text)
        linking = [flag for flag in flags if flag.startswith(("-fsanitize", "--coverage"))]
        _run_compiler([*linking, "-shared", "-o", str(partial), f"{stem}.o"], "")
        stem.with_suffix(".cpp").write_text(text)
    os.replace(partial, stem.with_suffix(".so"))


def _run_compiler(arguments: list[str], text: str) -> None:
    if not has_compiler():
        raise RuntimeError(
            "the emulator of the GPU compiles with g++, which is not installed: apt-get install "
            "g++"
        )
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run(
        ["g++", *arguments], input=text, capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise CompileError(done.stderr)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
