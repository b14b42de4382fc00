"""Without tying the unigram point is a saddle."""

from functools import cache

import sympy as sp

from theory.chain.binary import stationary_law
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, NOT_INDEPENDENT, Control, Scope, Theorem
from theory.statements.chain.chain_powers import power_steps
from theory.statements.shared.unigram_jet import Unigram
from theory.statements.transformer.one_term import logit_steps, mean_form, means
from theory.statements.transformer.tied_condition import DIFFERENTIABLE, LOWER

SIZE = 2
"""Width and length."""

_t, _x, _m, _square = sp.symbols("t_v x_v m_v q_v", real=True)
_c = sp.Symbol("C_0", real=True)
_A = sp.Symbol("A_v", nonnegative=True)
_beta = sp.Symbol("beta_v", positive=True)


class Named(Unigram):
    """The closed form with the covariance at each lag a symbol: C_0 = c, C_1, C_2, ..."""

    def covariance(self, lag: int, t: int, s: int) -> sp.Expr:
        """C_k."""
        return sp.Symbol(f"C_{lag}", real=True)


def block() -> tuple[Named, sp.Matrix]:
    """The block of (b, a, e)."""
    unigram = Named(2, SIZE, SIZE, "untied", "logit")
    return unigram, unigram.closed_form()[:-1, :-1]


def without_weights() -> sp.Matrix:
    """The block where z = 0 and J_{n,i} = [n = i] I."""
    unigram, H = block()
    values = {z: sp.S.Zero for n in range(1, SIZE + 1) for z in unigram.z(n)}
    for n in range(1, SIZE + 1):
        for i in range(1, n + 1):
            identity = sp.eye(SIZE) * int(n == i)
            values |= dict(zip(unigram.J(n, i), identity, strict=True))
    return H.subs(values)


def form(t: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The quadratic form of the block at (-t <a, zbar>, t a, e), and what it should be."""
    unigram, H = block()
    a, e = (sp.Matrix(sp.symbols(f"{name}_0:{SIZE}", real=True)) for name in ("a", "e"))
    zs = [unigram.z(n) for n in range(1, SIZE + 1)]
    mean = sum(zs, sp.zeros(SIZE, 1)) / SIZE
    spread = sum((z * z.T for z in zs), sp.zeros(SIZE, SIZE)) / SIZE - mean * mean.T
    B = sp.zeros(SIZE, SIZE)
    for n in range(1, SIZE + 1):
        for i in range(1, n + 1):
            B += unigram.covariance(n + 1 - i, 1, 1) * unigram.J(n, i) / SIZE
    v = sp.Matrix([-t * (a.T * mean)[0], *(t * a), *e])
    c = unigram.covariance(0, 1, 1)
    return (v.T * H * v)[0], c * t**2 * (a.T * spread * a)[0] - 2 * t * (a.T * B * e)[0]


def averaged_form() -> tuple[sp.Expr, sp.Expr]:
    """The form over c at (-t <a, zbar>, t a, e), of any two components, for any d and N."""
    mean, square, B = means()
    a, e = (sp.Matrix(sp.symbols(f"{name}_0:2", real=True)) for name in ("a", "e"))
    v = sp.Matrix([-_t * (a.T * mean)[0], *(_t * a), *e])
    value = (v.T * mean_form("untied") * v)[0]
    spread = square - mean * mean.T
    return value, _t**2 * (a.T * spread * a)[0] - 2 * _t * (a.T * B * e)[0]


def bare_form() -> tuple[sp.Expr, sp.Expr]:
    """The characteristic polynomial over c, any N, without weights: of b and two components."""
    mean, square, B = means()
    lag = sp.Symbol("lambda_v", real=True)
    none = dict.fromkeys([*mean, *square], sp.S.Zero)
    H = mean_form("untied").subs({**none, **dict(zip(B, lag * sp.eye(2), strict=True))})
    return (_x * sp.eye(5) - H).det(), (_x - 1) * (_x**2 - lag**2) ** 2


@cache
def steps() -> tuple[Step, ...]:
    pi0, pi1 = stationary_law()
    value, expected = form(_t)
    unigram = Unigram(2, SIZE, SIZE, "untied", "logit")
    gradient, hessian = unigram.derivatives()
    bare = without_weights()
    c, C_1 = sp.symbols("C_0 C_1", real=True)
    return (
        *logit_steps("untied"),
        Identity(
            "the whole loss, d = N = 2, logits <a, z_n> + b: the gradient vanishes at a = e = 0, "
            "b = ln(p/q)",
            gradient,
            sp.zeros(*gradient.shape),
        ),
        Identity(
            "and the Hessian is that of the universal law with one component",
            hessian,
            unigram.closed_form(),
        ),
        *power_steps(),
        Identity(
            "at the direction (-t <a, zbar>, t a, e) its quadratic form is c [t^2 a^T Cov_n(z) a "
            "- 2 t a^T B e], B = <sum_{i <= n} lambda^(n+1-i) J_{n,i}>: its terms hang on two "
            "components each, so for any d and N",
            *averaged_form(),
        ),
        Identity("and summed from the entries for d = N = 2, C_k = c lambda^k", value, expected),
        Identity(
            "with A = a^T Cov_n(z) a >= 0 and beta = a^T B e > 0, at t = beta/(1+A) it is "
            "-beta^2 (A+2)/(1+A)^2",
            (_t**2 * _A - 2 * _t * _beta).subs(_t, _beta / (1 + _A)),
            -(_beta**2) * (_A + 2) / (1 + _A) ** 2,
        ),
        Sign("it is negative", -(_beta**2) * (_A + 2) / (1 + _A) ** 2, "negative"),
        Sign("c > 0: the loss rises along b", pi0 * pi1, "positive"),
        Lemma(
            "where B != 0 there are a and e with a^T B e > 0: the form is negative along them",
            "a bilinear form that is not 0 has a positive value",
            "Horn and Johnson, Matrix Analysis, 0.1",
        ),
        LOWER,
        Identity(
            "without weights and positions <z z^T> = <z> = 0 and B = lambda I, any d and N: over c "
            "the block is 1 in b and [[0, -lambda], [-lambda, 0]] in each component of a and e, "
            "none coupled to another, here two",
            *bare_form(),
        ),
        Identity(
            "written out for d = N = 2, without weights and positions c B = C_1 I, and the "
            "characteristic polynomial of the block is (x - c)(x^2 - C_1^2)^d, d = 2",
            sp.expand((_x * sp.eye(bare.rows) - bare).det()),
            (_x - c) * (_x**2 - C_1**2) ** SIZE,
        ),
    )


def control() -> Control:
    c, C_1 = sp.Rational(40, 169), -sp.Rational(12, 169)  # the chain p = 1/2, q = 4/5
    chain = dict(zip(sp.symbols("C_0 C_1", real=True), (c, C_1), strict=True))
    bare = without_weights().subs(chain)
    return Control(
        "without weights the eigenvalues are those of the tied model",
        Identity(
            "the characteristic polynomial is (x - c)(x + 2 C_1)^d x^d",
            sp.expand((_x * sp.eye(bare.rows) - bare).det()),
            (_x - c) * (_x + 2 * C_1) ** SIZE * _x**SIZE,
        ),
    )


THEOREM = Theorem(
    id="untied-unigram",
    title="Without tying the unigram is a saddle",
    statement=(
        "Untied, with one embedding vector e, a readout a, logits <a, z_n> + b and any causal "
        "network: at a = e = 0, b = ln(p/q) the Hessian is 0 outside the block of (b, a, e), "
        "and with B = <sum_{i <= n} lambda^(n+1-i) J_{n,i}> the point is a saddle wherever B != "
        "0. For all weights and positions 0 the eigenvalues of the block are c = pi0 pi1 once "
        "and c(p+q-1) and -c(p+q-1), d times each: a saddle for every p + q != 1."
    ),
    latex=(
        r"Untied, with one embedding vector $e$, a readout $a$, logits $\langle a, z_n \rangle "
        r"+ b$ and any causal network: at $a = e = 0$, $b = \ln(p/q)$ the Hessian is $0$ "
        r"outside the block of $(b, a, e)$, and with $B = \langle \sum_{i \le n} "
        r"\lambda^{n+1-i} J_{n,i} \rangle$ the point is a saddle wherever $B \ne 0$. For all "
        r"weights and positions $0$ the eigenvalues of the block are $c = \pi_0 \pi_1$ once "
        r"and $\pm c(p+q-1)$, $d$ times each: a saddle for every $p + q \ne 1$."
    ),
    hypotheses=(ANY_CHAIN, NOT_INDEPENDENT, DIFFERENTIABLE),
    source="Attention with Markov, no tying; for any network this project",
    steps=steps,
    control=control,
    tests=(
        ""
        "tests/theory/spectra/test_universal_law.py::test_the_whole_hessian_at_the_unigram_point_is_the_block_and_zeros",
        "tests/theory/spectra/test_universal_law.py::test_untied_the_published_point_is_a_saddle",
    ),
    scope=Scope(
        checks=(("unigram", "inertia"), ("unigram", "classification")),
        models=("single-layer",),
        tying="untied",
    ),
)
