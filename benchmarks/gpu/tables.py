"""The tables of gpu.py: the header, and for each section a title, headings, a line a row."""

from typing import Any

BAR = 1.0  # seconds that the main job's training is to take at most, on an H200
TITLES = {
    "launches": "launches: what each costs, in a chain of them",
    "products": "matrix products in a graph; ' marks the transpose of what lies in memory",
    "graphs": "graphs: one training step as a graph, and launched one by one (float32)",
    "recipes": "recipes: one training step, here and in PyTorch",
    "job": "the main job, by fit: the dense VAE, 10 epochs in batches of 128; seconds",
}
COLUMNS = {
    "launches": "{:12} {:>8} {:>9} {:>9}",
    "products": "{:24} {:9} {:>10} {:>9} {:>9}",
    "graphs": "{:14} {:>5} {:>9} {:>9} {:>7}  {}",
    "recipes": "{:14} {:>5} {:9} {:>8} {:>10} {:>8} {:>13} {:>9} {:>11}  {}",
    "job": "{:22} {:9} {:>3} {:>9} {:>12} {:>11} {:>7} {:>10}  {}",
}
HEADINGS = {
    "launches": ("how", "launches", "host us", "GPU us"),
    "products": ("product", "precision", "us", "TFLOP/s", "off by"),
    "graphs": ("recipe", "batch", "graph ms", "eager ms", "faster", "losses"),
    "recipes": (
        *("recipe", "batch", "precision", "ours ms", "PyTorch ms", "faster", "min-max"),
        *("ours MiB", "PyTorch MiB", "PyTorch's fastest"),
    ),
    "job": (
        *(
            "data",
            "precision",
            "run",
            "training",
            "first epoch",
            "evaluation",
            "rest",
            "test loss",
        ),
        f"training in {BAR:g} s",
    ),
}


def header(about: dict[str, Any], install: str) -> str:
    """The machine and the libraries; install: the sentence where PyTorch is not installed."""
    gpu = f"{about['gpu']}, {about['memory'] / 2**30:.1f} GiB, driver {about['driver']}"
    cuda = f"CUDA up to {version(about['driver_cuda'])}"
    lines = [f"{gpu} ({cuda}); CuPy {about['cupy']}, CUDA runtime {version(about['runtime'])}"]
    if not about["torch"]:
        return "\n".join([*lines, f"{install}; ours alone is measured"])
    torch = f"PyTorch {about['torch']}"
    if about["torch_cuda"]:
        torch += f" (CUDA {about['torch_cuda']}, cuDNN {about['cudnn']})"
    if not about["torch_sees"]:
        torch += " sees no GPU: ours alone is measured; install its build for CUDA"
    elif about["device"] != "cuda":
        torch += f" on {about['device']}"
    return "\n".join([*lines, torch])


def version(number: int) -> str:
    """13010 -> 13.1, as CUDA counts."""
    return f"{number // 1000}.{number % 1000 // 10}"


def heading(section: str) -> str:
    """A section's title and headings, an empty line before them."""
    return f"\n{TITLES[section]}\n{COLUMNS[section].format(*HEADINGS[section]).rstrip()}"


def line(section: str, row: dict[str, Any]) -> str:
    """A row of a section's table."""
    return COLUMNS[section].format(*CELLS[section](row)).rstrip()


def launches(row: dict[str, Any]) -> list[Any]:
    return [row["how"], row["launches"], f"{row['host_us']:.2f}", f"{row['device_us']:.2f}"]


def products(row: dict[str, Any]) -> list[Any]:
    numbers = f"{row['us']:.2f}", f"{row['tflops']:.3g}", f"{row['off']:.1e}"
    return [row["product"], row["precision"], *numbers]


def graphs(row: dict[str, Any]) -> list[Any]:
    words = (
        f"{row['losses']} with the same bits"
        if row["equal"]
        else f"DIFFERENT BITS among {row['losses']}"
    )
    times = f"{row['graph_ms']:.4f}", f"{row['eager_ms']:.4f}", f"{row['ratio']:.2f}x"
    return [row["recipe"], row["batch"], *times, words]


def recipes(row: dict[str, Any]) -> list[Any]:
    theirs = ["-"] * 3
    if row["torch_best"]:
        low, high = row["spread"]
        theirs = [f"{row['torch_best_ms']:.4f}", f"{row['ratio']:.2f}x", f"{low:.2f}-{high:.2f}"]
    mib = ("-" if row[name] is None else f"{row[name]:.1f}" for name in ("ours_mib", "torch_mib"))
    about = [row["recipe"], row["batch"], row["precision"], f"{row['ours_ms']:.4f}"]
    return [*about, *theirs, *mib, row["torch_best"] or ""]


def job(row: dict[str, Any]) -> list[Any]:
    names = ("training_s", "first_epoch_s", "evaluation_s", "rest_s")
    seconds = (f"{row[name]:.3f}" for name in names)
    met = "yes" if row["training_s"] < BAR else "no"
    data = f"{row['data']}, {row['images']:,}"
    return [data, row["precision"], row["run"], *seconds, f"{row['test_loss']:.2f}", met]


CELLS = {f.__name__: f for f in (launches, products, graphs, recipes, job)}
