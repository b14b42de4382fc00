"""The best bias: that there is one, how far it is from ln(p/q), and of which model it is."""

import mpmath
import pytest
import sympy as sp
import torch

from landscape.models import ReducedModel
from landscape.objectives.exact import ExactLoss
from landscape.sources import BinaryMarkov
from tests.theory.statements.replaced import refused, replaced
from theory.reduced.loss import best_bias, best_logit
from theory.statements.registry import theorem
from theory.statements.shared.least_loss import REDUCED, best_level_steps, least_loss_steps
from theory.symbols import s
from theory.transformer.forward import reduced_logit

POINTS = [(".999", ".998", "-.7"), (".001", ".002", "3"), (".50001", ".5", "-5"), (".5", ".8", "0")]


def logits(e: mpmath.mpf, w: mpmath.mpf, b: mpmath.mpf) -> tuple[mpmath.mpf, mpmath.mpf]:
    """The ansatz in the transformer, its relu as it stands."""
    half = mpmath.mpf(1) / 2

    def f(t: mpmath.mpf) -> mpmath.mpf:
        return e**2 * t + 4 * w * abs(w) * e * max(mpmath.mpf(0), e * t) + b

    return f(-half), f(half)


def bisected(e: mpmath.mpf, w: mpmath.mpf, p: mpmath.mpf, q: mpmath.mpf) -> mpmath.mpf:
    """The bias at which the mean prediction is pi1."""
    low, high = mpmath.mpf(-200), mpmath.mpf(200)
    for _ in range(140):
        middle = (low + high) / 2
        zero, one = logits(e, w, middle)
        above = q / (1 + mpmath.exp(-zero)) + p / (1 + mpmath.exp(-one)) > p
        low, high = (low, middle) if above else (middle, high)
    return (low + high) / 2


@pytest.mark.parametrize("point", POINTS)
def test_the_best_bias_exists_and_stays_within_the_bound(point: tuple[str, str, str]) -> None:
    with mpmath.workdps(40):
        p, q, w = map(mpmath.mpf, point)
        shorter = []
        for size in ("1e-3", ".4", "2.1"):
            for e in (mpmath.mpf(size), -mpmath.mpf(size)):
                b, gap = bisected(e, w, p, q), abs(e**2 * (1 + 2 * w * abs(w)))
                away = abs(b - mpmath.log(p / q))
                assert away <= e**2 / 2 + gap
                shorter.append(away <= e**2 / 2)
        if abs(w) > 2:
            assert not all(shorter)  # the control: without |s| the bound is false


def test_a_wrong_best_level_is_refused_by_every_proof_that_rests_on_it() -> None:
    shared = {step.claim for step in best_level_steps()}
    for name in ("escape-radius", "valley", "gradient-flow", "degenerate-lines"):
        assert shared <= {step.claim for step in theorem(name).steps()}
    with replaced(best_logit, lambda: best_logit.__wrapped__() + 1):
        steps = best_level_steps()
        assert len(refused(steps)) >= 3
    with replaced(best_bias, lambda sign=1: best_bias.__wrapped__(1)):
        assert [claim[:5] for claim in refused(best_level_steps())] == ["e < 0"]
    assert refused(least_loss_steps()) == []


def test_the_reduced_model_of_the_theorems_is_the_ansatz_and_not_the_continued_one() -> None:
    """At a bigram point of e < 0 the continued model is .0813 above H_b, with slopes."""
    p, q, w, e = 0.2, 0.3, 0.6, -1.13956
    b = float(sp.log((1 - q) / q) - e**2 / 2)
    zero, one = (float(f) for f in logits(*map(mpmath.mpf, (e, w, b))))
    kernel = [float(sp.log(p / (1 - p))), float(sp.log((1 - q) / q))]
    assert abs(zero - kernel[0]) < 1e-4 and abs(one - kernel[1]) < 1e-4  # e is given to 6 digits
    for sign in (1, -1):
        first, second = reduced_logit(sign)
        stated = logits(mpmath.mpf(sign) * 2, mpmath.mpf(".6"), mpmath.mpf(".3"))
        values = {"e": sign * 2, "w": 0.6, "b": 0.3, "tau": 1}
        at = {symbol: values[str(symbol)] for symbol in first.free_symbols | second.free_symbols}
        assert abs(first.subs(at) - stated[0]) < 1e-12 and abs(second.subs(at) - stated[1]) < 1e-12
    model, objective = ReducedModel(), ExactLoss(BinaryMarkov(p, q), 1)
    values = {"embedding": e, "feedforward": w, "bias": b}
    params = {name: torch.tensor(x, dtype=torch.float64) for name, x in values.items()}
    H_b = float(objective.source.entropy_rate)
    assert abs(objective(model, params).item() - H_b - 0.0813) < 5e-5
    slopes = torch.func.grad(lambda at: objective(model, at))(params)
    found = [slopes[name].item() for name in values]
    assert max(abs(x - y) for x, y in zip(found, (-0.0442, 0.1945, 0.1758), strict=True)) < 5e-5
    assert "ReducedModel" in REDUCED.words and "not the ansatz" in (ReducedModel.__doc__ or "")


def test_the_bound_is_that_of_a_level_that_moves_slower_than_the_gap() -> None:
    """-1 < df0/ds < 0 by differences of the bisected level, and not of a level that moves alone."""
    with mpmath.workdps(40):
        p, q, h = mpmath.mpf(".5"), mpmath.mpf(".8"), mpmath.mpf("1e-6")
        for w in map(mpmath.mpf, ("0", "-2")):
            e = mpmath.mpf("1.2")
            levels = [bisected(x, w, p, q) - x**2 / 2 for x in (e - h, e + h)]
            gaps = [x**2 * (1 + 2 * w * abs(w)) for x in (e - h, e + h)]
            rate = (levels[1] - levels[0]) / (gaps[1] - gaps[0])
            known = sp.diff(best_logit(), s).subs(s, float(gaps[0] + gaps[1]) / 2)
            at = {symbol: {"p": 0.5, "q": 0.8}[str(symbol)] for symbol in known.free_symbols}
            assert -1 < rate < 0 and abs(rate - float(known.subs(at))) < 1e-8
