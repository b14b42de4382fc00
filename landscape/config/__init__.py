"""The tables of a configuration: source, model, train, measure."""

from landscape.config.measure import Measure, Slice
from landscape.config.model import Model
from landscape.config.section import Section
from landscape.config.source import Source
from landscape.config.train import Train

__all__ = ["Measure", "Model", "Section", "Slice", "Source", "Train"]
