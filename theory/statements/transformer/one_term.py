"""One term of the loss next to the unigram point, on the plane of two coordinates: any S, d and N.

A second derivative in two coordinates is that of the loss on their plane. On it at most two
symbols s, t and two components of the inputs and of z_n move. Every other symbol u embeds to 0 and
keeps its logit ln pi_u: together they are one symbol of weight 1 - pi_s - pi_t, which is 0 for
S = 2. And z_n is that of a network of width 2, in which the other components stand still. So what
holds for two symbols beside a rest, and for two components, holds for every S and d; and as nothing
is said of the context but the slopes of z_n after it, for every n.
"""

import itertools
from dataclasses import dataclass

import sympy as sp

from theory.proving.steps import Identity, Lemma, Step
from theory.spectra.states import Head
from theory.spectra.universal_law import Tying
from theory.statements.shared.unigram_jet import lag_covariance, stationary_words

WIDTH = 2

_ray = sp.Symbol("h", real=True)
"""The length h of a move of all coordinates at once."""

PLANE = Lemma(
    "a second derivative in two coordinates is that of the loss on their plane: there at most two "
    "symbols s, t and two components move, all other symbols embed to 0, keep the logits ln pi_u "
    "and count as one of weight 1 - pi_s - pi_t, and z_n is that of a network of width 2; theta is "
    "any line in the other parameters. The term is analytic in its logits",
    "chain rule and Taylor's theorem in several variables",
    "Dieudonne, Foundations of Modern Analysis, 8.12 and 8.14",
)


@dataclass(frozen=True)
class Term:
    """The term -ln P(x_{n+1}) after one context, as a function of b, A, E and theta.

    z_n has slopes in E and theta, and off them a rest that is small beside the move; its slope in
    E_t is the sum of J_{n,i} over the places i of t, here a symbol of its own.

    Fields: `tying`; `head`, 'softmax' with the logits of s and t beside the others, or 'logit'.
    """

    tying: Tying
    head: Head

    @property
    def codes(self) -> range:
        """s and t of the softmax, one logit otherwise."""
        return range(2 if self.head == "softmax" else 1)

    @property
    def law(self) -> list[sp.Symbol]:
        """The stationary probabilities of s and t; of one logit, that of 1."""
        names = ("pi_s", "pi_t") if self.head == "softmax" else ("pi_1",)
        return [sp.Symbol(name, positive=True) for name in names]

    def target(self, s: int) -> sp.Symbol:
        """1 where the next symbol is s, else 0."""
        name = ("y_s", "y_t")[s] if self.head == "softmax" else "y"
        return sp.Symbol(name, nonnegative=True)

    def residual(self, s: int) -> sp.Expr:
        """pi_s - 1{x_{n+1} = s}."""
        return self.law[s] - self.target(s)

    def vectors(self, name: str) -> list[list[sp.Symbol]]:
        """The vectors of an embedding or a readout, [m][2]."""
        return [
            [sp.Symbol(f"{name}_{'st'[s]}{j}", real=True) for j in range(WIDTH)] for s in self.codes
        ]

    @property
    def coordinates(self) -> list[sp.Symbol]:
        """b less its value at the point, A (untied), E, theta."""
        bias = [sp.Symbol(f"beta_{'st'[s]}", real=True) for s in self.codes]
        names = ("A", "E") if self.tying == "untied" else ("E",)
        flat = [entry for name in names for row in self.vectors(name) for entry in row]
        return [*bias, *flat, sp.Symbol("theta", real=True)]

    def z(self, j: int) -> sp.Symbol:
        """z_n at the point, component j."""
        return sp.Symbol(f"z_{j}", real=True)

    def slope(self, j: int, t: int, k: int) -> sp.Symbol:
        """dz_{n,j}/dE_{t,k} after this context, the sum of J_{n,i}[j, k] over i with x_i = t."""
        return sp.Symbol(f"D_{j}{'st'[t]}{k}", real=True)

    def represent(self, j: int) -> sp.Expr:
        """Component j of z_n along the ray of length h: once differentiable, the rest eps_j h.

        eps_j -> 0 with h is all that differentiability at the point says of it.
        """
        moves = [entry for row in self.vectors("E") for entry in row]
        places = itertools.product(self.codes, range(WIDTH))
        total = sum(self.slope(j, t, k) * move for (t, k), move in zip(places, moves, strict=True))
        total += sp.Symbol(f"Z_{j}", real=True) * self.coordinates[-1]
        return self.z(j) + _ray * (total + self.rest(j))

    def rest(self, j: int) -> sp.Symbol:
        """What z_n is off its slopes, over the length of the ray."""
        return sp.Symbol(f"eps_{j}", real=True)

    def loss(self) -> sp.Expr:
        """The term along the ray, less the logarithms of pi, which move with nothing."""
        A = self.vectors("A" if self.tying == "untied" else "E")
        z = [self.represent(j) for j in range(WIDTH)]
        rises = [
            _ray * (beta + sum(a * part for a, part in zip(row, z, strict=True)))
            for beta, row in zip(self.coordinates, A, strict=False)
        ]
        rest = 1 - sum(self.law)
        total = rest + sum(pi * sp.exp(g) for pi, g in zip(self.law, rises, strict=True))
        return sp.log(total) - sum(self.target(s) * g for s, g in enumerate(rises))

    def along(self) -> tuple[sp.Expr, sp.Expr]:
        """First and second derivative in h at h = 0, the eps_j as they are."""
        first = sp.diff(self.loss(), _ray)
        second = sp.diff(first, _ray)
        return sp.expand(first.subs(_ray, 0)), sp.expand(second.subs(_ray, 0))

    def stated(self) -> tuple[sp.Expr, sp.Expr]:
        """What they should be: the closed forms along the ray, and 2 sum_s rho_s <A_s, eps>."""
        gradient, hessian = self.closed_form()
        v = sp.Matrix(self.coordinates)
        A = self.vectors("A" if self.tying == "untied" else "E")
        off = sum(
            self.residual(s) * a * self.rest(j)
            for s, row in enumerate(A)
            for j, a in enumerate(row)
        )
        return sp.expand((gradient.T * v)[0]), sp.expand((v.T * hessian * v)[0] + 2 * off)

    def derivatives(self) -> tuple[sp.Matrix, sp.Matrix]:
        """Gradient and Hessian of the term at the point, where the eps_j are 0."""
        first, second = self.along()
        axes = self.coordinates
        return (
            sp.Matrix([sp.diff(first, axis) for axis in axes]),
            (sp.hessian(second, axes) / 2).applyfunc(sp.expand),
        )

    def closed_form(self) -> tuple[sp.Matrix, sp.Matrix]:
        """The same in the residuals, G, z_n and its slopes."""
        m, size = len(self.codes), len(self.coordinates)
        A, E = m, m if self.tying == "tied" else m + m * WIDTH
        gradient, H = sp.zeros(size, 1), sp.zeros(size, size)
        for s, j in itertools.product(self.codes, range(WIDTH)):
            row, rho = A + s * WIDTH + j, self.residual(s)
            gradient[s], gradient[row] = rho, rho * self.z(j)
            turn = rho * sp.Symbol(f"Z_{j}", real=True)
            H[row, size - 1], H[size - 1, row] = H[row, size - 1] + turn, H[size - 1, row] + turn
            for t, k in itertools.product(self.codes, range(WIDTH)):
                column, embedded = A + t * WIDTH + k, E + t * WIDTH + k
                H[row, column] += self.spread(s, t) * self.z(j) * self.z(k)
                H[row, embedded] += rho * self.slope(j, t, k)
                H[embedded, row] += rho * self.slope(j, t, k)
            for t in self.codes:
                H[t, row] = H[row, t] = self.spread(s, t) * self.z(j)
        for s, t in itertools.product(self.codes, repeat=2):
            H[s, t] = self.spread(s, t)
        return gradient.applyfunc(sp.expand), H.applyfunc(sp.expand)

    def spread(self, s: int, t: int) -> sp.Expr:
        """G_st = pi_s [s = t] - pi_s pi_t."""
        return self.law[s] * int(s == t) - self.law[s] * self.law[t]


def mean_form(tying: Tying) -> sp.Matrix:
    """The Hessian of one logit in (b, A, E), meant over contexts and n, over c = pi_1 (1 - pi_1).

    The means of z_j, z_j z_k and rho dz_j/dE_k (that over -c) are the symbols `means`; E rho = 0.
    """
    term = Term(tying, "logit")
    _, hessian = term.closed_form()
    rho, c = sp.symbols("rho c_v", real=True)
    z, zz, T = means()
    inner = hessian[:-1, :-1].subs(term.target(0), term.law[0] - rho)

    def mean(entry: sp.Expr) -> sp.Expr:
        form = sp.Poly(sp.expand(entry), rho, term.z(0), term.z(1))
        total = sp.S.Zero
        for (residual, first, second), factor in form.terms():
            if residual:
                for j, k in itertools.product(range(WIDTH), repeat=2):
                    total -= c * sp.expand(factor).coeff(term.slope(j, 0, k)) * T[j, k]
                continue
            spread = sp.cancel(factor / term.spread(0, 0)) * c
            both = {(0, 0): sp.S.One, (1, 0): z[0], (0, 1): z[1]}
            both |= {(2, 0): zz[0, 0], (1, 1): zz[0, 1], (0, 2): zz[1, 1]}
            total += spread * both[first, second]
        return sp.expand(total / c)

    return inner.applyfunc(mean)


def means() -> tuple[sp.Matrix, sp.Matrix, sp.Matrix]:
    """<z_j>, <z_j z_k> and T = <sum_{i <= n} lambda^(n+1-i) J_{n,i}>, of two components."""
    return (
        sp.Matrix(sp.symbols("mean_z_0:2", real=True)),
        sp.Matrix(2, 2, lambda j, k: sp.Symbol(f"mean_zz_{min(j, k)}{max(j, k)}", real=True)),
        sp.Matrix(2, 2, lambda j, k: sp.Symbol(f"mean_J_{j}{k}", real=True)),
    )


def term_steps(*terms: Term) -> tuple[Step, ...]:
    """Gradient and Hessian of a term for any S, d and n."""
    found: list[Step] = [PLANE]
    for term in terms:
        words = f"{term.tying}, any d and n, " + (
            "any S" if term.head == "softmax" else "one logit, rho = pi_1 - x_{n+1}"
        )
        (first, second), (slope, bend) = term.along(), term.stated()
        found += [
            Identity(
                f"{words}: after one context a term has the gradient rho_s in b_s, rho_s z_n in "
                "A_s, 0 elsewhere, rho_s = pi_s - 1{x_{n+1} = s}",
                first,
                slope,
            ),
            Identity(
                f"{words}: and the second-order form G_st (1, z_n) (1, z_n)^T in (b_s, A_s), (b_t, "
                "A_t), rho_s dz_n/dE_t in A_s, E_t and rho_s dz_n/dtheta in A_s, theta. What z_n "
                "is off its slopes enters as 2 rho_s <A_s, eps>, which goes to 0: one derivative "
                "of z_n is enough",
                second,
                bend,
            ),
        ]
    return tuple(found)


def logit_steps(tying: Tying) -> tuple[Step, ...]:
    """A term of one logit, and its mean over any stationary source of two symbols."""
    return (*term_steps(Term(tying, "logit")), mean_step())


def mean_step() -> Step:
    """The mean of the residual, and of the residual after a symbol 1, of one logit."""
    pair = stationary_words(2, 2)
    pi_1 = sum(weight for (token, _), weight in pair.items() if token)
    means = [
        sum(weight * x**power * (pi_1 - y) for (x, y), weight in pair.items()) for power in (0, 1)
    ]
    return Identity(
        "one logit: E rho = 0 and E[x_i rho] = -C_{n+1-i}, at any lag: what z_n and its slope in "
        "theta multiply drops out, and E[rho dz_n/dE] = -sum_{i <= n} C_{n+1-i} J_{n,i}",
        sp.Matrix(means).applyfunc(sp.expand),
        sp.Matrix([0, sp.expand(-lag_covariance(pair, 1, 1, 1))]),
    )
