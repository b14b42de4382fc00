"""The tool reports what it should of a planted project; no fault in theory/ goes unexplained."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.survey import explanations
from tests.mutation.targets import EXCLUDED, judges, targets

ROOT = Path(__file__).resolve().parents[2]
SURVIVORS = ROOT / "tests" / "mutation" / "survivors.toml"

PLANTED = {
    "pyproject.toml": """
[tool.pytest.ini_options]
pythonpath = ["."]
addopts = ["--doctest-modules"]
""",
    "theory/__init__.py": "",
    "theory/half.py": '''
from theory.quarter import quarter

def half(x):
    """
    >>> half(4)
    2.0
    """
    while x < 0:
        x += 1
    return x / 2

def weak(x):
    return abs(x) + 1 if x > 0 else 1 - x

def fourth(x):
    return quarter(x)
''',
    "theory/quarter.py": "def quarter(x):\n    return x / 4\n",
    "tests/theory/test_half.py": """
from theory.half import half, weak

def test_half():
    assert half(6) == 3 and half(0) == 0 and half(-3) == 0
    assert weak(2) == 3 and weak(-2) == 3
""",
    "tests/theory/test_whole.py": """
from theory.half import fourth

def test_the_fourth():
    assert fourth(8) == 2
""",
    "survivors.toml": """
[[explained]]
reason = "both sides are 1 at x = 0"
[explained.mutants]
"theory/half.py::weak::gt-gte::1" = "x > 0 -> x >= 0"
[[explained]]
reason = "planted: each of these is stale"
[explained.mutants]
"theory/half.py::half::div-mult::1" = "x / 2 -> x * 2"
"theory/half.py::half::div-mult::2" = "x / 3 -> x * 3"
"theory/half.py::half::lt-lte::1" = "x < 1 -> x <= 1"
""",
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("planted")
    for name, text in PLANTED.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def report(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.mutation", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def on(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return report("--root", root, "--survivors", root / "survivors.toml", "--tell", *arguments)


@pytest.fixture(scope="module")
def told(planted: Path) -> subprocess.CompletedProcess[str]:
    return on(planted, "theory/half.py", "theory/quarter.py")


def test_a_fault_that_a_test_sees_is_killed_by_it(told: subprocess.CompletedProcess[str]) -> None:
    nearest = "tests/theory/test_half.py::test_half"
    assert f"killed theory/half.py::half::div-mult::1 {nearest}\n" in told.stdout
    # and where the nearest test says nothing, by one farther off
    distant = "tests/theory/test_whole.py::test_the_fourth"
    assert f"killed theory/quarter.py::quarter::div-mult::1 {distant}\n" in told.stdout


def test_a_fault_that_no_test_sees_is_reported(told: subprocess.CompletedProcess[str]) -> None:
    survives = "  survives: theory/half.py::weak::add-one::1  line 14\n    x > 0 -> x > 1\n"
    assert survives in told.stdout
    assert told.returncode == 1


def test_an_explained_survivor_is_no_fault_of_the_tests(
    told: subprocess.CompletedProcess[str],
) -> None:
    assert "survives theory/half.py::weak::gt-gte::1 \n" in told.stdout
    assert "survives: theory/half.py::weak::gt-gte::1" not in told.stdout


def test_a_stale_explanation_is_reported(told: subprocess.CompletedProcess[str]) -> None:
    stale = [line for line in told.stdout.splitlines() if line.startswith("  stale: ")]
    name = "theory/half.py::half"
    assert stale == [
        f"  stale: {name}::div-mult::1 is killed by tests/theory/test_half.py::test_half: "
        "delete its explanation",
        f"  stale: {name}::div-mult::2 is no mutant: delete its explanation",
        f"  stale: {name}::lt-lte::1 is now x < 0 -> x <= 0, and the explanation is of "
        "x < 1 -> x <= 1",
    ]


def test_a_fault_that_never_ends_is_killed_by_the_clock(planted: Path) -> None:
    endless = on(planted, "theory/half.py", "--only", "half::add-sub::1")
    assert "killed theory/half.py::half::add-sub::1 time\n" in endless.stdout


def test_only_where_all_survivors_are_explained_the_report_is_good(planted: Path) -> None:
    assert on(planted, "theory/half.py", "--only", "weak::gt-gte::1").returncode == 0
    assert on(planted, "theory/half.py", "--only", "weak::add-one::1").returncode == 1


def test_a_file_that_fails_as_it_is_judges_no_mutant(planted: Path) -> None:
    broken = planted / "tests" / "theory" / "test_quarter.py"
    broken.write_text("from theory.quarter import quarter\ndef test_it():\n    assert False\n")
    told = on(planted, "theory/quarter.py")
    broken.unlink()
    assert told.returncode == 1
    assert "theory/quarter.py fails tests/theory/test_quarter.py::test_it as it is" in told.stderr


@pytest.mark.parametrize(("entries", "words"), [
    ([(" ", "b -> c")], "a is not explained: give its change and a reason"),
    ([("why", "")], "a is not explained: give its change and a reason"),
    ([("why", "b -> c"), ("so", "b -> c")], "a is explained twice: give one reason"),
])  # fmt: skip
def test_an_explanation_without_a_reason_is_refused(
    entries: list[tuple[str, str]], words: str, tmp_path: Path
) -> None:
    file = tmp_path / "survivors.toml"
    lines = [f'[[explained]]\nreason = "{r}"\nmutants = {{"a" = "{c}"}}' for r, c in entries]
    file.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=words):
        explanations(file)


def test_what_is_not_mutated_exists_and_the_closed_forms_are_mutated() -> None:
    assert [pattern for pattern in EXCLUDED if not [*ROOT.glob(pattern)]] == []
    closed = {"chain/binary", "spectra/bigram", "spectra/universal_law", "attention/loss"}
    closed |= {f"reduced/{name}" for name in ("loss", "critical_points", "flow", "basins")}
    assert {f"theory/{name}.py" for name in closed} <= set(targets(ROOT))


def test_every_explanation_is_of_a_file_that_is_mutated() -> None:
    files = {name.partition("::")[0] for name in explanations(SURVIVORS)}
    assert files <= set(targets(ROOT))


def test_the_judges_of_a_file_are_the_tests_within_two_imports_of_it() -> None:
    nearest, others = judges(ROOT, "theory/reduced/degenerate.py")
    assert nearest == ["tests/theory/reduced/test_degenerate.py", "theory/reduced/degenerate.py"]
    assert others == []
    nearest, others = judges(ROOT, "theory/chain/binary.py")
    assert nearest == ["tests/theory/chain/test_binary.py", "theory/chain/binary.py"]
    assert "tests/theory/reduced/test_loss.py" in others
    assert "tests/theory/spectra/test_reduced.py" not in others
    assert "tests/theory/spectra/test_predicted_spectrum.py" not in others


@pytest.mark.slow
@pytest.mark.parametrize("path", targets(ROOT))
def test_no_surviving_fault_is_unexplained(path: str) -> None:
    told = report("--jobs", "1", path)
    assert told.returncode == 0, told.stdout + told.stderr
