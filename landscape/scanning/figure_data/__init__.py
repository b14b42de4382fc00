"""What the figures need measured and no scan holds: small records, each by a function of its own.

A record is an `xarray.Dataset` that depends on its settings alone. The command line measures what
is missing; the scripts of `figures` only read.
"""

from landscape.scanning.figure_data.storage import (
    RECORDS,
    SCANS,
    config_of,
    is_fresh,
    measure,
    path_of,
    read,
    settings_of,
)

__all__ = [
    "RECORDS",
    "SCANS",
    "config_of",
    "is_fresh",
    "measure",
    "path_of",
    "read",
    "settings_of",
]
