"""What the commands share: their options, the file that they write, and the machine in words."""

import argparse
import json
import os
import platform
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.shared.processes import REMOVED, Child, Failed, Line

INSTALL = "PyTorch is not installed: pip install torch==2.13.0"


class Parser(argparse.ArgumentParser):
    """The script's docstring is its help; errors are one sentence and end with status 2."""

    def __init__(self, name: str, words: str | None, smoke: str | None = None):
        kind = argparse.RawDescriptionHelpFormatter
        super().__init__(name, description=words, formatter_class=kind)
        if smoke:
            self.add_argument("--json", type=output, metavar="FILE", help="write everything there")
            self.add_argument("--smoke", action="store_true", help=f"a tiny run: {smoke}")

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")

    def carry_out(self, work: Callable[[argparse.Namespace], int], argv: list[str] | None) -> int:
        """The exit status of work(options); Ctrl-C and what can be mended are sentences."""
        options = self.parse_args(argv)
        try:
            with terminated():
                return work(options)
        except KeyboardInterrupt:
            self.exit(130, f"\n{self.prog}: interrupted\n")
        except (Failed, OSError) as error:
            self.error(str(error))


@contextmanager
def terminated() -> Iterator[None]:
    """Within it SIGTERM ends a command as Ctrl-C does, its children too; so does SIGINT where
    the shell has let a job in the background ignore it."""
    ends = (signal.SIGTERM, signal.SIGINT)
    before = {end: signal.signal(end, signal.default_int_handler) for end in ends}
    try:
        yield
    finally:
        for end, handler in before.items():
            signal.signal(end, handler)


class Complaints(list[str]):
    """Sentences about what failed while the rest went on, printed as they come."""

    def __call__(self, sentence: str) -> None:
        self.append(sentence)
        print(sentence, flush=True)


def headings(columns: str) -> str:
    """The names in a table's format, each where its column stands."""
    return re.sub(r"{(\w+):?([<>]?\d*)[^}]*}", lambda name: format(name[1], name[2]), columns)


def count(text: str) -> int:
    """An option's text as a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1: give one")
    return int(text)


def whole(text: str) -> int:
    """An option's text as a whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 0: give one")
    return int(text)


def output(text: str) -> Path:
    """An option's text as a file that can be written; asked before anything is measured."""
    path = Path(text)
    if path.is_dir() or not os.access(path.resolve().parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written to: give another file")
    return path


def write(path: Path | None, result: Any) -> None:
    """Write text, or JSON, beside its place and move it there whole, if there is a path."""
    if path:
        part = path.with_name(f".{path.name}.part")
        text = result if isinstance(result, str) else json.dumps(result, indent=1) + "\n"
        part.write_text(text)
        part.replace(path)


def libraries() -> dict[str, Any]:
    """The machine and the libraries, as this process sees them."""
    import numba
    import numpy as np
    from threadpoolctl import threadpool_info

    info = Path("/proc/cpuinfo")  # of Linux
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    cpu = (*names, platform.processor(), platform.machine())[0]
    found: dict[str, Any] = {"cpu": cpu, "cores": os.cpu_count(), "numba": numba.__version__}
    found |= {"python": platform.python_version(), "numpy": np.__version__, "torch": None}
    parts = ("internal_api", "version", "architecture")
    found["blas"] = [" ".join(str(p.get(k, "")) for k in parts) for p in threadpool_info()]
    with suppress(ImportError):
        import torch

        cuda, capability = torch.version.cuda, torch.backends.cpu.get_cpu_capability()
        found |= {"torch": torch.__version__, "torch_cpu": capability, "torch_cuda": cuda}
        found |= {"cudnn": torch.backends.cudnn.version(), "cuda": torch.cuda.is_available()}
    return found


def about(spec: Any, line: Line) -> None:
    """A part: ``libraries``."""
    line.say(**libraries())


def machine(needs_torch: bool) -> dict[str, Any]:
    """What ``about`` says, printed too. Raises Failed where PyTorch is needed and not there."""
    with Child("the first child", "benchmarks.shared.command:about", {}) as child:
        found = child.hear() | {"removed": [name for name in REMOVED if name in os.environ]}
    if needs_torch and not found["torch"]:
        raise Failed(INSTALL)
    show(found)
    return found


def show(about: dict[str, Any]) -> None:
    """Print what is known of a machine; removed: variables that the children do not get."""
    print(*(f"{name} {value}" for name, value in about.items()), sep="; ", flush=True)
    if not about["torch"]:
        print("no PyTorch here: ours alone is measured", flush=True)
