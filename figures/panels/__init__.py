"""The parts of a picture, each drawn on axes that are handed over."""
