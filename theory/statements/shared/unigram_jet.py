"""The unigram point of any causal network, symbolically: loss derivatives from the network's 2-jet.

Nothing is known of the network but that it is causal and twice differentiable: z_n is its general
Taylor polynomial of order 2 in the input vectors u_i - p_i, i <= n, and in a parameter theta that
stands for any other one (the positions included),

    z_n = z_n^0 + sum_i J_{n,i} (u_i - p_i) + theta z_n' + quadratic terms with free coefficients.

Nothing is known of the source but that it is stationary: the law of N+1 symbols in a row has free
entries, up to the linear conditions that make it so. Second derivatives of the loss at the point
depend on no more than this, by the chain rule. `theory.statements.transformer.one_term` does with
first derivatives alone; here the second ones are seen to drop out of the whole loss.
"""

import itertools
from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy as sp

from theory.spectra.states import Head
from theory.spectra.universal_law import Tying

Law = dict[tuple[int, ...], sp.Expr]


def one_symbol_law(states: int) -> list[sp.Expr]:
    """pi, its last entry 1 less the others."""
    free = list(sp.symbols(f"pi_0:{states - 1}", positive=True))
    return [*free, 1 - sum(free)]


@cache
def stationary_words(states: int, length: int) -> Law:
    """P(x_1..x_n) of a stationary source, with as many free symbols as it has; pi is among them.

    The first n-1 symbols and the last n-1 have one law: linear conditions, which are solved.

    >>> law = stationary_words(2, 2)
    >>> sp.expand(sum(law.values())), sp.expand(law[0, 1] - law[1, 0])
    (1, 0)
    """
    words = list(itertools.product(range(states), repeat=length))
    name = {word: sp.Symbol("P_" + "".join(map(str, word)), positive=True) for word in words}
    conditions = []
    for shorter in itertools.product(range(states), repeat=length - 1):
        first = sum(name[(*shorter, last)] for last in range(states))
        second = sum(name[(last, *shorter)] for last in range(states))
        conditions.append(first - second)
    for token, chance in enumerate(one_symbol_law(states)):
        conditions.append(sum(name[word] for word in words if word[0] == token) - chance)
    (solution,) = sp.solve(conditions, list(name.values()), dict=True)
    return {word: sp.expand(symbol.subs(solution)) for word, symbol in name.items()}


def marginal(law: Law, places: tuple[int, ...], values: tuple[int, ...]) -> sp.Expr:
    """The probability that the symbols at the given places have the given values."""
    chosen = (
        weight
        for word, weight in law.items()
        if all(word[place] == value for place, value in zip(places, values, strict=True))
    )
    return sp.expand(sum(chosen, sp.S.Zero))


def lag_covariance(law: Law, lag: int, t: int, s: int) -> sp.Expr:
    """C_k[t, s] = Cov(1{x_i = t}, 1{x_{i+k} = s}) of a law of words longer than k."""
    product = marginal(law, (0,), (t,)) * marginal(law, (0,), (s,))
    pair = marginal(law, (0, lag), (t, s)) if lag else int(t == s) * marginal(law, (0,), (t,))
    return pair - product


@dataclass(frozen=True)
class Unigram:
    """The unigram point of a network of width d, length N, on S symbols.

    Fields: `states` S, `width` d, `length` N; `tying`; `head`, 'softmax' with a logit for each
    symbol, or 'logit', the one logit of a binary model, whose symbol x is embedded as x E.
    """

    states: int
    width: int
    length: int
    tying: Tying
    head: Head

    @property
    def law(self) -> Law:
        """P(x_1..x_{N+1})."""
        return stationary_words(self.states, self.length + 1)

    @property
    def codes(self) -> int:
        """Components m of the code of a symbol: S for the softmax, 1 for one logit."""
        return self.states if self.head == "softmax" else 1

    def rows(self, name: str) -> list[list[sp.Symbol]]:
        """The vectors of an embedding or a readout, [m][d]."""
        return [
            [sp.Symbol(f"{name}_{s}{i}", real=True) for i in range(self.width)]
            for s in range(self.codes)
        ]

    @property
    def bias(self) -> list[sp.Symbol]:
        """The output bias less its value at the point."""
        return [sp.Symbol(f"beta_{s}", real=True) for s in range(self.codes)]

    @property
    def coordinates(self) -> list[sp.Symbol]:
        """Every parameter: b, A (untied), E, theta."""
        flat = [entry for row in self.rows("E") for entry in row]
        if self.tying == "untied":
            flat = [entry for row in self.rows("A") for entry in row] + flat
        return [*self.bias, *flat, sp.Symbol("theta", real=True)]

    def z(self, n: int) -> sp.Matrix:
        """z_n^0, [d]."""
        return sp.Matrix([sp.Symbol(f"z_{n}{i}", real=True) for i in range(self.width)])

    def J(self, n: int, i: int) -> sp.Matrix:
        """J_{n,i}, [d, d]; its row is the component of z_n."""
        return sp.Matrix(
            self.width, self.width, lambda j, k: sp.Symbol(f"J_{n}{i}{j}{k}", real=True)
        )

    def represent(self, context: tuple[int, ...]) -> sp.Matrix:
        """z_n as its 2-jet in E and theta after a context, n its length."""
        n, E = len(context), self.rows("E")
        moves: list[sp.Expr] = []
        for token in context:
            code = E[token] if self.head == "softmax" else [token * entry for entry in E[0]]
            moves.extend(code)
        moves.append(self.coordinates[-1])
        value = self.z(n)
        for i in range(n):
            step = sp.Matrix(moves[i * self.width : (i + 1) * self.width])
            value += self.J(n, i + 1) * step
        quadratic = []
        for j in range(self.width):
            total = sp.Symbol(f"Z_{n}{j}", real=True) * moves[-1]
            for k, one in enumerate(moves):
                for other in range(k, len(moves)):
                    total += sp.Symbol(f"K_{n}{j}{k}{other}", real=True) * one * moves[other]
            quadratic.append(total)
        return value + sp.Matrix(quadratic)

    def logits(self, context: tuple[int, ...]) -> list[sp.Expr]:
        """A z_n + b, less the bias at the point."""
        A = self.rows("E" if self.tying == "tied" else "A")
        z = self.represent(context)
        return [
            sp.expand((sp.Matrix([row]) * z)[0] + b) for row, b in zip(A, self.bias, strict=True)
        ]

    def covariance(self, lag: int, t: int, s: int) -> sp.Expr:
        """C_k[t, s] of the codes; of one logit the code is x itself.

        C_0 = G is the curvature of the head at the law pi.
        """
        if self.head == "logit":
            return lag_covariance(self.law, lag, 1, 1)
        return lag_covariance(self.law, lag, t, s)

    def derivatives(self) -> tuple[sp.Matrix, sp.Matrix]:
        """Gradient and Hessian of the loss at the point, by the chain rule through the logits.

        A term of the loss has the gradient pi - c(x_{n+1}) and the Hessian G in the logits.
        """
        size = len(self.coordinates)
        gradient, hessian = sp.zeros(size, 1), sp.zeros(size, size)
        targets = list(range(self.states)) if self.head == "softmax" else [1]
        codes = range(self.codes)
        G = sp.Matrix([[self.covariance(0, s, t) for t in codes] for s in codes])
        for n in range(1, self.length + 1):
            for context in itertools.product(range(self.states), repeat=n):
                weight = marginal(self.law, tuple(range(n)), context)
                slopes = sp.zeros(self.codes, size)
                for s, (logit, target) in enumerate(
                    zip(self.logits(context), targets, strict=True)
                ):
                    joint = marginal(self.law, tuple(range(n + 1)), (*context, target))
                    chance = one_symbol_law(self.states)[target]
                    residual = sp.expand(weight * chance - joint)
                    for powers, value in sp.Poly(logit, *self.coordinates).terms():
                        places = [k for k, power in enumerate(powers) for _ in range(power)]
                        if len(places) == 1:
                            slopes[s, places[0]] = value
                            gradient[places[0]] += residual * value
                        elif len(places) == 2:
                            one, other = places
                            hessian[one, other] += residual * value
                            hessian[other, one] += residual * value
                hessian += weight * (slopes.T * G * slopes)
        return self._expanded(gradient), self._expanded(hessian)

    def _expanded(self, total: sp.Matrix) -> sp.Matrix:
        return (total / self.length).applyfunc(sp.expand)

    def closed_form(self) -> sp.Matrix:
        """The Hessian of the universal law in the same coordinates; 0 in the row of theta."""
        m, d, N = self.codes, self.width, self.length
        size = len(self.coordinates)
        H = sp.zeros(size, size)
        first = sum((self.z(n) for n in range(1, N + 1)), sp.zeros(d, 1)) / N
        second = sum((self.z(n) * self.z(n).T for n in range(1, N + 1)), sp.zeros(d, d)) / N
        A, E = m, m if self.tying == "tied" else m + m * d

        def T(s: int, t: int) -> sp.Matrix:
            terms = (
                self.covariance(n + 1 - i, t, s) * self.J(n, i)
                for n in range(1, N + 1)
                for i in range(1, n + 1)
            )
            return sum(terms, sp.zeros(d, d)) / N

        def put(row: int, column: int, block: Any) -> None:
            for j in range(block.rows):
                for k in range(block.cols):
                    H[row + j, column + k] += block[j, k]

        for s, t in itertools.product(range(m), repeat=2):
            G = self.covariance(0, s, t)
            put(s, t, sp.Matrix([[G]]))
            put(s, A + t * d, G * first.T)
            put(A + t * d, s, G * first)
            put(A + s * d, A + t * d, G * second)
            put(A + s * d, E + t * d, -T(s, t))
            put(E + t * d, A + s * d, -T(s, t).T)
        return H.applyfunc(sp.expand)
