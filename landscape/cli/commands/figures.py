"""`landscape figures`: the papers' figures, from what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from landscape.cli import options, process

if TYPE_CHECKING:
    from figures.building.catalogue import Entry
    from figures.records.inputs import Inputs

SIZES = ("quick", "paper")


@click.command("figures")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--quick", "size", flag_value="quick", default="quick", help="Minutes.  [default]")
@click.option("--paper", "size", flag_value="paper", help="With the published lengths and runs.")
@click.option(
    "--out", type=click.Path(file_okay=False), help="Folder.  [default: runs/figures/SIZE]"
)
@click.option(
    "--runs",
    type=click.Path(file_okay=False),
    default="runs/presets",
    show_default=True,
    help="Folder of the scans.",
)
@click.option(
    "--records",
    type=click.Path(file_okay=False),
    default="runs/figures/records",
    show_default=True,
    help="Folder of what is measured for figures alone.",
)
@click.option(
    "--page",
    type=click.Path(dir_okay=False),
    help="Write the page that sets them beside the published ones.",
)
@click.option("--list", "listing", is_flag=True, help="Name the figures, and leave.")
@options.output
def command(
    names: tuple[str, ...],
    size: Literal["quick", "paper"],
    out: str | None,
    runs: str,
    records: str,
    page: str | None,
    listing: bool,
    as_json: bool,
    device: str,
) -> int:
    """Draw the papers' figures, all of them or those that are named: PDF, PNG and numbers.tex.

    What they are drawn from is trained or measured first where it is missing. A figure whose script
    and inputs have not changed is left alone. Exits with 1 if one of them fails.
    """
    from figures.building.catalogue import entries, entry
    from landscape.cli.emit import emit
    from landscape.store.atomic import check_folder

    try:
        chosen = [entry(name) for name in dict.fromkeys(names)] or list(entries())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if listing:
        titles = {each.name: each.title for each in chosen}
        emit(titles, as_json, _titles)
        return 0
    if page is not None and names:
        raise click.UsageError("--page is of all figures; give no names with it")
    if page is not None:
        check_folder("--page", Path(page))
    folder = Path(out or f"runs/figures/{size}")
    made = [_make(each, size, folder, Path(runs), Path(records), device) for each in chosen]
    failed = [each["name"] for each in made if each["status"] == "failed"]
    from figures.building.build import macros
    from landscape.store.atomic import write_text

    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "numbers.tex", macros(entries(), folder))
    if page is not None and not failed:
        from figures.building.build import write_page

        write_page(Path(page), folder, size)
    record = {"out": str(folder), "size": size, "figures": made, "failed": failed}
    emit(record, as_json, _terminal)
    return int(bool(failed))


def _make(
    entry: Entry, size: Literal["quick", "paper"], out: Path, runs: Path, records: Path, device: str
) -> dict[str, Any]:
    """Provide what one figure needs and draw it; what goes wrong is told with its name."""
    from figures.building.build import build

    try:
        built = build(entry, _inputs(entry, size, runs, records, device), out)
    except Exception as error:  # whatever it is, the other figures are still drawn
        text = f"{type(error).__name__}: {error}"
        click.echo(f"The figure {entry.name} failed: {text}", err=True)
        return {"name": entry.name, "status": "failed", "files": [], "error": text}
    click.echo(f"{built.name:<16} {built.status}", err=True)
    files = list(map(str, built.files))
    return {"name": entry.name, "status": built.status, "files": files, "numbers": built.numbers}


def _inputs(
    entry: Entry, size: Literal["quick", "paper"], runs: Path, records: Path, device: str
) -> Inputs:
    from figures.records.inputs import Inputs
    from landscape.scanning.figure_data import is_fresh, measure, path_of

    scans = {name: _scan(name, size, runs, device) for name in entry.scans}
    for name in entry.records:
        if not is_fresh(records, name, size):
            click.echo(f"{entry.name}: measuring {name}", err=True)
            process.prepare(device)
            measure(records, name, size)
    return Inputs(size, scans, {name: path_of(records, name, size) for name in entry.records})


def _scan(name: str, size: Literal["quick", "paper"], runs: Path, device: str) -> Path:
    """The folder of a finished scan: one that is there, or the one that it is trained into.

    What `landscape scan` has put into its own default folder is taken as it is.
    """
    from landscape.scanning.figure_data import config_of
    from landscape.store.reading import open_scan

    config = config_of(name, size)
    for path in (runs / config.name, config.default_out()):
        if (path / "scan.json").is_file():
            store = open_scan(path)
            if not config.difference(store.config) and all(map(store.done, store.cells)):
                return path
    process.prepare(device)
    from landscape.cli.progress import ScanProgress
    from landscape.scanning.scan import scan

    click.echo(f"training {config.name}", err=True)
    with ScanProgress() as progress:
        result = scan(config, out=runs / config.name, device=device, watcher=progress)
    if result.failed:
        first = next(iter(result.failed.values()))
        raise ValueError(f"{len(result.failed)} cells of {config.name} failed; the first: {first}")
    return result.path


def _titles(titles: dict[str, Any]) -> None:
    for name, title in titles.items():
        click.echo(f"{name:<16} {title}")


def _terminal(record: dict[str, Any]) -> None:
    for each in record["figures"]:
        for path in each["files"]:
            click.echo(path)
    click.echo(f"{record['out']}/numbers.tex")
