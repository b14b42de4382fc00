"""Every symbol of the derivation, once, with its assumptions.

The absolute value of w enters as tau w with tau = sign(w), a constant of each branch:
differentiating w Abs(w) twice would leave a Dirac delta at w = 0 that the function does not have.
The sign of e is a constant in the same way.
"""

import sympy as sp

p, q = sp.symbols("p q", positive=True)
"""Probabilities of leaving 0 and 1, in (0, 1)."""

e, w, b = sp.symbols("e w b", real=True)
"""The canonical coordinates: embedding, feed-forward weight, output bias (nats)."""

tau = sp.Symbol("tau", real=True, nonzero=True)
"""sign(w), so that abs(w) = tau w and w abs(w) = tau w^2; at w = 0 either sign serves."""

s = sp.Symbol("s", real=True)
"""The logit gap f(1) - f(0), in nats."""

a = sp.Symbol("a", real=True)
"""Strength of the value matrix W_V = a alpha alpha^T."""

readout = sp.Symbol("a_out", real=True)
"""The readout along alpha where head and embedding are untied."""

x = sp.Symbol("x", integer=True, nonnegative=True)
"""The last token x_n, 0 or 1."""

xbar = sp.Symbol("xbar", nonnegative=True)
"""The mean of the tokens seen so far."""

d, r, length = sp.symbols("d r n", integer=True, positive=True)
"""Width, hidden width, and the number of tokens seen."""

alpha_sign = sp.IndexedBase("sigma", real=True)
"""The signs sigma_k of the unit vector alpha_k = sigma_k / sqrt(d)."""

context = sp.IndexedBase("x", real=True)
"""The tokens x_i of a context."""

attention_score = sp.IndexedBase("A", positive=True)
"""The attention weights of the last position, positive and of sum 1."""
