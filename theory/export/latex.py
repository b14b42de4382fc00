"""Theorems with their proofs as an article that compiles with amsmath and amsthm alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from theory.export.equation import domain, equation
from theory.export.text import located
from theory.proving.steps import Lemma
from theory.proving.theorem import Theorem
from theory.statements.records import ProofRecord

__all__ = ["article", "escaped", "section"]

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
