"""Theorems with their proofs as LaTeX: formulas broken into lines, and a whole article.

The formulas fit a page, and web pages show them too; the article compiles with amsmath and amsthm
alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import sympy as sp

from theory.export.notation import located, regions, relation, size
from theory.proving.steps import Lemma, Step
from theory.proving.theorem import Theorem
from theory.statements.records import ProofRecord

__all__ = ["article", "domain", "equation", "section"]

LINE = 66
"""Width of a line, in signs; a page of `article` holds about as many."""

LINES = 6
"""A side that needs more lines is given by its size."""

RELATIONS = {"=": "=", ">": ">", "<": "<", ">=": r"\ge", "<=": r"\le", "!=": r"\ne"}


def math(side: sp.Expr | sp.MatrixBase) -> str:
    r"""An expression as LaTeX, with \ln.

    >>> from theory.symbols import p, q
    >>> math(sp.log(p) / q)
    '\\frac{\\ln{\\left(p \\right)}}{q}'
    """
    text: str = sp.latex(side, ln_notation=True)
    return text.replace(r"\operatorname{exp}", r"\exp")


def width(latex: str) -> int:
    r"""About how many signs wide a formula is set: a fraction as its wider half, names as one.

    >>> width(r"\frac{p + 1}{q} + 1"), width(r"\ln{\left(p \right)}")
    (5, 5)
    """
    latex = re.sub(r"\\begin\{matrix\}(.*?)\\end\{matrix\}", _widest_row, latex, flags=re.DOTALL)
    while (start := latex.find(r"\frac{")) >= 0:
        middle = _closing(latex, start + 5)
        end = _closing(latex, middle)
        halves = latex[start + 6 : middle - 1], latex[middle + 1 : end - 1]
        latex = latex[:start] + max(halves, key=width) + latex[end:]
    latex = re.sub(r"\\(?:left|right|operatorname|text|mathrm)(?![a-z])|\\[,;:! ]", "", latex)
    latex = re.sub(r"\\(ln|exp|min|max|det)(?![a-z])", r"\1", latex)
    return len(re.findall(r"\\[a-zA-Z]+|[^\s{}^_&\\]", latex))


def _widest_row(matrix: re.Match[str]) -> str:
    return max(matrix[1].split(r"\\"), key=width)


def _closing(latex: str, start: int) -> int:
    """One past the brace that closes the one at `start`."""
    depth = 0
    for place in range(start, len(latex)):
        depth += {"{": 1, "}": -1}.get(latex[place], 0)
        if depth == 0:
            return place + 1
    raise ValueError(f"latex = {latex!r} has an open brace: give balanced LaTeX")


def equation(step: Step, *, once: bool = False) -> str:
    r"""What an identity or a sign claims, the body of a displayed formula; empty for a lemma.

    `once` leaves out the relation and the right side.

    >>> from theory.proving.steps import Sign
    >>> from theory.symbols import w
    >>> equation(Sign("a square", w**2 + 1, "positive"))
    'w^{2} + 1 > 0'
    """
    if isinstance(step, Lemma):
        return ""
    left, sign, right = relation(step)
    before, after = list(_lines(left)), list(_lines(right))
    symbol = RELATIONS[sign]
    if len(before) == 1 and once:
        return before[0]
    if len(before) == len(after) == 1 and width(before[0] + after[0]) < LINE:
        return f"{before[0]} {symbol} {after[0]}"
    rows = [f"&{before[0]}", *(rf"&\quad {line}" for line in before[1:])]
    if not once:
        rows += [rf"&{symbol} {after[0]}", *(rf"&\quad {line}" for line in after[1:])]
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _lines(side: sp.Expr | sp.MatrixBase) -> Iterator[str]:
    """A side over one or more lines, broken before the signs of its terms."""
    whole = math(side)
    if width(whole) <= LINE:
        yield whole
        return
    # The terms in the order of the printer, which str and latex share.
    terms = side.as_ordered_terms() if isinstance(side, sp.Add) else [side]
    lines = [""]
    for term in terms:
        text = math(term)
        if lines != [""]:
            text = text if text.startswith("- ") else f"+ {text}"
        if lines[-1] and width(f"{lines[-1]} {text}") > LINE:
            lines.append(text)
        else:
            lines[-1] = f"{lines[-1]} {text}".strip()
    if len(lines) > LINES or any(width(line) > 1.5 * LINE for line in lines):
        lines = [rf"\bigl[\text{{{size(side)}}}\bigr]".replace("_", "")]
    yield from lines


def domain(step: Step, claim: str = "") -> str:
    """The region of a step as LaTeX with its dollars, after "for"; less what the claim says itself.

    >>> from theory.proving.domain import BELOW
    >>> from theory.proving.steps import Sign
    >>> from theory.symbols import p
    >>> domain(Sign("p is positive", p, "positive", BELOW))
    'for $p + q < 1$'
    """
    named = (region for region in regions(step) if region.words not in claim)
    found = ", ".join(f"${region.latex}$" for region in named)
    return f"for {found}" if found else ""


HEAD = r"""\documentclass{article}
\usepackage{amsmath,amssymb,amsthm}
\newtheorem{theorem}{Theorem}
\addtolength{\oddsidemargin}{-0.6in}
\addtolength{\textwidth}{1.2in}
\begin{document}
"""

FOOT = r"\end{document}"

PREAMBLE = (
    "An \\emph{identity} is accepted where left minus right simplifies to exactly $0$, a "
    "\\emph{sign} where it is decided from the assumptions on the symbols; a \\emph{lemma} is "
    "cited. Each \\emph{control} is a nearby false statement that the same machinery refuses, at a "
    "point; there $u = (1-p)/p$ and $v = (1-q)/q$. All of it is for $0 < p, q < 1$, where no other "
    "region is named."
)

ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    ">=": r"$\ge$",
    "<=": r"$\le$",
    "!=": r"$\ne$",
}


def escaped(words: str) -> str:
    r"""Plain words as LaTeX text.

    >>> escaped("H_u - H_b >= 0")
    'H\\_u - H\\_b $\\ge$ 0'
    """
    return re.sub(r">=|<=|!=|[\\{}$&%#_~^<>|]", lambda found: ESCAPES[found[0]], words)


def article(pairs: Sequence[tuple[Theorem, ProofRecord]]) -> str:
    """A whole document: theorems, each with the record of its proof, in the order given."""
    body = "\n\n".join(section(theorem, record) for theorem, record in pairs)
    return f"{HEAD}\n{PREAMBLE}\n\n{body}\n\n{FOOT}\n"


def section(theorem: Theorem, record: ProofRecord) -> str:
    """One theorem with its proof and its control, without a preamble."""
    assumptions = "; ".join(escaped(h.words) for h in theorem.hypotheses)
    return "\n".join(
        [
            rf"\begin{{theorem}}[{{{escaped(theorem.title)}}}]\label{{thm:{theorem.id}}}",
            rf"\emph{{Assume:}} {assumptions}." if assumptions else "",
            theorem.latex,
            r"\end{theorem}",
            rf"\noindent Source: {escaped(theorem.source)}.",
            r"\begin{proof}" if record.proved else r"\begin{proof}[Not a proof: a step is refused]",
            r"\leavevmode\begin{enumerate}",
            *_steps(theorem, record),
            r"\end{enumerate}",
            r"\end{proof}",
            *_control(theorem, record),
        ]
    )


def _steps(theorem: Theorem, record: ProofRecord) -> Iterator[str]:
    for step, found in zip(theorem.steps(), record.steps, strict=True):
        if isinstance(step, Lemma):
            cited = f"{escaped(step.name)} ({escaped(step.citation)})"
            yield rf"\item \emph{{Lemma.}} {escaped(step.claim)}: {cited}."
        else:
            place = f", {where}" if (where := domain(step, step.claim)) else ""
            yield rf"\item \emph{{{found.kind.capitalize()}.}} {escaped(step.claim)}{place}:"
            yield f"\\[\n{equation(step)}\n\\]"
        if not found.accepted:
            yield rf"\textbf{{Refused:}} {escaped(found.reason)}."


def _control(theorem: Theorem, record: ProofRecord) -> Iterator[str]:
    control = theorem.control()
    place = f", {where}" if (where := domain(control.step, control.claim)) else ""
    yield rf"\noindent\emph{{Control.}} It is false that {escaped(control.claim)}{place}:"
    yield f"\\[\n{equation(control.step)}\n\\]"
    words = located(control.step, record.refusal)
    yield rf"\noindent {escaped(words[:1].upper() + words[1:])}.\par\bigskip"
