"""What the phase diagram shows, read from the folder of a scan: plain arrays over the plane."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from figures.records.phase_plane import transverse
from landscape.config.cell import CellConfig
from landscape.errors import ConfigError
from landscape.sources.protocol import Exact
from landscape.store.reading import StoredScan

_log = logging.getLogger(__name__)

PLANE = ("source.p", "source.q", "model.tying")
STATES = ("verified", "refuted", "inconclusive", "not-applicable", "missing")
"""What can have become of a cell: the verdicts of a comparison, or no result at all."""


@dataclass(frozen=True)
class PhaseRecord:
    """A scan over the (p, q) plane; T tyings, Q values of q, P values of p.

    Fields:
        name: of the scan.
        tying: [T], 'tied' or 'untied', one row of panels each.
        p, q: [P], [Q], ascending, probabilities of leaving 0 and 1.
        curvature: [T, Q, P], lowest eigenvalue across the unigram set of the measured Hessian
            (`figures.records.phase_plane.transverse`), in nats per squared parameter; NaN where
            there is no result, or no Hessian to speak of.
        error: [T, Q, P], largest |predicted - measured| over all eigenvalues at the unigram point,
            same unit; NaN where nothing was predicted.
        state: [T, Q, P], one of `STATES`. 'verified' implies equal inertias.
        stuck: [T, Q, P], how many runs ended at the unigram; -1 without a result or where the loss
            of a run is not finite.
        degenerate: [Q, P], whether p + q = 1, decided on the decimals.
        seeds, steps: how many runs a cell has, and how long they are.
        random_weights: standard deviation of the weights that are free at the point; 0: all zero.
    """

    name: str
    tying: tuple[str, ...]
    p: Float[np.ndarray, " P"]
    q: Float[np.ndarray, " Q"]
    curvature: Float[np.ndarray, "T Q P"]
    error: Float[np.ndarray, "T Q P"]
    state: Shaped[np.ndarray, "T Q P"]
    stuck: Int[np.ndarray, "T Q P"]
    degenerate: Bool[np.ndarray, "Q P"]
    seeds: int
    steps: int
    random_weights: float


def load(store: StoredScan, *, select: Mapping[str, Any] | None = None) -> PhaseRecord:
    """Read the (p, q) plane of a scan; its folder is left as it is.

    Arguments:
        store: the scan, opened by `landscape.open_scan`.
        select: values of settings to keep (`StoredScan.select`); of every axis besides p, q and
            the tying one value must be left.

    Raises ValueError where several are, or where the unigram point was not measured; ConfigError
    as `StoredScan.select` does. A cell without a readable result does not raise: it is 'missing' in
    the record.

    >>> import tempfile
    >>> from landscape.config.scan import ScanConfig
    >>> from landscape.store.scan_store import ScanStore
    >>> config = ScanConfig(source={"p": 0.5}, axes={"source.q": [0.5, 0.8]})
    >>> folder = ScanStore(tempfile.mkdtemp()).open_or_create(config, {})
    >>> record = load(StoredScan.of(folder))
    >>> record.state.tolist(), record.degenerate.tolist()
    ([[['missing'], ['missing']]], [[True], [False]])
    """
    for cell in store.cells:
        _place(cell)
    cells = _plane(store.select(select))
    first = cells[0]
    if "unigram" not in first.measure.points:
        raise ValueError(
            f"measure.points = {list(first.measure.points)} lacks 'unigram', the point that the "
            "phase diagram shows: add it and scan into another folder"
        )
    tying = tuple(dict.fromkeys(cell.model.tying for cell in cells))
    places = {cell.id: _place(cell) for cell in cells}
    p, q = (sorted({place[k] for place in places.values()}) for k in (0, 1))
    shape = (len(tying), len(q), len(p))
    curvature, error = np.full(shape, np.nan), np.full(shape, np.nan)
    state, stuck = np.full(shape, "missing", dtype="<U14"), np.full(shape, -1)
    for cell in cells:
        found = _read(store, cell)
        if found is not None:
            up, down = places[cell.id]
            at = (tying.index(cell.model.tying), q.index(down), p.index(up))
            curvature[at], error[at], state[at], stuck[at] = found
    return PhaseRecord(
        name=store.config.name,
        tying=tying,
        p=np.array([float(value) for value in p]),
        q=np.array([float(value) for value in q]),
        curvature=curvature,
        error=error,
        state=state,
        stuck=stuck,
        degenerate=np.array([[Fraction(up) + Fraction(down) == 1 for up in p] for down in q]),
        seeds=first.train.seeds,
        steps=first.train.steps,
        random_weights=first.spread or 0.0,
    )


def _plane(store: StoredScan) -> Sequence[CellConfig]:
    """The cells of one plane, or two: of every other axis one value is left."""
    many = {
        name: values
        for name in store.config.axes
        if name not in PLANE
        and len(values := list(dict.fromkeys(c.coordinates[name] for c in store.cells))) > 1
    }
    if many:
        axes = "; ".join(f"{name} = {', '.join(map(str, many[name]))}" for name in many)
        wanted = ", ".join(f"{name!r}: {str(values[0])!r}" for name, values in many.items())
        option = " ".join(f"--select {name}={values[0]}" for name, values in many.items())
        raise ValueError(
            f"the scan has several cells at one (p, q), because it varies {axes}: select one "
            f"value, for example load(store, select={{{wanted}}}) or python -m figures {option}"
        )
    return store.cells


def _place(cell: CellConfig) -> tuple[Exact, Exact]:
    """p and q of a cell whose unigram point theory knows; ValueError for any other."""
    source, model = cell.source.kind, cell.model.kind
    wrong = [f"source.kind = {source!r}, not 'binary'"] if source != "binary" else []
    if model not in ("single-layer", "reduced"):
        wrong.append(f"model.kind = {model!r}, not 'single-layer' or 'reduced'")
    if wrong:
        raise ValueError(
            "the phase diagram is of binary chains and the models 'single-layer' and 'reduced'; "
            f"this scan has {' and '.join(wrong)}"
        )
    return cell.source.chain


def _read(store: StoredScan, cell: CellConfig) -> tuple[float, float, str, int] | None:
    """Curvature, error, state and stuck runs of a cell; None without a readable result."""
    if not store.done(cell):
        return None
    try:
        scalars = store.scalars(cell)
        unigram = scalars["points"]["unigram"]
        (spectrum,) = store.arrays(cell, "spectrum/unigram/eigenvalue")
    except (ConfigError, KeyError) as damage:
        _log.warning("cell %s cannot be read, so it is drawn as missing: %s", cell.id[:8], damage)
        return None
    state = _state(unigram)
    smooth = state != "not-applicable"
    return (
        transverse(spectrum, _block(cell)) if smooth else np.nan,
        np.nan if unigram["max_error"] is None else unigram["max_error"],
        state,
        _stuck(scalars),
    )


def _block(cell: CellConfig) -> int:
    """How many rows of the Hessian at the unigram point are not identically 0."""
    if cell.model.kind == "reduced":
        return 2
    return 1 + cell.model.width * (1 if cell.model.tying == "tied" else 2)


def _state(unigram: Mapping[str, Any]) -> str:
    if unigram["predicted_inertia"] is None:
        return "not-applicable"
    verdict = str(unigram["verdict"])
    # The counts decide: no verdict may call two different inertias equal.
    differ = unigram["inertia"] != unigram["predicted_inertia"]
    return "refuted" if verdict == "verified" and differ else verdict


def _stuck(scalars: Mapping[str, Any]) -> int:
    # The store writes a loss that is not finite as null.
    if any(loss is None for loss in scalars["final_loss"]):
        return -1
    return int(sum(outcome == "unigram" for outcome in scalars["outcome"]))
