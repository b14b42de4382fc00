"""The check values of the mathematics document, by name."""

import tomllib
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("check_values.toml")


def tables() -> dict[str, dict[str, dict[str, Any]]]:
    with FILE.open("rb") as stream:
        return tomllib.load(stream)


def entry(key: str) -> dict[str, Any]:
    for table in tables().values():
        if key in table:
            return table[key]
    raise KeyError(f"{key} is not in {FILE.name}")


def value(key: str) -> float:
    return float(entry(key)["value"])


def agrees(key: str, number: float) -> bool:
    """Whether `number`, rounded as the check value was, is the check value.

    Half a unit of the last digit is the rounding of the document; a value without digits is exact
    and allows for float64 round-off alone.
    """
    digits = entry(key).get("digits")
    allowed = 1e-14 if digits is None else 0.5 * 10.0**-digits
    return bool(abs(number - value(key)) <= allowed)
