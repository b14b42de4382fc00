"""Every figure of the papers: catalogue, freshness, page."""
