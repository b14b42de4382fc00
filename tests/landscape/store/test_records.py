"""A record vouches for itself: no flip of one bit makes it say something else."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from landscape.config.canonical import dumps
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.report.data import theorems
from landscape.store.manifest import read_manifest
from landscape.store.reading import StoredScan, open_scan
from landscape.store.records import Damage, read_record, text_of
from landscape.store.scan_store import ScanStore
from tests.planted.stored import stored_before

CONFIG: dict[str, Any] = {"source": {"q": 0.8}, "axes": {"source.p": [0.1, 0.5]}}
ENTRIES = {"id": "4ab3", "loss": -0.5, "rates": [1e-05, 0.1], "none": None, "seed": 3}
OLD = tuple(ENTRIES)


@pytest.fixture
def store(tmp_path: Path) -> ScanStore:
    """Two small cells, written."""
    config = ScanConfig(**CONFIG)
    found = ScanStore(tmp_path / "scan").open_or_create(config, {"torch": "2.13.0"})
    for cell in config.cells():
        loss = xr.Dataset({"loss": (("seed", "step"), np.array([[0.75, 0.5]]))})
        tree = xr.DataTree.from_dict({"/training": loss})
        found.write_cell(cell, tree, {"loss": 0.5}, {"w": np.ones(3)})
    return found


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


Reader = Callable[[], Any]


def unseen(path: Path, read: Reader, bits: range | list[int]) -> list[int]:
    """Flips of one bit after which something else than before is read without a refusal."""
    content, true = path.read_bytes(), read()
    assert true is not None
    found = []
    for bit in bits:
        path.write_bytes(flipped(content, bit))
        try:
            now = read()
        except (Damage, ConfigError):
            continue
        if now is not None and now != true:
            found.append(bit)
    path.write_bytes(content)
    assert read() == true
    return found


def every_bit(path: Path) -> range:
    return range(8 * path.stat().st_size)


def some_bits(path: Path, count: int, seed: int) -> list[int]:
    return random.Random(seed).sample(every_bit(path), count)


def test_no_flip_of_one_bit_makes_a_record_say_something_else(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(text_of(ENTRIES))

    def read() -> Any:
        found = read_record(path, OLD)
        return found.entries, found.vouched

    assert unseen(path, read, every_bit(path)) == []
    # the control: of a record of 0.1.0, without a digest, many flips are taken for valid
    path.write_text(dumps(ENTRIES))
    assert len(unseen(path, read, some_bits(path, 200, seed=0))) > 8


def readers(store: ScanStore) -> dict[str, tuple[Path, Reader]]:
    """What each file of a scan's folder is read for, afresh."""
    cell = store.config.cells()[0]

    def opened() -> StoredScan:
        return open_scan(store.path)

    def curves() -> Any:
        return opened().arrays(cell, "training/loss")[0].tolist()

    def weights() -> Any:
        return {name: value.tolist() for name, value in opened().weights(cell).items()}

    cells, scan = store.path / "cells", store.path / "scan.json"
    return {
        "record": (cells / f"{cell.id}.json", lambda: opened().scalars(cell)),
        "results": (cells / f"{cell.id}.nc", curves),
        "weights": (store.path / "weights" / f"{cell.id}.safetensors", weights),
        "configuration": (scan, lambda: read_manifest(scan)),
    }


@pytest.mark.parametrize("name", ["record", "results", "weights", "configuration"])
@pytest.mark.parametrize("flips", [40, pytest.param(1500, marks=pytest.mark.slow)])
def test_no_flip_of_one_bit_in_a_folder_is_taken_for_what_was_written(
    store: ScanStore, name: str, flips: int
) -> None:
    path, read = readers(store)[name]
    count = min(flips, len(every_bit(path)))
    assert unseen(path, read, some_bits(path, count, seed=1)) == []


def test_status_scan_and_reader_agree_about_a_flip(store: ScanStore) -> None:
    first, second = store.config.cells()
    path = store.path / "cells" / f"{first.id}.json"
    text = path.read_text("utf-8")
    assert '"loss": 0.5' in text
    path.write_text(text.replace('"loss": 0.5', '"loss": 0.4'), "utf-8")
    assert set(store.status().damaged) == {first.id}
    stored = open_scan(store.path)
    assert [cell.id for cell in stored.readable()] == [second.id]
    with pytest.raises(ConfigError, match="not what its digest vouches for"):
        stored.scalars(first)
    assert store.pending(store.config.cells()) == (first,)


def test_a_count_by_names_says_so(store: ScanStore) -> None:
    first, _ = store.config.cells()
    (store.path / "weights" / f"{first.id}.safetensors").write_bytes(b"")
    by_name, compared = store.status(check=False), store.status(check=True)
    assert (by_name.done, by_name.checked) == (2, False)
    assert (compared.done, compared.checked) == (1, True)


def test_folders_of_the_first_version_are_read_and_said_to_be_unvouched(tmp_path: Path) -> None:
    store = ScanStore(stored_before(tmp_path))
    assert (store.status().done, store.status().unvouched) == (2, 2)
    cell = store.config.cells()[0]
    path = tmp_path / "cells" / f"{cell.id}.json"
    entries = json.loads(path.read_text("utf-8"))
    path.write_text(text_of(entries))
    assert store.status().unvouched == 1
    # a digest whose name is damaged makes no old record
    path.write_text(path.read_text("utf-8").replace('"digest"', '"eigest"'))
    assert "has no digest" in str(store.fault(cell.id))


# --- other things in a file's place ---------------------------------------------------------------


def deep(path: Path) -> None:
    path.write_text("[" * 200_000)


def device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").touch()


def nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


PLACES = ["cells/{}.json", "cells/{}.nc", "weights/{}.safetensors"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("damage", [deep, device, pipe, folder, nowhere])
def test_whatever_lies_in_a_file_s_place_is_set_aside_and_healed(
    store: ScanStore, place: str, damage: Callable[[Path], None]
) -> None:
    first, second = store.config.cells()
    damage(store.path / place.format(first.id))
    with pytest.raises(ConfigError, match="run the scan again"):
        open_scan(store.path).scalars(first)
    assert store.pending(store.config.cells()) == (first,)
    tree = xr.DataTree.from_dict({"/training": xr.Dataset({"loss": ("step", [0.5])})})
    store.write_cell(first, tree, {"loss": 0.5}, {"w": np.ones(3)})
    assert store.pending(store.config.cells()) == ()
    reason = next((store.path / "quarantine").rglob("reason.txt")).read_text("utf-8")
    assert len(reason.split()) > 3
    assert store.fault(second.id) is None


@pytest.mark.parametrize("place", PLACES[1:])
def test_a_cell_is_written_where_something_else_lies(store: ScanStore, place: str) -> None:
    first = store.config.cells()[0]
    for name in PLACES:
        (store.path / name.format(first.id)).unlink()
    (store.path / place.format(first.id)).mkdir()
    tree = xr.DataTree.from_dict({"/training": xr.Dataset({"loss": ("step", [0.5])})})
    store.write_cell(first, tree, {"loss": 0.5}, {"w": np.ones(3)})
    assert store.fault(first.id) is None and store.quarantined == 1


@pytest.mark.parametrize("name", ["cells", "weights", "training"])
def test_what_lies_in_a_folder_s_place_is_refused_by_readers_and_set_aside(
    store: ScanStore, tmp_path: Path, name: str
) -> None:
    place, config = store.path / name, ScanConfig(**CONFIG)
    place.rename(tmp_path / "elsewhere")
    place.symlink_to("/dev/null")
    for read in (ScanStore(store.path).status, lambda: open_scan(store.path)):
        with pytest.raises(ConfigError, match=f"{name} is no folder; run the scan again"):
            read()
    again = ScanStore(store.path).open_or_create(config, {})
    assert place.is_dir() and again.quarantined == 1
    assert len(again.pending(config.cells())) == (0 if name == "training" else 2)


# --- scan.json ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage", [Path.unlink, deep, device, folder, lambda p: p.write_text("{}")]
)
def test_scan_json_is_written_anew_from_the_configuration_of_the_cells(
    store: ScanStore, damage: Callable[[Path], None]
) -> None:
    path, config = store.path / "scan.json", ScanConfig(**CONFIG)
    true = read_manifest(path)
    damage(path)
    with pytest.raises(ConfigError):
        ScanStore(store.path).status()
    other = ScanConfig(**{**CONFIG, "axes": {"source.p": [0.1, 0.6]}})
    with pytest.raises(ConfigError):  # the control: the cells are not that scan's
        ScanStore(store.path).open_or_create(other, {})
    again = ScanStore(store.path).open_or_create(config, {})
    assert again.pending(config.cells()) == ()
    assert read_manifest(path)["config"] == true["config"]


# --- the cache of theorem pages -------------------------------------------------------------------


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cached page of one theorem."""
    from theory.statements.registry import theorem

    monkeypatch.setenv("MARKOV_LANDSCAPE_CACHE", str(tmp_path / "cache"))
    theorems._proof(theorem("entropies"))
    return tmp_path / "cache" / "pages" / "entropies.json"


def kept(path: Path) -> Any:
    from theory.statements.records import proof_record

    return theorems._kept(path, proof_record("entropies"))


@pytest.mark.parametrize("flips", [60, pytest.param(1500, marks=pytest.mark.slow)])
def test_no_flip_of_one_bit_in_a_cached_page_is_taken_for_what_was_written(
    page: Path, flips: int
) -> None:
    assert unseen(page, lambda: kept(page), some_bits(page, flips, seed=2)) == []


MATHML = '<math xmlns="http://www.w3.org/1998/Math/MathML">{}</math>'


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>", '<mi onclick="alert(1)">a</mi>',
        '<mi href="https://example.org">a</mi>', "<annotation-xml><b>a</b></annotation-xml>",
        '<mi xmlns="http://www.w3.org/1999/xhtml">a</mi>', "<mi>a", "</math><b>a</b>",
        '<mtext style="background:url(x)">a</mtext>', "<maction>a</maction>",
    ],
)  # fmt: skip
def test_what_is_no_mathml_does_not_reach_a_page_though_its_digest_fits(
    page: Path, inside: str
) -> None:
    entries = read_record(page, ()).entries
    steps = entries["theorem"]["steps"]

    def forge(content: str) -> Any:
        steps[0]["mathml"] = MATHML.format(content)
        page.write_text(text_of(entries))
        return kept(page)

    assert forge(inside) is None
    assert forge("<mi>a</mi>") is not None  # the control
