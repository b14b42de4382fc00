"""`landscape scan`: the main job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import click

from landscape.cli import options, process

if TYPE_CHECKING:
    from landscape.scanning.presets import Preset
    from landscape.scanning.presets.expectation import Finding
    from landscape.scanning.scan import Problem, ScanResult


def _list_presets(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        import json
        import sys

        from landscape.scanning.presets import load, names

        titles = {name: load(name).title for name in names()}
        if ctx.params.get("as_json") or "--json" in sys.argv:
            click.echo(json.dumps(titles))
        else:
            for name, title in titles.items():
                click.echo(f"{name:<14} {title}")
        ctx.exit()


@click.command("scan")
@click.argument("config", required=False, type=click.Path())
@click.option("--preset", metavar="NAME", help="A published experiment in place of CONFIG.")
@click.option(
    "--size",
    type=click.Choice(["quick", "paper"]),
    help="Of the preset: minutes on two cores, or as published.  [default: quick]",
)
@click.option(
    "--list-presets",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_presets,
    help="Name the presets, and leave.",
)
@click.option("--set", "set_", multiple=True, metavar="a.b=v", help="Change a setting.")
@click.option("--axis", multiple=True, metavar="a.b=v1,v2", help="Vary a setting.")
@click.option(
    "--out", type=click.Path(file_okay=False), help="Folder.  [default: runs/<name>-<hash>]"
)
@click.option("--no-report", is_flag=True, help="Leave out the page of the results.")
@click.option("--strict", is_flag=True, help="Exit 1 if a check is inconclusive.")
@options.allow_code
@options.output
@options.as_typed
def command(
    config: str | None,
    preset: str | None,
    size: Literal["quick", "paper"] | None,
    set_: tuple[str, ...],
    axis: tuple[str, ...],
    out: str | None,
    no_report: bool,
    strict: bool,
    allow_code: bool,
    as_json: bool,
    device: str,
) -> int:
    """Train, measure and compare over a grid: the CONFIG file's, or the built-in demonstration's.

    With --preset it is a published experiment, whose numbers are compared with what is expected.
    Results go to a folder as they are finished. The same command on the same folder resumes. It
    ends by writing the results as one page for a browser.
    """
    from landscape.config.scan import ScanConfig
    from landscape.scanning.presets import load

    if preset is not None and config is not None:
        raise click.UsageError(f"--preset {preset} and {config} are two configurations; give one")
    if size is not None and preset is None:
        raise click.UsageError(f"--size {size} is of a preset; give --preset NAME with it")
    size = size or "quick"
    chosen = None if preset is None else load(preset)
    if chosen is None:
        settings = ScanConfig.from_toml(config, set_=set_, axis=axis)
    else:
        settings = chosen.config(size, set_=set_, axis=axis)
    process.prepare(device)  # what is wrong so far is refused before torch is loaded

    from landscape.cli.emit import emit
    from landscape.cli.progress import ScanProgress
    from landscape.cli.tables.findings import as_record, print_findings
    from landscape.cli.tables.phase_table import print_table, rows
    from landscape.scanning.scan import scan

    with ScanProgress() as progress:
        result = scan(settings, out=out, device=device, allow_code=allow_code, watcher=progress)
    pictures, missing, unwritten = _draw(result)
    report, trouble = (None, "") if no_report else _report(result)
    findings, note = ((), "") if chosen is None else _findings(chosen, size, result)
    problems = result.problems()
    record = {
        "path": str(result.path),
        "name": settings.name,
        "cells": len(settings.cells()),
        "done": len(result.scalars),
        "failed": [{"id": key, "error": text} for key, text in result.failed.items()],
        **{
            key: [_as_record(problem, detail) for problem in problems if problem.kind == kind]
            for kind, (key, detail) in PROBLEMS.items()
        },
        "pictures": pictures,
        "report": report,
        "expectations": [as_record(finding) for finding in findings],
        "table": rows(result),
    }

    def terminal(_: dict[str, Any]) -> None:
        print_table(result)
        if findings:
            print_findings(findings)
        click.echo(f"Results   {result.path}")
        for picture in pictures:
            click.echo(f"Picture   {picture}")
        if report:
            click.echo(f"Report    {report}")

    emit(record, as_json, terminal)
    doubts = [problem for problem in problems if problem.severity == "doubt"]
    told = [problem.words for problem in problems if problem not in doubts]
    told += _grouped(doubts)
    for line in filter(None, (*missing, trouble, note, *told)):
        click.echo(line, err=True)
    wrong = any(problem.severity == "error" for problem in problems) or (strict and doubts)
    return int(bool(wrong or unwritten or trouble))


PROBLEMS = {
    "refuted": ("refuted", "reason"),
    "inconclusive": ("inconclusive", "reason"),
    "slice fault": ("slice_faults", "fault"),
    "diverged": ("diverged", "runs"),
    "not finite": ("not_finite", "losses"),
    "absent": ("absent", "reason"),
}
"""By kind of problem: its key in the JSON record, and that of its detail."""


NAMED = 6
"""Points that are named for a reason they share; the JSON record has them all."""


def _grouped(doubts: list[Problem]) -> Iterator[str]:
    """A line for each reason that was found, with the points it was found at."""
    from landscape.store.reading import place_of

    places: dict[str, list[str]] = {}
    for problem in doubts:
        place = f"the {problem.point} point of {place_of(problem.cell)}"
        places.setdefault(str(problem.detail), []).append(place)
    for reason, found in places.items():
        more = f"; and {len(found) - NAMED} more, which --json lists" if found[NAMED:] else ""
        points = "1 point" if len(found) == 1 else f"{len(found)} points"
        yield f"Inconclusive at {points}, {'; '.join(found[:NAMED])}{more}: {reason}"


def _as_record(problem: Problem, detail: str | None) -> dict[str, Any]:
    point = {} if problem.point is None else {"point": problem.point}
    return {
        **problem.cell.coordinates,
        **point,
        **({} if detail is None else {detail: problem.detail}),
    }


def _findings(
    preset: Preset, size: Literal["quick", "paper"], result: ScanResult
) -> tuple[tuple[Finding, ...], str]:
    """The preset's expectations beside what the scan measured, or why they are not compared."""
    from landscape.scanning.presets.expectation import compare_with

    if preset.config(size).hash != result.config.hash:
        return (), f"Not compared with the preset {preset.name}: --set or --axis have changed it"
    return tuple(compare_with(e, result.store) for e in preset.expected(size)), ""


def _draw(result: ScanResult) -> tuple[list[str], list[str], bool]:
    """Draw what the results have; the files, why a picture is missing, and if writing failed."""
    from figures.plots import of_a_scan

    try:
        paths, missing = of_a_scan.save(result.store, result.path)
    except OSError as error:
        return [], [f"the pictures could not be written: {error}"], True
    return list(map(str, paths)), missing, False


def _report(result: ScanResult) -> tuple[str | None, str]:
    """Write the page of the results; the file, or why there is none."""
    from landscape.cli.commands.report import write

    click.echo("Writing the report (the first goes through every proof: half a minute)", err=True)
    try:
        return str(write(result.store)["report"]), ""
    except OSError as error:
        return None, f"the report could not be written: {error}"
