"""The child processes of gpu.py: each plays one part and answers its parent, a JSON object a line.

A part is a generator, so that it can also be played inside another process (gpu_turns.py). What it imports, it
imports when it is played: PyTorch's part needs no CuPy, ours no PyTorch.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.speed.contestants import Turns, words

OVER = {"over": True}  # the answer of a part that has ended


def about(spec: dict[str, Any]) -> Any:
    """One answer: what the GPU is, and the libraries, as this process sees them."""
    from scratchae.backend.cuda.driver import require_cupy

    cupy = require_cupy()
    runtime, device = cupy.cuda.runtime, cupy.cuda.Device().id
    named = hasattr(runtime, "getDeviceProperties")  # the emulator has no properties
    name = runtime.getDeviceProperties(device)["name"].decode() if named else "an emulated GPU"
    found = {
        "gpu": name,
        "memory": runtime.memGetInfo()[1],
        "driver": driver(),
        "device": spec["device"],
    }
    found |= {"cupy": getattr(cupy, "__version__", "emulated"), "torch": None, "torch_sees": False}
    found |= {"runtime": runtime.runtimeGetVersion(), "driver_cuda": runtime.driverGetVersion()}
    try:
        import torch
    except ImportError:
        pass
    else:
        sees = spec["device"] == "cpu" or torch.cuda.is_available()
        found |= {"torch": torch.__version__, "torch_cuda": torch.version.cuda, "torch_sees": sees}
        found |= {"cudnn": torch.backends.cudnn.version()}
    yield found


def driver() -> str:
    """The version of NVIDIA's driver, where its own tool says it."""
    if shutil.which("nvidia-smi") is None:
        return "unknown"
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    words = subprocess.run(command, capture_output=True, text=True).stdout.split()
    return words[0] if words else "unknown"


def launches(spec: dict[str, Any]) -> Any:
    """See gpu_costs.py."""
    from benchmarks.gpu import costs as gpu_costs

    return gpu_costs.launches(spec)


def products(spec: dict[str, Any]) -> Any:
    """See gpu_costs.py."""
    from benchmarks.gpu import costs as gpu_costs

    return gpu_costs.products(spec)


def graphs(spec: dict[str, Any]) -> Any:
    """See gpu_ours.py."""
    from benchmarks.gpu import ours as gpu_ours

    return gpu_ours.graphs(spec)


def ours(spec: dict[str, Any]) -> Any:
    """See gpu_ours.py."""
    from benchmarks.gpu import ours as gpu_ours

    return gpu_ours.ours(spec)


def theirs(spec: dict[str, Any]) -> Any:
    """See gpu_theirs.py."""
    from benchmarks.gpu import theirs as gpu_theirs

    return gpu_theirs.theirs(spec)


def job(spec: dict[str, Any]) -> Any:
    """See gpu_job.py."""
    from benchmarks.gpu import job as gpu_job

    return gpu_job.job(spec)


PARTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    part.__name__: part for part in (about, launches, products, graphs, ours, theirs, job)
}


def main() -> None:
    """Play the part that the specification names, a turn whenever the parent speaks."""
    spec, turns = json.loads(sys.argv[1]), Turns()
    try:
        part = PARTS[spec["who"]](spec)
        turns.listen()
        answer = next(part)
        while True:
            turns.say(**answer)
            answer = part.send(turns.listen())
    except StopIteration:
        turns.say(**OVER)
    except Exception as error:
        turns.say(error=words(error))
        raise


if __name__ == "__main__":
    main()
