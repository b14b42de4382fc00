"""What holds on one side of e = 0 is told apart by `e_sign`, which is 1 unless it is given."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from theory.attention import critical_points as attended
from theory.attention.loss import attention_loss, branch_logit
from theory.reduced import critical_points as reduced, flow
from theory.reduced.loss import best_bias, reduced_loss
from theory.spectra.reduced import ansatz_bigram, reduced_bigram_spectrum
from theory.symbols import e
from theory.transformer.forward import ansatz, attention_logit, reduced_logit


def eigenvalues(*e_sign: int) -> list[float]:
    found: list[float] = reduced_bigram_spectrum(0.2, 0.3, 0.5, *e_sign).eigenvalues.tolist()
    return found


def explicit(*e_sign: int) -> Any:
    bare = partial(ansatz, [1], hidden=1, length=1)
    return bare(e_sign=e_sign[0]) if e_sign else bare()


APART: list[Callable[..., Any]] = [
    *(attended.attention_bigram_hessian, attended.attention_stiffness, attended.same_token_gaps),
    *(attended.unigram_curvature, attended.attention_unigram_hessian, attended.degenerate_level),
    *(partial(attended.unigram_curvature_of, 2), branch_logit, partial(attention_loss, 1)),
    *(reduced.bigram_hessian, reduced.bigram_set, reduced.gradient),
    *(reduced.kink_logits, reduced.one_sided_curvature, reduced_loss, best_bias),
    *(flow.free_vector_field, flow.free_jacobian, reduced_logit, attention_logit, explicit),
    *(partial(ansatz_bigram, 0.2, 0.3, 0.5), eigenvalues),
]
ALIKE: list[Callable[..., Any]] = [
    *(reduced.factored_gradient, reduced.unigram_set, reduced.unigram_hessian),
    *(flow.gap, flow.vector_field, flow.jacobian, partial(flow.rate, e, 1)),
]


@pytest.mark.parametrize("form", APART)
def test_without_a_sign_the_branch_is_that_of_positive_e(form: Callable[..., Any]) -> None:
    assert form() == form(1) != form(-1)


@pytest.mark.parametrize("form", ALIKE)
def test_what_is_alike_on_both_branches_needs_no_sign(form: Callable[..., Any]) -> None:
    assert form() == form(1) == form(-1)


@pytest.mark.parametrize("form", APART + ALIKE)
@pytest.mark.parametrize("e_sign", [0, 2])
def test_an_unknown_branch_is_refused(form: Callable[..., Any], e_sign: int) -> None:
    with pytest.raises(ValueError, match=f"e_sign = {e_sign} is not a branch: choose 1"):
        form(e_sign)
