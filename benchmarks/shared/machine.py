"""What the benchmarks run on, in words."""

import os
import platform
from pathlib import Path
from typing import Any

from benchmarks.shared.processes import REMOVED, Contestant, environment

INSTALL = "PyTorch is not installed: pip install torch==2.13.0"


def machine() -> dict[str, Any]:
    """What the children run on, as one of them sees it."""
    with Contestant("the first child", {"who": "about"}, environment()) as child:
        about = child.hear()
    about |= {"cpu": cpu(), "cores": os.cpu_count(), "python": platform.python_version()}
    return about | {"removed": [name for name in REMOVED if name in os.environ]}


def cpu() -> str:
    """The processor's name, where Linux says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def described(about: dict[str, Any]) -> str:
    """Two lines, or three where the environment was changed."""
    torch = f"PyTorch {about['torch']} ({about['torch_cpu']})" if about["torch"] else "no PyTorch"
    lines = [
        f"{about['cpu']}, {about['cores']} cores; Python {about['python']}, Numba {about['numba']}, {torch}",
        f"NumPy {about['numpy']} with {about['blas']}",
    ]
    if about["removed"]:
        lines += [f"taken out of the children's environment: {', '.join(about['removed'])}"]
    return "\n".join(lines)
