"""Kernels in files as people write them: what is read where it is unambiguous, and what is said.

A table is numbers in rows. A header, labels of the rows, any usual separator, a decimal comma, per
cent and fractions are read, with a note for each; what could be meant in two ways is refused with
the file and the line.
"""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float

from landscape.sources.files import decoded, load_array, read_bytes

ENDINGS = (".npy", ".csv", ".tsv", ".txt", ".dat", ".json")

LARGEST_TABLE = 2**22
"""Most numbers of a table of contexts by symbols, 32 MiB; a kernel is looked at many times."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d{1,3})?")
_FRACTION = re.compile(r"(\d{1,18})/(\d{1,18})")


@dataclass
class Table:
    """The numbers of a file, and in words what was skipped or converted to have them."""

    array: Float[np.ndarray, "..."]
    notes: list[str] = field(default_factory=list)


def kernel_table(path: str | Path) -> Table:
    """The array of a .npy file, or the rows of numbers in a text file.

    Raises:
        ValueError: if the file is missing, has another ending, or holds no array of numbers that
            can be read in one way alone; it names the file, and the line where there is one.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in ENDINGS:
        ends = f"{path.suffix!r}; give {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
        raise ValueError(f"kernel file {str(path)!r} ends in {ends}")
    try:
        if suffix == ".npy":
            return _of_array(load_array(path, LARGEST_TABLE))
        text, notes = decoded(read_bytes(path))
        table = _of_json(text) if suffix == ".json" else _of_lines(text)
        table.notes[:0] = notes
        return table
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise ValueError(f"kernel file {str(path)!r} cannot be read: {reason}") from None
    except (ValueError, EOFError, csv.Error, RecursionError) as problem:
        raise ValueError(f"kernel file {str(path)!r} holds no kernel: {problem}") from None


def _of_array(array: np.ndarray) -> Table:
    if array.dtype.kind not in "fiub":
        raise ValueError(f"its entries are of type {array.dtype}; give real numbers")
    table = Table(np.array(array, dtype=np.float64))
    _finite(table.array)
    single = array.dtype.kind == "f" and array.dtype.itemsize < 8 and array.ndim >= 2
    if single:
        sums = table.array.sum(-1, keepdims=True)
        near = np.abs(sums - 1) <= 8 * array.shape[-1] * float(np.finfo(array.dtype).eps)
        if near.all():
            table.array = table.array / sums
            table.notes.append(f"its {array.dtype} rows were divided by their sums in float64")
    return table


def _of_json(text: str) -> Table:
    rows = json.loads(text)
    try:
        table = Table(np.array(rows, dtype=np.float64))
    except (TypeError, ValueError, OverflowError):
        raise ValueError("it must be a list of rows of numbers, all of one length") from None
    _finite(table.array)
    return table


def _finite(array: Float[np.ndarray, "..."]) -> None:
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = ", ".join(map(str, wrong[0]))
        raise ValueError(f"kernel[{place}]={array[tuple(wrong[0])]} is no probability")


def _of_lines(text: str) -> Table:
    notes: list[str] = []
    lines = [(number, line.strip(" \r\n")) for number, line in enumerate(text.splitlines(), 1)]
    given = ""
    if lines and (mark := re.fullmatch(r"\"?sep=(.)\"?", lines[0][1], re.IGNORECASE)):
        given, lines = mark[1], lines[1:]
    bare = [(number, line.partition("#")[0].rstrip(" ")) for number, line in lines]
    if any(line != other for (_, line), (_, other) in zip(lines, bare, strict=True)):
        notes.append("what follows # was skipped")
    lines = [(number, line) for number, line in bare if line.strip()]
    if not lines:
        raise ValueError("it has no rows of numbers")
    separator, comma = _separator([line for _, line in lines], given)
    rows = [(number, _cells(line, separator)) for number, line in lines]
    rows = _without_blank_columns(rows, notes)
    rows, header = _without_header(rows, notes)
    rows = _without_index(rows, header, notes)
    width = len(rows[0][1])
    if width * len(rows) > LARGEST_TABLE:
        raise ValueError(f"it holds more than {LARGEST_TABLE} numbers")
    for number, cells in rows:
        if len(cells) != width:
            raise ValueError(
                f"line {number} has {len(cells)} columns, and line {rows[0][0]} has {width} "
                f"(separated by {_named(separator)}); give rows of one length"
            )
    array = np.array(
        [
            [_number(cell, number, (i, k), comma, notes) for k, cell in enumerate(cells)]
            for i, (number, cells) in enumerate(rows)
        ]
    )
    if separator != ",":
        notes.insert(0, f"columns are separated by {_named(separator)}")
    return Table(array, list(dict.fromkeys(notes)))


def _named(separator: str) -> str:
    return {"\t": "tabs", " ": "blanks", ";": "semicolons", ",": "commas"}.get(
        separator, repr(separator)
    )


def _separator(lines: Sequence[str], given: str) -> tuple[str, bool]:
    """What separates the columns, and whether a comma may be the decimal mark."""
    if given:
        return given, given != ","
    for mark in (";", "\t"):
        if any(mark in line for line in lines):
            return mark, True
    if any("," in line for line in lines):
        words = [line.split() for line in lines]
        decimal = all(
            len(row) > 1 and all(_COMMA.fullmatch(w) or _NUMBER.fullmatch(w) for w in row)
            for row in words
        )
        return (" ", True) if decimal else (",", True)
    return ("|", False) if any("|" in line for line in lines) else (" ", False)


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        line = " ".join(line.split())
    (row,) = csv.reader([line], delimiter=separator, skipinitialspace=True) or ([],)
    return [cell.strip().strip("'").strip() for cell in row]


Rows = list[tuple[int, list[str]]]


def _without_blank_columns(rows: Rows, notes: list[str]) -> Rows:
    skipped = False
    while len(rows[0][1]) > 1 and all(row and not row[-1] for _, row in rows):
        rows = [(number, row[:-1]) for number, row in rows]
        skipped = True
    if skipped:
        notes.append("blank columns at the end were skipped")
    return rows


def _is_number(cell: str) -> bool:
    bare = cell.removesuffix("%").strip()
    return bool(_NUMBER.fullmatch(bare) or _COMMA.fullmatch(bare) or _FRACTION.fullmatch(bare))


# What stands for a number that is not there: it is refused by its place, and is no label.
_MISSING = ("", "nan", "na", "n/a", "null", "none", "inf", "-inf", "+inf", "infinity", "-", "?")


def _is_label(cell: str) -> bool:
    return not _is_number(cell) and cell.lower() not in _MISSING


def _without_header(rows: Rows, notes: list[str]) -> tuple[Rows, list[str]]:
    """The rows below a first line of names, and that line; [] if there is none."""
    first = rows[0][1]
    named = [cell for cell in first if _is_label(cell)]
    counted = [str(k) for k in range(len(first))]
    corner = not first[0] and len(first) > 1
    below = rows[1:]
    labels = bool(named) and all(not _is_number(cell) for cell in first)
    # pandas numbers what has no names: 0, 1, 2 above S rows of S is no row of a kernel
    numbered = (corner and first[1:] == counted[:-1]) or (
        first == counted and len(below) == len(first) > 2
    )
    if not (labels or numbered):
        return rows, []
    if not below:
        raise ValueError(f"line {rows[0][0]} is a header, and no row follows")
    notes.append(f"the header {_quoted(first)} was skipped")
    return below, first


def _without_index(rows: Rows, header: list[str], notes: list[str]) -> Rows:
    """The rows without a first column of labels."""
    first = [row[0] for _, row in rows]
    width = len(rows[0][1])
    counted = ([str(k) for k in range(len(rows))], [str(k) for k in range(1, len(rows) + 1)])
    labels = all(_is_label(cell) for cell in first)
    corner = bool(header) and (not header[0] or len(header) == width - 1)
    numbered = first in counted and width == len(rows) + 1 > 2
    if width < 2 or not (labels or corner or numbered):
        return rows
    notes.append(f"the column of labels {_quoted(first)} was skipped")
    names = [cell for cell in (header[1:] if len(header) == width else header) if cell]
    if len(names) == len(first) and set(names) == set(first) and names != first:
        raise ValueError(
            f"its rows are {_quoted(first)} and its columns {_quoted(names)}; give both in one "
            "order"
        )
    return [(number, row[1:]) for number, row in rows]


def _quoted(names: Iterable[str]) -> str:
    text = ", ".join(names)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _number(cell: str, line: int, place: tuple[int, int], comma: bool, notes: list[str]) -> float:
    bare = cell
    if cell.endswith("%"):
        bare = cell[:-1].strip()
        notes.append("per cent were divided by 100")
    if comma and _COMMA.fullmatch(bare):
        bare = bare.replace(",", ".")
        notes.append("a comma is the decimal mark")
    ratio = _FRACTION.fullmatch(bare)
    if ratio and int(ratio[2]):
        value = Fraction(int(ratio[1]), int(ratio[2]))
    elif _NUMBER.fullmatch(bare):
        value = Fraction(bare)
    else:
        raise ValueError(
            f"line {line}: kernel[{place[0]}, {place[1]}]={cell[:40]!r} is no probability; give "
            "numbers, separated by commas, semicolons, tabs or blanks"
        )
    return float(value / 100 if cell.endswith("%") else value)
