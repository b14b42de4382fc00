"""`python -m figures [RUN_DIR]`: the pictures of a scan, from what its folder holds."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, print the paths of the files, and return the exit code: 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m figures",
        description="Draw the (p, q) phase diagram, loss surfaces and survival curves of a scan.",
    )
    parser.add_argument(
        "run", nargs="?", type=Path, metavar="RUN_DIR", help="default: the newest under runs/"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: RUN_DIR itself")
    parser.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="draw only cells with this value of a setting; repeatable",
    )
    parser.add_argument(
        "--by",
        metavar="NAME",
        help="one survival curve for each value of this setting, such as model.width",
    )
    options = parser.parse_args(arguments)
    from landscape.config.reading import pairs_of
    from landscape.errors import ConfigError, Setting, as_option, dotted

    def spell(setting: Setting) -> str:
        selected = setting.name.startswith("select ")
        return as_option(f"--{setting.name}", setting.value) if selected else dotted(setting)

    try:
        run = options.run or newest(Path("runs"))
        select = pairs_of("--select", options.select)
        paths, missing = _draw(run, options.out or run, select, options.by)
    except ConfigError as error:
        error.spell = spell
        paths, missing = [], [str(error)]
    except (ValueError, OSError) as error:
        paths, missing = [], [str(error)]
    for line in missing if paths else missing[:1]:
        print(f"python -m figures: {line}", file=sys.stderr)
    if not paths:
        return 2
    for path in paths:
        print(path)
    return 0


def _draw(
    run: Path, out: Path, select: dict[str, str], by: str | None
) -> tuple[list[Path], list[str]]:
    from figures.plots import of_a_scan
    from landscape.config.reading import check_setting
    from landscape.store.reading import open_scan

    if by is not None:
        check_setting("--by", by)
    return of_a_scan.save(open_scan(run), out, select=select, by=by)


def newest(runs: Path) -> Path:
    """The folder in `runs` whose scan was begun last. Raises ValueError if there is no scan."""
    scans = sorted(runs.glob("*/scan.json"), key=lambda scan: (scan.stat().st_mtime_ns, scan))
    if not scans:
        raise ValueError(
            f"there is no scan in {runs}/ to draw: run `landscape scan` first (it takes about a "
            "minute), or give the folder of one: python -m figures RUN_DIR"
        )
    return scans[-1].parent


if __name__ == "__main__":
    sys.exit(main())
