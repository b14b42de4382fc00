"""`landscape theory`: the list, a proof gone through, the article, and what is refused."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sympy as sp

import theory.proving.theorem
import theory.statements.records
import theory.statements.registry
from tests.landscape.cli.running import Run, strict
from tests.theory.export.latex_reading import faults
from theory.proving.steps import Identity, Lemma, Outcome, Sign, Step
from theory.proving.theorem import Control, Theorem, prove
from theory.statements.records import ProofRecord
from theory.statements.registry import THEOREM_IDS, theorem, theorems
from theory.symbols import p, q

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def run(run: Run) -> Run:
    return partial(run, "theory")


SQUARE = Identity("the square of a sum", (p + q) ** 2, p**2 + 2 * p * q + q**2)
LONG = Identity("a long one", sp.expand((p + q + 2) ** 12), (p + q + 2) ** 12)
CITED = Lemma("so it is", "A lemma", "Somebody, A book, Theorem 1")
WRONG = Identity("the square of a difference", (p - q) ** 2, p**2 - q**2)
Planted = Callable[..., Theorem]


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Planted:
    """Makes a theorem of these steps, the only one there is."""

    def planted(*steps: Step, control: Identity | Sign = WRONG) -> Theorem:
        found = replace(
            theorems()[0], id="planted", title="A planted theorem", steps=lambda: steps,
            control=lambda: Control("a nearby false statement", control),
        )  # fmt: skip
        monkeypatch.setattr(theory.statements.registry, "theorem", lambda name: found)
        monkeypatch.setattr(theory.statements.registry, "theorems", lambda: (found,))
        pair = found, ProofRecord.of(prove(found))
        monkeypatch.setattr(theory.statements.records, "with_records", lambda names: (pair,))
        return found

    return planted


def test_the_list_is_the_registry(run: Run) -> None:
    code, out, err = run()
    assert code == 0 and err == ""
    # a row starts in the third column; what is wrapped in a later one does not
    rows = [line.split() for line in out.splitlines() if line[:2] == "  " and line[2:3].strip()]
    assert [row[0] for row in rows if row[0] in THEOREM_IDS] == list(THEOREM_IDS)
    code, out, _ = run("--json")
    listed = strict(out)["theorems"]
    assert code == 0 and [row["id"] for row in listed] == list(THEOREM_IDS)
    for row, found in zip(listed, theorems(), strict=True):
        assert (row["title"], row["source"]) == (found.title, found.source)
        assert row["tests"] == list(found.tests) and row["statement"] == found.statement


def test_listing_proves_nothing_and_loads_nothing_that_measures() -> None:
    code = """
import sys, landscape.cli, theory.proving.theorem
def refuse(*_): raise AssertionError("proved")
theory.proving.theorem.prove = refuse
try:
    landscape.cli.main(["theory"])
except SystemExit as left:
    assert left.code == 0
assert not {"torch", "pydantic", "xarray", "scipy", "matplotlib"} & set(sys.modules)
"""
    listed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert listed.returncode == 0, listed.stderr
    assert "entropies" in listed.stdout


def test_a_theorem_is_printed_with_its_proof(run: Run) -> None:
    code, out, err = run("entropies")
    found = theorem("entropies")
    flat = " ".join(out.split())
    assert code == 0 and err == ""
    assert out.startswith(f"{found.title} (entropies)\n") and found.statement in flat
    assert f"source {found.source}" in flat and f"tests {found.tests[0]}" in flat
    for number, step in enumerate(found.steps(), start=1):
        assert f"\n{number}. {type(step).__name__.lower()}: {step.claim[:60]}" in out
    assert "p/(p + q) + q/(p + q) = 1 accepted: left - right simplifies to 0" in flat
    assert "cited: Gibbs' inequality (Cover and Thomas" in flat
    assert f"control, a false sign: {found.control().claim}" in flat
    assert "refuted, as it must be: the value is 0.00102602 at t = 25, u = 27" in flat
    assert "(p = 1/28, q = 702/703) u = (1-p)/p and v = (1-q)/q are the odds of staying" in flat
    assert out.endswith("proved: 11 of 11 steps accepted, control refuted at a point\n")
    assert max(map(len, out.splitlines())) <= 100


def test_the_record_of_a_theorem_is_one_json_object(run: Run, planted: Planted) -> None:
    planted(SQUARE, LONG, CITED)
    code, out, _ = run("planted --json")
    record: dict[str, Any] = strict(out)
    assert code == 0 and record["proved"] is True
    assert [step["kind"] for step in record["steps"]] == ["identity", "identity", "lemma"]
    assert [step["accepted"] for step in record["steps"]] == [True, True, True]
    assert record["steps"][0]["equation"] == "(p + q)^2 = p^2 + 2 p q + q^2"
    assert len(record["steps"][1]["equation"]) > 1000  # in full, which a terminal does not show
    assert record["control"]["refuted"] is True and record["control"]["claim"].startswith("a nearb")
    _, out, _ = run("planted")
    assert "[an expression of" in out and "= (p + q + 2)^12" in out


@pytest.mark.parametrize(
    ("steps", "control", "words"),
    [
        ((SQUARE, WRONG), WRONG, "Refused: step 2 of planted: refuted: left - right ="),
        ((SQUARE, Sign("p > q", p - q, "positive")), WRONG, "Refused: step 2 of planted: refuted"),
        ((SQUARE,), SQUARE, "Not refuted: the control of planted: left - right simplifies to 0"),
        ((CITED,), WRONG, "Not proved: planted has no step for the machine to check"),
        ((SQUARE, CITED), WRONG, ""),
    ],
)
def test_what_is_not_proved_is_exit_code_1(
    run: Run, planted: Planted, steps: tuple[Step, ...], control: Identity, words: str
) -> None:
    planted(*steps, control=control)
    for option in ("", "--json", "--latex"):
        code, out, err = run("planted", option)
        assert code == (1 if words else 0)
        assert err.startswith(words) and (err == "") == (words == "")
    assert faults(out) == []
    _, out, _ = run("planted")
    assert ("\nnot proved: " in out) == bool(words)
    assert ("REFUSED" in out) == words.startswith("Refused")
    assert ("NOT REFUTED" in out) == words.startswith("Not refuted")
    assert strict(run("planted --json")[1])["proved"] == (words == "")


def test_a_reason_that_quotes_a_long_expression_is_cut_and_says_so(
    run: Run, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(SQUARE)
    reason = f"not decided: the residual {'1 + ' * 200}p did not simplify to 0"
    monkeypatch.setattr(theory.proving.theorem, "check_step", lambda step: Outcome(False, reason))
    code, out, _ = run("planted")
    assert code == 1 and "(--json has all of it)" in " ".join(out.split())
    (step,) = strict(run("planted --json")[1])["steps"]
    assert step["reason"] == reason and reason not in " ".join(out.split())


def test_the_article_compiles_as_far_as_its_signs_tell(run: Run) -> None:
    code, out, err = run("entropies --latex")
    assert code == 0 and err == ""
    assert faults(out) == [] and out.count(r"\begin{theorem}") == 1
    assert out.startswith(r"\documentclass{article}") and out.endswith("\\end{document}\n")
    assert faults(out.replace(r"\end{proof}", "")) != []  # the control


def test_the_article_of_all_has_each_theorem(
    run: Run, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    found = planted(SQUARE)
    pairs = theory.statements.records.with_records([])

    def given(names: list[str]) -> Any:
        asked.append(names)
        return pairs

    monkeypatch.setattr(theory.statements.records, "with_records", given)
    code, out, _ = run("--latex")
    assert code == 0 and asked == [[]] and f"[{{{found.title}}}]" in out
    run("planted --latex")
    assert asked[1:] == [["planted"]]
