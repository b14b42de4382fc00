"""The energy of the flow at the best bias, and at which rate a free bias changes it."""

import sympy as sp

from theory.proving.domain import EVERYWHERE, UPWARD, Domain, y
from theory.proving.steps import Identity, Lemma, Step
from theory.proving.theorem import ANY_CHAIN, Control, Theorem
from theory.reduced.flow import energy, free_vector_field, vector_field
from theory.statements.shared.least_loss import BRANCHES
from theory.symbols import e, tau, w

SIDES: tuple[tuple[str, Domain], ...] = (
    ("w > 0", {**EVERYWHERE, **UPWARD}),
    ("w < 0", {**EVERYWHERE, w: -y, tau: sp.S.NegativeOne}),
)
"""The two sides of w = 0, where the energy is infinite."""


def rate(field: sp.MatrixBase) -> sp.Expr:
    """d/dt of the energy along a flow, whose first two components are e' and w'."""
    return sum(sp.diff(energy(), z) * part for z, part in zip((e, w), field, strict=False))


def steps() -> tuple[Step, ...]:
    found: list[Step] = []
    for sign, words in BRANCHES:
        free = free_vector_field(sign)
        for side, domain in SIDES:
            found += [
                Identity(
                    f"{words}, {side}: with b at its best, d Energy/dt = 0, whatever f(0) is",
                    rate(vector_field(sign)),
                    sp.S.Zero,
                    domain,
                ),
                Identity(
                    f"{words}, {side}: with b free, d Energy/dt = -2 sign(e) e^2 b'",
                    rate(free),
                    -2 * sign * e**2 * free[2],
                    domain,
                ),
            ]
    return (
        *found,
        Identity(
            "the two formulas of the field agree at e = 0, where all is at rest",
            vector_field(1).subs(e, 0),
            vector_field(-1).subs(e, 0),
        ),
        Lemma(
            "a function whose derivative along a flow is 0 is constant on it",
            "the mean value theorem",
            "Rudin, Principles of Mathematical Analysis, Theorem 5.11",
        ),
    )


def control() -> Control:
    return Control(
        "a flow in which the bias moves as well conserves the energy",
        Identity("d Energy/dt = 0", rate(free_vector_field(1)), sp.S.Zero, SIDES[0][1]),
    )


THEOREM = Theorem(
    id="conserved-energy",
    title="The conserved energy",
    statement=(
        "Where w != 0, Energy(e, w) = e^2 - w^2 - sign(w) ln|w| is constant along the gradient "
        "flow with b at its best value, for either sign of e and of w and for every chain. Along "
        "the gradient flow of (e, w, b), with the bias free, it has the derivative -2 sign(e) "
        "e^2 b', and is not conserved."
    ),
    latex=(
        r"Where $w \ne 0$, \[\mathcal{E}(e, w) = e^2 - w^2 - \operatorname{sign}(w) \ln|w|\] is "
        r"constant along the gradient flow with $b$ at its best value, for either sign of $e$ and "
        r"of $w$ and for every chain. Along the gradient flow of $(e, w, b)$, with the bias free, "
        r"it has the derivative $-2 \operatorname{sign}(e)\, e^2\, b'$, and is not conserved."
    ),
    hypotheses=(ANY_CHAIN,),
    source="Local to Global, the conserved energy; with a free bias: this project",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/reduced/test_landscape.py::"
        "test_a_free_bias_changes_the_energy_at_the_stated_rate",
        ""
        "tests/theory/reduced/test_flow.py::test_the_energy_is_conserved_exactly_and_nothing_near_it_is",
        "tests/theory/reduced/test_flow.py::test_the_energy_is_the_published_one",
        "tests/landscape/cli/test_flow.py::"
        "test_the_energy_drifts_less_than_1e_minus_9_in_a_flow_of_length_1000",
    ),
)
