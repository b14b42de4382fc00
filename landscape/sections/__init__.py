"""The tables of a configuration: source, model, train, measure."""

from landscape.sections.base import Section
from landscape.sections.measure import Measure, Slice
from landscape.sections.model import Model
from landscape.sections.source import Source
from landscape.sections.train import Train

__all__ = ["Measure", "Model", "Section", "Slice", "Source", "Train"]
