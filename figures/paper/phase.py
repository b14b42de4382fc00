"""Predicted against measured inertia over the (p, q) plane, and what training does there."""

import numpy as np

from figures.plots import phase_diagram
from figures.records.inputs import Inputs
from figures.records.phase import PhaseRecord, load as load_scan

draw = phase_diagram.draw


def load(inputs: Inputs) -> PhaseRecord:
    """The plane of the demonstration."""
    return load_scan(inputs.scan("demo"))


def numbers(record: PhaseRecord) -> dict[str, str]:
    """Cells whose inertia is as predicted, the largest error, and the runs that stayed."""
    live = np.broadcast_to(~record.degenerate, record.stuck.shape)
    above = live & (record.p + record.q[:, None] > 1)
    tied = record.tying.index("tied")
    return {
        "Cells": str(record.state.size),
        "Verified": str(int((record.state == "verified").sum())),
        "Refuted": str(int((record.state == "refuted").sum())),
        "LargestError": f"{np.nanmax(record.error):.1e}",
        "StuckAbove": str(int(record.stuck[tied][above[tied]].sum())),
        "RunsAbove": str(int(above[tied].sum()) * record.seeds),
        "StuckElsewhere": str(
            int(record.stuck[live].sum() - record.stuck[tied][above[tied]].sum())
        ),
    }
