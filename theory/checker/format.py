"""What a certificate looks like as JSON: exact numbers as text, and a digest over the rest.

A float weight is written as its hexadecimal notation, which is exact, and every other rational as
"numerator/denominator". The digest finds accidents; that a claim is true is for
`theory.checker.check` to find out.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from theory.transformer.representation import WEIGHTS, check_shapes

Rows = Sequence[Sequence[Fraction]]

_RATIONAL = re.compile(r"-?[0-9]{1,1500}(/[0-9]{1,1500})?")
_HEXADECIMAL = re.compile(r"-?0x[01]\.[0-9a-f]{1,13}p[+-][0-9]{1,4}")


class Malformed(ValueError):
    """Text that is no certificate."""


def write_number(value: Fraction) -> str:
    """An exact rational as text: hexadecimal where a float64 holds it and its decimal is long.

    >>> write_number(Fraction(1, 2)), write_number(Fraction(0.1))
    ('1/2', '0x1.999999999999ap-4')
    """
    plain = str(value)
    if len(plain) > 24 and value.denominator & (value.denominator - 1) == 0:
        rounded = float(value)
        if Fraction(rounded) == value:
            return rounded.hex()
    return plain


def read_number(text: object) -> Fraction:
    """The rational that `write_number` wrote.

    Raises Malformed for anything else.
    """
    if isinstance(text, str):
        if _HEXADECIMAL.fullmatch(text):
            value = float.fromhex(text)
            if value.hex() != text:  # it was rounded, or underflowed
                raise Malformed(f"{text[:40]!r} is not what float.hex writes")
            return Fraction(value)
        if _RATIONAL.fullmatch(text) and Fraction(text.partition("/")[2] or 1):
            return Fraction(text)
    raise Malformed(f"{str(text)[:40]!r} is not an exact number")


def read_list(record: object) -> list[Any]:
    """A list as it is; Malformed for anything else, strings among it."""
    if not isinstance(record, list):
        raise Malformed(f"{str(record)[:40]!r} is not a list")
    return record


def exact_weights(weights: Mapping[str, np.ndarray]) -> dict[str, Rows]:
    """The weights as the exact rationals that their floats are.

    Arguments: `weights`, named and shaped as in `theory.transformer.representation`, real and
    finite. Raises ValueError where one is missing, does not fit, is not real or not finite.

    >>> weights = {name: np.full((1, 1), 0.5) for name in WEIGHTS}
    >>> exact_weights(weights)["query"]
    [[Fraction(1, 2)]]
    """
    arrays = {name: np.asarray(weights[name]) for name in WEIGHTS if name in weights}
    for name, array in arrays.items():
        if array.ndim != 2 or array.size == 0:
            raise ValueError(
                f"weights[{name!r}] has shape {array.shape}, but must be a matrix with entries: "
                "matrices act as y = W @ x, positions are [N, d]"
            )
        if (
            array.dtype.kind not in "fiu"
            or array.dtype.itemsize > 8
            or not np.isfinite(array).all()
        ):
            raise ValueError(
                f"weights[{name!r}] of dtype {array.dtype} is not made of finite real numbers of "
                "at most 64 bits: give float64"
            )
    check_shapes(arrays)
    exact: dict[str, Rows] = {}
    for name in WEIGHTS:
        exact[name] = [[Fraction(x) for x in row] for row in arrays[name].tolist()]
    return exact


def write_weights(weights: Mapping[str, Rows]) -> dict[str, list[list[str]]]:
    """The exact weights as text."""
    return {name: [[write_number(x) for x in row] for row in weights[name]] for name in WEIGHTS}


def read_weights(record: object) -> dict[str, Rows]:
    """The weights that `write_weights` wrote.

    Raises Malformed where it is anything else, or the shapes do not fit.
    """
    if not isinstance(record, dict) or set(record) != set(WEIGHTS):
        raise Malformed(f"weights are not {', '.join(WEIGHTS)}")
    weights: dict[str, Rows] = {}
    for name in WEIGHTS:
        rows = read_list(record[name])
        weights[name] = [[read_number(x) for x in read_list(row)] for row in rows]
        if len({len(row) for row in rows} | {0}) != 2 or not all(rows):
            raise Malformed(f"weights[{name!r}] is no matrix")
    try:
        check_shapes({name: np.array(rows, dtype=object) for name, rows in weights.items()})
    except (ValueError, IndexError) as error:
        raise Malformed(f"weights do not fit: {error}") from error
    return weights


def digest(record: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of everything but the digest itself."""
    rest = {key: value for key, value in record.items() if key != "sha256"}
    return hashlib.sha256(
        json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    ).hexdigest()


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with its digest.

    >>> sealed({"kind": "none"})["sha256"][:8]
    '...'
    """
    return {**record, "sha256": digest(record)}
