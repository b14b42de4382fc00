"""The bias that minimises the reduced loss at given e and w, in closed form."""

from __future__ import annotations

import sympy as sp

from theory.proving.steps import Identity, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Theorem
from theory.reduced.flow import gap, level
from theory.reduced.loss import best_bias, population_loss, reduced_loss
from theory.statements.shared.least_loss import BRANCHES
from theory.symbols import b, e, p, q, s, tau, w
from theory.transformer.forward import reduced_logit

__all__ = ["THEOREM"]


def bracket(gap_of: sp.Expr = s) -> sp.Expr:
    """exp(f(0)) at the best bias and a gap s."""
    root = sp.sqrt((p - q) ** 2 + 4 * p * q * sp.exp(gap_of))
    return (p - q + root) / (2 * q * sp.exp(gap_of))


def steps() -> tuple[Step, ...]:
    root = sp.sqrt((p - q) ** 2 + 4 * p * q * sp.exp(s))
    shifts = {1: e**2 / 2, -1: e**2 * (sp.Rational(1, 2) + 2 * tau * w**2)}
    words_of = {1: "e^2/2", -1: "e^2 (1/2 + 2w|w|)"}
    found: list[Step] = []
    for sign, words in BRANCHES:
        loss = reduced_loss(sign)
        found += [
            Identity(
                f"{words}: b* = {words_of[sign]} + ln(bracket) with s = e^2 (1 + 2w|w|)",
                best_bias(sign),
                shifts[sign] + sp.log(bracket(gap(sign))),
            ),
            Identity(
                f"{words}: dL/db = 0 at b*", sp.diff(loss, b).subs(b, best_bias(sign)), sp.S.Zero
            ),
            Identity(
                f"{words}: f(0) = ln(bracket) there, a function of the gap alone",
                reduced_logit(sign)[0].subs(b, best_bias(sign)),
                sp.log(bracket(gap(sign))),
            ),
            Sign(
                f"{words}: L is strictly convex in b, so b* is its only minimum",
                sp.diff(loss, b, 2),
                "positive",
            ),
        ]
    return (
        Identity(
            "of root + (p-q) and root - (p-q) with root = sqrt((p-q)^2 + 4pq e^s) the product is "
            "4pq e^s",
            (root + (p - q)) * (root - (p - q)),
            4 * p * q * sp.exp(s),
        ),
        Sign("which is positive: they have the same sign", 4 * p * q * sp.exp(s), "positive"),
        Sign(
            "and so has their sum: both are positive, and b* is a real number", 2 * root, "positive"
        ),
        *found,
    )


def control() -> Control:
    return Control(
        "f(0) = ln(p/q), which is best at the gap 0, is best at every gap",
        Identity(
            "dL/df0 = 0 at f0 = ln(p/q)",
            sp.diff(population_loss(level, level + s), level).subs(level, sp.log(p / q)),
            sp.S.Zero,
        ),
    )


THEOREM = Theorem(
    id="best-bias",
    title="The best bias of the reduced model",
    statement=(
        "At any e and w the reduced loss is strictly convex in b and has its only minimum at b* = "
        "B + ln[(p - q + sqrt((p-q)^2 + 4pq e^s))/(2q e^s)], where s = e^2 (1 + 2w|w|), B = e^2/2 "
        "for e >= 0 and B = e^2 (1/2 + 2w|w|) for e <= 0."
    ),
    latex=(
        r"At any $e$ and $w$ the reduced loss is strictly convex in $b$ and has its only minimum "
        r"at \[b^* = B + \ln\frac{p - q + \sqrt{(p-q)^2 + 4pq\,\mathrm{e}^s}}{2q\,\mathrm{e}^s}, "
        r"\quad s = e^2 (1 + 2w|w|), \quad B = \begin{cases} \frac{e^2}{2}, & e \ge 0, \\ e^2 "
        r"\left(\frac12 + 2w|w|\right), & e \le 0.\end{cases}\]"
    ),
    hypotheses=(ANY_CHAIN,),
    source="Local to Global, the bias eliminated (e > 0); for e < 0: this project",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/reduced/test_loss.py::test_best_bias_minimises_the_loss",
        "tests/theory/reduced/test_loss.py::test_best_bias_has_the_published_form",
    ),
)
