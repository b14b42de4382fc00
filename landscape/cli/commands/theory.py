"""`landscape theory`: the theorems, and the proof of one gone through step by step."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from theory.proving.steps import Step
    from theory.proving.theorem import Proof, Theorem
    from theory.statements.records import ProofRecord

WIDEST = 100
LONGEST = 400


@click.command("theory")
@click.argument("name", metavar="[THEOREM]", required=False)
@click.option("--latex", is_flag=True, help="An article on stdout, of one theorem or of all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(name: str | None, latex: bool, as_json: bool) -> int:
    """List the theorems; go through the proof of one; or write them as an article.

    Each step of a proof is accepted or refused anew, and so is a nearby false statement, the
    control. Exits with 1 if a step is refused, or the control is not. --latex takes what became of
    the proofs from the cache, if they have not changed.
    """
    from landscape.cli.emit import emit

    if latex and as_json:
        raise click.UsageError("--latex and --json are two forms of one thing; give one of them")
    if latex:
        return _article(name)
    if name is None:
        emit({"theorems": [*_listed()]}, as_json, _table)
        return 0
    from theory.proving.theorem import prove
    from theory.statements.records import ProofRecord
    from theory.statements.registry import theorem

    found = theorem(name)
    proof = prove(found)
    record = ProofRecord.of(proof)
    emit(_record(proof, record), as_json, lambda result: _terminal(proof, result))
    _complain(record)
    return int(not record.proved)


def _article(name: str | None) -> int:
    from theory.export.latex import article
    from theory.statements.records import with_records

    pairs = with_records([name] if name else [])
    click.echo(article(pairs), nl=False)
    for _, record in pairs:
        _complain(record)
    return int(not all(record.proved for _, record in pairs))


def _complain(record: ProofRecord) -> None:
    if record.proved:
        return
    for number, step in enumerate(record.steps, start=1):
        if not step.accepted:
            click.echo(f"Refused: step {number} of {record.id}: {step.reason}", err=True)
    if not record.refuted:
        click.echo(f"Not refuted: the control of {record.id}: {record.refusal}", err=True)
    if all(step.kind == "lemma" for step in record.steps):
        click.echo(f"Not proved: {record.id} has no step for the machine to check", err=True)


def _listed() -> Iterator[dict[str, Any]]:
    from theory.statements.registry import theorems

    for found in theorems():
        yield _heading(found)


def _heading(found: Theorem) -> dict[str, Any]:
    return {
        "id": found.id,
        "title": found.title,
        "source": found.source,
        "statement": found.statement,
        "hypotheses": [hypothesis.words for hypothesis in found.hypotheses],
        "tests": list(found.tests),
    }


def _table(result: dict[str, Any]) -> None:
    import sys

    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from landscape.cli.emit import console as terminal

    table = Table(box=SIMPLE_HEAD)
    table.add_column("theorem", no_wrap=True)
    for heading in ("title", "source"):
        table.add_column(heading)
    for row in result["theorems"]:
        table.add_row(row["id"], row["title"], row["source"])
    terminal(width=None if sys.stdout.isatty() else WIDEST).print(table)


def _record(proof: Proof, record: ProofRecord) -> dict[str, Any]:
    """The JSON contract of the command for one theorem."""
    from theory.export.notation import located

    steps = [
        {**_step(step), "accepted": outcome.accepted, "reason": outcome.reason}
        for step, outcome in zip(proof.steps, proof.outcomes, strict=True)
    ]
    control = {
        **_step(proof.control.step, proof.control.claim),
        "refuted": record.refuted,
        "reason": located(proof.control.step, record.refusal),
    }
    return {
        **_heading(proof.theorem),
        "latex": proof.theorem.latex,
        "steps": steps,
        "control": control,
        "proved": record.proved,
    }


def _step(step: Step, words: str = "") -> dict[str, Any]:
    """A step as plain data, its equation in full."""
    from theory.export.notation import equation, kind, where

    return {
        "kind": kind(step),
        "claim": words or step.claim,
        "where": where(step),
        "equation": " ".join(equation(step, short=None)),
    }


def _terminal(proof: Proof, result: dict[str, Any]) -> None:
    """Print the record for people to read, an expression that is too long by its size."""
    from theory.export.notation import ODDS

    lines = [f"{result['title']} ({result['id']})", "", *_wrapped(result["statement"]), ""]
    lines += _wrapped("; ".join(result["hypotheses"]), "assumes   ")
    lines += _wrapped(result["source"], "source    ")
    lines += _wrapped(", ".join(result["tests"]), "tests     ")
    for number, (step, made) in enumerate(zip(result["steps"], proof.steps, strict=True), start=1):
        lines += ["", *_paragraph(f"{number}. {step['kind']}: ", step, made)]
        accepted = "cited" if step["kind"] == "lemma" else "accepted"
        verdict = accepted if step["accepted"] else "REFUSED"
        lines += _wrapped(_shortened(step["reason"]), f"   {verdict}: ")
    control = result["control"]
    lines += ["", *_paragraph(f"control, a false {control['kind']}: ", control, proof.control.step)]
    verdict = "refuted, as it must be" if control["refuted"] else "NOT REFUTED"
    lines += _wrapped(_shortened(control["reason"].removeprefix("refuted: ")), f"   {verdict}: ")
    if any(f" {odds} = " in control["reason"] for odds in "uv"):
        lines.append(f"   {ODDS}")
    count = sum(step["accepted"] for step in result["steps"])
    word = "proved" if result["proved"] else "not proved"
    refuted = "refuted at a point" if control["refuted"] else "not refuted"
    lines += ["", f"{word}: {count} of {len(result['steps'])} steps accepted, control {refuted}"]
    click.echo("\n".join(lines))


def _paragraph(start: str, step: dict[str, Any], made: Step) -> list[str]:
    """The claim of a step, and under it what is checked."""
    from theory.export.notation import equation, where

    place = where(made, step["claim"])
    lines = _wrapped(f"{step['claim']}, {place}" if place else step["claim"], start)
    if step["kind"] == "lemma":
        return lines
    left, right = equation(made)
    if len(left) + len(right) < _width() - 10:
        return [*lines, *_wrapped(f"{left} {right}", " " * 6)]
    return [*lines, *_wrapped(left, " " * 6), *_wrapped(right, " " * 6)]


def _shortened(reason: str) -> str:
    """A reason that quotes a long expression, cut where it says so."""
    return reason if len(reason) < LONGEST else f"{reason[:LONGEST]} ... (--json has all of it)"


def _width() -> int:
    return min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)


def _wrapped(text: str, start: str = "") -> list[str]:
    rest = " " * min(len(start), 10)
    return textwrap.wrap(text, _width(), initial_indent=start, subsequent_indent=rest)
