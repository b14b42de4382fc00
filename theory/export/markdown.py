"""Theorems with their proofs as a page of Markdown, whose mathematics GitHub and MyST set."""

from __future__ import annotations

import re
from collections.abc import Sequence

from theory.export.latex import domain, equation
from theory.export.notation import located
from theory.proving.steps import Lemma, Step
from theory.proving.theorem import Theorem
from theory.statements.records import ProofRecord

__all__ = ["escaped", "from_latex", "page", "portable"]

HEAD = """\
# The theorems, with their proofs

Each theorem is proved in steps of three kinds. An *identity* is accepted where left minus right
simplifies to exactly 0; a *sign* where it is decided from the assumptions on the symbols; a *lemma*
is a theorem of the literature, and is cited. Each *control* is a nearby false statement, which the
same machinery refuses at a point. All of it is for 0 < p, q < 1 where no other region is named, and
$u = (1-p)/p$, $v = (1-q)/q$. `landscape theory` lists them, `landscape theory NAME` goes through a
proof again, and `--latex` gives it as an article.
This page is written by `make theorems`.
"""

# Markdown takes a backslash before a sign for its own, even within dollars, so each such command is
# written as the word it stands for.
WORDS = {
    r"\,": r"\thinspace ",
    r"\;": r"\thickspace ",
    r"\:": r"\medspace ",
    r"\!": r"\negthinspace ",
    r"\{": r"\lbrace ",
    r"\}": r"\rbrace ",
    r"\|": r"\Vert ",
    r"\\": r"\cr ",
    "*": r"\ast ",
    "|": r"\vert ",
    "<": r"\lt ",
    ">": r"\gt ",
}


def portable(latex: str) -> str:
    r"""Mathematics without the signs that Markdown or HTML would take for their own.

    >>> portable(r"\{w < 0\}")
    '\\lbrace w \\lt 0\\rbrace'
    """
    latex = re.sub(r"(\\[,;:!{}|\\]|[*|<>]) *", lambda found: WORDS[found[1]], latex)
    return re.sub(r" +$", "", latex, flags=re.MULTILINE)


def escaped(words: str) -> str:
    """Plain words as Markdown.

    >>> escaped("x_n < 1")
    'x\\\\_n &lt; 1'
    """
    words = re.sub(r"([\\`*_$\[\]|~#])", r"\\\1", words.replace("&", "&amp;"))
    return words.replace("<", "&lt;").replace(">", "&gt;")


def from_latex(body: str) -> str:
    r"""The body of a LaTeX theorem: words with formulas between dollars, or displayed.

    >>> from_latex(r"\emph{Here} $a < b$, that is \[ a \, b \]")
    '*Here* $a \\lt b$, that is\n\n$$\na \\thinspace b\n$$\n'
    """
    parts = re.split(r"(\\\[.*?\\\]|\$.*?\$)", body, flags=re.DOTALL)
    return re.sub(r" +$", "", "".join(map(_part, parts)), flags=re.MULTILINE)


def _part(part: str) -> str:
    if part.startswith(r"\["):
        return _displayed(part[2:-2])
    if part.startswith("$"):
        return f"${portable(part[1:-1].strip())}$"
    words = re.sub(r"\\(?:emph|textit)\{([^{}]*)\}", r"*\1*", part)
    words = re.sub(r"\\textbf\{([^{}]*)\}", r"**\1**", words)
    return words.replace("~", " ").replace(r"\ ", " ").replace("``", '"').replace("''", '"')


def _displayed(latex: str) -> str:
    return f"\n\n$$\n{portable(latex.strip())}\n$$\n"


def page(pairs: Sequence[tuple[Theorem, ProofRecord]]) -> str:
    """The page: theorems, each with the record of its proof, in the order given."""
    contents = (f"- [{t.title}](#{_anchor(t)}): `{t.id}`" for t, _ in pairs)
    sections = (_section(theorem, record) for theorem, record in pairs)
    return "\n".join([HEAD, *contents, "", *sections])


def _anchor(theorem: Theorem) -> str:
    """What GitHub makes of a heading: lower case, no signs, dashes for spaces."""
    return re.sub(r"[^\w -]", "", theorem.title.lower()).replace(" ", "-")


def _section(theorem: Theorem, record: ProofRecord) -> str:
    parts = [f"## {theorem.title}", from_latex(theorem.latex).strip()]
    if theorem.hypotheses:
        parts.append(f"Assumes: {'; '.join(escaped(h.words) for h in theorem.hypotheses)}.")
    parts.append(f"Source: {escaped(theorem.source)}.")
    if not record.proved:
        parts.append("**Not proved: a step is refused, or the control is not.**")
    steps = zip(theorem.steps(), record.steps, strict=True)
    for number, (step, found) in enumerate(steps, start=1):
        parts.append(f"**Step {number}, {found.kind}.** {_claim(step)}")
        if not found.accepted:
            parts.append(f"**Refused**: {escaped(found.reason)}.")
    control = theorem.control()
    refusal = located(control.step, record.refusal)
    refusal = refusal[:1].upper() + refusal[1:]
    parts.append(f"**Control.** {_claim(control.step, control.claim)}")
    parts.append(f"{escaped(refusal)}.")
    tests = ", ".join(f"`{test}`" for test in theorem.nodes)
    parts.append(f"`landscape theory {theorem.id}`; tests: {tests}")
    return "\n\n".join(parts) + "\n"


def _claim(step: Step, words: str = "") -> str:
    claim = escaped(words or step.claim)
    if isinstance(step, Lemma):
        return f"{claim}: {escaped(step.name)} ({escaped(step.citation)})."
    place = f", {where}" if (where := domain(step, words or step.claim)) else ""
    return f"{claim}{portable(place)}:{_displayed(equation(step))}".rstrip()
