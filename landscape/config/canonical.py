"""One way to write each value, so that equal settings have equal names."""

import hashlib
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

SCHEMA = 1
"""Version of what a stored cell means. It enters every id: raised, it makes old cells strangers."""


def plain_decimal(value: Decimal) -> str:
    """A finite decimal without exponent or idle zeros, to its last digit.

    >>> [plain_decimal(Decimal(text)) for text in ("0.50", "5e-1", "-0.0", "1E+2")]
    ['0.5', '0.5', '0', '100']
    """
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").removesuffix(".")
    return "0" if text == "-0" else text


def canonical(value: object) -> str:
    """The canonical JSON of a setting: sorted keys, no spaces, decimals as plain strings.

    Floats are written by `repr`, the shortest text that reads back to the same bits; -0.0 as 0.0.
    Raises ValueError for NaN and infinities, and TypeError for what is not data.

    >>> canonical({"q": Decimal("0.80"), "lr": 2e-3})
    '{"lr":0.002,"q":"0.8"}'
    """
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256(value: object) -> str:
    """SHA-256 of the canonical JSON of a value, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def jsonable(value: Any) -> Any:
    """A result as strict JSON can hold it: NaN and infinities become null, decimals plain strings.

    Arrays and array scalars (anything with `tolist`) become nested lists and numbers.

    >>> jsonable({"loss": float("nan"), "inertia": (1, 2, 0), "p": Decimal("0.50")})
    {'loss': None, 'inertia': [1, 2, 0], 'p': '0.5'}
    """
    match value:
        case Decimal():
            return plain_decimal(value)
        case Fraction():
            return str(value)
        case float():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {str(key): jsonable(item) for key, item in value.items()}
        case list() | tuple():
            return [jsonable(item) for item in value]
        case _:
            return jsonable(value.tolist()) if hasattr(value, "tolist") else value


def dumps(value: Mapping[str, Any]) -> str:
    """A record as the text of a JSON file, by way of `jsonable`."""
    return json.dumps(jsonable(value), indent=1, allow_nan=False) + "\n"


def _canonical(value: object) -> object:
    match value:
        case Decimal():
            if not value.is_finite():
                raise ValueError(f"{value} has no canonical form: a finite number is needed")
            return plain_decimal(value)
        case Fraction():  # one that no decimal is equal to
            return str(value)
        case float():
            return value + 0.0
        case Mapping():
            return {str(key): _canonical(item) for key, item in value.items()}
        case list() | tuple():
            return [_canonical(item) for item in value]
        case _:
            return value
