"""The page of a scan says what the scan's files say, and lets nothing else in or out."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from landscape.compare_theorems.verification import CLAIMS
from landscape.config import ScanConfig
from landscape.report import page, render, write_report
from landscape.report.cell_file import Budget, read_cell
from landscape.report.counting import groups, share_stuck
from landscape.report.gather import for_script, read_records
from landscape.report.held import held, worst
from landscape.report.summary import summarise
from landscape.report.thinning import changes, rounded, spread, symmetric
from landscape.scanning import scan
from landscape.store import ScanStore

MODEL = {"width": 2, "length": 3}
NASTY = """"><script>alert(1)</script>'&"""


def theorem(**changes: Any) -> dict[str, Any]:
    step = {"kind": "sign", "claim": "a claim", "where": "for w > 0", "mathml": "<math></math>"}
    plain = {
        "id": "one",
        "title": "A theorem",
        "statement": "It is so.",
        "source": "this project",
        "hypotheses": ["p + q != 1"],
        "proved": True,
        "steps": [{**step, "accepted": True, "reason": ""}],
        "control": {**step, "refuted": True, "reason": "refuted: 0 at p = 1/2"},
        "applies": [],
        "kinds": [],
        "tying": None,
        "checks": [("unigram", "loss")],
    }
    return plain | changes


def config(**changes: Any) -> ScanConfig:
    settings: dict[str, Any] = {
        "name": "small",
        "model": MODEL,
        "train": {"steps": 12, "seeds": 2},
        "measure": {"points": ["unigram", "bigram"], "slice": {"resolution": 5}},
        "axes": {
            "source.p": ["0.2", "0.8"],
            "source.q": ["0.2", "0.9"],
            "model.tying": ["tied", "untied"],
        },
    }
    return ScanConfig(**{**settings, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan of both sides of p + q = 1, and of the line."""
    return scan(config(), out=tmp_path_factory.mktemp("report") / "scan").path


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> ScanStore:
    """A copy that may be damaged."""
    return ScanStore(shutil.copytree(made, tmp_path / "scan"))


class Elements(HTMLParser):
    """What a browser makes of a page: elements with their attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.starts: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.starts.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = tag
            self.scripts += [""] * (tag == "script")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif not self._inside:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def data(self) -> dict[str, Any]:
        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is not JSON")

        found: dict[str, Any] = json.loads(self.scripts[0], parse_constant=refuse)
        return found


def shown(store: ScanStore, *theorems: dict[str, Any]) -> Elements:
    return Elements(render(store, theorems, store.path))


def scalars(store: ScanStore) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Coordinates and scalars of each cell, read from its JSON alone."""
    for path in sorted((store.path / "cells").glob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        yield record["coordinates"], record["scalars"]


# --- the numbers ---------------------------------------------------------------------------------


def test_the_shares_are_those_counted_in_the_files(folder: ScanStore) -> None:
    counted: dict[tuple[str, bool], list[int]] = {}
    for at, found in scalars(folder):
        total = round(10 * (float(at["source.p"]) + float(at["source.q"])))
        if total != 10:
            pair = counted.setdefault((at["model.tying"], total > 10), [0, 0])
            pair[0] += found["outcome"].count("unigram")
            pair[1] += len(found["outcome"])
    records = read_records(folder)
    settings = [record.config.model.tying for record in records]
    parts = groups(records, settings)
    found_shares = {
        (part.setting, part.side == "p + q > 1"): [part.share.stuck, part.share.runs]
        for part in parts
    }
    assert found_shares == counted
    assert sum(runs for _, runs in counted.values()) == 12
    assert len(records) == 8  # two of them at p + q = 1, where nothing can be stuck


def test_the_limits_are_the_binomials_own(folder: ScanStore) -> None:
    """Each limit is the probability at which the other tail of the binomial law is 2.5%."""
    record = next(r for r in read_records(folder) if r.stuck is not None)
    share = share_stuck([record])
    assert share is not None

    def tail(p: float, at_least: int, n: int) -> float:
        return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(at_least, n + 1))

    k, n = share.stuck, share.runs
    assert share.independent == n == 2
    if k:
        assert tail(share.low, k, n) == pytest.approx(0.025, rel=1e-9)
    if k < n:
        assert 1 - tail(share.high, k + 1, n) == pytest.approx(0.025, rel=1e-9)


def test_seeds_that_recur_in_every_cell_count_once(folder: ScanStore) -> None:
    cells = [record for record in read_records(folder) if record.stuck is not None]
    one, all_of_them = share_stuck(cells[:1]), share_stuck(cells)
    assert one is not None and all_of_them is not None
    assert all_of_them.runs == len(cells) * one.runs
    assert all_of_them.independent == pytest.approx(one.independent)


def test_curves_and_surfaces_are_those_of_the_files(folder: ScanStore) -> None:
    cell = folder.config().cells()[0]
    drawn = read_cell(folder, cell, Budget(side=3, steps=4)).drawn

    def group(name: str) -> xr.Dataset:
        file = folder.path / "cells" / f"{cell.id}.nc"
        return xr.load_dataset(file, group=name, engine="h5netcdf")

    loss = group("training")["loss"].sel(step=drawn["training"]["step"]).values
    surface = group("slices/unigram")["loss"].values[::2, ::2]
    centre = group("slices/unigram").attrs["center_loss"]
    eigenvalues = group("spectrum/unigram")["eigenvalue"].values
    bound = float(group("spectrum/unigram")["zero_bound"])
    # Five significant digits of a curve, four of a surface.
    np.testing.assert_allclose(drawn["training"]["loss"], loss, rtol=5e-5)
    np.testing.assert_allclose(drawn["slices"]["unigram"]["loss"], surface, rtol=5e-4)
    assert drawn["slices"]["unigram"]["loss"][1][1] == pytest.approx(centre, rel=5e-4)
    kept = eigenvalues[np.abs(eigenvalues) > bound]
    np.testing.assert_allclose(drawn["spectra"]["unigram"]["measured"], kept, rtol=5e-6)
    assert drawn["spectra"]["unigram"]["zeros"] == len(eigenvalues) - len(kept)
    with pytest.raises(AssertionError):  # the control: other nodes are other numbers
        np.testing.assert_allclose(
            drawn["slices"]["unigram"]["loss"], np.roll(surface, 1, 0), rtol=5e-4
        )


def test_the_summary_states_the_largest_error_and_the_verdicts(folder: ScanStore) -> None:
    points = [
        found["points"][kind] for _, found in scalars(folder) for kind in ("unigram", "bigram")
    ]
    error = max(point["max_error"] for point in points)
    records = read_records(folder)
    sure = " ".join(summarise(records, [], [theorem(), theorem(proved=False)], 3).sure)
    digits, power = f"{error:.1e}".split("e")
    superscript = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    assert f"Largest difference {digits} \N{MULTIPLICATION SIGN} 10{superscript}." in sure
    verified = sum(point["verdict"] == "verified" for point in points)
    assert f"{len(points)} spectra" in sure and f"{verified} verified" in sure
    assert "1 of 2 theorems" in sure
    assert "3 damaged cells set aside" in sure


def test_the_page_answers_which_why_and_how_sure(folder: ScanStore) -> None:
    text = shown(folder, theorem()).text
    for question in ("Which get stuck?", "Why?", "How sure is that?"):
        assert question in text
    assert re.search(r"got stuck(, in any of| in \d+ of) 6 cells", text)
    assert "In 2 more cells the symbols are independent" in text
    assert "Theory calls it a local minimum in 2 cells" in text  # tied, p + q > 1
    assert "Theory calls it a saddle in 4 cells" in text


def test_a_check_that_follows_from_a_theorem_is_counted_for_it(folder: ScanStore) -> None:
    records = read_records(folder)
    some = [record.config.id for record in records[:3]]
    follows = theorem(applies=some, checks=[("unigram", "loss"), ("bigram", "loss")])
    assert held(follows, records) == {"verified": 6}
    assert held(follows | {"kinds": ["gpt"]}, records) == {}
    tied = sum(record.config.model.tying == "tied" for record in records[:3])
    assert held(follows | {"tying": "tied"}, records) == {"verified": 2 * tied}
    records[0].checks["unigram"][0]["verdict"] = "refuted"
    assert worst(held(follows, records)) == "refuted"


def test_consequences_are_of_theorems_that_there_are() -> None:
    from landscape.cli.report_theorems import CONSEQUENCES

    assert set(CONSEQUENCES) <= set(CLAIMS)


@given(count=st.integers(1, 200), most=st.integers(3, 60))
def test_thinning_keeps_ends_and_the_middle(count: int, most: int) -> None:
    kept = symmetric(count, most).tolist()
    assert {0, (count - 1) // 2, count - 1} <= set(kept) or count % 2 == 0
    assert kept == sorted(set(kept)) and kept[0] == 0 and kept[-1] == count - 1
    assert len(kept) <= most + 2
    even = spread(count, most)
    assert len(even) == min(count, most) and even[0] == 0 and even[-1] == count - 1


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=30))
def test_a_stair_is_whole_from_its_changes(values: list[float]) -> None:
    row = np.array(values)
    kept = changes(row)
    again = row[kept][np.searchsorted(kept, np.arange(len(row)), side="right") - 1]
    np.testing.assert_array_equal(again, row)


def test_numbers_that_are_not_finite_become_null() -> None:
    assert [rounded(value) for value in (math.nan, math.inf, -0.123456)] == [None, None, -0.12346]


# --- nothing gets in, nothing goes out -----------------------------------------------------------


def test_the_page_loads_nothing(folder: ScanStore) -> None:
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


def nasty_copy(made: Path, tmp_path: Path) -> ScanStore:
    """A scan in a folder with a name, and with versions, that would like to be a script."""
    store = ScanStore(shutil.copytree(made, tmp_path / NASTY.replace("/", "\u2044")))
    manifest = store.path / "scan.json"
    description = json.loads(manifest.read_text("utf-8"))
    description["versions"][NASTY] = NASTY
    description["created_at"] = NASTY
    manifest.write_text(json.dumps(description), "utf-8")
    cell = store.config().cells()[0]
    record = store.path / "cells" / f"{cell.id}.json"
    content = json.loads(record.read_text("utf-8"))
    content["scalars"]["points"]["bigram"]["reason"] = NASTY
    content["created_at"] = NASTY
    record.write_text(json.dumps(content), "utf-8")
    return store


def test_no_text_of_a_user_becomes_markup(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = nasty_copy(made, tmp_path)
    proof = theorem(title=NASTY, statement=NASTY, source=NASTY, hypotheses=[NASTY])
    elements = shown(store, proof)
    names = [tag for tag, _ in elements.starts]
    assert names.count("script") == 3
    assert NASTY in elements.text
    assert any(c["points"]["bigram"]["reason"] == NASTY for c in elements.data["cells"][:1])
    assert not any("alert" in (value or "") for _, a in elements.starts for value in a.values())
    # The control: the same page of a template that does not escape has more scripts.
    careless = page._environment()
    careless.autoescape = False
    monkeypatch.setattr(page, "_environment", lambda: careless)
    assert [tag for tag, _ in shown(store, proof).starts].count("script") > 3


def test_the_data_is_strict_json_even_where_a_loss_is_not_finite(folder: ScanStore) -> None:
    for path in (folder.path / "cells").glob("*.json"):
        record = json.loads(path.read_text("utf-8"))
        record["scalars"]["final_loss"][0] = None
        path.write_text(json.dumps(record), "utf-8")
    elements = shown(folder, theorem())
    assert all(cell["stuck"] is None for cell in elements.data["cells"])
    assert "Left out: 8 runs whose loss is not finite" in elements.text


# --- scans of every kind -------------------------------------------------------------------------


def test_missing_and_damaged_cells_are_said_and_left_alone(folder: ScanStore) -> None:
    first, second, third, *_ = folder.config().cells()
    (folder.path / "cells" / f"{first.id}.json").unlink()
    results = folder.path / "cells" / f"{second.id}.nc"
    content = bytearray(results.read_bytes())
    content[len(content) // 2] ^= 1
    results.write_bytes(content)
    (folder.path / "cells" / f"{third.id}.json").write_text("{")
    (folder.path / "quarantine" / f"{third.id}-1").mkdir(parents=True)
    before = sorted(folder.path.rglob("*"))
    elements = shown(folder, theorem())
    assert sorted(folder.path.rglob("*")) == before
    states = [cell["state"] for cell in elements.data["cells"]]
    assert states[:4] == ["missing", "damaged", "damaged", "done"]
    assert "1 of 8 cells have no result yet" in elements.text
    assert "2 of 8 cells cannot be read" in elements.text
    assert "1 damaged cell set aside" in elements.text
    assert "5 of 8 cells" in elements.text


def test_a_scan_that_has_not_begun_has_a_page(tmp_path: Path) -> None:
    store = ScanStore(tmp_path).open_or_create(config(), {})
    elements = shown(store)
    assert "No cell is finished" in elements.text
    assert {cell["state"] for cell in elements.data["cells"]} == {"missing"}


OTHER: dict[str, dict[str, Any]] = {
    "one cell, nothing measured": {
        "source": {"p": "0.5", "q": "0.8"},
        "measure": {"points": []},
        "axes": {},
    },
    "no slices": {
        "source": {"p": "0.5", "q": "0.8"},
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
    store = ScanStore(tmp_path)
    data = shown(store, theorem()).data
    assert data["plane"] is False
    assert [axis["name"] for axis in data["axes"]] == [*changes["axes"]]
    measured = changes["measure"]["points"]
    assert all([*cell["points"]] == measured for cell in data["cells"])
    if changes["measure"].get("slice", 0) is None or not measured:
        assert all(cell["slices"] == {} for cell in data["cells"])
    assert ("after a 0 comes a 1" in shown(store).text) is ("kind" not in changes["source"])


def test_the_cell_shown_first_is_stuck_if_any_is(folder: ScanStore) -> None:
    data = for_script(folder, read_records(folder))
    shares = [c["stuck"][0] / c["stuck"][1] if c["stuck"] else -1 for c in data["cells"]]
    assert shares[data["first"]] == max(shares)


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run the command with one theorem, whose proof takes no time."""
    from landscape.cli import report, report_theorems

    monkeypatch.setattr(report_theorems, "theorem_records", lambda config: [theorem()])

    def run(*arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(report.command, [*arguments], standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return result.return_value, result.stdout, result.stderr

    return run


def test_the_command_writes_one_file_and_says_where(
    folder: ScanStore, command: Callable[..., tuple[int, str, str]]
) -> None:
    before = set(folder.path.rglob("*"))
    code, out, _ = command(str(folder.path), "--json")
    record = json.loads(out)
    report = folder.path / "report.html"
    assert code == 0
    assert set(folder.path.rglob("*")) - before == {report}
    assert record["report"] == str(report)
    assert record["bytes"] == report.stat().st_size
    assert (record["cells"], record["done"]) == (8, 8)
    assert (record["theorems"], record["proved"]) == (1, 1)
    assert command(str(folder.path))[1] == f"Report    {report}\n"


def test_links_lead_to_the_scan_from_wherever_the_page_is(
    folder: ScanStore, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    (folder.path / "phase diagram.png").touch()
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "page.html"
    command(str(folder.path), "--out", str(target))
    elements = Elements(target.read_text("utf-8"))
    links = [a["href"] for tag, a in elements.starts if tag == "a"]
    assert "../scan/phase%20diagram.png" in links and "../scan/scan.json" in links
    assert elements.data["base"] == "../scan"


def test_a_folder_that_is_no_scan_is_refused(tmp_path: Path) -> None:
    from landscape.cli import report

    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match=f"{place} is not the folder of a scan"):
            CliRunner().invoke(
                report.command, [str(place)], standalone_mode=False, catch_exceptions=False
            )
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_leaves_the_one_before(
    folder: ScanStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_report(folder, [theorem()])
    before = path.read_bytes()

    def full(name: Path, text: str) -> None:
        (name.parent / name.name).touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("landscape.atomic.flush", lambda name: full(name, ""))
    with pytest.raises(OSError, match="No space left"):
        write_report(folder, [theorem(title="another")])
    assert path.read_bytes() == before
    assert [p.name for p in folder.path.glob(".*.partial")] == []


def test_a_theorem_comes_with_its_proof_in_mathml(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from landscape.cli import report_theorems
    from theory import theorems

    monkeypatch.setenv("MARKOV_LANDSCAPE_CACHE", str(tmp_path))
    only = theorems.theorem("entropies")
    monkeypatch.setattr(theorems, "theorems", lambda: (only,))
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
