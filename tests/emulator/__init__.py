"""A GPU for machines without one: CUDA texts run as C++, behind a strict stand-in for CuPy.

    with emulator.installed():
        import cupy              # the stand-in: see cupy.py
        ...
        emulator.check_guards()  # nothing has been written outside of the arrays, or after they
                                 # were freed

Work on a stream only runs when somebody waits for it. ``order(seed)`` changes in which order
threads run, ``memory`` how much there is, ``pooled`` keeps it as CuPy does, ``log`` tells what was
launched. The parts: cuda.h is what a kernel sees, *.cpp the device, build.py the compiler; the
other Python files stand in for CuPy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from . import build, device
from .build import has_compiler
from .device import last_error, log
from .modules import module, standing_in

__all__ = [
    "check_guards",
    "flush_coverage",
    "has_compiler",
    "installed",
    "last_error",
    "log",
    "memory",
    "order",
    "pooled",
    "synchronize",
]

TOTAL_MEMORY = 8 << 30  # bytes, as in memory.cpp


@contextmanager
def installed() -> Iterator[None]:
    """Within it, ``import cupy`` and ``import cuda.pathfinder`` find the stand-ins. Starts with an
    idle device."""
    from . import cupy

    pathfinder = module("cuda.pathfinder", load_nvidia_dynamic_lib=_load)
    device.library().emulator_reset()
    log.clear()
    with standing_in(*cupy.modules(), module("cuda", pathfinder=pathfinder), pathfinder):
        yield


def _load(name: str) -> SimpleNamespace:
    if name != "cublas":
        raise RuntimeError(f"the emulator has no library {name!r}, only 'cublas'")
    return SimpleNamespace(abs_path=str(build.runtime()))


@contextmanager
def order(seed: int) -> Iterator[None]:
    """What is queued within it runs threads and blocks ascending (0), descending (1), or shuffled
    by the seed."""
    device.library().emulator_order(seed)
    try:
        yield
    finally:
        device.library().emulator_order(0)


@contextmanager
def memory(total: int) -> Iterator[None]:
    """Within it, the device has that many bytes in all, those already in use included."""
    device.library().emulator_set_memory(total)
    try:
        yield
    finally:
        device.library().emulator_set_memory(TOTAL_MEMORY)


@contextmanager
def pooled() -> Iterator[None]:
    """Within it, what arrays give back is kept and handed out again as it is: see pool.py."""
    from . import cuda

    cuda.default_pool.keeping = True
    try:
        yield
    finally:
        cuda.default_pool.keeping = False
        cuda.default_pool.free_all_blocks()


def synchronize() -> None:
    """Runs the work of all streams."""
    device.call("run_everything")


def check_guards() -> None:
    """Raises RuntimeError if anything was written outside of the arrays, or to freed ones, since
    the last time."""
    device.call("check")


def flush_coverage() -> None:
    """In the variant ``coverage``: adds the kernels' counts to the .gcda files in
    ``build.folder("coverage")``."""
    from .raw import RawModule

    for library in RawModule._libraries:
        if hasattr(library, "emulator_flush"):
            library.emulator_flush()
