from pathlib import Path

from tests import check_values

TESTS = Path(__file__).parents[1]


def unused(keys: list[str], sources: list[str]) -> list[str]:
    return [key for key in keys if not any(f'"{key}"' in source for source in sources)]


def test_every_check_value_of_a_built_part_is_named_by_a_test() -> None:
    sources = [path.read_text() for path in TESTS.rglob("test_*.py")]
    tables = check_values.tables()
    assert unused([*tables["theory"], *tables["landscape"]], sources) == []


def test_a_check_value_that_no_test_names_is_found() -> None:
    assert unused(["named", "forgotten"], ['agrees("named", 1.0)']) == ["forgotten"]


def test_agreement_is_to_the_digits_given() -> None:
    assert check_values.agrees("entropy_rate_50_80", 0.619014)
    assert not check_values.agrees("entropy_rate_50_80", 0.619016)
    assert not check_values.agrees("unigram_bias_20_30", 0.2400001)
