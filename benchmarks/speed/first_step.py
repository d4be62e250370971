"""How soon examples/vae_mnist.py has done something: the child of main_job.py that says when.

    python benchmarks/speed/first_step.py step|epoch [options of the example] --out FOLDER

It does what the example does until its first optimiser step is done, and, if asked, until the line of the first
epoch. FOLDER/moments.json gets the times, in seconds of time.time().
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from scratchae import Images, fit

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def main() -> None:
    """One batch, then one epoch."""
    until, *options = sys.argv[1:]
    sys.path.insert(0, str(EXAMPLES))
    vae_mnist: Any = importlib.import_module("vae_mnist")
    run = vae_mnist.prepare(vae_mnist.parser().parse_args(options))
    o = run.options
    sizes = {"batch_size": o.batch_size, "shards": o.shards, "threads": o.threads, "seed": o.seed}
    batch = Images(run.train.pixels[: o.batch_size], binarize=o.binarize)
    fit(run.model, batch, run.optimizer, epochs=1, **sizes)
    moments = {"step": time.time()}
    if until == "epoch":
        fit(run.model, run.train, run.optimizer, epochs=1, validation=run.test, **sizes)
        moments["epoch"] = time.time()
    (run.out / "moments.json").write_text(json.dumps(moments))


if __name__ == "__main__":
    main()
