"""Every symbol of the theory is in the table of notation, and every name in it exists."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
import sympy as sp

import theory
from theory import symbols

PAGE = (Path(__file__).parents[2] / "docs" / "notation.md").read_text("utf-8")


def rows(page: str) -> list[list[str]]:
    lines = re.findall(r"^\| (\$.*) \|$", page, flags=re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def in_code(page: str) -> list[str]:
    return [name for row in rows(page) for name in re.findall(r"`(\w+\.[\w.]+)`", row[-1])]


def owned_symbols() -> set[str]:
    """The public symbols of the rooms of theory, each by the file that defines it."""
    found = {f"symbols.{name}" for name in symbols.__all__}
    for module in walk_packages(theory.__path__, "theory."):
        loaded = import_module(module.name)
        for name in getattr(loaded, "__all__", ()):
            value = getattr(loaded, name)
            parts = value if isinstance(value, tuple) else (value,)
            if all(isinstance(part, sp.Symbol | sp.IndexedBase) for part in parts) and parts:
                found.add(f"{module.name.removeprefix('theory.')}.{name}")
    return found


def test_every_symbol_of_the_theory_has_a_row() -> None:
    assert owned_symbols() - set(in_code(PAGE)) == set()
    control = PAGE.replace("`symbols.tau`", "")
    assert owned_symbols() - set(in_code(control)) == {"symbols.tau"}
    control = PAGE.replace("`reduced.escape.tokens`", "")  # in a room
    assert owned_symbols() - set(in_code(control)) == {"reduced.escape.tokens"}


@pytest.mark.parametrize("name", in_code(PAGE))
def test_every_name_in_the_table_exists(name: str) -> None:
    assert resolved(name) is not None


def test_a_name_that_does_not_exist_is_refused() -> None:
    with pytest.raises((AttributeError, ImportError)):
        resolved("symbols.omega")
    with pytest.raises((AttributeError, ImportError)):
        resolved("landscape.Markov.stats")


def test_every_row_has_its_five_cells() -> None:
    assert {len(row) for row in rows(PAGE)} == {5}
    assert [row for row in rows(PAGE) if not (row[1] and row[2])] == []


def resolved(name: str) -> object:
    """The object of a name, which lies in theory unless it begins with landscape."""
    parts = name.split(".") if name.startswith("landscape.") else ["theory", *name.split(".")]
    for size in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:size]))
        except ImportError:
            continue
        for part in parts[size:]:
            found = getattr(found, part)
        return found
    raise ImportError(name)
