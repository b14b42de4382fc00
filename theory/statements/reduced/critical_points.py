"""There are no critical points of the reduced loss but the unigram and the bigram set."""

import sympy as sp

from theory.proving.domain import EVERYWHERE
from theory.proving.steps import Identity, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Scope, Theorem
from theory.reduced.critical_points import (
    bigram_set,
    gradient,
    logit_gradients,
    residuals,
    unigram_set,
)
from theory.reduced.flow import gap
from theory.statements.shared.least_loss import BRANCHES, REDUCED, bigram_gap, bigram_gap_step
from theory.symbols import b, e, p, q, tau, w
from theory.transformer.forward import reduced_logit

_logits = sp.symbols("f0 f1", real=True)
_rho = sp.symbols("rho0 rho1", real=True)
_embedding = sp.Symbol("E", positive=True)  # e > 0


def composed(sign: int) -> list[sp.Expr]:
    """(rho0, rho1) as functions of (e, w, b)."""
    at = dict(zip(_logits, reduced_logit(sign), strict=True))
    return [residual.subs(at) for residual in residuals()]


def chain_rule_step(sign: int, words: str) -> Step:
    """The gradient of the loss in terms of the two residuals, on one branch of e."""
    zero, one = logit_gradients(sign)
    found = composed(sign)
    return Identity(
        f"{words}: grad L = rho0 grad f(0) + rho1 grad f(1) with rho_x = dL/df(x)",
        gradient(sign),
        found[0] * zero + found[1] * one,
    )


def on_branch(sign: int, words: str) -> tuple[Step, ...]:
    """The gradient in terms of the residuals and of the gap, on one branch of e."""
    zero, one = logit_gradients(sign)
    rise = sp.Matrix([sp.diff(gap(sign), z) for z in (e, w, b)])
    found = composed(sign)
    state = 0 if sign > 0 else 1
    logit = reduced_logit(sign)[state]
    target = bigram_set(sign)
    return (
        chain_rule_step(sign, words),
        Identity(
            f"{words}: that is (rho0 + rho1) grad f(0) + rho1 grad s, where ds/db = 0",
            _rho[0] * zero + _rho[1] * one,
            (_rho[0] + _rho[1]) * zero + _rho[1] * rise,
        ),
        Identity(
            f"{words}: dL/db = rho0 + rho1, so where it vanishes grad L = rho1 grad s",
            gradient(sign)[2],
            found[0] + found[1],
        ),
        Identity(
            f"{words}: e ds/de - w ds/dw = 2 e^2, so grad s = 0 needs e = 0",
            e * rise[0] - w * rise[1],
            2 * e**2,
        ),
        Identity(
            f"{words}: f({state}) = b {'-' if sign > 0 else '+'} e^2/2 takes the kernel's value at "
            "one b",
            logit - target.logits[state],
            b - (sp.log(p / (1 - p)) + e**2 / 2 if sign > 0 else sp.log((1 - q) / q) - e**2 / 2),
        ),
    )


def steps() -> tuple[Step, ...]:
    zero, one = bigram_set().logits
    at_zero = sp.Matrix([reduced_logit(sign) for sign, _ in BRANCHES]).subs(e, 0)
    pull = sum(composed(1)).subs(e, 0)
    flat = {e: sp.S.Zero}
    return (
        *(step for sign, words in BRANCHES for step in on_branch(sign, words)),
        Identity(
            "L is differentiable at e = 0: from both sides grad L = (0, 0, rho0 + rho1)",
            sp.Matrix.hstack(gradient(1).subs(flat), gradient(-1).subs(flat)),
            sp.Matrix([[0, 0], [0, 0], [pull, pull]]),
        ),
        Identity(
            "and so it is at w = 0, whichever sign w|w| is taken with",
            sp.Matrix.hstack(*(gradient(sign).subs({w: 0, tau: 1}) for sign, _ in BRANCHES)),
            sp.Matrix.hstack(*(gradient(sign).subs({w: 0, tau: -1}) for sign, _ in BRANCHES)),
        ),
        Identity("there both logits are b", at_zero, b * sp.ones(2, 2)),
        Sign("and dL/db increases with b", sp.diff(pull, b), "positive"),
        Identity(
            "so it vanishes at b = ln(p/q) alone: the unigram set",
            pull.subs(b, unigram_set().b),
            sp.S.Zero,
        ),
        Sign("rho0 increases with f(0)", sp.diff(residuals()[0], _logits[0]), "positive"),
        Sign("rho1 increases with f(1)", sp.diff(residuals()[1], _logits[1]), "positive"),
        Identity(
            "so rho0 = rho1 = 0 at the logits of the kernel alone",
            sp.Matrix(residuals()).subs({_logits[0]: zero, _logits[1]: one}),
            sp.zeros(2, 1),
        ),
        Identity("which differ by s*: the bigram set", one - zero, bigram_gap()),
        bigram_gap_step(),
    )


def control() -> Control:
    turn = {**EVERYWHERE, w: -1 / sp.sqrt(2), tau: sp.S.NegativeOne}
    best = e**2 / 2 + unigram_set().b  # the gap is 0 there
    return Control(
        "where w = -1/sqrt2, every e > 0 has a critical point, since dL/de vanishes with dL/db",
        Identity("grad L = 0", gradient(1).subs(b, best).subs(e, _embedding), sp.zeros(3, 1), turn),
    )


THEOREM = Theorem(
    id="critical-points",
    title="All critical points of the reduced loss",
    statement=(
        "The gradient of the reduced loss in (e, w, b) exists everywhere, and vanishes on two "
        "sets alone. The unigram set: e = 0, b = ln(p/q), w arbitrary. The bigram set: e^2 (1 + "
        "2w|w|) = s* = ln[(1-p)(1-q)/(pq)] with b = ln(p/(1-p)) + e^2/2 for e >= 0 and b = "
        "ln((1-q)/q) - e^2/2 for e <= 0. They are disjoint unless p + q = 1, where the bigram "
        "set contains the unigram set."
    ),
    latex=(
        r"The gradient of the reduced loss in $(e, w, b)$ exists everywhere, and vanishes on two "
        r"sets alone: the unigram set \[e = 0, \quad b = \ln\frac{p}{q}, \quad w \in \mathbb{R},\] "
        r"and the bigram set \[e^2 (1 + 2w|w|) = s^* = \ln\frac{(1-p)(1-q)}{pq}, \qquad b = "
        r"\begin{cases} \ln\frac{p}{1-p} + \frac{e^2}{2}, & e \ge 0, \\ \ln\frac{1-q}{q} - "
        r"\frac{e^2}{2}, & e \le 0.\end{cases}\] They are disjoint unless $p + q = 1$, where the "
        r"bigram set contains the unigram set."
    ),
    hypotheses=(ANY_CHAIN, REDUCED),
    source="Attention with Markov, for the two sets; that there are no others: this project",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/reduced/test_landscape.py::"
        "test_every_root_of_the_gradient_is_on_one_of_the_two_sets",
        "tests/theory/reduced/test_critical_points.py::test_gradient_vanishes_on_the_unigram_set",
        "tests/theory/reduced/test_critical_points.py::test_gradient_vanishes_on_the_bigram_set",
        "tests/theory/reduced/test_critical_points.py::"
        "test_gradient_where_db_vanishes_is_the_residual_times_the_gradient_of_the_gap",
    ),
    scope=Scope(
        checks=(("unigram", "gradient"), ("bigram", "gradient"), ("bigram", "coordinates")),
        models=("single-layer", "reduced"),
    ),
)
