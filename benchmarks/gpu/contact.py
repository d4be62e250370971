"""First contact with a GPU: what no other machine can tell, a line each.

    python benchmarks/gpu/contact.py --out contact

Versions, the time to a first backend and to all functions, products against the host's, what a
recorded step refuses, losses against the CPU's, times of recorded steps. Each part is a process
of its own, so that a broken context, a crash or a hang costs that part alone; the others go on.
WRONG marks what is not as it must be. OUT/contact.json holds every line, OUT/*.dot the graph of
each recorded step, OUT/kernels.txt every kernel of ten of them with its start and duration, by
PyTorch's profiler where it is installed.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.shared.command import Complaints, Parser, write
from benchmarks.shared.processes import Child, Failed

PARTS = {  # of contact_parts.py, and the seconds that each may take for an answer
    **{"machine": 20, "backends": 30, "compilation": 60, "products": 30, "recording": 20},
    **{"losses": 40, "steps": 30, "profile": 30},
}


def line(row: dict[str, Any]) -> str:
    """An answer of a part."""
    mark = "" if row.get("ok", True) else "  WRONG"
    return f"{row['what']:44} {row['found']}{mark}"


def ask(part: str, spec: dict[str, Any], complain: Complaints) -> list[dict[str, Any]]:
    """What a part says, printed as it comes; what fails is told."""
    found = []
    try:
        path = f"benchmarks.gpu.contact_parts:{part}"
        with Child(part, path, spec, None, PARTS[part]) as child:
            for row in child.answers():
                found.append(row)
                print(line(row), flush=True)
                if not row.get("ok", True):
                    complain(f"{part}: {row['what']} is wrong")
    except Failed as failure:
        complain(str(failure))
    return found


def run(options: argparse.Namespace) -> int:
    """Part after part; returns the exit status: 1 where one failed or something is wrong."""
    options.out.mkdir(parents=True, exist_ok=True)
    spec = {"out": str(options.out.resolve()), "smoke": options.smoke}
    complain = Complaints()
    result: dict[str, Any] = {"complaints": complain}
    for part in options.only or PARTS:
        print(f"\n{part}", flush=True)
        result[part] = ask(part, spec, complain)
        write(options.out / "contact.json", result)
    return 1 if complain else 0


def parser() -> Parser:
    """The options."""
    p = Parser("contact", __doc__)
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the results")
    p.add_argument("--only", nargs="+", choices=PARTS, metavar="P", help=f"of {', '.join(PARTS)}")
    p.add_argument("--smoke", action="store_true", help="tiny: few functions, steps of one recipe")
    return p


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
