"""The CUDA spellings as the CUDA compilers see them: nvcc where it is, else NVRTC, which CuPy
compiles with."""

import ctypes
import importlib
import shutil
import subprocess

import pytest

from scratchae.backend.cuda import source as cuda

pytestmark = pytest.mark.slow
GENERATIONS = (80, 90, 100)  # A100, H100 and H200, B200
STRICT = ["-Werror=all-warnings", "-Xptxas=-v,--warn-on-spills,--warning-as-error"]
FILES = [name for name in cuda.texts() if name != cuda.SHARED]
NVCC = shutil.which("nvcc")


def nvrtc():
    """NVRTC as CuPy finds it, or None."""
    try:
        found = importlib.import_module("cuda.pathfinder").load_nvidia_dynamic_lib("nvrtc")
        return ctypes.CDLL(found.abs_path)
    except (ImportError, OSError, RuntimeError):
        return None


def by_nvcc(code, folder):
    """What nvcc says of a text, for all generations at once; raises AssertionError where it
    fails."""
    (folder / "text.cu").write_text(code)
    machines = [f"-gencode=arch=compute_{n},code=sm_{n}" for n in GENERATIONS]
    command = [NVCC, "-std=c++17", "-fatbin", *machines, *STRICT, "text.cu", "-o", "text.fatbin"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def by_nvrtc(code, folder):
    """What NVRTC says of a text; raises AssertionError where it fails."""
    library, program, said = nvrtc(), ctypes.c_void_p(), []
    text = ctypes.c_char_p(code.encode())
    library.nvrtcCreateProgram(ctypes.byref(program), text, b"text.cu", 0, None, None)
    for n in GENERATIONS:
        options = (ctypes.c_char_p * 3)(
            b"-std=c++17", f"-arch=sm_{n}".encode(), b"-Werror=all-warnings"
        )
        status, size = (
            library.nvrtcCompileProgram(program, len(options), options),
            ctypes.c_size_t(),
        )
        library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        library.nvrtcGetProgramLog(program, log)
        assert status == 0, log.value.decode()
        said.append(log.value.decode())
    return "".join(said)


@pytest.fixture(scope="module")
def compiler():
    if NVCC is not None:
        return by_nvcc
    if nvrtc() is not None:
        return by_nvrtc
    pytest.skip(
        "needs nvcc or NVRTC (pip install nvidia-cuda-nvrtc cuda-pathfinder), which compile CUDA"
    )


def check(code, functions, compiler, folder):
    """Compiles without a warning; as nvcc tells, every function of every generation keeps all in
    registers."""
    said = compiler(code, folder)
    if compiler is by_nvcc:
        clean = said.count(" 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads")
        assert clean == said.count("Function properties for"), said  # CUDA's own too, as lgamma
        assert said.count("Compiling entry function") == len(functions) * len(GENERATIONS), said


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FILES)
def test_without_a_warning_or_a_spill(name, dtype, compiler, tmp_path):
    functions = cuda.signatures(cuda.texts()[name])
    assert functions
    check(cuda.unit(name, dtype), functions, compiler, tmp_path)


FLAWS = {
    "an error": "y[i] = undeclared;",
    "a warning": "int unused = 1;",
    "a stack frame": (
        "double d[64]; for (int j = 0; j < 64; ++j) d[j] = y[i + j]; y[i] = REAL(d[int(y[i])]);"
    ),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_planted_flaw_is_seen(flaw, compiler, tmp_path):
    if flaw == "a stack frame" and compiler is by_nvrtc:
        pytest.skip("needs nvcc, which tells of stack frames")
    file = "sgd.cu"
    code, functions = cuda.unit(file, "float32"), [*cuda.signatures(cuda.texts()[file]), "planted"]
    start = 'extern "C" __global__ void planted(REAL* y) { int i = threadIdx.x; y[i] = i;'
    check(f"{code}\n{start} }}\n", functions, compiler, tmp_path)
    with pytest.raises(AssertionError):
        check(f"{code}\n{start} {FLAWS[flaw]} }}\n", functions, compiler, tmp_path)
