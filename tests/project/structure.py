"""What the tests of the structure read: sources, imports, equation numbers, docstrings, lengths.

Each checker takes a source and returns its offences as sentences.
"""

import ast
import io
import re
import sys
import tokenize
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A package imports only from levels above its level in this list.
LEVELS = (
    {"kernels"},
    {"checks", "locks", "bars"},
    {"names"},
    {"backend", "randomness", "settings"},
    {"datasets"},
    {"initializers"},
    {"parameters"},
    {"weights"},
    {"layers", "likelihoods"},
    {"latents"},
    {"objectives"},
    {"models"},
    {"schedules"},
    {"optim", "execution"},
    {"saving", "evaluation"},
    {"training", "detection", "coding"},
    {"plots"},
    {"gradcheck"},
    {"__init__"},
)
# they know no model by name
BY_PROTOCOL = {"datasets", "optim", "execution", "evaluation", "training"}
UNKNOWN_TO_THEM = set().union(*LEVELS[5:12], {"saving"})  # initial weights up to models, files
# into stages, so it knows what a model is made of
CUTS_MODELS = "scratchae/training/pretraining.py"
# parts of kernels that are defined elsewhere
LOOPS_ALONE = {"kernels/machine/product.py", "kernels/taps.py", "kernels/paint.py"}
# what a module may import as it is imported; llvmlite is Numba's own
OPEN = {"numpy", "numba", "llvmlite"}
LAZY = {"matplotlib", "tqdm", "threadpoolctl", "pooch", "requests", "PIL", "cupy"}
SHAPE = re.compile(
    r"\b[Ss]hapes?\b|\bscalars?\b|\((?:\*?\w+(?: \w{1,2})*|\.\.\.),(?: ?(?:\*?\w+(?: "
    r"\w{1,2})*|\.\.\.),?)*\)"
)
NUMBER = re.compile(r"\((\d+)\)")
TRAILING = re.compile(r"(?:\(\d+\)\s*)+$")
IN_COMMENT = re.compile(r"^#\s*((?:\(\d+\)\s*)+)|((?:\(\d+\)\s*)+)$")


def sources(*folders):
    """Every Python file under the folders, by its path from the root; the symlink to kernels is
    not walked."""
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    names = [path.relative_to(ROOT).as_posix() for path in files]
    return [name for name in names if not name.startswith("scratchae/kernels/")]


LIBRARY = sources("kernels", "scratchae")
KERNELS = [name for name in LIBRARY if name.startswith("kernels/")]
CUDA = sorted(
    f"kernels/{p.name}" for p in (ROOT / "kernels").glob("*.cu") if p.name != "device.cu"
)
EVERYTHING = LIBRARY + sources("examples", "benchmarks", "tests")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


parse = cache(ast.parse)  # several checkers read the same source


def dotted(name):
    """scratchae/layers/dense.py -> scratchae.layers.dense; kernels/adam.py ->
    scratchae.kernels.adam."""
    parts = name.removesuffix(".py").split("/")
    parts = ["scratchae", *parts] if parts[0] == "kernels" else parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {dotted(name): name for name in LIBRARY}


def statements(node):
    """All statements below a node. Expressions hold none, and are most of a tree."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr):
            yield child
            yield from statements(child)


def runs_later(node):
    """Whether importing the module leaves the node alone: a function, or what only a type checker
    reads."""
    only_types = isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    return only_types or isinstance(node, ast.FunctionDef)


def imports(name, source):
    """(module, whether at module level) for each import, relative ones made absolute."""
    tree, package = parse(source), dotted(name).split(".")
    if not name.endswith("__init__.py"):
        package = package[:-1]
    inside = {n for later in statements(tree) if runs_later(later) for n in statements(later)}
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node not in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*up, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield whole if whole in MODULES else base, node not in inside


def package_of(module):
    """scratchae.layers.dense -> layers; scratchae itself -> __init__."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def level(name):
    return next(i for i, packages in enumerate(LEVELS) if name in packages)


def wrong_directions(name, source):
    """Imports of the same level or of a later one, and of a model where only its protocol is to
    be known."""
    mine = package_of(dotted(name))
    if not any(mine in packages for packages in LEVELS):
        return [f"{name}: {mine} has no level: give it one in LEVELS"]
    offences = []
    for module, _ in imports(name, source):
        other = package_of(module)
        if module.split(".")[0] != "scratchae" or other == mine:
            continue
        if level(other) >= level(mine):
            offences.append(f"{name} imports {module}, which is not below it")
        elif mine in BY_PROTOCOL and other in UNKNOWN_TO_THEM and name != CUTS_MODELS:
            offences.append(f"{name} imports {module}, but is to know models by protocol only")
    return offences


def foreign_imports(name, source):
    """Imports of other packages: at module level NumPy and Numba only, torch and pickle
    nowhere."""
    offences = []
    for module, top in imports(name, source):
        package = module.split(".")[0]
        if package in ("pickle", "shelve", "marshal"):
            offences.append(f"{name} imports {package}")
        if package in sys.stdlib_module_names or package in OPEN or package == "scratchae":
            continue
        if package not in LAZY or (name.startswith("kernels/") and package != "cupy"):
            offences.append(f"{name} imports {package}, which the library does not depend on")
        elif top:
            offences.append(f"{name} imports {package} at module level")
    for node in ast.walk(parse(source)):
        if isinstance(node, ast.Call):
            words = [a.value for a in node.args if isinstance(a, ast.Constant)]
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__", "find_spec") and set(words) & {
                "torch",
                "pickle",
            }:
                offences.append(f"{name} imports {words[0]}")
            if any(
                k.arg == "allow_pickle" and getattr(k.value, "value", 1) for k in node.keywords
            ):
                offences.append(f"{name} reads pickles")
    return offences


def circles(graph):
    """The modules of a graph {module: imported modules} that lie on a circle or above one."""
    left = dict(graph)
    while free := [m for m, others in left.items() if not others & left.keys() - {m}]:
        left = {m: others for m, others in left.items() if m not in free}
    return sorted(left)


def comment_numbers(source):
    """(line, numbers) for each comment that begins or ends in equation numbers."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            found = [m.group() for m in IN_COMMENT.finditer(token.string)]
            if found:
                yield token.start[0], {n for text in found for n in NUMBER.findall(text)}


def defined_numbers(node):
    """The numbers at the line ends of a docstring."""
    lines = (ast.get_docstring(node) or "").splitlines()
    return {n for line in lines if (m := TRAILING.search(line)) for n in NUMBER.findall(m.group())}


def loose_equations(name, source):
    """Numbers defined and not used, or used and not defined, by the innermost docstring that has
    any."""
    tree = parse(source)
    owners = [
        n
        for n in ast.walk(tree)
        if isinstance(n, (ast.ClassDef, ast.FunctionDef)) and defined_numbers(n)
    ]
    used = {owner: set() for owner in (tree, *owners)}
    for line, numbers in comment_numbers(source):
        around = [o for o in owners if o.lineno <= line <= o.end_lineno]
        used[max(around, key=lambda o: o.lineno, default=tree)] |= numbers
    offences = []
    for owner, numbers in used.items():
        where, defined = f"{name} {getattr(owner, 'name', '')}".strip(), defined_numbers(owner)
        offences += [
            f"{where}: ({n}) is defined and no code line ends in it"
            for n in sorted(defined - numbers)
        ]
        offences += [
            f"{where}: ({n}) ends a code line and is not defined"
            for n in sorted(numbers - defined)
        ]
    return offences


EQUATION = re.compile(r"^\s*([\w\[\], ]+?) = .*?\((\d+)\)(?:\s*\(\d+\))*$", re.MULTILINE)


def other_numbers(name, source, kernels):
    """Equations of a class, by their left-hand side, that its kernels have under another number;
    kernels: {module: source}."""
    used = [module for module, _ in imports(name, source) if module in kernels]
    texts = [ast.get_docstring(parse(kernels[module])) or "" for module in used]
    theirs, offences = EQUATION.findall("\n".join(texts)), []
    for node in parse(source).body:
        text = (ast.get_docstring(node) or "") if isinstance(node, ast.ClassDef) else ""
        for left, number in EQUATION.findall(text):
            there = {n for other, n in theirs if other == left}
            if there and number not in there:
                found = f"{left} is ({number}), but {sorted(there)} in its kernel"
                offences.append(f"{name} {node.name}: {found}")
    return offences


def is_jit(function):
    return any(isinstance(d, ast.Name) and d.id == "jit" for d in function.decorator_list)


def spelled(tree):
    """The functions that the kernels of a file name: [definition, loop, launch] of each."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    kernels = [n for n in calls if getattr(n.func, "id", "") == "Kernel"]
    return [[a.id if isinstance(a, ast.Name) else "" for a in n.args] for n in kernels]


def loops_of(tree, functions):
    """What is compiled, and what is a kernel's loop by only calling that."""
    named = {names[1] for names in spelled(tree) if len(names) > 1}
    return [f for name, f in functions.items() if is_jit(f) or name in named]


def within(comments, functions):
    """The numbers of the comments in those functions."""
    return set().union(
        *(n for line, n in comments if any(f.lineno <= line <= f.end_lineno for f in functions))
    )


def outside(comments, functions):
    spans = [range(f.lineno, f.end_lineno + 1) for f in functions]
    return set().union(*(n for line, n in comments if not any(line in span for span in spans)))


def launches(functions):
    """The functions that launch those of the .cu file."""
    return [function for name, function in functions.items() if name.endswith("_cuda")]


def uneven_cuda(name, source, cuda):
    """Equations that only the plain definitions of a kernel's file have, or only its CUDA
    spelling."""
    tree, comments = parse(source), list(comment_numbers(source))
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    plain = outside(comments, loops_of(tree, functions) + launches(functions))
    found = [IN_COMMENT.finditer(f"#{text}") for text in re.findall(r"//(.*)", cuda)]
    spelled = {n for matches in found for m in matches for n in NUMBER.findall(m.group())}
    missing = plain ^ (spelled | within(comments, launches(functions)))
    return (
        [f"{name}: only one of the definition and CUDA has {sorted(missing)}"] if missing else []
    )


def uneven_spellings(name, source):
    """Kernels whose definition and Numba loop, with all they call in the file, implement other
    equations."""
    tree, comments = parse(source), list(comment_numbers(source))
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}

    def numbers(function, seen):
        seen.add(function)
        node = functions[function]
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        called = (names & functions.keys()) - seen
        return within(comments, [node]).union(*(numbers(other, seen) for other in called))

    offences, loops, alone = [], loops_of(tree, functions), set()
    for names in spelled(tree):
        pair = [name for name in names[:2] if name in functions]
        if len(pair) == 2 and numbers(pair[0], set()) != numbers(pair[1], set()):
            offences.append(f"{name}: {pair[0]} and {pair[1]} implement other equations")
        if len(pair) == 1:  # no loop: the definition serves
            alone |= numbers(pair[0], set())
    compiled = within(comments, loops)
    plain = outside(comments, loops + launches(functions))
    if loops and name not in LOOPS_ALONE and compiled | alone != plain:
        offences.append(f"{name}: only one spelling has {sorted((compiled | alone) ^ plain)}")
    return offences


def public(tree):
    """(name, node) of the public classes, functions and methods; properties, dunders, protocol
    stubs apart."""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
            yield node.name, node
            protocol = any("Protocol" in ast.unparse(b) for b in getattr(node, "bases", ()))
            for inner in node.body if isinstance(node, ast.ClassDef) and not protocol else ():
                decorators = [ast.unparse(d) for d in getattr(inner, "decorator_list", ())]
                named = isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_")
                if named and not any("property" in d for d in decorators):
                    yield f"{node.name}.{inner.name}", inner


MATHEMATICS = {
    "layers",
    "latents",
    "likelihoods",
    "objectives",
    "optim",
    "initializers",
    "schedules",
}
# packages whose formulas come from somewhere
MATHEMATICS |= {"detection", "evaluation", "randomness"}
# of kernels: no formula
PLAIN = ("__init__.py", "kernel.py", "compile.py", "shards.py", "sums.py")
ARRAYS = re.compile(r"\b(Array|ndarray|Views)\b")


def handles_arrays(node):
    """Whether a function takes or gives arrays, by its annotations; a class, if one of its methods
    does."""
    if isinstance(node, ast.ClassDef):
        return any(handles_arrays(f) for f in node.body if isinstance(f, ast.FunctionDef))
    hints = [a.annotation for a in ast.walk(node.args) if isinstance(a, ast.arg)] + [node.returns]
    return any(hint is not None and ARRAYS.search(ast.unparse(hint)) for hint in hints)


def poor_docstrings(name, source):
    """Public names that take or give arrays whose docstring lacks shapes, or a source of their own
    or around them.

    Kernels have no annotations: each public one names its shapes, its module the source. Only
    mathematics needs a source."""
    tree, offences = parse(source), []
    in_kernels = name.startswith("kernels/")
    whole = ast.get_docstring(tree) or ""
    if in_kernels and not name.endswith(PLAIN) and "Source:" not in whole:
        offences.append(f"{name}: the module's docstring names no source")
    around = {"": whole}
    for who, node in public(tree):
        text = ast.get_docstring(node) or ""
        if not text:
            offences.append(f"{name} {who}: there is no docstring")
        if isinstance(node, ast.ClassDef):
            around[who] = text
        if not (in_kernels and isinstance(node, ast.FunctionDef)) and not handles_arrays(node):
            continue
        if isinstance(node, ast.FunctionDef) and not SHAPE.search(text):
            offences.append(f"{name} {who}: the docstring says no shape")
        sources = (text, around.get(who.rpartition(".")[0], ""), whole)
        formal = not in_kernels and package_of(dotted(name)) in MATHEMATICS
        if formal and not any("Source:" in each for each in sources):
            offences.append(f"{name} {who}: the docstring names no source")
    return offences


LENGTHS = {"tests": 410, "examples": 320}  # lines of a file; 300 elsewhere


def too_long(name, source):
    """Files and functions longer than one idea: about 250 and 40 lines (tests: 400), with some
    tolerance."""
    limit = LENGTHS.get(name.split("/")[0], 300)
    lines = len(source.splitlines())
    offences = [f"{name} has {lines} lines, more than {limit}"] if lines > limit else []
    for node in statements(parse(source)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            if (length := body[-1].end_lineno - body[0].lineno + 1) > 60:
                offences.append(f"{name} {node.name}: {length} lines of code")
    return offences
