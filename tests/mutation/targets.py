"""Which files are mutated, and which tests have a say about each."""

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tests.test_arrows import imports

__all__ = ["EXCLUDED", "judges", "targets"]

EXCLUDED = {
    "theory/*__init__.py": "a docstring, or the names of the package",
    "theory/symbols.py": "names and assumptions; no formula",
    "theory/proving/*": "the prover and its conditions, which have their own controls",
    "theory/statements/re*.py": "the registry of theorems, and what became of their proofs",
    "theory/statements/chain/*": "proofs, which the prover checks step by step",
    "theory/statements/reduced/*": "proofs, which the prover checks step by step",
    "theory/statements/transformer/*": "proofs, which the prover checks step by step",
    "theory/statements/shared/least_loss.py": "steps that proofs share",
    "theory/statements/shared/logit_gradient.py": "steps of one proof",
    "theory/export/*": "how theorems are printed",
    "theory/certificates/*": "what is false or damaged is refused by another program",
    "theory/checker/*": "that program",
}
"""What is in `theory/` and not a closed form."""

SILENT = (
    "tests/theory/statements/test_re",
    "tests/theory/certificates/test_unigram",
    "tests/theory/certificates/test_kinks",
    "tests/theory/checker/test_check",
    "tests/theory/export/",
)
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
    tests = sorted(name for name in within if _speaks(name))
    room, stem = f"tests/{Path(path).parent.as_posix()}", Path(path).stem
    nearest = [name for name in tests if name == f"{room}/test_{stem}.py"]
    nearest = nearest or [name for name in tests if path in arrows[name]]
    return [*nearest, path], [name for name in tests if name not in nearest]


def _speaks(path: str) -> bool:
    return Path(path).stem.startswith("test_") and not path.startswith(SILENT)


def _files(root: Path) -> Iterator[str]:
    for folder in ("theory", "tests/theory", "tests/twins"):
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root).as_posix()


def _project(root: Path, path: str) -> Iterator[str]:
    """The files of the project that a file imports."""
    for name in imports((root / path).read_text("utf-8"), path):
        for file in (f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py"):
            if (root / file).is_file():
                yield file
