"""A scan as one page that needs no network: what got stuck, why, and how sure that is.

`gather` reads the scan's folder into plain data, `summary` says in words what the data say, and
`page` sets them as HTML with everything it needs inside.
"""

from landscape.report.page import render, write_report

__all__ = ["render", "write_report"]
