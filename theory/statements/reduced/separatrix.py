"""The level of the energy through its saddle, which separates the basins."""

import sympy as sp

from theory.proving.domain import DEEP, SHALLOW, UPWARD, Domain, y
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Theorem
from theory.reduced.flow import energy, saddle, saddle_energy, separatrix_squared
from theory.symbols import e, tau, w


def height_steps() -> tuple[Step, ...]:
    """e_sep^2 vanishes at w = -1/sqrt2 alone, and grows without bound on both sides of it."""
    shallow, deep = (separatrix_squared().subs(domain) for domain in (SHALLOW, DEEP))
    excess = y - sp.log(1 + y)
    return (
        Identity(
            "w = -(1+y)/sqrt2: e_sep^2 = ((1+y)^2 - 1)/2 - ln(1+y)",
            separatrix_squared(),
            ((1 + y) ** 2 - 1) / 2 - sp.log(1 + y),
            DEEP,
        ),
        Identity(
            "w = -1/(sqrt2 (1+y)): e_sep^2 = ln(1+y) - (1 - (1+y)^-2)/2",
            separatrix_squared(),
            sp.log(1 + y) - (1 - (1 + y) ** -2) / 2,
            SHALLOW,
        ),
        Identity(
            "both vanish at y = 0, that is at w = -1/sqrt2",
            sp.Matrix([shallow, deep]).subs(y, 0),
            sp.zeros(2, 1),
        ),
        Sign("the first increases with y, so it is positive", sp.diff(deep, y), "positive"),
        Sign("the second increases with y, so it is positive", sp.diff(shallow, y), "positive"),
        Identity("y - ln(1+y) vanishes at y = 0", excess.subs(y, 0), sp.S.Zero),
        Sign("and increases with y, so it is positive", sp.diff(excess, y), "positive"),
        Identity(
            "the first exceeds y^2/2 by it, and so grows without bound", deep - y**2 / 2, excess
        ),
        Sign(
            "the second exceeds ln(1+y) - 1/2, and so grows without bound",
            shallow - sp.log(1 + y) + sp.Rational(1, 2),
            "positive",
        ),
    )


def steps() -> tuple[Step, ...]:
    along_w = sp.diff(energy(), w)
    at_e, at_w = saddle()
    point: Domain = {e: at_e, w: at_w, tau: sp.S.NegativeOne}
    return (
        Identity("dEnergy/de = 2e vanishes at e = 0 alone", sp.diff(energy(), e), 2 * e),
        Sign("dEnergy/dw < 0 for w > 0", along_w, "negative", UPWARD),
        Sign("dEnergy/dw < 0 for -1/sqrt2 < w < 0", along_w, "negative", SHALLOW),
        Sign("dEnergy/dw > 0 for w < -1/sqrt2", along_w, "positive", DEEP),
        Identity(
            "so its gradient vanishes at (0, -1/sqrt2) alone",
            sp.Matrix([sp.diff(energy(), z) for z in (e, w)]),
            sp.zeros(2, 1),
            point,
        ),
        Identity(
            "where its Hessian is diag(2, -4): a saddle",
            sp.hessian(energy(), (e, w)),
            sp.diag(2, -4),
            point,
        ),
        Identity("of energy -(1 + ln 2)/2", energy(), -(1 + sp.log(2)) / 2, point),
        Identity(
            "w < 0: Energy(e, w) - Energy(saddle) = e^2 - [w^2 - ln|w| - (1 + ln 2)/2]",
            energy() - saddle_energy(),
            e**2 - (w**2 + tau * sp.log(tau * w) - (1 + sp.log(2)) / 2),
            {w: -y, tau: sp.S.NegativeOne},
        ),
        Identity(
            "the bracket is e_sep^2",
            separatrix_squared(),
            w**2 + tau * sp.log(tau * w) - (1 + sp.log(2)) / 2,
            {w: -y, tau: sp.S.NegativeOne},
        ),
        *height_steps(),
        Lemma(
            "a function with a positive derivative increases",
            "the mean value theorem",
            "Rudin, Principles of Mathematical Analysis, Theorem 5.11",
        ),
    )


def control() -> Control:
    beside = y / (1 + y) / sp.sqrt(2)
    sides = [{w: -1 / sp.sqrt(2) + sign * beside, tau: sp.S.NegativeOne} for sign in (1, -1)]
    return Control(
        "e_sep is the same at equal distances from w = -1/sqrt2 on both sides",
        Identity(
            "e_sep^2 at -1/sqrt2 + v and -1/sqrt2 - v, w < 0",
            separatrix_squared().subs(sides[0]),
            separatrix_squared().subs(sides[1]),
        ),
    )


THEOREM = Theorem(
    id="separatrix",
    title="The separatrix",
    statement=(
        "The gradient of the energy vanishes at (0, -1/sqrt2) alone, a saddle of energy -(1 + ln "
        "2)/2. For w < 0, Energy(e, w) - Energy(saddle) = e^2 - e_sep(w)^2 with e_sep(w)^2 = w^2 "
        "- ln|w| - (1 + ln 2)/2, so |e| = e_sep(w) is the level of the saddle in w < 0. There "
        "e_sep^2 is 0 at w = -1/sqrt2, positive everywhere else, increasing with the distance "
        "from it, and unbounded towards w = 0 and where w is large. It is the same for every "
        "chain."
    ),
    latex=(
        r"The gradient of the energy vanishes at $(0, -1/\sqrt2)$ alone, a saddle of energy $-(1 "
        r"+ \ln 2)/2$. For $w < 0$, \[\mathcal{E}(e, w) - \mathcal{E}(0, -1/\sqrt2) = e^2 - "
        r"e_{\mathrm{sep}}(w)^2, \qquad e_{\mathrm{sep}}(w)^2 = w^2 - \ln|w| - \frac{1 + \ln "
        r"2}{2},\] so $|e| = e_{\mathrm{sep}}(w)$ is the level of the saddle in $w < 0$. There "
        r"$e_{\mathrm{sep}}^2$ is $0$ at $w = -1/\sqrt2$, positive everywhere else, increasing "
        r"with the distance from it, and unbounded towards $w = 0$ and $w = -\infty$. It is the "
        r"same for every chain."
    ),
    hypotheses=(ANY_CHAIN,),
    source="Local to Global, the boundary of the basins",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/reduced/test_flow.py::test_the_saddle_is_one_of_the_energy",
        "tests/theory/reduced/test_flow.py::test_separatrix_has_the_published_values",
        "tests/theory/reduced/test_flow.py::test_separatrix_is_the_level_of_the_saddle",
    ),
)
