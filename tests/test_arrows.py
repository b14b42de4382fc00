"""The arrows of the house, read from every import statement of the source.

Between the packages, and between the rooms of each: they run forward only. Nested, lazy and
TYPE_CHECKING imports count: an import that runs only sometimes is still an arrow.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]

ROOMS = {
    "theory": (
        *("symbols", "exact", "precision", "numeric", "chain", "transformer", "reduced", "spectra"),
        *("attention", "proving", "statements", "checker", "certificates", "export"),
    ),
    "landscape": (
        *("version", "errors", "numerics", "sources", "models", "objectives", "training"),
        *("spectra", "points", "slices", "sublevel", "comparison", "config", "store"),
        *("scanning", "report", "cli"),
    ),
    "figures": ("style", "output", "records", "panels", "plots", "paper", "building"),
}
"""The rooms of each package, in the order of the argument: a room imports none that come later."""

APART = {"theory/checker": ("theory.certificates", "theory.spectra")}
"""Rooms that must not see others, whatever the order: the check knows nothing of the search."""

THEORY_MAY_IMPORT = {"sympy", "mpmath", "numpy", "flint", "docutils", "jaxtyping"}
THEORY_MAY_IMPORT |= {"lazy_loader", "theory"}
PLOTTING = {"matplotlib", "plotly"}
SEE_THEORY = ("comparison/", "report/", "cli/")
SEE_FIGURES = ("cli/commands/", "cli/tables/")
TRAINING = ("landscape.training", "landscape.objectives", "landscape.models")
COUNTING = "landscape.training.survival"  # a count of stored escape steps; it loads no torch
# Names of `landscape` itself that lead to those modules.
TRAINING_NAMES = ("train", "ExactLoss", "SingleLayer", "ReducedModel")


def imports(source: str, path: str) -> set[str]:
    """The absolute dotted names a module imports, `from a import b` counted as a and as a.b."""
    package = PurePosixPath(path).parent.parts
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else None
            name = node.func.id if isinstance(node.func, ast.Name) else name
            literal = node.args[0]
            if name in ("import_module", "__import__") and isinstance(literal, ast.Constant):
                found.add(str(literal.value))
    return found


@cache
def face(package: str) -> frozenset[str]:
    """The names that a package hands on: importing one of them is importing the package's face."""
    stub = ROOT / package / "__init__.pyi"
    tree = ast.parse(stub.read_text("utf-8") if stub.exists() else "")
    froms = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return frozenset(alias.name for node in froms for alias in node.names)


def violations(path: str, source: str) -> list[str]:
    """The arrows that the module at `path` (relative, with slashes) may not have."""
    names = sorted(imports(source, path))
    return [f"{path} imports {name}" for name in names if _bad(path, name) or _back(path, name)]


def _bad(path: str, name: str) -> bool:
    top = name.partition(".")[0]
    package, _, inside = path.partition("/")
    if package == "theory":
        return top not in THEORY_MAY_IMPORT and top not in sys.stdlib_module_names
    if package == "landscape":
        return (
            (top == "theory" and not inside.startswith(SEE_THEORY))
            or (top == "figures" and not inside.startswith(SEE_FIGURES))
            or (top in PLOTTING and not inside.startswith("report/"))
        )
    trains = name.startswith(TRAINING) and not name.startswith(COUNTING)
    return top == "torch" or trains or name in {f"landscape.{n}" for n in TRAINING_NAMES}


def _back(path: str, name: str) -> bool:
    """Whether an import runs back up, to the front door, or into a room that is to stay unseen."""
    package, _, inside = path.partition("/")
    top, _, rest = name.partition(".")
    if any(path.startswith(f"{room}/") and name.startswith(APART[room]) for room in APART):
        return True
    if rest in face(top if top in ROOMS else package) and top in ROOMS:
        return True
    if top != package or not rest or inside in ("__init__.py", "__main__.py"):
        return False
    order = ROOMS[package]
    here = inside.partition("/")[0].removesuffix(".py")
    there = rest.partition(".")[0]
    return here not in order or there not in order or order.index(there) > order.index(here)


def modules() -> Iterator[str]:
    for package in ROOMS:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("package", ROOMS)
def test_no_module_of_a_package_imports_against_the_arrows(package: str) -> None:
    own = [path for path in modules() if path.startswith(f"{package}/")]
    assert len(own) > 20
    found = [bad for path in own for bad in violations(path, (ROOT / path).read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize("package", ROOMS)
def test_every_room_stands_in_the_order_and_every_name_of_the_order_is_a_room(package: str) -> None:
    paths = (ROOT / package).iterdir()
    here = {p.stem for p in paths if (p.suffix == ".py" or (p / "__init__.py").is_file())}
    assert here - {"__init__", "__main__"} == set(ROOMS[package])


@pytest.mark.parametrize(
    ("path", "source", "name"),
    [
        ("theory/reduced/loss.py", "import torch", "torch"),
        ("theory/reduced/loss.py", "from landscape.sources import X", "landscape.sources"),
        ("theory/reduced/loss.py", "import scipy.special", "scipy.special"),
        ("theory/reduced/loss.py", "from theory.proving.steps import Sign", "theory.proving"),
        ("theory/checker/check.py", "from theory.certificates import plane", "certificates"),
        ("theory/checker/check.py", "from theory.spectra import chain", "theory.spectra"),
        ("landscape/points/unigram.py", "def f():\n    import theory.numeric", "theory.numeric"),
        ("landscape/models/gpt.py", "from theory import spectra", "theory.spectra"),
        (
            "landscape/points/unigram.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from theory.reduced import x",
            "theory.reduced.x",
        ),
        ("landscape/points/unigram.py", "m = importlib.import_module('theory.exact')", "exact"),
        ("landscape/slices/plane.py", "import matplotlib.pyplot as plt", "matplotlib.pyplot"),
        ("landscape/cli/commands/scan.py", "import plotly", "plotly"),
        ("landscape/scanning/scan.py", "from figures.records import phase", "figures.records"),
        ("landscape/comparison/spectra.py", "from figures.records import phase", "figures.records"),
        ("landscape/cli/options.py", "from figures.plots import slices", "figures.plots"),
        ("landscape/models/gpt.py", "from landscape.training.loop import train", "training.loop"),
        ("landscape/sources/lag.py", "from landscape import models", "landscape.models"),
        ("landscape/report/page.py", "from landscape import train", "landscape.train"),
        ("landscape/store/atomic.py", "from landscape import __version__", "__version__"),
        ("landscape/shed/new.py", "from landscape.errors import ConfigError", "errors"),
        ("figures/paper/phase.py", "import torch", "torch"),
        ("figures/paper/phase.py", "from landscape import train", "landscape.train"),
        ("figures/paper/phase.py", "from landscape.models.gpt import GPT", ".models."),
        ("figures/paper/phase.py", "import landscape.objectives", "landscape.objectives"),
        ("figures/panels/phase_panels.py", "from figures.plots import slices", "figures.plots"),
        ("landscape/models/gpt.py", "from ...theory import numeric", "theory.numeric"),
    ],
)
def test_a_planted_import_against_the_arrows_is_caught(path: str, source: str, name: str) -> None:
    found = violations(path, source)
    assert any(name in line for line in found), found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "theory/reduced/loss.py",
            "import sympy\nfrom theory import symbols\nfrom fractions import Fraction",
        ),
        ("theory/certificates/unigram.py", "import flint\nfrom theory.checker.check import check"),
        ("landscape/comparison/spectra.py", "from theory.spectra import chain"),
        ("landscape/report/data/theorems.py", "from theory.statements import registry"),
        (
            "landscape/cli/commands/theory.py",
            "from theory.export.latex import article\nfrom figures.plots import slices",
        ),
        ("landscape/models/gpt.py", "from . import initial\nimport torch"),
        ("landscape/models/gpt.py", "from landscape.sources import BinaryMarkov"),
        ("figures/records/phase.py", "import matplotlib\nfrom landscape.store import scan_store"),
        ("figures/plots/slices.py", "from figures.panels import tiles\nfrom theory import numeric"),
    ],
)
def test_an_import_along_the_arrows_is_let_through(path: str, source: str) -> None:
    assert violations(path, source) == []
