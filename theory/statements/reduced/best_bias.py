"""The bias that minimises the reduced loss at given e and w, in closed form."""

import sympy as sp

from theory.proving.domain import EVERYWHERE, UPWARD, t
from theory.proving.steps import Identity, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Theorem
from theory.reduced.flow import gap
from theory.reduced.loss import best_bias, reduced_loss
from theory.statements.shared.least_loss import BRANCHES, REDUCED, bracket, bracket_steps
from theory.symbols import b, e, s, tau, w
from theory.transformer.forward import reduced_logit


def bias(sign: int) -> sp.Expr:
    """B + ln(bracket), written by hand."""
    shifts = {1: e**2 / 2, -1: e**2 * (sp.Rational(1, 2) + 2 * tau * w**2)}
    return shifts[sign] + sp.log(bracket().subs(s, e**2 * (1 + 2 * tau * w**2)))


def steps() -> tuple[Step, ...]:
    words_of = {1: "e^2/2", -1: "e^2 (1/2 + 2w|w|)"}
    found: list[Step] = []
    for sign, words in BRANCHES:
        loss = reduced_loss(sign)
        found += [
            Identity(
                f"{words}: solved for b, dL/db = 0 gives b* = {words_of[sign]} + ln(bracket) with "
                "s = e^2 (1 + 2w|w|)",
                best_bias(sign),
                bias(sign),
            ),
            Identity(
                f"{words}: dL/db = 0 at it", sp.diff(loss, b).subs(b, best_bias(sign)), sp.S.Zero
            ),
            Identity(
                f"{words}: f(0) = ln(bracket) there, a function of the gap alone",
                reduced_logit(sign)[0].subs(b, bias(sign)),
                sp.log(bracket().subs(s, gap(sign))),
            ),
            Sign(
                f"{words}: L is strictly convex in b, so b* is its only minimum",
                sp.diff(loss, b, 2),
                "positive",
            ),
        ]
    return (*bracket_steps(), *found)


def control() -> Control:
    return Control(
        "B = e^2/2 for e < 0 too, as where the formula of e > 0 is continued",
        Identity(
            "f(0) = ln(bracket), the best level, at b = e^2/2 + ln(bracket)",
            reduced_logit(-1)[0].subs(b, bias(1)),
            sp.log(bracket().subs(s, gap(-1))),
            {**EVERYWHERE, **UPWARD, e: -t},
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
    hypotheses=(ANY_CHAIN, REDUCED),
    source="Local to Global, the bias eliminated (e > 0); for e < 0: this project",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/reduced/test_loss.py::test_best_bias_minimises_the_loss",
        "tests/theory/reduced/test_loss.py::test_best_bias_has_the_published_form",
    ),
)
