"""Existence and uniqueness of the bigram root of the reduced model, by Krawczyk's operator.

With w fixed as the gauge, both logits are f(x) = b + g_x e^2, where

    e > 0:  g_0 = -1/2,              g_1 = 1/2 + 2w|w|
    e < 0:  g_0 = -(1/2 + 2w|w|),    g_1 = 1/2

and the bigram predicts the kernel: F(e, b) = (f(0) - logit p, f(1) - logit(1-q)) = 0.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat

from theory.certificates.enclosure import fraction_of
from theory.checker.format import sealed, write_number
from theory.exact import Number
from theory.precision import workprec
from theory.spectra.reduced import embedding, evaluate, point, require_bigram

Span = tuple[Fraction, Fraction]

BITS, NARROW, HALVINGS = 256, 100, 60
"""Bits of the balls; bits to which the root is enclosed; tries for the box of uniqueness."""


@dataclass(frozen=True)
class BigramRoot:
    """One and only one bigram root (e, b) of the reduced model in a box, at a given w.

    Fields: `p`, `q`, `w`, exact; `e_sign`, the branch; `unique_in`, the spans of e and b in which
    there is exactly one root; `root_in`, narrow spans in which it lies.
    """

    p: Fraction
    q: Fraction
    w: Fraction
    e_sign: int
    unique_in: tuple[Span, Span]
    root_in: tuple[Span, Span]

    def to_json(self) -> dict[str, Any]:
        """The certificate as a JSON record for `theory.checker.check.check`."""
        spans = {"unique_in": self.unique_in, "root_in": self.root_in}
        claim = {name: [[write_number(x) for x in s] for s in box] for name, box in spans.items()}
        exact = {name: write_number(getattr(self, name)) for name in ("p", "q", "w")}
        return sealed(
            {
                "kind": "bigram-root",
                "claim": {**exact, "e_sign": self.e_sign, **claim},
                "theorems": ["global-minimum"],
            }
        )


def certify_bigram_root(p: Number, q: Number, w: Number, e_sign: int = 1) -> BigramRoot:
    """The bigram root of the reduced model at a given w, with a certificate.

    For a box X with midpoint x and Y = F'(x)^-1 the operator is
    K(X) = x - Y F(x) + (I - Y F'(X))(X - x): if K(X) lies in the interior of X, then X holds
    exactly one root, and K(X) does.

    Arguments:
        p, q: probabilities of leaving 0 and 1, in (0, 1), taken as written.
        w: the feed-forward coordinate as the binary number it is, > -1/sqrt2 for p + q < 1 and
            < -1/sqrt2 for p + q > 1.
        e_sign: 1 or -1, the branch of e.

    Raises ValueError where there is no bigram root at this w, saying which w to take, and where
    none of the boxes tried can be certified (w within 1e-15 of -1/sqrt2).
    Source: *Attention with Markov*, global minimum; Krawczyk (1969).

    >>> root = certify_bigram_root(0.2, 0.3, 0)
    >>> [round(float(low), 4) for low, _ in root.root_in]
    [1.4945, -0.2695]
    >>> certify_bigram_root(0.2, 0.3, -1.2)
    Traceback (most recent call last):
    ...
    ValueError: w = -1.2 has no bigram point at p = 0.2, q = 0.3: choose w > -1/sqrt(2) ...
    """
    if e_sign not in (1, -1):
        raise ValueError(f"e_sign = {e_sign} is no branch of e: choose 1 or -1")
    point(p, q, float(w))
    up, down, number = *point(p, q, 0.0)[:2], Fraction(w)
    require_bigram(up, down, number)
    with workprec(BITS):
        e = embedding(up, down, number, e_sign)
        middle = exact(e), exact(evaluate("bias", e_sign)(up, down, e))
    sizes = abs(middle[0]), max(middle[0] ** 2, abs(middle[1]))
    for halvings in range(2, HALVINGS):
        wide = around(middle, sizes, halvings)
        narrow = around(middle, sizes, NARROW)
        if all(contracts(up, down, number, e_sign, box) for box in (wide, narrow)):
            return BigramRoot(up, down, number, e_sign, wide, narrow)
    raise ValueError(
        f"w = {float(w)} could not be certified at p = {p}, q = {q}: it is too near -1/sqrt(2) = "
        "-0.7071, or too large; choose one between -2 and 2, away from it"
    )


def exact(value: Any) -> Fraction:
    """An mpmath number as the binary fraction it is."""
    sign, mantissa, exponent, _ = value._mpf_
    size = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return -size if sign else size


def around(
    middle: tuple[Fraction, Fraction], sizes: tuple[Fraction, Fraction], halvings: int
) -> tuple[Span, Span]:
    """Spans of half-width about size 2^-halvings, a power of two."""
    radii = [Fraction(2) ** (magnitude(size) - halvings) for size in sizes]
    e, b = ((x - radius, x + radius) for x, radius in zip(middle, radii, strict=True))
    return e, b


def magnitude(size: Fraction) -> int:
    """floor(log2(size)), or one more."""
    return size.numerator.bit_length() - size.denominator.bit_length()


def contracts(p: Fraction, q: Fraction, w: Fraction, e_sign: int, box: tuple[Span, Span]) -> bool:
    """Whether Krawczyk's operator certainly maps the box into its own interior."""
    with workprec(BITS):
        x = arb_mat([[arb(fraction_of((low + high) / 2))] for low, high in box])
        X = arb_mat(
            [
                [arb(middle, arb(fraction_of((high - low) / 2)))]
                for (low, high), (middle,) in zip(box, x.tolist(), strict=True)
            ]
        )
        half, bend = arb(1) / 2, 2 * arb(fraction_of(w * abs(w)))
        g = (-half, half + bend) if e_sign > 0 else (-half - bend, half)
        targets = [arb(fraction_of(r)).log() - arb(fraction_of(1 - r)).log() for r in (p, 1 - q)]

        def jacobian(at: arb_mat) -> arb_mat:
            return arb_mat([[2 * g_x * at[0, 0], 1] for g_x in g])

        e, b = x[0, 0], x[1, 0]
        F = arb_mat([[b + g_x * e**2 - target] for g_x, target in zip(g, targets, strict=True)])
        try:
            Y = jacobian(x).inv()
        except ZeroDivisionError:
            return False
        identity = arb_mat([[1, 0], [0, 1]])
        K = x - Y * F + (identity - Y * jacobian(X)) * (X - x)
        inside = all(X[i, 0].contains_interior(K[i, 0]) for i in range(2))
        return inside and not X[0, 0].contains(0)
