"""The paper's single-layer forward pass, symbolically: on the ansatz, and for any matrices.

With alpha_k = sigma_k / sqrt(d), sigma_k^2 = 1, the rank-one ansatz is: embedding e alpha, every
position -(e/2) alpha, W_O = I, W_1 = (2|w|/sqrt r) 1 alpha^T, W_2 = (2w/sqrt r) alpha 1^T, head
tied to the embedding. The reduced logit is found at every width: vectors are expressions in the
index k, matrix products are sums over it, and width d and hidden width r stay symbols. `forward`
uses nothing of that: any matrices go in, of widths that are numbers, and every softmax, product and
relu is carried out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import sympy as sp

from theory.symbols import a, alpha_sign, b, context, d, e, length, r, tau, w, x, xbar

__all__ = [
    "absolute_w",
    "ansatz",
    "attention_logit",
    "forward",
    "in_coordinates",
    "reduced_logit",
    "relu",
    "sign_symbol",
]

_k = sp.Symbol("k", integer=True, nonnegative=True)
_i = sp.Symbol("i")
absolute_w = sp.Symbol("m", nonnegative=True)
"""abs(w), so that w = tau m, while signs are being decided."""

_branch = {1: sp.Symbol("e", positive=True), -1: sp.Symbol("e", negative=True)}


def relu(argument: sp.Expr) -> sp.Expr:
    """max(0, argument), decided by the assumptions on its symbols where they suffice.

    Factors known to be nonnegative are taken out, since relu(c u) = c relu(u) for c >= 0.

    >>> gain = sp.Symbol("g", nonnegative=True)
    >>> relu(gain), relu(-gain), relu(gain * x - gain)
    (g, 0, g*Max(0, x - 1))
    """
    argument = sp.factor_terms(argument)
    if argument.is_nonnegative:
        return argument
    if argument.is_nonpositive:
        return sp.S.Zero
    outside = [factor for factor in sp.Mul.make_args(argument) if factor.is_nonnegative]
    return sp.Mul(*outside) * sp.Max(0, sp.Mul(argument, *(1 / factor for factor in outside)))


def alpha(k: sp.Expr) -> sp.Expr:
    """The k-th component of the unit vector alpha, a sign over sqrt(d)."""
    return alpha_sign[k] / sp.sqrt(d)


def along_alpha(vector: sp.Expr) -> sp.Expr:
    """<alpha, v> for a vector given as an expression in the index k."""
    product = sp.expand(alpha(_k) * vector).subs(alpha_sign[_k] ** 2, 1)
    if product.has(alpha_sign):
        raise ValueError(f"vector = {vector} is not a multiple of alpha: give one built from it")
    return sp.summation(product, (_k, 0, d - 1))


def input_vector(token: sp.Expr, embedding: sp.Expr) -> sp.Expr:
    """u_i = x_i e alpha - (e/2) alpha, embedding and position of one token."""
    return token * embedding * alpha(_k) - embedding / 2 * alpha(_k)


def attend(embedding: sp.Expr) -> sp.Expr:
    """W_O sum_i att_i W_V u_i with W_V = a alpha alpha^T, W_O = I and W_Q = W_K = 0."""
    scores = sp.S.Zero  # <0 u_n, 0 u_i> / sqrt(d)
    attention = sp.exp(scores) / sp.summation(sp.exp(scores), (_i, 1, length))
    value = a * along_alpha(input_vector(context[_i], embedding))
    total = sp.expand(attention * value)
    constant = total.subs(context[_i], 0)
    slope = total.coeff(context[_i])
    # sum_i x_i = n xbar is the definition of xbar
    mean = slope * length * xbar + sp.summation(constant, (_i, 1, length))
    return sp.simplify(mean) * alpha(_k)


def stream(embedding: sp.Expr) -> sp.Expr:
    """y_n = u_n + attention, for the last token x."""
    return input_vector(x, embedding) + attend(embedding)


def feed_forward(y: sp.Expr) -> sp.Expr:
    """y + W_2 relu(W_1 y); the r hidden units are equal, so their sum is r times one."""
    hidden = 2 * absolute_w / sp.sqrt(r) * along_alpha(y)
    output = r * (2 * tau * absolute_w / sp.sqrt(r) * relu(hidden))
    return y + output * alpha(_k)


def head(z: sp.Expr, embedding: sp.Expr) -> sp.Expr:
    """<e alpha, z> + b in the coordinates (e, w, b), with abs(w) = tau w and tau^2 = 1."""
    logit = sp.expand(embedding * along_alpha(z) + b)
    return sp.factor_terms(logit.subs(absolute_w**2, w**2)).subs(embedding, e)


def sign_symbol(e_sign: int) -> sp.Symbol:
    """The embedding coordinate with its sign as an assumption."""
    if e_sign not in _branch:
        raise ValueError(f"e_sign = {e_sign} is not a branch: choose 1 (e > 0) or -1 (e < 0)")
    return _branch[e_sign]


@cache
def reduced_logit(e_sign: int = 1) -> tuple[sp.Expr, sp.Expr]:
    """The logits (f(0), f(1)) of the transformer on the ansatz with W_V = 0, for one sign of e.

    Which hidden units fire is decided from the sign of e. For e > 0 they fire at x = 1 and

        f(x) = e^2 (1 + 2 tau w^2) x + b - e^2/2,

    for e < 0 at x = 0 and f(0) = b - e^2 (1/2 + 2 tau w^2), f(1) = b + e^2/2, where tau w^2 = w|w|.
    W_Q and W_K are free: attention averages zero values.

    Arguments: `e_sign`, 1 or -1.
    Raises ValueError for another sign.
    Source: *Local to Global*, canonical parametrisation (e > 0).

    >>> f0, f1 = reduced_logit(1)
    >>> sp.expand(f0), sp.expand(f1 - f0)
    (b - e**2/2, 2*e**2*tau*w**2 + e**2)
    """
    embedding = sign_symbol(e_sign)
    # a = 0 switches the value matrix off
    y = stream(embedding).subs(a, 0)
    zero, one = (head(feed_forward(y.subs(x, token)), embedding) for token in (0, 1))
    return zero, one


@cache
def attention_logit(e_sign: int = 1) -> sp.Expr:
    """The logit of the ansatz with uniform attention and W_V = a alpha alpha^T.

    With x_n = x, the running mean xbar and s = (x - 1/2) + a (xbar - 1/2):  logit = e^2 s + 4 tau
    w^2 e relu(e s) + b.

    Arguments: `e_sign`, 1 or -1; the sign of s is left open.
    Raises ValueError for another sign.

    >>> attention_logit(1).subs({a: 0, x: 0}).equals(reduced_logit(1)[0])
    True
    """
    embedding = sign_symbol(e_sign)
    return head(feed_forward(stream(embedding)), embedding)


def ansatz(
    signs: Sequence[int], *, hidden: int, length: int, e_sign: int = 1, attention: bool = False
) -> dict[str, sp.Matrix]:
    """The rank-one ansatz of width d = len(signs), alpha_k = signs[k] / sqrt(d).

    Arguments: `signs`, each 1 or -1; `hidden` r; `length` N; `e_sign`, the branch of e;
    `attention`, True for W_V = a alpha alpha^T and False for W_V = 0 (W_Q = W_K = 0 in both).
    Returns embedding [d, 1], positions [N, d], query, key, value, output [d, d], hidden_in [r, d],
    hidden_out [d, r] and bias [1, 1], in symbols whose signs are known.
    Raises ValueError where a sign is neither 1 nor -1.

    >>> ansatz([1], hidden=1, length=1)["hidden_out"]
    Matrix([[2*m*tau]])
    """
    if not signs or any(sign not in (1, -1) for sign in signs):
        raise ValueError(f"signs = {list(signs)} has entries other than 1 and -1: give d signs")
    embedding, size, d = sign_symbol(e_sign), absolute_w, len(signs)
    alpha = sp.Matrix(signs) / sp.sqrt(d)
    ones, root = sp.ones(hidden, 1), sp.sqrt(hidden)
    nothing = sp.zeros(d, d)
    return {
        "embedding": embedding * alpha,
        "positions": sp.Matrix([list(-embedding / 2 * alpha)] * length),
        "query": nothing,
        "key": nothing,
        "value": a * alpha * alpha.T if attention else nothing,
        "output": sp.eye(d),
        "hidden_in": 2 * size / root * ones * alpha.T,
        "hidden_out": 2 * tau * size / root * alpha * ones.T,
        "bias": sp.Matrix([[b]]),
    }


def forward(weights: Mapping[str, sp.Matrix], tokens: Sequence[int]) -> list[sp.Expr]:
    """The logits <e, z_n> + b after each token of the tied single-layer transformer.

    Arguments: `weights`, with the names and shapes of `ansatz`; `tokens`, 0s and 1s, at most N.
    Raises ValueError where there are more tokens than positions.
    Source: *Attention with Markov*, the single-layer architecture.

    >>> [in_coordinates(logit) for logit in forward(ansatz([1], hidden=1, length=2), (0, 1))]
    [b - e**2/2, b + 2*e**2*tau*w**2 + e**2/2]
    """
    length, d = weights["positions"].shape
    if len(tokens) > length:
        raise ValueError(f"tokens has {len(tokens)} entries, but there are {length} positions")
    u = [
        token * weights["embedding"] + weights["positions"][n, :].T
        for n, token in enumerate(tokens)
    ]
    logits = []
    for n in range(len(tokens)):
        query = weights["query"] * u[n]
        scores = [(query.T * (weights["key"] * key))[0] / sp.sqrt(d) for key in u[: n + 1]]
        total = sum(sp.exp(score) for score in scores)
        mixed = sp.zeros(d, 1)
        for score, value in zip(scores, u, strict=False):  # u goes on after the last score
            mixed += sp.exp(score) / total * (weights["value"] * value)
        y = (u[n] + weights["output"] * mixed).applyfunc(sp.expand)
        hidden = (weights["hidden_in"] * y).applyfunc(sp.expand)
        z = y + weights["hidden_out"] * hidden.applyfunc(relu)
        logits.append(sp.expand((weights["embedding"].T * z)[0] + weights["bias"][0]))
    return logits


def in_coordinates(logit: sp.Expr) -> sp.Expr:
    """An expression of the ansatz written in (e, w, b), abs(w)^2 as w^2."""
    logit = sp.expand(logit).subs(absolute_w**2, w**2)
    return logit.subs({sign_symbol(sign): e for sign in (1, -1)})
