"""A strict stand-in for the names of CuPy that the library uses. They are a subset: a test
compares them."""

from . import cuda, runtime
from .array import empty, ndarray
from .cuda import MemoryPool
from .modules import module
from .raw import RawKernel, RawModule

__all__ = ["RawKernel", "RawModule", "cuda", "empty", "get_default_memory_pool", "ndarray"]


def get_default_memory_pool() -> MemoryPool:
    return cuda.default_pool


for _public in (ndarray, RawKernel, RawModule):
    _public.__module__ = "cupy"  # what messages say


def modules() -> list:
    """The modules that an import of cupy brings into sys.modules."""
    runtime_module = module(
        "cupy.cuda.runtime", **{name: getattr(runtime, name) for name in runtime.__all__}
    )
    names = {name: getattr(cuda, name) for name in cuda.__all__} | {"runtime": runtime_module}
    cuda_module = module("cupy.cuda", **names)
    names = {name: globals()[name] for name in __all__} | {"cuda": cuda_module}
    parts = (cuda.memory, cuda.compiler, cuda.driver)
    return [module("cupy", **names), cuda_module, runtime_module, *parts]
