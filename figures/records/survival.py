"""What the picture of survival shows, read from the folder of a scan: a few curves a panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from figures.records.phase_plane import region_names
from landscape.config.cell import CellConfig
from landscape.config.reading import check_setting, get
from landscape.scanning.survival import Runs, degenerate, pooled_curve, read_runs
from landscape.store.reading import StoredScan
from landscape.training.survival import SurvivalCurve

__all__ = ["MOST", "Group", "SurvivalRecord", "load"]

MOST = 6
"""How many curves of one panel can be told apart."""


Found = dict[tuple[str, str], list[tuple[CellConfig, Runs]]]


@dataclass(frozen=True)
class Group:
    """One curve of the picture.

    Fields:
        panel: title of the panel that it lies in.
        label: what its runs have in common.
        style: 0..MOST - 1, which colour and dashes it has: the same for the same label everywhere.
        cells: how many cells they come from.
        curve: share of them still above (H_u + H_b)/2, by step, with limits.
    """

    panel: str
    label: str
    style: int
    cells: int
    curve: SurvivalCurve


@dataclass(frozen=True)
class SurvivalRecord:
    """The survival curves of a scan.

    Fields:
        name: of the scan.
        groups: the curves, panel by panel.
        degenerate: number of cells at p + q = 1, which have no gap to escape through.
        missing: number of other cells without a readable result. Neither is in any curve.
    """

    name: str
    groups: tuple[Group, ...]
    degenerate: int
    missing: int


def load(
    store: StoredScan, *, by: str | None = None, select: Mapping[str, Any] | None = None
) -> SurvivalRecord:
    """Pool the runs of a scan into curves; its folder is left as it is.

    A panel holds the cells of one tying. In it there is a curve for each side of the line p+q = 1,
    called what theory calls the unigram point there (of the papers' models, where all other weights
    are 0), for each source that is not a binary chain, or, with `by`, for each value of a setting.

    Arguments:
        store: the scan, opened by `landscape.open_scan`.
        by: dotted name of a setting, such as "model.width".
        select: values of settings to keep (`StoredScan.select`); the rest is pooled.

    Raises ValueError where no run can be read, where there are more than `MOST` curves, and as
    `landscape.scanning.survival.pooled_curve` does; ConfigError if there is no such setting, and as
    `StoredScan.select` does.
    """
    if by is not None:
        check_setting("by", by)
    found: Found = {}
    cells = store.select(select).cells
    if by is None:
        cells = tuple(sorted(cells, key=_side))  # stable: p+q < 1 comes first
    left_out = missing = 0
    for cell in cells:
        if degenerate(cell):
            left_out += 1
            continue
        runs = read_runs(store, cell)
        if runs is None:
            missing += 1
            continue
        found.setdefault((cell.model.tying, _label(cell, by)), []).append((cell, runs))
    if not found:
        raise ValueError(
            f"there is no survival curve to draw: of {len(cells)} cells {left_out} are at p+q = 1, "
            f"where there is nothing to escape from, and {missing} have no readable training; "
            "run the scan to its end"
        )
    labels = list(dict.fromkeys(label for _, label in found))
    if len(labels) > MOST:
        what = "a curve for each source" if by is None else f"by = {by!r}"
        raise ValueError(
            f"{what} gives {len(labels)} curves, and no more than {MOST} can be told apart: "
            "select some of the cells, or take another setting"
        )
    groups = []
    for tying, label in sorted(found, key=lambda key: key[0]):
        pairs = found[tying, label]
        binary = by is None and pairs[0][0].source.kind == "binary"
        style = int(_side(pairs[0][0])) if binary else labels.index(label)
        curve = pooled_curve([runs for _, runs in pairs])
        groups.append(Group(_panel(tying, found), label, style, len(pairs), curve))
    return SurvivalRecord(store.config.name, tuple(groups), left_out, missing)


def _panel(tying: str, found: Found) -> str:
    """The tying, and the chain where there is only one."""
    sources = {cell.source for pairs in found.values() for cell, _ in pairs}
    if len(sources) > 1:
        return f"{tying} weights"
    (source,) = sources
    if source.kind != "binary":
        return f"{tying} weights, {source.words}"
    return f"{tying} weights, $p={source.p}$, $q={source.q}$"


def _side(cell: CellConfig) -> bool:
    return cell.source.kind == "binary" and sum(cell.source.chain) > 1


def _label(cell: CellConfig, by: str | None) -> str:
    if by is not None:
        return f"{by.rpartition('.')[2].replace('_', ' ')} = {get(cell, by)}"
    if cell.source.kind != "binary":
        return cell.source.words
    side = f"$p+q{'>' if _side(cell) else '<'}1$"
    if cell.model.kind not in ("single-layer", "reduced"):
        return side
    return f"{side} (theory: {region_names(cell.model.tying)[_side(cell)]})"
