"""The page of a scan lets nothing in or out, whatever the scan and its texts are."""

import base64
import hashlib
import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, strategies as st

from landscape.report import page, write_report
from landscape.report.data import theorems as report_theorems
from landscape.report.data.gather import for_script
from landscape.report.text.typeset import signs, typeset
from landscape.scanning.scan import scan
from landscape.store.reading import open_scan
from landscape.store.scan_store import ScanStore
from tests.landscape.cli.running import Run
from tests.landscape.report.small_scan import (
    MODEL,
    NASTY,
    Elements,
    config,
    records_of,
    shown,
    theorem,
)
from tests.planted.stored import change
from theory.proving.steps import Identity
from theory.statements import registry


def test_the_page_loads_nothing(folder: Path) -> None:
    elements = shown(folder, theorem())
    for tag, attributes in elements.starts:
        assert "src" not in attributes and "srcset" not in attributes
        if tag == "link":
            assert attributes["href"] == "data:,"
        elif "href" in attributes:
            assert re.match(r"#|\./|data:text/csv", attributes["href"] or "")
    policy = next(a for _, a in elements.starts if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in (policy["content"] or "").split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in rules["script-src"]
    # The browser runs only what has one of these hashes: the two scripts as they stand here.
    digests = [hashlib.sha256(text.encode()).digest() for text in elements.scripts[1:]]
    assert rules["script-src"].split() == [
        f"'sha256-{base64.b64encode(digest).decode()}'" for digest in reversed(digests)
    ]


def nasty_copy(made: Path, tmp_path: Path) -> Path:
    """A scan in a folder with a name, and with versions, that would like to be a script."""
    folder = shutil.copytree(made, tmp_path / NASTY.replace("/", "\u2044"))

    def describe(description: dict[str, Any]) -> None:
        description["versions"][NASTY] = NASTY
        description["created_at"] = NASTY

    def explain(record: dict[str, Any]) -> None:
        record["scalars"]["points"]["bigram"]["reason"] = NASTY
        record["created_at"] = NASTY

    change(folder / "scan.json", describe)
    cell = open_scan(folder).cells[0]
    change(folder / "cells" / f"{cell.id}.json", explain)
    return folder


def test_no_text_of_a_user_becomes_markup(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = nasty_copy(made, tmp_path)
    proof = theorem(title=NASTY, statement=NASTY, source=NASTY, hypotheses=[NASTY])
    elements = shown(folder, proof)
    names = [tag for tag, _ in elements.starts]
    assert names.count("script") == 3
    assert NASTY in elements.text
    assert any(c["points"]["bigram"]["reason"] == NASTY for c in elements.data["cells"][:1])
    assert not any("alert" in (value or "") for _, a in elements.starts for value in a.values())
    # The control: the same page of a template that does not escape has more scripts.
    careless = page._environment()
    careless.autoescape = False
    monkeypatch.setattr(page, "_environment", lambda: careless)
    assert [tag for tag, _ in shown(folder, proof).starts].count("script") > 3


def test_the_data_is_strict_json_even_where_a_loss_is_not_finite(folder: Path) -> None:
    for path in (folder / "cells").glob("*.json"):
        change(path, lambda record: record["scalars"]["final_loss"].__setitem__(0, None))
    elements = shown(folder, theorem())
    assert all(cell["stuck"] is None for cell in elements.data["cells"])
    assert "Left out: 8 runs whose loss is not finite" in elements.text


@given(st.text(alphabet="<>&\"'-^_{}abipq12 sqrt/=!", max_size=40))
def test_typesetting_lets_no_markup_through(text: str) -> None:
    made = Elements(str(typeset(text)))
    assert {tag for tag, _ in made.starts} <= {"sub"}
    assert all(not attributes for _, attributes in made.starts)
    careless = Elements(signs("<b title=1 >"))  # the control: not escaped
    assert [tag for tag, _ in careless.starts] == ["b"]
    assert Elements(str(typeset("<b title=1 >"))).starts == []


def test_statements_are_set_in_signs() -> None:
    for plain, sign in (
        ("p + q != 1, w <= -1/sqrt2", "p + q ≠ 1, w ≤ \N{MINUS SIGN}1/√2"),
        ("2 pi0 pi1 (p+q-1) e^2", "2 π₀ π₁ (p+q\N{MINUS SIGN}1) e²"),
        ("<z z^T - sum_{i <= n} J>", "⟨z zᵀ \N{MINUS SIGN} sum_{i ≤ n} J⟩"),
        ("a rank-one, single-layer, order-2 chain, e > 0 < p", None),
        ("theorem degenerate-lines, 0 < p < 1 and q > 0", None),
    ):
        assert signs(plain) == (plain if sign is None else sign)


def test_missing_and_damaged_cells_are_said_and_left_alone(folder: Path) -> None:
    first, second, third, *_ = open_scan(folder).cells
    (folder / "cells" / f"{first.id}.json").unlink()
    results = folder / "cells" / f"{second.id}.nc"
    content = bytearray(results.read_bytes())
    content[len(content) // 2] ^= 1
    results.write_bytes(content)
    (folder / "cells" / f"{third.id}.json").write_text("{")
    (folder / "quarantine" / f"{third.id}-1").mkdir(parents=True)
    before = sorted(folder.rglob("*"))
    elements = shown(folder, theorem())
    assert sorted(folder.rglob("*")) == before
    states = [cell["state"] for cell in elements.data["cells"]]
    assert states[:4] == ["missing", "damaged", "damaged", "done"]
    assert "1 of 8 cells have no result yet" in elements.text
    assert "2 of 8 cells cannot be read" in elements.text
    assert "1 damaged cell set aside" in elements.text
    assert "5 of 8 cells" in elements.text


def test_a_scan_that_has_not_begun_has_a_page(tmp_path: Path) -> None:
    ScanStore(tmp_path).open_or_create(config(), {})
    elements = shown(tmp_path)
    assert "No cell is finished" in elements.text
    assert {cell["state"] for cell in elements.data["cells"]} == {"missing"}


CHAIN = {"p": "0.5", "q": "0.8"}
OTHER: dict[str, dict[str, Any]] = {
    "one cell, nothing measured": {"source": CHAIN, "measure": {"points": []}, "axes": {}},
    "no slices": {
        "source": CHAIN,
        "measure": {"points": ["unigram"], "slice": None},
        "axes": {"model.width": [2, 3], "train.lr": [1e-3, 1e-2]},
    },
    "three symbols": {
        "source": {"kind": "switching", "states": 3, "p": "0.4"},
        "model": {"kind": "gpt", **MODEL},
        "measure": {"points": ["unigram"]},
        "axes": {"source.p": ["0.4", "0.5"]},
    },
}


@pytest.mark.parametrize("changes", OTHER.values(), ids=[*OTHER])
def test_other_scans_are_chosen_by_their_axes(tmp_path: Path, changes: dict[str, Any]) -> None:
    train = {"steps": 3, "seeds": 1}
    result = scan(config(**{"train": train, **changes}), out=tmp_path)
    assert not result.failed
    data = shown(tmp_path, theorem()).data
    assert data["plane"] is False
    assert [axis["name"] for axis in data["axes"]] == [*changes["axes"]]
    measured = changes["measure"]["points"]
    assert all([*cell["points"]] == measured for cell in data["cells"])
    if changes["measure"].get("slice", 0) is None or not measured:
        assert all(cell["slices"] == {} for cell in data["cells"])
    assert ("after a 0 comes a 1" in shown(tmp_path).text) is ("kind" not in changes["source"])


def test_the_cell_shown_first_is_stuck_if_any_is(folder: Path) -> None:
    data = for_script(open_scan(folder), records_of(folder))
    shares = [c["stuck"][0] / c["stuck"][1] if c["stuck"] else -1 for c in data["cells"]]
    assert shares[data["first"]] == max(shares)


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def command(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command with one theorem, whose proof takes no time."""
    monkeypatch.setattr(report_theorems, "theorem_records", lambda config: [theorem()])
    return partial(run, "report")


def test_the_command_writes_one_file_and_says_where(folder: Path, command: Run) -> None:
    before = set(folder.rglob("*"))
    code, out, _ = command(folder, "--json")
    record = json.loads(out)
    report = folder / "report.html"
    assert code == 0
    assert set(folder.rglob("*")) - before == {report}
    assert record["report"] == str(report)
    assert record["bytes"] == report.stat().st_size
    assert (record["cells"], record["done"]) == (8, 8)
    assert (record["theorems"], record["proved"]) == (1, 1)
    assert command(folder)[1] == f"Report    {report}\n"


def test_links_lead_to_the_scan_from_wherever_the_page_is(
    folder: Path, tmp_path: Path, command: Run
) -> None:
    (folder / "phase diagram.png").touch()
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "page.html"
    assert command(folder, "--out", target)[0] == 0
    elements = Elements(target.read_text("utf-8"))
    links = [a["href"] for tag, a in elements.starts if tag == "a"]
    assert "../scan/phase%20diagram.png" in links and "../scan/scan.json" in links
    assert elements.data["base"] == "../scan"


def test_a_folder_that_is_no_scan_is_refused(tmp_path: Path, command: Run) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        code, _, err = command(place)
        assert code == 2 and f"{place} is not the folder of a scan" in err
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_leaves_the_one_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_report(open_scan(folder), [theorem()])
    before = path.read_bytes()

    def full(name: Path) -> None:
        name.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("landscape.store.atomic.flush", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(open_scan(folder), [theorem(title="another")])
    assert path.read_bytes() == before
    assert [p.name for p in folder.glob(".*.partial")] == []


def test_a_theorem_comes_with_its_proof(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MARKOV_LANDSCAPE_CACHE", str(tmp_path))
    only = registry.theorem("entropies")
    monkeypatch.setattr(registry, "theorems", lambda: (only,))
    settings = config(axes={"source.p": ["0.2", "0.8"], "source.q": ["0.2"]})
    (record,) = report_theorems.theorem_records(settings)
    assert record["proved"] and record["title"] == "Entropies of the chain"
    assert all(step["mathml"].startswith("<math") for step in record["steps"])
    assert record["control"]["refuted"]
    assert record["applies"] == [cell.id for cell in settings.cells()]
    # The second time it is read, and the same; a kept page that is damaged is made again.
    assert report_theorems.theorem_records(settings) == [record]
    (kept,) = (tmp_path / "pages").glob("*.json")
    kept.write_text("{")
    assert report_theorems.theorem_records(settings) == [record]


def test_sides_that_are_equal_as_written_are_set_once() -> None:
    x = sp.Symbol("x")
    same = report_theorems._step(Identity("one expression", 2 * x, x + x))
    assert same["same"] and same["mathml"].count("<mi>x</mi>") == 1
    assert "<mo>=</mo>" not in same["mathml"] and same["mathml"].endswith("</math>")
    other = report_theorems._step(Identity("two", (x + 1) ** 2, x**2 + 2 * x + 1))
    assert not other["same"] and "<mo>=</mo>" in other["mathml"]
