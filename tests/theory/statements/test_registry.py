"""Every theorem of the registry is proved, its control refuted, and the machine is not fooled."""

import ast
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import mpmath
import pytest
import sympy as sp

import theory
from tests.theory.export.latex_reading import faults
from tests.twins.numerical_steps import named_point, sides, value, worst
from theory.chain.binary import autocovariance, second_eigenvalue
from theory.proving.domain import ABOVE, BELOW, EVERYWHERE, SHALLOW, u, v
from theory.proving.steps import Identity, Lemma, Sign, Step, check_step
from theory.proving.theorem import Control, Theorem, prove
from theory.statements.records import ProofRecord, proof_record
from theory.statements.registry import THEOREM_IDS, theorem, theorems
from theory.symbols import p, q, tau, w

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", THEOREM_IDS)
def test_a_theorem_is_proved_and_its_control_refuted_at_a_point(name: str) -> None:
    record = proof_record(name)  # gone through by this code, here or in another worker
    control = theorem(name).control()
    assert [step.claim for step in record.steps] == [step.claim for step in built(name)]
    assert [step.reason for step in record.steps if not step.accepted] == []
    assert any(step.kind in ("identity", "sign") for step in record.steps)
    assert record.refuted and record.control == control.claim, record.refusal
    assert record.proved
    check_witness(control.step, record.refusal)
    for other in control.others:
        check_witness(other.step, check_step(other.step).reason)


def check_witness(step: Identity | Sign, reason: str) -> None:
    """The point named is one where the step is false, and the value there is as it says."""
    if reason == "refuted: the two sides have different shapes":
        return
    point = named_point(reason)
    (stated,) = re.findall(r"(?:left - right =|the value is) (\S+)", reason)
    pairs = [(left, right) for left, right in sides(step) if names(left - right) <= set(point)]
    values = [value(left - right, point) for left, right in pairs]
    # the value is printed to 6 digits
    near = [v for v in values if abs(v - float(stated)) <= 1e-5 * abs(float(stated))]
    assert near, (reason, values)
    number = mpmath.re(near[0])
    false = {"positive": number <= 0, "negative": number >= 0, "nonzero": abs(number) < 1e-15}
    false |= {"nonnegative": number < 0, "nonpositive": number > 0}
    assert number != 0 if isinstance(step, Identity) else false[step.sign]


def names(expression: sp.Expr) -> set[str]:
    return {str(symbol) for symbol in expression.free_symbols}


# Rounding at 80 digits leaves 30 for cancellation.
@pytest.mark.parametrize("name", THEOREM_IDS)
def test_the_sides_of_every_identity_are_equal_to_50_digits(name: str) -> None:
    found = {step.claim: worst(step) for step in built(name) if isinstance(step, Identity)}
    assert {claim: far for claim, far in found.items() if far > mpmath.mpf(10) ** -50} == {}


@pytest.mark.parametrize("name", THEOREM_IDS)
def test_the_comparison_to_50_digits_sees_a_planted_difference(name: str) -> None:
    first = next((step for step in built(name) if isinstance(step, Identity)), None)
    if first is None:
        return  # a proof by signs alone has no identity to damage
    small = sp.Rational(1, 10**40)
    shape = getattr(first.left, "shape", None)
    planted = first.left + (small * sp.ones(*shape) if shape else small)
    assert worst(replace(first, left=planted)) > mpmath.mpf(10) ** -48


@cache
def built(name: str) -> tuple[Step, ...]:
    return theorem(name).steps()


@pytest.mark.parametrize("name", THEOREM_IDS)
def test_a_theorem_is_well_formed(name: str) -> None:
    found = theorem(name)
    assert found.id == name and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    for words in (found.title, found.source, found.statement, found.latex):
        assert words.strip() == words != ""
    assert found.statement.endswith(".") and not re.search(r"[\\$]", found.statement)
    assert found.latex.endswith((".", "]", "}")) and faults(found.latex) == []
    assert found.hypotheses and all(hypothesis.words for hypothesis in found.hypotheses)
    for hypothesis in found.hypotheses:
        if hypothesis.condition is not None:
            assert hypothesis.condition.free_symbols <= {p, q}
    for step in built(name):
        assert step.claim.strip()
        if isinstance(step, Lemma):
            assert step.name.strip() and step.citation.strip()


def test_ids_and_titles_are_unique() -> None:
    assert len({found.id for found in theorems()}) == len(THEOREM_IDS)
    assert len({found.title for found in theorems()}) == len(THEOREM_IDS)


def exists(test: str) -> bool:
    """Whether `path` or `path::name` is a file of tests here, or a test in it."""
    path, _, name = test.partition("::")
    if not re.fullmatch(r"tests/[\w/]+\.py", path) or not (ROOT / path).is_file():
        return False
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    found = {function for function in found if function.startswith("test_")}
    return name in found if name else bool(found)


@pytest.mark.parametrize("name", THEOREM_IDS)
def test_every_test_that_a_theorem_names_exists(name: str) -> None:
    tests = theorem(name).tests
    assert tests and [test for test in tests if "::" not in test or not exists(test)] == []
    first, *others = theorem(name).nodes
    path, _, case = first.partition("[")
    assert exists(path) and case == f"{name}]" and tuple(others) == tests


def test_a_test_that_is_not_there_is_seen() -> None:
    here = "tests/theory/statements/test_registry.py"
    assert exists(here) and exists(f"{here}::test_ids_and_titles_are_unique")
    wrong = (f"{here}::built", f"{here}::test_nothing", "tests/twins/gpt.py", "README.md")
    assert not any(map(exists, wrong))


# True, by Machin's formula, but by no simplification here.
FIFTH, SMALL = sp.Rational(1, 5), sp.Rational(1, 239)
UNDECIDED = Identity("Machin", 16 * sp.atan(FIFTH) - 4 * sp.atan(SMALL), sp.pi)

REFUSED: dict[str, Step] = {
    "a false identity": Identity("", (p + q) ** 2, p**2 + q**2),
    "an identity false by a little": Identity("", p, p + sp.Rational(1, 10**15)),
    "true but not decided": UNDECIDED,
    "a wrong sign": Sign("", autocovariance(1), "positive", ABOVE),
    "a sign that changes": Sign("", second_eigenvalue(), "negative"),
    "a sign that is zero": Sign("", autocovariance(1) * 0, "positive"),
    "strict where it is not": Sign("", (p - q) ** 2, "positive"),
    "true on half of the square": Identity("", sp.sqrt((p + q - 1) ** 2), p + q - 1),
    "true on the other half of the axis": Identity("", sp.sqrt(w**2), w),
    "true in one entry": Identity("", sp.Matrix([p, q]), sp.Matrix([p, p])),
    "of another shape": Identity("", sp.Matrix([p, q]), sp.Matrix([[p, q]])),
    "a matrix against a number": Identity("", sp.zeros(1, 1), sp.S.Zero),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_statement_that_does_not_hold_is_refused(name: str) -> None:
    outcome = check_step(REFUSED[name])
    assert not outcome.accepted
    decided = name not in ("true but not decided", "strict where it is not")
    assert outcome.false == decided, outcome.reason
    if outcome.false:
        step = REFUSED[name]
        assert not isinstance(step, Lemma)
        check_witness(step, outcome.reason)
    else:
        assert outcome.reason.startswith("not decided: ")


@pytest.mark.parametrize(
    "step",
    [
        Identity("on the half of it", sp.sqrt((p + q - 1) ** 2), p + q - 1, ABOVE),
        Identity("on the other", sp.sqrt((p + q - 1) ** 2), 1 - p - q, BELOW),
        Identity("on the half of the axis", sp.sqrt(w**2), tau * w, SHALLOW),
        Sign("the covariance", autocovariance(1), "negative", ABOVE),
        Sign("an odd one", (1 - p) / p, "positive", EVERYWHERE),
    ],
)
def test_what_holds_on_a_region_is_accepted_there(step: Identity | Sign) -> None:
    assert check_step(step).accepted
    if isinstance(step, Identity):
        assert worst(step) < mpmath.mpf(10) ** -50
    else:
        (pair,) = sides(step)
        number = value(pair[0], {"u": sp.Rational(2, 3), "v": sp.S.Half, "t": sp.S(2)})
        assert (number > 0) == (step.sign == "positive")


def made(*steps: Step, control: Identity | Sign) -> Theorem:
    return replace(theorems()[0], steps=lambda: steps, control=lambda: Control("", control))


TRUE = Identity("a square", (u + v) ** 2, u**2 + 2 * u * v + v**2)
FALSE = Identity("not one", (u + v) ** 2, u**2 + v**2)
CITED = Lemma("anything at all", "A lemma", "somewhere")


@pytest.mark.parametrize(
    ("steps", "control", "proved"),
    [
        ((TRUE, CITED), FALSE, True),
        ((TRUE, FALSE), FALSE, False),
        ((TRUE, UNDECIDED), FALSE, False),
        ((TRUE,), TRUE, False),
        ((TRUE,), UNDECIDED, False),  # a control must be seen to be false, not only not to be true
        ((CITED,), FALSE, False),
        ((), FALSE, False),
    ],
)
def test_a_proof_takes_a_machine_step_no_refusal_and_a_false_control(
    steps: tuple[Step, ...], control: Identity, proved: bool
) -> None:
    assert ProofRecord.of(prove(made(*steps, control=control))).proved == proved


@pytest.mark.parametrize(
    ("first", "second", "proved"),
    [(FALSE, FALSE, True), (FALSE, TRUE, False), (TRUE, FALSE, False)],
)
def test_each_of_several_controls_must_be_refuted(
    first: Identity, second: Identity, proved: bool
) -> None:
    control = Control("", first, (Control("", second),))
    found = prove(replace(theorems()[0], steps=lambda: (TRUE,), control=lambda: control))
    assert found.proved == found.refusal.false == proved


@pytest.mark.parametrize(
    "latex",
    ["$a", "{a", "a}", r"\begin{a}", r"\begin{a}\end{b}", r"$\left(a$", r"\[a", "a_b", "$a$ < b",
     r"$\text{a_b}$", r"\begin{matrix}a\end{matrix}", "50%", r"$a \[b\] c$"],
)  # fmt: skip
def test_latex_that_would_not_compile_is_seen(latex: str) -> None:
    assert faults(latex) != []
    assert faults(r"So $a_b < \left(c \right)$: \[\begin{matrix}a & b\end{matrix}\]") == []


def test_a_proof_is_gone_through_by_id_or_theorem_and_an_unknown_id_is_told_the_nearest() -> None:
    by_id = theory.prove("entropies")
    assert by_id.proved and by_id.theorem is theory.theorem("entropies")
    assert theory.prove(by_id.theorem).outcomes == by_id.outcomes
    with pytest.raises(
        ValueError, match="'best-biass' is not in the registry: did you mean 'best-b"
    ):
        theory.prove("best-biass")


def test_the_nearest_theorem_is_named() -> None:
    with pytest.raises(ValueError, match="did you mean 'entropies'"):
        theorem("entropie")
