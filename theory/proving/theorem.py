"""What a theorem of the registry consists of, and what it means for one to be proved.

A theorem is proved where every step of its proof is accepted and its control is refused: a nearby
false statement, put through the same machinery, with a point at which it fails.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from theory.exact import Number, probability
from theory.proving.steps import Identity, Lemma, Outcome, Sign, Step, check_step
from theory.symbols import p, q

PROVED_IN = (
    "tests/theory/statements/test_registry.py::"
    "test_a_theorem_is_proved_and_its_control_refuted_at_a_point"
)
"""Goes through the proof of each theorem, by its id."""


@dataclass(frozen=True)
class Hypothesis:
    """A condition, in words and as a condition on p and q.

    `condition` is a relation in `p` and `q`; None where the hypothesis is one on the model, which
    is for a measurement to find out.
    """

    words: str
    condition: sp.Basic | None = None

    def holds(self, p_value: Number, q_value: Number) -> bool | None:
        """Whether it holds at (p, q), decided on the numbers as written; None if it says no more.

        >>> NOT_INDEPENDENT.holds(0.9, 0.1)
        False
        """
        if self.condition is None:
            return None
        values = {p: _rational("p", p_value), q: _rational("q", q_value)}
        return bool(self.condition.subs(values))


@dataclass(frozen=True)
class Control:
    """A nearby false statement in words, and the step that would have to hold.

    Fields: `claim` and `step`; `others`, more of them where a theorem has parts that one does not
    touch, each of which must be refused as well.
    """

    claim: str
    step: Identity | Sign
    others: tuple["Control", ...] = ()


@dataclass(frozen=True)
class Scope:
    """What a theorem says of the spectrum at a critical point, and of which models and sources.

    Fields:
        checks: pairs of a point, "unigram" or "bigram", and of what it says there: "loss",
            "gradient", "spectrum", "inertia", "classification" or "coordinates".
        models: kinds of model that it is about, "single-layer" or "reduced"; empty for all.
        tying: "tied" or "untied" where it is about one of them, else None.
        any_source: whether it is about every stationary source and not the two-state chain alone.
    """

    checks: tuple[tuple[str, str], ...] = ()
    models: tuple[str, ...] = ()
    tying: str | None = None
    any_source: bool = False

    def has(self, point: str, check: str, model: str, tying: str) -> bool:
        """Whether a check at a point of a model, its source granted, is a consequence.

        >>> Scope((("unigram", "loss"),), tying="tied").has("unigram", "loss", "gpt", "untied")
        False
        """
        fits = not self.models or model in self.models
        return fits and self.tying in (None, tying) and (point, check) in self.checks


@dataclass(frozen=True)
class Theorem:
    """A statement with its hypotheses, its source, and a proof that a machine can go through.

    Fields:
        id: short name, of letters, digits and hyphens.
        title: what it is called.
        statement: in plain words and symbols.
        latex: the same, as the body of a LaTeX theorem.
        hypotheses: what it assumes.
        source: the paper and the claim by name, or "this project".
        steps: builds the steps of the proof, in order.
        control: builds the control.
        tests: ids of tests, `file::name`, that hold the statement to an independent channel.
        scope: what it says of spectra at critical points; by default nothing.
    """

    id: str
    title: str
    statement: str
    latex: str
    hypotheses: tuple[Hypothesis, ...]
    source: str
    steps: Callable[[], tuple[Step, ...]]
    control: Callable[[], Control]
    tests: tuple[str, ...]
    scope: Scope = Scope()

    @property
    def nodes(self) -> tuple[str, ...]:
        """The test that goes through the proof, and then the `tests`, as pytest names them."""
        return (f"{PROVED_IN}[{self.id}]", *self.tests)

    def applies(self, p_value: Number, q_value: Number) -> bool:
        """Whether no hypothesis on p and q fails, decided on the numbers as written."""
        return all(h.holds(p_value, q_value) is not False for h in self.hypotheses)

    def about(self, chain: tuple[Number, Number] | None) -> bool:
        """Whether it is about a source: the chain of (p, q), or any other where that is None."""
        return self.scope.any_source if chain is None else self.applies(*chain)


@dataclass(frozen=True)
class Proof:
    """What became of each step, and of the control.

    `refusal` is that of the control, or of the first of its others that is not refuted.
    """

    theorem: Theorem
    steps: tuple[Step, ...]
    outcomes: tuple[Outcome, ...]
    control: Control
    refusal: Outcome

    @property
    def proved(self) -> bool:
        """Every step accepted, not all of them lemmas, and the control refuted at a point."""
        machine = any(not isinstance(step, Lemma) for step in self.steps)
        return machine and all(o.accepted for o in self.outcomes) and self.refusal.false


def prove(theorem: Theorem) -> Proof:
    """Go through a theorem's proof step by step, and then through its control."""
    steps, control = theorem.steps(), theorem.control()
    return Proof(
        theorem=theorem,
        steps=steps,
        outcomes=tuple(check_step(step) for step in steps),
        control=control,
        refusal=_refusal(control),
    )


def _refusal(control: Control) -> Outcome:
    first, *others = (check_step(found.step) for found in (control, *control.others))
    return next((outcome for outcome in (first, *others) if not outcome.false), first)


def _rational(name: str, value: Number) -> sp.Rational:
    exact = probability(name, value)
    return sp.Rational(exact.numerator, exact.denominator)


ANY_CHAIN = Hypothesis("0 < p < 1 and 0 < q < 1", sp.And(p > 0, p < 1, q > 0, q < 1))
NOT_INDEPENDENT = Hypothesis("p + q != 1", sp.Ne(p + q, 1))
