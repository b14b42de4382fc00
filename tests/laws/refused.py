"""Settings in words, as tables of a configuration, and what refuses them."""

from typing import Any

import pytest

from landscape.config.reading import put, read_value, split_option
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError


def tables_of(written: str) -> dict[str, Any]:
    """The tables that the words say, on the chain (.5, .8) unless they say another source."""
    tables: dict[str, Any] = {}
    chain = [] if "source" in written.replace("@source", "") else ["source.p=.5", "source.q=.8"]
    for text in (*chain, *written.split()):
        name, value = split_option("--set", text.removeprefix("@"))
        if text.startswith("@"):
            tables.setdefault("axes", {})[name] = read_value(value)
        else:
            put(tables, name, read_value(value))
    return tables


def refused(written: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        ScanConfig(**tables_of(written))
    return caught.value
