"""Which files are mutated, and which tests have a say about each."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tests.test_arrows import imports

__all__ = ["EXCLUDED", "judges", "targets"]

EXCLUDED = {
    "theory/__init__.py": "a docstring",
    "theory/symbols.py": "names and assumptions; no formula",
    "theory/spectra.py": "names handed on",
    "theory/numeric.py": "the door to numbers; no formula",
    "theory/namespaces.py": "what numpy, torch and mpmath supply; no formula",
    "theory/domain.py": "conditions of the theorems, which carry their own controls",
    "theory/theorem*.py": "the record of a theorem, and the registry",
    "theory/proof*.py": "the prover, which has its own controls",
    "theory/proofs/*": "proofs, which the prover checks step by step",
    "theory/least_loss.py": "steps that proofs share",
    "theory/gradient_span.py": "steps of one proof",
    "theory/logit_slopes.py": "steps of one proof",
    "theory/export*.py": "how theorems are printed",
    "theory/certif*.py": "certificates: what is false or damaged is refused by another program",
    "theory/check_*.py": "that program",
    "theory/*interval*.py": "rounding outward; no formula",
    "theory/bands.py": "subdivision of a box",
    "theory/lag_matrices.py": "a given transformer in intervals, for certificates",
    "theory/enclosure.py": "a given transformer in balls, for certificates",
    "theory/inertia_witness.py": "witnesses in certificates",
    "theory/unigram_signs.py": "signs decided in balls, for certificates",
    "theory/bigram_root.py": "a root enclosed, for certificates",
}
"""What is in `theory/` and not a closed form."""

DOOR = "theory.spectra"
"""A module that only hands names on: importing one of them is no import of the others."""

SILENT = ("test_theorems", "test_certif", "test_proof", "test_export")
"""Tests that take minutes and say nothing about a closed form that its own tests do not."""


def targets(root: Path) -> list[str]:
    """The files of theory/ that are mutated, as paths from the root."""
    found = (path.relative_to(root).as_posix() for path in (root / "theory").rglob("*.py"))
    return sorted(path for path in found if not excluded(path))


def excluded(path: str) -> bool:
    return any(fnmatch(path, pattern) for pattern in EXCLUDED)


def judges(root: Path, path: str) -> tuple[list[str], list[str]]:
    """The tests nearest to a file, its doctests with them, and the others within two imports of it.

    Nearest are those named for it; where there are none, those that import it themselves. What
    only a test farther off would see is not pinned where it stands.

    >>> judges(Path.cwd(), "theory/exact.py")[0]
    ['tests/theory/test_exact.py', 'theory/exact.py']
    """
    arrows = {name: set(_project(root, name)) for name in _files(root)}
    direct = {name for name, to in arrows.items() if path in to}
    within = direct | {name for name, to in arrows.items() if to & direct}
    tests = sorted(name for name in within if _speaks(Path(name).stem))
    stem = f"test_{Path(path).stem}"
    nearest = [name for name in tests if Path(name).stem in (stem, f"{stem}_pinned")]
    nearest = nearest or [name for name in tests if path in arrows[name]]
    return [*nearest, path], [name for name in tests if name not in nearest]


def _speaks(stem: str) -> bool:
    return stem.startswith("test_") and not stem.startswith(SILENT)


def _files(root: Path) -> Iterator[str]:
    for folder in ("theory", "tests/theory"):
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root).as_posix()


def _project(root: Path, path: str) -> Iterator[str]:
    """The files of the project that a file imports; of a door, only what is taken through it."""
    for name in imports((root / path).read_text("utf-8"), path):
        module, _, taken = name.rpartition(".")
        if module == DOOR:
            handed = imports((root / f"{DOOR.replace('.', '/')}.py").read_text("utf-8"), "")
            name = next(other.rpartition(".")[0] for other in handed if other.endswith(f".{taken}"))
        for file in (f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py"):
            if (root / file).is_file() and name != DOOR:
                yield file
