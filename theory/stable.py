"""Expressions rewritten so that no intermediate overflows and no branch cancels.

    ln(u + v)               -> logaddexp(ln u, ln v)               u, v > 0
    exp(f) / (1 + exp(f))   -> exp(f - logaddexp(0, f))
    ln(A + sqrt(A^2 + C))   -> loghypot(A, ln C)            if A >= 0
                               ln C - loghypot(A, ln C)     if A < 0

where loghypot(A, l) = ln(|A| + sqrt(A^2 + e^l)). The rest of a logarithm is carried into both
cases of the last line, so that terms as large as s cancel as symbols and not as floats.
"""

from __future__ import annotations

import sympy as sp

__all__ = ["stable"]

logaddexp = sp.Function("logaddexp", real=True)
loghypot = sp.Function("loghypot", real=True)
choose = sp.Function("choose", real=True)  # choose(A, yes, no): yes where A >= 0
maximum = sp.Function("maximum", real=True)
signum = sp.Function("signum", real=True)


def stable(expression: sp.Expr) -> sp.Expr:
    """The same value, written with the functions that `theory.namespaces` supplies.

    >>> f = sp.Symbol("f", real=True)
    >>> stable(sp.log(1 + sp.exp(f))), stable(sp.exp(f) / (1 + sp.exp(f)))
    (logaddexp(0, f), exp(f - logaddexp(0, f)))
    """
    if not expression.args:
        return expression
    if isinstance(expression, sp.log) and positive(expression.args[0]):
        return logarithm(expression.args[0])
    if isinstance(expression, sp.Mul):
        hot = [factor for factor in expression.args if factor.has(sp.exp) and positive(factor)]
        if any(factor.is_Pow and factor.base.is_Add for factor in hot):
            rest = [stable(factor) for factor in expression.args if factor not in hot]
            return sp.Mul(*rest) * sp.exp(sp.Add(*map(logarithm, hot)))
    arguments = [stable(argument) for argument in expression.args]
    if isinstance(expression, sp.Max):
        value = arguments[0]
        for argument in arguments[1:]:
            value = maximum(value, argument)
        return value
    if isinstance(expression, sp.sign):
        return signum(*arguments)
    return expression.func(*arguments)


def conjugate_pair(expression: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """(A, C) where `expression` is A + sqrt(A^2 + C) with C > 0, else None."""
    if not expression.is_Add:
        return None
    for root in expression.args:
        if root.is_Pow and root.exp == sp.S.Half:
            A = expression - root
            C = sp.expand(root.base - A**2)
            if positive(C):
                return A, C
    return None


def positive(expression: sp.Expr) -> bool:
    """Whether `expression` is positive for all values of its symbols, as far as can be told."""
    if expression.is_positive or conjugate_pair(expression):
        return True
    if expression.is_Add or expression.is_Mul:
        return all(positive(argument) for argument in expression.args)
    return bool(expression.is_Pow and positive(expression.base) and expression.exp.is_real)


def logarithm(expression: sp.Expr) -> sp.Expr:
    """ln(expression) of a positive expression, term by term and factor by factor."""
    terms = [log_factor(factor) for factor in sp.Mul.make_args(expression)]
    split = next((term for term in terms if isinstance(term, tuple)), None)
    if split is None:
        return sp.Add(*terms)
    A, yes, no = split
    rest = sp.expand(sp.Add(*(term for term in terms if term is not split)))
    return choose(A, sp.expand(yes + rest), sp.expand(no + rest))


def log_factor(factor: sp.Expr) -> sp.Expr | tuple[sp.Expr, sp.Expr, sp.Expr]:
    """ln(factor), or (A, value where A >= 0, value where A < 0) for a factor A + sqrt(A^2 + C)."""
    if isinstance(factor, sp.exp):
        return stable(factor.args[0])
    pair = conjugate_pair(factor)
    if pair:
        A, C = pair
        size = loghypot(A, logarithm(C))
        return A, size, logarithm(C) - size
    if factor.is_Pow and positive(factor.base):
        return factor.exp * logarithm(factor.base)
    if factor.is_Add and all(positive(term) for term in factor.args):
        first, *others = sorted((logarithm(term) for term in factor.args), key=sp.default_sort_key)
        for other in others:
            first = logaddexp(first, other)
        return first
    return sp.log(stable(factor))
