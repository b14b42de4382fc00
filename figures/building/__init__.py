"""The figures of the papers: the catalogue, which of them are stale, and their page."""
