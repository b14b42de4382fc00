"""The arrows between the packages, read from every import statement of the source.

Nested, lazy and TYPE_CHECKING imports count: an import that runs only sometimes is still an arrow.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("theory", "landscape", "figures")
THEORY_MAY_IMPORT = {"sympy", "mpmath", "numpy", "flint", "jaxtyping", "theory"}
PLOTTING = {"matplotlib", "plotly"}
TRAINING = ("landscape.training", "landscape.objective", "landscape.models")
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


def violations(path: str, source: str) -> list[str]:
    """The arrows that the module at `path` (relative, with slashes) may not have."""
    return [f"{path} imports {name}" for name in sorted(imports(source, path)) if _bad(path, name)]


def _bad(path: str, name: str) -> bool:
    top = name.partition(".")[0]
    package, _, inside = path.partition("/")
    cli = inside.startswith("cli/") or inside in ("cli.py", "__main__.py")
    if package == "theory":
        return top not in THEORY_MAY_IMPORT and top not in sys.stdlib_module_names
    if package == "landscape":
        compares = inside.startswith("compare")
        return (
            (top == "theory" and not (compares or cli))
            or (top == "figures" and not cli)
            or (top in PLOTTING and not inside.startswith("report/"))
        )
    trains = any(name == m or name.startswith(f"{m}.") for m in TRAINING)
    return top == "torch" or trains or name in {f"landscape.{n}" for n in TRAINING_NAMES}


def modules() -> Iterator[str]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix()


def test_every_package_has_modules_to_look_at() -> None:
    assert {path.partition("/")[0] for path in modules()} == set(PACKAGES)


@pytest.mark.parametrize("path", [*modules()])
def test_no_module_imports_against_the_arrows(path: str) -> None:
    assert violations(path, (ROOT / path).read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("path", "source", "name"),
    [
        ("theory/loss.py", "import torch", "torch"),
        ("theory/loss.py", "from landscape.sources import BinaryMarkov", "landscape.sources"),
        ("theory/loss.py", "import scipy.special", "scipy.special"),
        ("landscape/points.py", "def f():\n    import theory.numeric", "theory.numeric"),
        ("landscape/models/gpt.py", "from theory import spectra", "theory.spectra"),
        (
            "landscape/points.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from theory import loss",
            "theory.loss",
        ),
        ("landscape/points.py", "m = importlib.import_module('theory.loss')", "theory.loss"),
        ("landscape/slices.py", "import matplotlib.pyplot as plt", "matplotlib.pyplot"),
        ("landscape/cli/scan.py", "import plotly", "plotly"),
        ("landscape/scanning.py", "from figures import phase", "figures.phase"),
        ("landscape/compare.py", "from figures import phase", "figures.phase"),
        ("figures/phase.py", "import torch", "torch"),
        ("figures/phase.py", "from landscape import training", "landscape.training"),
        ("figures/phase.py", "from landscape import train", "landscape.train"),
        ("figures/phase.py", "from landscape.models.single_layer import SingleLayer", ".models."),
        ("figures/phase.py", "import landscape.objective", "landscape.objective"),
        ("landscape/models/gpt.py", "from ...theory import loss", "theory.loss"),
    ],
)
def test_a_planted_import_against_the_arrows_is_caught(path: str, source: str, name: str) -> None:
    found = violations(path, source)
    assert any(name in line for line in found), found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "theory/loss.py",
            "import sympy\nfrom theory import symbols\nfrom fractions import Fraction",
        ),
        ("theory/certify.py", "import flint"),
        ("landscape/compare.py", "from theory import spectra"),
        ("landscape/compare_flow.py", "from theory import flow"),
        ("landscape/cli/theory.py", "from theory import theorems\nfrom figures import phase"),
        ("landscape/models/gpt.py", "from . import initial\nimport torch"),
        ("figures/phase.py", "import matplotlib\nfrom landscape.store import ScanStore"),
        ("figures/phase.py", "from landscape.config import ScanConfig\nfrom theory import numeric"),
    ],
)
def test_an_import_along_the_arrows_is_let_through(path: str, source: str) -> None:
    assert violations(path, source) == []
