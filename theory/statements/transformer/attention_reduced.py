"""The reduced model with attention (e, w, a, b): what attention changes at both critical sets."""

import sympy as sp

from theory.attention.critical_points import (
    curvature_jump,
    kappa,
    neutral_strength,
    unigram_curvature,
    unigram_curvature_of,
)
from theory.attention.loss import attention_loss, branch_logit, firing, firing_logit, score
from theory.chain.binary import (
    count_probabilities,
    kernel,
    mean_memory,
    memory,
    second_eigenvalue,
    stationary_law,
)
from theory.proving.domain import ABOVE, BELOW, ON, y
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Theorem
from theory.reduced.loss import reduced_loss
from theory.statements.chain.chain_powers import mean_steps
from theory.statements.shared.least_loss import BRANCHES
from theory.statements.transformer.attention_bigram import bigram_control, bigram_steps
from theory.symbols import a, b, e, p, q, tau, w, x, xbar
from theory.transformer.forward import ansatz, attention_logit, forward, in_coordinates, sign_symbol

CONTEXTS = ((0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1))

_form, _beta, _move, _level = sp.symbols("g beta z W", real=True)
_r, _count = sp.Symbol("r", positive=True), sp.Symbol("k", nonnegative=True)


def steps() -> tuple[Step, ...]:
    return (*_model(), *_expansion(), *_unigram(), *bigram_steps())


def _unscaled(expression: sp.Expr) -> sp.Expr:
    """The same with positive factors taken out of each maximum with 0."""

    def outside(*terms: sp.Expr) -> sp.Expr:
        factor, rest = sp.expand(sum(terms)).as_content_primitive()
        return factor * sp.Max(0, rest)

    return expression.replace(sp.Max, outside)


def _passed(e_sign: int) -> tuple[sp.Matrix, sp.Matrix]:
    """The last logit layer by layer at d = r = N = 2, after every context, and as it is stated."""
    weights = ansatz([1, -1], hidden=2, length=2, e_sign=e_sign, attention=True)
    passed, stated = [], []
    for context in CONTEXTS:
        mean = sp.Rational(sum(context), len(context))
        logit = attention_logit(e_sign).subs({x: context[-1], xbar: mean})
        passed.append(in_coordinates(_unscaled(forward(weights, context)[-1])))
        stated.append(in_coordinates(_unscaled(logit.subs(e, sign_symbol(e_sign)))))
    return sp.Matrix(passed), sp.Matrix(stated)


def _model() -> tuple[Step, ...]:
    """The logit and the loss."""
    s = x - sp.S.Half + a * (xbar - sp.S.Half)
    n, N = sp.symbols("n N", integer=True, positive=True)
    return (
        *(
            Identity(
                f"{words}: the transformer with W_V = a alpha alpha^T, layer by layer at d = r = N "
                "= 2, has after every context the logit that is derived for any d and r",
                *_passed(sign),
            )
            for sign, words in BRANCHES
        ),
        Identity(
            "with F = 1 where e s_n > 0, else 0, the logit is e^2 s_n (1 + 4 w|w| F) + b",
            firing_logit(),
            e**2 * s * (1 + 4 * tau * w**2 * firing) + b,
        ),
        Identity(
            "a step of the chain keeps the total of a law of (x_n, count), so the recursion does "
            "for every n",
            kernel() * sp.ones(2, 1),
            sp.ones(2, 1),
        ),
        Identity(
            "the counts after 0 are 0..n-1 and after 1 they are 1..n, as a step keeps the count or "
            "adds 1 to it: 2n pairs, and N(N+1) terms for n up to N",
            sp.summation(2 * n, (n, 1, N)),
            N * (N + 1),
        ),
        Identity(
            "summed for n = 1..4: the totals, and the numbers of pairs",
            sp.Matrix(
                [
                    [sum(law.values()), len(law)]
                    for law in (count_probabilities(k) for k in (1, 2, 3, 4))
                ]
            ),
            sp.Matrix([[1, 2], [1, 4], [1, 6], [1, 8]]),
        ),
        *(
            Identity(
                f"{words}: with a = 0 the loss over two tokens is that of the reduced model",
                attention_loss(2, sign).subs(a, 0),
                reduced_loss(sign),
            )
            for sign, words in BRANCHES
        ),
    )


def _expansion() -> tuple[Step, ...]:
    """To second order at e = 0, b = ln(p/q), at any w and a, kinks in a or none."""
    pi0, pi1 = stationary_law()
    c, eigenvalue = pi0 * pi1, second_eigenvalue()
    rise = e**2 * _form + _beta
    logit = sp.log(p / q) + _move
    term = sp.log(1 + sp.exp(logit)) - _r * logit
    s = x - sp.S.Half + a * (xbar - sp.S.Half)
    return (
        *(
            Identity(
                f"{words}: logit_n = e^2 g_n + b with g_n = s_n + 4 w|w| {name}(s_n, 0)",
                branch_logit(sign),
                e**2 * (s + 4 * tau * w**2 * sign * sp.Max(0, sign * s)) + b,
            )
            for (sign, words), name in zip(BRANCHES, ("max", "min"), strict=True)
        ),
        Identity(
            "a term of the loss, of the logit ln(p/q) + z, has at z = 0 the derivatives pi1 - r "
            "and c",
            sp.Matrix([sp.diff(term, _move), sp.diff(term, _move, 2)]).subs(_move, 0),
            sp.Matrix([pi1 - _r, c]),
        ),
        Lemma(
            "so it is its value there and (pi1 - r) z + c z^2/2 + O(z^3)",
            "Taylor's theorem",
            "Rudin, Principles of Mathematical Analysis, Theorem 5.15",
        ),
        Identity(
            "with z = e^2 g_n + beta, beta = b - ln(p/q), that is (pi1 - r)(e^2 g_n + beta) + c "
            "beta^2/2, and what is of third order in e and beta, however g_n depends on w and a",
            (pi1 - _r) * rise + c * rise**2 / 2,
            (pi1 - _r) * rise + c * _beta**2 / 2 + c * e**2 * _form * (_beta + e**2 * _form / 2),
        ),
        Identity(
            "r(x) - pi1 = lambda (x - pi1): so E r = pi1, and L = H_u + h e^2/2 + c beta^2/2 + "
            "O(3), h = -2 lambda mean_n Cov(x_n, g_n)",
            sp.Matrix([kernel()[t, 1] - pi1 for t in (0, 1)]),
            sp.Matrix([eigenvalue * (t - pi1) for t in (0, 1)]),
        ),
        Lemma(
            "g_n is continuous and in pieces polynomial in w|w| and a, so |h(w', a') - h(w, a)| is "
            "at most a constant times |w' - w| + |a' - a| nearby, and e^2 times it of third order: "
            "the expansion holds from one side of e = 0 at any w and a, also where g_n has a kink "
            "in a, and the gradient is 0",
            "the mean value theorem, on each piece",
            "Rudin, Principles of Mathematical Analysis, Theorem 5.10",
        ),
    )


def _unigram() -> tuple[Step, ...]:
    """The curvature h."""
    pi0, pi1 = stationary_law()
    c, eigenvalue = pi0 * pi1, second_eigenvalue()
    found: list[Step] = []
    for sign, words in BRANCHES:
        h = unigram_curvature(sign)
        found.append(
            Identity(
                f"{words}: then, and by continuity for |a| = 1, g_n is affine in xbar_n given x_n: "
                "h in closed form for every N, kappa = mean_n kappa_n",
                h,
                -2 * eigenvalue * c * (_gain(sign, 1) - _gain(sign, 0)),
            )
        )
        found += [
            Identity(
                f"{words}: summed over the law of (x_n, xbar_n), N = {N}, the curvature at a = "
                f"{strength} is that closed form",
                unigram_curvature_of(N, sign).subs(a, strength),
                h.subs({a: strength, kappa: mean_memory(N)}),
            )
            for N, strength in ((1, sp.S.One), (2, sp.Rational(-1, 2)))
        ]
        found += [
            Identity(
                f"{words}: it is affine in a, and in w|w|",
                sp.Matrix([sp.diff(h, a, 2), sp.diff(h.subs(tau, _level / w**2), _level, 2)]),
                sp.zeros(2, 1),
            ),
            Identity(
                f"{words}: with w = 0, h = 2 c (p+q-1)(1 + a kappa)",
                h.subs(w, 0),
                2 * c * (p + q - 1) * (1 + a * kappa),
            ),
            Identity(f"{words}, p + q = 1: h = 0 whatever w and a are", h, sp.S.Zero, ON),
        ]
    return (
        *mean_steps(),
        Identity(
            "summed over the law of (x_n, count) it is that for n = 1..4",
            sp.Matrix([_covariance(n) for n in (1, 2, 3, 4)]),
            sp.Matrix([c * memory(n) for n in (1, 2, 3, 4)]),
        ),
        Sign(
            "for |a| < 1, a = (1-y)/(1+y), s_n is positive after x_n = 1, xbar_n = k/(k+1) < 1",
            score().subs({x: 1, a: (1 - y) / (1 + y), xbar: _count / (_count + 1)}),
            "positive",
        ),
        Sign("and for xbar_n = 1", score().subs({x: 1, a: (1 - y) / (1 + y), xbar: 1}), "positive"),
        Identity(
            "with 0 and 1 exchanged it turns its sign: the relu is on where x_n = 1 for e > 0, "
            "where x_n = 0 for e < 0",
            score().subs({x: 1 - x, xbar: 1 - xbar}, simultaneous=True),
            -score(),
        ),
        *found,
        Identity("h vanishes at a* = -1/kappa where w = 0", neutral_strength(), -1 / kappa),
        Sign(
            "for a > a* it has the sign of p+q-1: positive for p + q > 1",
            unigram_curvature(1).subs(w, 0).subs(a, -1 / kappa + y),
            "positive",
            ABOVE,
        ),
        Sign(
            "negative for p + q < 1",
            unigram_curvature(1).subs(w, 0).subs(a, -1 / kappa + y),
            "negative",
            BELOW,
        ),
        Identity(
            "the curvatures from e > 0 and e < 0 differ by 8 c lambda w|w| a (1-kappa)(pi0-pi1)",
            sp.Matrix([curvature_jump(), unigram_curvature(1) - unigram_curvature(-1)]),
            8 * c * eigenvalue * tau * w**2 * a * (1 - kappa) * (pi0 - pi1) * sp.ones(2, 1),
        ),
    )


def _covariance(n: int) -> sp.Expr:
    """Cov(x_n, xbar_n), summed over the law of the last token and the count."""
    law = count_probabilities(n)
    pi1 = stationary_law()[1]
    return sum(
        (weight * (token - pi1) * sp.Rational(ones, n) for (token, ones), weight in law.items()),
        sp.S.Zero,
    )


def _gain(e_sign: int, token: int) -> sp.Expr:
    """E[g_n | x_n = token] over positions, with the relu on at token 1 for e > 0, 0 for e < 0."""
    pi1 = stationary_law()[1]
    mean = pi1 - sp.S.Half + kappa * (token - pi1)
    on = token if e_sign > 0 else 1 - token
    return (token - sp.S.Half + a * mean) * (1 + 4 * tau * w**2 * on)


def control() -> Control:
    """Two: on the unigram half, and on the bigram half."""
    pi0, pi1 = stationary_law()
    return Control(
        "attention changes the curvature at w = 0 by the factor 1 + a, at every length",
        Identity(
            "h = 2 c (p+q-1)(1 + a) at N = 2",
            unigram_curvature(1).subs({w: 0, kappa: mean_memory(2)}),
            2 * pi0 * pi1 * (p + q - 1) * (1 + a),
        ),
        (bigram_control(),),
    )


THEOREM = Theorem(
    id="attention-reduced",
    title="The reduced model with attention",
    statement=(
        "With uniform attention and W_V = a alpha alpha^T the ansatz has logit_n = e^2 s_n + 4 "
        "w|w| e relu(e s_n) + b with s_n = (x_n - 1/2) + a (xbar_n - 1/2). Its loss over N "
        "tokens is a sum over the law of (x_n, count), of N(N+1) terms. At e = 0, b = ln(p/q), "
        "any w and a, the gradient is 0 and the loss has, from one side of e = 0, the "
        "second-order expansion H_u + [h e^2 + c (b - ln(p/q))^2]/2, c = pi0 pi1, h = -2 lambda "
        "mean_n Cov(x_n, g_n) with logit_n = e^2 g_n + b: the form diag(h, 0, 0, c) in (e, w, a, "
        "b). (It holds also where s_n = 0 after some context, as at a = -1, although dL/da does "
        "not exist next to such points.) For w = 0 it is h = 2c (p+q-1)(1 + a kappa), where kappa "
        "in (0, 1] is the mean over n of (1/n) sum_{k<n} lambda^k: attention with a > -1/kappa "
        "changes the size of the curvature and not its sign. For |a| <= 1 and any w, h is affine "
        "in a for each w and in w|w| for each a, and its values from e > 0 and e < 0 differ by 8 "
        "c lambda w|w| a (1-kappa)(pi0-pi1). For p + q = 1, h = 0. For p + q != 1, N >= 2 and a "
        ">= -1 the bigram set has a = 0; there the Hessian is a Gauss-Newton matrix whose (e, "
        "w, b) block is that without attention, and attention adds exactly one positive "
        "eigenvalue: rank 3, one zero. The closed forms of h are for every N, by induction over "
        "n; the machine also sums h for N = 1 and 2, and Cov(x_n, xbar_n) for n up to 4."
    ),
    latex=(
        r"With uniform attention and $W_V = a\,\alpha\alpha^T$ the ansatz has "
        r"\[\mathrm{logit}_n = e^2 s_n + 4 w|w|\, e\, \mathrm{relu}(e s_n) + b, \quad s_n = "
        r"(x_n - 1/2) + a (\bar x_n - 1/2).\] Its loss over $N$ tokens is a sum over the law "
        r"of $x_n$ and the count, of $N(N+1)$ terms. At $e = 0$, $b = \ln(p/q)$, any $w$ and "
        r"$a$, the gradient is $0$ and the loss has, from one side of $e = 0$, the second-order "
        r"expansion \[H_u + \frac12 \left[h e^2 + c \left(b - \ln\frac{p}{q}\right)^2\right], "
        r"\qquad c = \pi_0 \pi_1, \quad h = -2\lambda\, \mathrm{mean}_n\, \mathrm{Cov}(x_n, "
        r"g_n),\] $\mathrm{logit}_n = e^2 g_n + b$: the form $\mathrm{diag}(h, 0, 0, c)$ in $(e, "
        r"w, a, b)$. (It holds also where $s_n = 0$ after some context, as at $a = -1$, although "
        r"$\partial L/\partial a$ does not exist next to such points.) For $w = 0$ it is $h = "
        r"2c (p+q-1)(1 + a \kappa)$, where $\kappa \in (0, 1]$ "
        r"is the mean over $n$ "
        r"of $(1/n) \sum_{k<n} \lambda^k$: attention with $a > -1/\kappa$ changes the size of "
        r"the curvature and not its sign. For $|a| \le 1$ and any $w$, $h$ is affine in $a$ "
        r"for each $w$ and in $w|w|$ for each $a$, and its values from $e > 0$ and $e < 0$ "
        r"differ by $8 c \lambda w|w| a (1-\kappa)(\pi_0-\pi_1)$. For $p + q = 1$, $h = 0$. "
        r"For $p + q \ne 1$, $N \ge 2$ and $a \ge -1$ the bigram set has $a = 0$; there the "
        r"Hessian is a Gauss-Newton matrix whose $(e, w, b)$ block is that without attention, "
        r"and attention adds exactly one positive eigenvalue: rank $3$, one zero. The closed "
        r"forms of $h$ are for every $N$, by induction over $n$; the machine also sums $h$ for $N "
        r"= 1$ and $2$, and $\mathrm{Cov}(x_n, \bar x_n)$ for $n$ up to $4$."
    ),
    hypotheses=(ANY_CHAIN,),
    source="this project",
    steps=steps,
    control=control,
    tests=(
        ""
        "tests/theory/attention/test_unigram_set.py::test_unigram_hessian_is_that_of_the_loss_from_one_side",
        ""
        "tests/theory/attention/test_unigram_set.py::test_sides_differ_by_the_jump_and_agree_at_equal_rates",
        ""
        "tests/theory/attention/test_unigram_set.py::test_attention_alone_turns_the_sign_at_the_neutral_strength_and_not_above",
        "tests/theory/attention/test_bigram_set.py::test_bigram_hessian_is_that_of_the_loss",
        "tests/theory/statements/test_attention_proof.py::test_the_expansion_holds_at_a_kink",
        ""
        "tests/theory/statements/test_any_size.py::test_the_covariance_with_the_running_mean_is_that_of_enumerated_contexts",
    ),
)
