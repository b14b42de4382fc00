"""The single-layer transformer in explicit sympy matrices, for widths that are numbers.

`theory.transformer.reduced_logit` keeps the width a symbol and uses that the ansatz lies along one
vector. Here nothing is used: any matrices go in, and every softmax, product and relu is carried
out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from theory.symbols import a, b, e, tau, w
from theory.transformer.reduced_logit import absolute_w, relu, sign_symbol

__all__ = ["ansatz", "forward", "in_coordinates"]


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
