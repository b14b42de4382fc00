import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from tests.twins.certified_points import BOX, no_weights, random_weights
from theory.certificates.bigram_root import certify_bigram_root
from theory.certificates.plane import area, certify_plane
from theory.certificates.unigram import certify_unigram
from theory.checker.check import check
from theory.checker.format import sealed

Record = dict[str, Any]
Path = tuple[str | int, ...]


@pytest.fixture(scope="module")
def records() -> dict[str, Record]:
    """One true certificate of each kind, as it comes out of a JSON file."""
    small = random_weights(0, width=2, length=2)
    real = random_weights(1)
    found = {
        "unigram": certify_unigram(real, p=0.2, q=0.3, tying="tied").to_json(),
        "small": certify_unigram(small, p=0.9, q=0.8, tying="untied").to_json(),
        "plane": certify_plane(no_weights(2, 1), "tied", BOX, min_width=0.2).to_json(),
        "real plane": certify_plane(real, "tied", BOX).to_json(),
        "bigram": certify_bigram_root(0.5, 0.8, -1.2).to_json(),
        "degenerate": certify_unigram(small, p=0.5, q=0.5, tying="tied").to_json(),
    }
    return {name: json.loads(json.dumps(record)) for name, record in found.items()}


def nodes(value: Any, path: Path = (), ends: bool = False) -> Iterator[Path]:
    """The paths to all nodes; of lists only the first and the last entry with `ends`."""
    if path:
        yield path
    if isinstance(value, dict | list):
        entries = list(value.items() if isinstance(value, dict) else enumerate(value))
        if ends and isinstance(value, list):
            entries = [*entries[:1], *entries[1:][-1:]]
        for key, child in entries:
            yield from nodes(child, (*path, key), ends)


def put(record: Record, path: Path, change: Any) -> Record:
    """The record with one node replaced: by `change`, or by change(old)."""
    new = copy.deepcopy(record)
    place: Any = new
    for key in path[:-1]:
        place = place[key]
    old = place[path[-1]]
    place[path[-1]] = change(old) if callable(change) else change
    return new


def damaged(value: Any) -> Any:
    if isinstance(value, str):
        return value[:-1] + ("1" if value[-1] != "1" else "2")
    if isinstance(value, int):
        return value + 1
    return [value] if value is None else value[1:] if isinstance(value, list) else {}


@pytest.mark.parametrize("name", ["small", "plane", "bigram", "degenerate"])
def test_every_damaged_node_of_a_certificate_is_noticed(
    name: str, records: dict[str, Record]
) -> None:
    record = records[name]
    assert check(record)
    for path in nodes(record):
        assert not check(put(record, path, damaged)), path


@pytest.mark.parametrize("name", ["small", "plane", "bigram", "degenerate"])
@pytest.mark.parametrize("junk", [None, [], {}, "x", -1, 1.5, True, [[[]]], "1/0", "9" * 5000])
def test_junk_is_refused_without_an_exception_even_with_a_matching_digest(
    name: str, junk: Any, records: dict[str, Record]
) -> None:
    record = records[name]
    for path in nodes(record, ends=True):
        integer_among_integers = path[0] == "witness" and len(path) > 2 and junk == -1
        changed = put(record, path, junk)
        if path == ("sha256",) or changed == record or integer_among_integers:
            continue
        result = check(sealed(changed))
        assert not result and result.reason.startswith("refused: "), path
    assert not check(junk)


def swapped(bands: list[Record], old: str, new: str) -> list[Record]:
    """The bands with one word replaced by another in the first that has it."""
    k = next(k for k, band in enumerate(bands) if band["word"] == old)
    return [*bands[:k], {**bands[k], "word": new}, *bands[k + 1 :]]


FALSE: list[tuple[str, Path, Any]] = [
    ("unigram", ("claim", "inertia"), [0, 0, 5]),
    ("unigram", ("claim", "inertia"), lambda x: [x[0] - 1, 1, x[2]]),
    ("unigram", ("claim", "inertia"), None),
    ("unigram", ("claim", "word"), "local minimum"),
    ("unigram", ("claim", "status"), "degenerate"),
    ("unigram", ("claim", "tying"), "untied"),
    ("unigram", ("claim", "p"), "9/10"),
    ("unigram", ("claim", "q"), "4/5"),
    ("unigram", ("claim", "p"), "6/5"),
    ("unigram", ("theorems",), []),
    ("unigram", ("theorems",), ["degenerate-lines"]),
    ("unigram", ("witness", 0), lambda v: [10**7, *v[1:]]),
    ("unigram", ("witness", 0), lambda v: [0 for _ in v]),
    ("unigram", ("witness", 0), lambda v: v[1:]),
    ("unigram", ("witness",), lambda V: [V[1], V[1], *V[2:]]),
    ("unigram", ("witness",), lambda V: V[:1]),
    ("unigram", ("weights", "hidden_out", 0), lambda row: [str(5 + k) for k in range(len(row))]),
    ("unigram", ("weights", "hidden_in", 2), lambda row: ["0" for _ in row]),
    ("unigram", ("weights", "positions"), lambda rows: rows[1:]),
    ("real plane", ("claim", "decided"), "1"),
    ("real plane", ("claim", "undecided"), []),
    ("real plane", ("claim", "bands"), lambda bands: bands[1:]),
    ("real plane", ("claim", "bands"), lambda bands: swapped(bands, "local minimum", "saddle")),
    ("real plane", ("claim", "bands"), lambda bands: swapped(bands, "saddle", "local minimum")),
    ("real plane", ("claim", "bands", -1, "inertia"), [0, 0, 5]),
    ("real plane", ("claim", "box", 0, 1), "99/100"),
    ("real plane", ("witness", 0), lambda V: V[::-1][1:]),
    ("degenerate", ("claim", "p"), "1/3"),
    ("degenerate", ("claim", "word"), "saddle"),
    ("bigram", ("claim", "p"), "501/1000"),
    ("bigram", ("claim", "q"), "1/3"),
    ("bigram", ("claim", "w"), "-1"),
    ("bigram", ("claim", "w"), "0"),
    ("bigram", ("claim", "e_sign"), -1),
    ("bigram", ("claim", "unique_in", 0, 0), "-1"),
    ("bigram", ("claim", "root_in", 1), ["1/4", "51/200"]),
    ("bigram", ("theorems",), ["universal-law"]),
]


@pytest.mark.parametrize(("name", "path", "change"), FALSE)
def test_a_false_claim_is_refused_though_its_digest_matches(
    name: str, path: Path, change: Any, records: dict[str, Record]
) -> None:
    assert check(sealed(records[name]))
    result = check(sealed(put(records[name], path, change)))
    assert not result
    assert result.reason.startswith("refused: ") and "sha256" not in result.reason


def test_a_band_widened_over_a_crossing_is_refused() -> None:
    plane = certify_plane(random_weights(1), "tied", BOX).to_json()
    claim = plane["claim"]
    left = next(span for span in claim["undecided"])
    k = next(k for k, band in enumerate(claim["bands"]) if band["lambda"][1] == left[0])
    wider = put(plane, ("claim", "bands", k, "lambda", 1), left[1])
    wider["claim"]["undecided"].remove(left)
    covered = Fraction(claim["decided"])
    for guess in (covered, Fraction(1)):
        assert not check(sealed(put(wider, ("claim", "decided"), str(guess))))
    # even with the share of the box as the checker counts it
    side = (Fraction(1, 20), Fraction(19, 20))
    low, high = (Fraction(end) for end in left)
    share = covered + area((side, side), low, high) / Fraction(81, 100)
    result = check(sealed(put(wider, ("claim", "decided"), str(share))))
    assert not result and "not certainly" in result.reason


def test_the_checker_loads_nothing_of_what_it_checks() -> None:
    code = (
        "import sys, theory.checker.check; forbidden = {'flint', 'theory.certificates.enclosure', "
        "'theory.certificates.signs', 'theory.certificates.plane', "
        "'theory.certificates.unigram', 'theory.certificates.bigram_root'}; "
        "print(sorted(forbidden & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_number_that_underflows_as_a_float_is_refused(records: dict[str, Record]) -> None:
    record = copy.deepcopy(records["unigram"])
    huge, tiny = str(-3 * 2**1080), "0x1.0p-1080"
    for name, text in (("hidden_in", huge), ("hidden_out", tiny)):
        record["weights"][name][0][0] = text
    assert "is not what float.hex writes" in check(sealed(record)).reason


@pytest.mark.parametrize("kind", ["unigram", "unigram-plane", "bigram-root"])
def test_what_a_claim_says_beyond_what_is_checked_is_refused(
    records: dict[str, Record], kind: str
) -> None:
    record = copy.deepcopy(next(r for r in records.values() if r["kind"] == kind))
    assert check(record)
    record["claim"]["note"] = "also a global minimum"
    assert "has the keys" in check(sealed(record)).reason
    del record["claim"]["note"]
    record["note"] = "also a global minimum"
    assert "has the keys" in check(sealed(record)).reason


def test_counts_of_signs_are_integers(records: dict[str, Record]) -> None:
    record = copy.deepcopy(records["unigram"])
    inertia = record["claim"]["inertia"]
    record["claim"]["inertia"] = [bool(inertia[0]), *map(float, inertia[1:])]
    assert "not made of integers" in check(sealed(record)).reason
