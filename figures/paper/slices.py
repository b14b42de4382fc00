"""Loss surfaces through a saddle and a local minimum, with the contours that theory predicts."""

from __future__ import annotations

from matplotlib.figure import Figure

from figures.plots import slices
from figures.records.inputs import Inputs
from figures.records.slices import SliceRecord


def load(inputs: Inputs) -> tuple[SliceRecord, ...]:
    """The slices of the demonstration: unigram and bigram, p+q < 1 and p+q > 1."""
    return slices.load(inputs.scan("demo"))


def draw(figure: Figure, record: tuple[SliceRecord, ...]) -> None:
    """Two columns of surfaces."""
    slices.draw(figure, record)


def numbers(record: tuple[SliceRecord, ...]) -> dict[str, str]:
    """How many surfaces there are, and the least measured loss above H_b on all of them."""
    least = min(float(each.loss.min()) - each.bigram_loss for each in record)
    return {"Surfaces": str(len(record)), "LeastExcess": f"{least:.1e}"}
