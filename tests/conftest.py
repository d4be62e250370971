"""The backend fixture, the two lanes and the tolerance table.

The default lane is what ``python -m pytest`` runs; ``python -m pytest -m slow`` runs every other
test. A test is slow by its mark, by its folder (``SLOW_FOLDERS``), because it runs on the NumPy
definitions or on the emulated GPU, or as the float32 of a loop (``TWICE``). ``--backend emulated``
asks for the emulated GPU, so its tests are not slow then; ``--backend reference`` likewise.

A run of a whole lane is shared by as many processes as there are cores, at most 4, where
pytest-xdist is installed; ``-n 0`` keeps it in one, and so does naming files or folders.
"""

import gc
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from scratchae import get_backend

sys.path.insert(0, str(Path(__file__).parent))
import emulator

# modules that the tests share, and that assert
pytest.register_assert_rewrite(
    *("coding", "differences", "examples.helpers", "execution", "layers", "proofs", "saving"),
    "sentences",
)

# What "equal" means, by claim and dtype: absolute where values are about 1, relative where they
# are larger.
TOLERANCES = {
    ("kernel", "float32"): 5e-6,  # one spelling against the definition
    ("kernel", "float64"): 1e-12,
    # where terms cancel, and a product and a sum are rounded once: 6e-6 was seen
    ("cancelling", "float32"): 1e-5,
    ("cancelling", "float64"): 1e-12,
    ("layer", "float32"): 5e-5,  # one backend against another, through matrix products
    ("layer", "float64"): 1e-10,
    ("loss", "float32"): 1e-5,  # losses of one step: relative
    ("loss", "float64"): 1e-12,
    ("trajectory", "float32"): 1e-3,  # losses over 100 steps: relative
    ("gradient", "float64"): 1e-6,  # finite differences; right code shows 1e-8
    ("analytic", "float64"): 1e-14,  # the complex step
    ("planted", "float64"): 1e-5,  # an error of 0.1 % must show more than this
}


# A job in the background is handed signals that are ignored: the tests raise them.
for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, name), handler)

BACKENDS = [
    "reference",
    "numpy",
    "emulated",
    "cupy",
]  # emulated: the GPU's code, executed on the CPU
SLOW_FOLDERS = ("benchmarks", "emulator")
# A loop is compiled for each dtype: where a test is run in both, float32 is slow, since gradients
# need float64.
TWICE = {"backend": "numpy", "dtype": "float32"}
# These compile nearly every loop: one process does, and the others find it on disk.
EVERY_LOOP = (
    *("execution/test_threads.py", "gradcheck/test_kernels.py", "kernels/test_spellings.py"),
    *("layers/test_by_hand.py", "layers/test_contract.py", "layers/test_lstm.py"),
)


def pytest_addoption(parser):
    parser.addoption(
        "--backend",
        action="append",
        choices=BACKENDS,
        help="test these backends only (repeatable)",
    )


def chosen(config):
    return config.getoption("--backend") or BACKENDS[:3]


def parameters(config, among=BACKENDS):
    """The chosen backends as parameters of a test; the definitions and the emulated GPU are slow
    unless they were asked for. The default lane is spared the making of tests that it leaves
    out."""
    slow = () if config.getoption("--backend") else ("reference", "emulated")
    every = [name for name in chosen(config) if name in among]
    quick = [name for name in every if name not in slow]
    if quick and config.option.markexpr == "not slow":
        every = quick
    return [pytest.param(name, marks=[pytest.mark.slow] if name in slow else []) for name in every]


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist starts its processes
def pytest_cmdline_main(config):
    """Each file in one of several processes: half of the default lane's time is spent on compiling
    loops."""
    option = config.option
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    alone = hasattr(config, "workerinput") or option.usepdb or option.collectonly
    alone = alone or not config.pluginmanager.hasplugin("xdist") or "cupy" in chosen(config)
    # pytest-cov has settled for one process by now
    alone = alone or getattr(option, "cov_source", None)
    if whole and not alone:
        if option.numprocesses is None:
            option.numprocesses = min(4, os.cpu_count() or 1)
        if option.numprocesses and option.dist == "no":
            option.dist = "loadfile"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Each file in one process, and all of EVERY_LOOP in one."""
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "every loop" if file.endswith(EVERY_LOOP) else file

    return Files(config, log) if config.option.dist == "loadfile" else None


def pytest_configure(config):
    if "cupy" in chosen(config):
        try:
            get_backend("cupy")
        except (ImportError, MemoryError, RuntimeError) as error:
            pytest.exit(f"--backend cupy: {error}", returncode=2)


def pytest_generate_tests(metafunc):
    if "backend" in metafunc.fixturenames:
        every = parameters(metafunc.config)
        metafunc.parametrize("backend", every, indirect=True, scope="module")
    if "gpu" in metafunc.fixturenames:
        every = parameters(metafunc.config, among=("emulated", "cupy"))
        metafunc.parametrize("gpu", every, indirect=True, scope="module")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Five thousand tests are made, and stay: garbage collection would walk through them again and
    again, a tenth of the default lane."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_ignore_collect(collection_path, config):
    """Spares the default lane the import of what is slow as a whole, and of PyTorch."""
    slow = collection_path.name in SLOW_FOLDERS or collection_path.match("test_torch_*.py")
    return True if slow and config.option.markexpr == "not slow" else None


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items):
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if folder in SLOW_FOLDERS or TWICE.items() <= parameters.items():
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def backend(request):
    """The name of a backend: "cupy" also for "emulated", then with the emulator in the place of
    CuPy."""
    yield from named(request.param)


@pytest.fixture(scope="module")
def gpu(request):
    """As ``backend``, for what only the GPU's backend has."""
    yield from named(request.param)


def named(backend):
    if backend != "emulated":
        yield backend
    elif not emulator.has_compiler():
        pytest.skip("needs g++, which compiles the GPU's code for the CPU")
    else:
        with emulator.installed():
            yield "cupy"
            emulator.check_guards()


@pytest.fixture
def tolerance():
    """tolerance("kernel", "float32") -> the number of the table."""
    return lambda claim, dtype="float64": TOLERANCES[claim, str(np.dtype(dtype))]


@pytest.fixture
def rng():
    """Random numbers for test inputs, the same in every run."""
    return np.random.default_rng(0)


@pytest.fixture
def real_data():
    """The folder of the real data sets, or a skip that says so."""
    folder = os.environ.get("SCRATCHAE_DATA")
    if not folder or not (Path(folder) / "mnist").is_dir():
        pytest.skip("needs the real data: set SCRATCHAE_DATA to a folder with mnist/ in it")
    return Path(folder)
