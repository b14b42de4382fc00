"""Starting is cheap: names are lazy, and `--help` loads nothing that computes."""

import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import landscape
import theory

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("numpy", "torch", "sympy", "xarray", "pydantic", "matplotlib", "scipy")
REPORT = f"""
import json, sys
print("LOADED", json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""


def ran(*arguments: str) -> str:
    """What a fresh interpreter prints."""
    run = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def loaded_by(code: str) -> list[str]:
    """Which of HEAVY a fresh interpreter has loaded after running `code`."""
    answer = ran("-c", f"{code}\n{REPORT}").rpartition("LOADED ")[2]
    return [str(name) for name in json.loads(answer)]


HELP = """
import sys
from landscape.cli import main
sys.argv = ["landscape", "--help"]
try:
    main()
except SystemExit as end:
    assert end.code in (0, None), end.code
"""


def test_help_loads_nothing_that_computes() -> None:
    assert loaded_by(HELP) == []


def test_importing_the_package_loads_nothing_that_computes() -> None:
    assert loaded_by("import landscape; dir(landscape); landscape.__version__") == []
    assert loaded_by("import theory; dir(theory)") == []


def test_predicting_a_spectrum_loads_neither_sympy_nor_torch() -> None:
    loaded = loaded_by(
        "import theory.spectra.bigram, theory.spectra.reduced, theory.spectra.states"
    )
    assert not {"sympy", "torch"} & set(loaded) and "numpy" in loaded


@pytest.mark.parametrize("name", HEAVY)
def test_a_module_that_is_loaded_is_seen(name: str) -> None:
    # The control: the same probe reports each of them when it is there.
    assert name in loaded_by(f"import {name}")


def test_help_names_every_command_of_the_spine() -> None:
    shown = ran("-m", "landscape", "--help")
    assert [c for c in ("scan", "spectrum", "slice", "train", "status") if c not in shown] == []


def test_names_that_are_guessed_are_those_of_their_rooms() -> None:
    from landscape.errors import ConfigError
    from theory.reduced.loss import best_bias

    assert landscape.ConfigError is ConfigError and theory.best_bias is best_bias


FACES = [(package, name) for package in (landscape, theory) for name in package.__all__]


@pytest.mark.parametrize(("package", "name"), FACES)
def test_every_public_name_can_be_imported_and_is_listed(package: ModuleType, name: str) -> None:
    assert getattr(package, name) is not None
    assert name in dir(package)


@pytest.mark.parametrize(
    ("package", "module", "name"), [(landscape, "training", "train"), (theory, "checker", "check")]
)
def test_no_public_name_is_hidden_by_a_module(package: ModuleType, module: str, name: str) -> None:
    modules = {found.name for found in pkgutil.iter_modules(package.__path__)}
    assert modules & set(package.__all__) == set()
    # The control: names and modules do live in one namespace, so such a clash is possible.
    assert module in modules
    assert name in package.__all__


def test_names_are_what_they_are_whatever_was_imported_before() -> None:
    code = """
import pkgutil, importlib, landscape, theory
for package in (landscape, theory):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
from landscape import scan, train
assert callable(scan) and callable(train), (scan, train)
assert landscape.scan is scan
assert callable(theory.check) and callable(theory.theorem) and callable(theory.chain_of)
"""
    ran("-c", code)


@pytest.mark.parametrize("package", [landscape, theory])
def test_an_unknown_name_is_an_attribute_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match=f"No {package.__name__} attribute scann"):
        package.scann  # noqa: B018  (the access is what is tested)
