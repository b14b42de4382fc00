"""p and q as exact rationals: 1/3 is no decimal, and 1/3 + 2/3 is 1."""

import json
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from landscape.config.canonical import dumps
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.scanning.scan import batches
from landscape.sources import BinaryMarkov
from tests.landscape.cli.running import Record


def scan_of(**tables: Any) -> ScanConfig:
    """A configuration, of plain tables."""
    return ScanConfig(**tables)


def test_thirds_add_to_one_where_their_decimals_do_not() -> None:
    assert scan_of(source={"p": "1/3", "q": "2/3"}).source.degenerate
    assert BinaryMarkov("1/3", "2/3").degenerate
    thirds = {"p": "0." + "3" * 28, "q": "0." + "6" * 28}  # the control
    assert not scan_of(source=thirds).source.degenerate
    chain = BinaryMarkov("1/3", 0.5)
    assert chain.kernel.tolist() == [[2 / 3, 1 / 3], [0.5, 0.5]]
    assert abs(chain.log_odds - math.log(2 / 3)) < 1e-15


def test_a_fraction_that_is_a_decimal_is_that_cell_and_others_are_written_as_fractions() -> None:
    quarter, decimal = ({"p": p, "q": q} for p, q in (("1/4", "1/2"), (0.25, 0.5)))
    assert scan_of(source=quarter).hash == scan_of(source=decimal).hash
    axes = {"source.p": ["1/3", "0.4", "1/4"], "source.q": ["2/3", "0.1"]}
    config = scan_of(source={}, axes=axes)
    chances = {cell.source.p for cell in config.cells()}
    assert chances == {Fraction(1, 3), Decimal("0.4"), Decimal("0.25")}
    assert '"p":"1/3"' in json.dumps(json.loads(dumps(config.cells()[0].settings))).replace(" ", "")
    assert ScanConfig(**json.loads(dumps(config.written))).hash == config.hash
    assert sum(map(len, batches(config.cells()))) == 6  # sorted, decimals among fractions


@pytest.mark.parametrize("text", ["1/0", "3/2", "0/1", "1/1", "-1/3", "1/3/4", "1/x"])
def test_a_fraction_outside_of_0_to_1_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"source\.p = '.*' is refused: it must be a number stri"):
        scan_of(source={"p": text, "q": 0.5})
    tiny = scan_of(source={"p": "1/" + "9" * 99, "q": 0.5}).source.p  # the control
    assert tiny == Fraction(1, 10**99 - 1)


def test_a_fraction_beside_a_decimal_is_measured(record: Record) -> None:
    found = record("spectrum --p 1/3 --q .5 --at unigram --width 2 --length 2")
    near = record("spectrum --p .3333333333333333 --q .5 --at unigram --width 2 --length 2")
    assert found["verdict"] == near["verdict"] == "verified"
    assert abs(found["loss"] - near["loss"]) < 1e-15
    assert found["max_error"] < 1e-13
    assert (
        record("spectrum --p 1/3 --q 2/3 --at unigram --width 2 --length 2")["classification"]
        == "degenerate"
    )
