"""The worked example of CONTRIBUTING: a theorem is added without editing any file."""

import importlib
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from landscape import BinaryMarkov, ExactLoss, ReducedModel, Verification, verify
from landscape.cli.commands.theory import command
from landscape.comparison.theorems.subject import CLAIMS, claims_of
from theory import proof_record, register, theorem, theorems
from theory.statements import registry
from theory.statements.records import cache_folder

GUIDE = (Path(__file__).parents[3] / "CONTRIBUTING.md").read_text("utf-8")
NAME = "symbol-variance"


def blocks() -> tuple[str, str]:
    """The statement and the claims, as the guide has them."""
    section = GUIDE.partition("## Adding a theorem")[2].partition("\n## ")[0]
    found = re.findall(r"^ *```python\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)
    statement, claims = map(textwrap.dedent, found)
    return f"{statement}\n\nfrom theory import register\n\nregister(THEOREM)\n", claims


class Modules:
    """Modules in a folder of their own, imported until the test ends."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.names = folder, list[str]()

    def add(self, text: str) -> None:
        self.names.append(f"outside_{len(self.names)}")
        (self.folder / f"{self.names[-1]}.py").write_text(text, "utf-8")
        importlib.invalidate_caches()
        importlib.import_module(self.names[-1])


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Modules]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "_OTHERS", {})
    made = Modules(tmp_path)
    yield made
    CLAIMS.pop(NAME, None)
    proof_record.cache_clear()
    for name in made.names:
        sys.modules.pop(name, None)


def verified() -> Verification:
    loss = ExactLoss(BinaryMarkov("0.5", "0.8"), 1)
    return verify(ReducedModel(), loss, theorems=("entropies", NAME))


def test_a_theorem_is_proved_listed_and_measured(modules: Modules) -> None:
    for text in blocks():
        modules.add(text)
    record = proof_record(NAME)
    assert record.proved and record.refuted
    folder = cache_folder()
    assert folder is not None and not (folder / "proofs" / f"{NAME}.json").exists()
    found = verified()
    assert [check.id for check in found.checks][-1] == f"{NAME}/variance"
    assert found.checks[-1].verdict == found.verdict == "proved"
    assert found.checks[-1].theorems == (NAME,)
    assert theorems()[-1] is theorem(NAME)
    listed = CliRunner().invoke(command, [NAME], standalone_mode=False)
    assert listed.return_value == 0 and "refuted, as it must be" in listed.stdout


def test_a_false_neighbour_is_neither_proved_nor_measured(modules: Modules) -> None:
    statement, claims = blocks()
    false = statement.replace("square = ((p - q) / (p + q)) ** 2", "square = (p - q) ** 2")
    assert false != statement
    modules.add(false)
    modules.add(claims)
    assert not proof_record(NAME).proved
    assert verified().checks[-1].verdict == "inconclusive"
    wrong = claims.replace("((p - q) / (p + q)) ** 2", "(p - q) ** 2")
    assert wrong != claims
    modules.add(wrong)
    assert verified().verdict == "refuted"


def test_without_a_function_of_claims_nothing_is_said(modules: Modules) -> None:
    modules.add(blocks()[0])
    check = verified().checks[-1]
    assert check.verdict == "not-applicable" and "name it with `claims_of`" in check.note


def test_an_id_that_is_taken_or_unknown_is_refused(modules: Modules) -> None:
    statement, claims = blocks()
    with pytest.raises(ValueError, match="id = 'entropies' is that of another theorem: give one"):
        modules.add(statement.replace(f'id="{NAME}"', 'id="entropies"'))
    with pytest.raises(ValueError, match=f"theorem = '{NAME}' is not in the registry"):
        modules.add(claims)
    modules.add(statement)
    assert register(theorem(NAME)) is theorem(NAME)  # the same one again is no other
    with pytest.raises(ValueError, match=f"did you mean '{NAME}'"):
        claims_of("symbol-varianc")
