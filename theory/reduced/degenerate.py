"""The degenerate lines p+q = 1 and w = -1/sqrt2 of the unigram set, at higher order.

With the bias at its best value the loss is l(s) of the gap s = e^2 (1 + 2w|w|) alone, convex, and

    l(s) = H_u + c (p+q-1) s + c^2 s^2/2 + c^2 (pi0-pi1)^2 s^3/6 + O(s^4),   c = pi0 pi1.

What the Hessian leaves open is decided by it:

  p+q = 1          l'(0) = 0, s* = 0, c = p(1-p): the unigram set is among the global minima
                   {s = 0}, and the loss rises as c^2 (1 + 2w|w|)^2 e^4/2, of order 4 in e;
  w = -1/sqrt2 + v s = e^2 (2 sqrt2 v - 2 v^2), so the leading term 2 sqrt2 c (p+q-1) e^2 v is of
                   order 3 and has both signs: for p+q != 1 neither a minimum nor a maximum; along
                   v = 0 the gap is 0 and the loss at the best bias is H_u, exactly;
  both             the leading term is 4 c^2 e^4 v^2, of order 6, c = p(1-p): the minima are the
                   cross {e = 0} and {w = -1/sqrt2}, and every point of it is a global minimum.

The loss at any other bias is larger, so minima and lower points carry over to (e, w, b).
"""

from functools import cache

import sympy as sp

from theory.chain.binary import stationary_law, unigram_entropy
from theory.reduced.flow import curvature, gap, level, slope
from theory.reduced.loss import loss_at_best_bias
from theory.symbols import e, p, q, s, tau, w

offset = sp.Symbol("v", real=True)
"""v = w + 1/sqrt2, the distance along w from the degenerate line."""


def level_slope() -> sp.Expr:
    """df(0)/ds = -h1/(h0 + h1) = -l''(s)/h0 as the gap changes and the bias stays best.

    At the unigram it is -pi1.

    >>> sp.factor(level_slope().subs({level: 0, s: 0}))
    -p/(p + q)
    """
    # l'' = h0 h1/(h0 + h1), and h0 = d2L/df(0)^2 = pi0 sigmoid(f) sigmoid(-f)
    stiffness = stationary_law()[0] / (sp.exp(level) + 2 + sp.exp(-level))
    return -curvature() / stiffness


@cache
def derivatives_at_unigram() -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """l'(0), l''(0) and l'''(0): c(p+q-1), c^2 and c^2 (pi0 - pi1)^2.

    The third is the total derivative of l''(s), the level moving with the gap.

    >>> [factor.subs({p: sp.Rational(1, 2), q: sp.Rational(1, 2)}) for factor in
    ...     derivatives_at_unigram()]
    [0, 1/16, 0]
    """
    third = sp.diff(curvature(), s) + sp.diff(curvature(), level) * level_slope()
    unigram = {level: sp.log(p / q), s: 0}
    values = [
        sp.factor(sp.simplify(derivative.subs(unigram)))
        for derivative in (slope(), curvature(), third)
    ]
    return values[0], values[1], values[2]


def expansion(order: int) -> sp.Expr:
    """The Taylor polynomial of l(s) - H_u at s = 0, of an order from 1 to 3.

    Raises ValueError for another order.

    >>> expansion(2).subs({p: sp.Rational(1, 2), q: sp.Rational(1, 2)})
    s**2/32
    """
    if order not in (1, 2, 3):
        raise ValueError(f"order = {order} is not available: choose 1, 2 or 3")
    terms = enumerate(derivatives_at_unigram()[:order], start=1)
    return sum((value * s**k / sp.factorial(k) for k, value in terms), sp.S.Zero)


def remainder(order: int) -> sp.Expr:
    """l(s) - H_u less its polynomial: 0 at s = 0 with its first `order` derivatives.

    It goes by `theory.reduced.loss.loss_at_best_bias`, the polynomial by the residuals of
    `theory.reduced.flow`.

    >>> point = {p: sp.Rational(1, 5), q: sp.Rational(3, 10)}
    >>> value = remainder(3).subs(point)
    >>> bool(abs((value.subs(s, sp.Rational(1, 1000)) * 1000**3).evalf(30)) < 1e-5)
    True
    """
    return loss_at_best_bias() - unigram_entropy() - expansion(order)


def gap_near_saddle() -> sp.Expr:
    """s at w = -1/sqrt2 + v, on the side w < 0: e^2 (2 sqrt2 v - 2 v^2).

    >>> gap_near_saddle()
    -2*e**2*v*(v - sqrt(2))
    """
    return sp.factor(sp.expand(gap().subs({tau: -1, w: offset - 1 / sp.sqrt(2)})))


@cache
def leading_term(line: str) -> sp.Expr:
    """The lowest order of the loss at the best bias less H_u, on a degenerate line.

        'p+q=1'       c^2 (1 + 2 tau w^2)^2 e^4 / 2     c = p(1-p); order 4
        'w=-1/sqrt2'  2 sqrt2 c (p+q-1) e^2 v           order 3, in e and v
        'both'        4 c^2 e^4 v^2                     c = p(1-p); order 6

    Arguments: `line`, one of the three. Raises ValueError for another.

    >>> leading_term("both")
    4*e**4*p**2*v**2*(p - 1)**2
    """
    independent = {q: 1 - p}
    if line == "p+q=1":
        return sp.factor(expansion(2).subs(independent).subs(s, gap()))
    scale = sp.Dummy()
    near = gap_near_saddle().subs({e: scale * e, offset: scale * offset})
    if line == "w=-1/sqrt2":
        order, polynomial = 3, expansion(3)
    elif line == "both":
        order, polynomial = 6, expansion(3).subs(independent)
    else:
        raise ValueError(f"line = {line!r} is not known: choose 'p+q=1', 'w=-1/sqrt2' or 'both'")
    term = sp.expand(sp.expand(polynomial.subs(s, near))).coeff(scale, order)
    return sp.factor(term)
