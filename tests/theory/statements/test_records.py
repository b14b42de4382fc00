"""The cache of proofs: gone through once, and never believed when old, foreign or damaged."""

import errno
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from theory.proving import theorem as framework
from theory.proving.theorem import Proof, Theorem, prove
from theory.statements import records
from theory.statements.records import (
    ProofRecord,
    StepRecord,
    all_records,
    cache_folder,
    code_key,
    proof_record,
    remember,
)
from theory.statements.registry import THEOREM_IDS, theorem

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def proof() -> Proof:
    return prove(theorem("entropies"))


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources of theory, which is taken for them and nobody else edits."""
    copy = shutil.copytree(
        ROOT / "theory", tmp_path / "theory", ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(records, "SOURCES", copy)
    monkeypatch.setattr(records, "KEY", code_key())
    return copy


@pytest.fixture
def proofs(
    proof: Proof, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Theorem]]:
    """The theorems that were proved, in a fresh process with an empty cache."""
    done: list[Theorem] = []

    def counted(found: Theorem) -> Proof:
        done.append(found)
        return replace(proof, theorem=found)

    monkeypatch.setattr(framework, "prove", counted)
    monkeypatch.setenv("MARKOV_LANDSCAPE_CACHE", str(tmp_path / "cache"))
    proof_record.cache_clear()
    yield done
    proof_record.cache_clear()


def file_of(tmp_path: Path, name: str = "entropies") -> Path:
    return tmp_path / "cache" / "proofs" / f"{name}.json"


def as_another_process() -> ProofRecord:
    proof_record.cache_clear()
    return proof_record("entropies")


def test_a_proof_is_gone_through_once(proofs: list[Theorem], proof: Proof, tmp_path: Path) -> None:
    first = proof_record("entropies")
    assert first == ProofRecord.of(proof) and first.proved
    assert [step.claim for step in first.steps] == [step.claim for step in proof.steps]
    assert (first.control, first.refusal) == (proof.control.claim, proof.refusal.reason)
    assert proof_record("entropies") == as_another_process() == first
    assert len(proofs) == 1
    file_of(tmp_path).unlink()  # the control: without the file it is gone through again
    assert as_another_process() == first and len(proofs) == 2


def test_who_wants_a_proof_that_is_being_gone_through_waits_for_its_record(
    proofs: list[Theorem], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = framework.prove

    def slow(found: Theorem) -> Proof:
        time.sleep(0.3)
        return counted(found)

    def wanted_twice() -> None:
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(proof_record.__wrapped__, ["entropies"] * 2)
        assert first == second and first.proved

    monkeypatch.setattr(framework, "prove", slow)
    wanted_twice()
    assert len(proofs) == 1
    file_of(tmp_path).unlink()
    monkeypatch.setattr(records, "_alone", lambda name: nullcontext())
    wanted_twice()  # the control: without the lock, both go through it
    assert len(proofs) == 3


def test_the_records_come_in_the_order_of_the_registry(proofs: list[Theorem]) -> None:
    assert tuple(record.id for record in all_records()) == THEOREM_IDS
    assert tuple(found.id for found in proofs) == THEOREM_IDS


def test_reading_a_record_loads_no_sympy(proofs: list[Theorem], tmp_path: Path) -> None:
    proof_record("entropies")
    code = (
        "import sys; from theory.statements.records import proof_record; "
        "print(proof_record('entropies').proved, 'sympy' in sys.modules)"
    )
    said = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        said.append(run.stdout.strip())
        shutil.rmtree(tmp_path / "cache")  # the control: the second has to prove
    assert said == ["True False", "True True"]


def edited(change: Callable[[str], str]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_text(change(path.read_text("utf-8")), "utf-8")

    return damage


def with_field(name: str, value: object) -> Callable[[Path], None]:
    return edited(lambda text: json.dumps({**json.loads(text), name: value}))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


DAMAGE: dict[str, Callable[[Path], None]] = {
    "empty": edited(lambda text: ""),
    "cut short": edited(lambda text: text[: len(text) // 2]),
    "no JSON": edited(lambda text: "proved"),
    "a list": edited(lambda text: "[]"),
    "a number": edited(lambda text: "1"),
    "nested without end": edited(lambda text: "[" * 100_000),
    "not text": no_text,
    "a folder": a_folder,
    "of other code": with_field("key", "0" * 64),
    "of another theorem": with_field("id", "separatrix"),
    "another digest": with_field("digest", "0" * 64),
    "no digest": with_field("digest", None),
    "no steps": with_field("steps", []),
    "steps of another form": with_field("steps", [1, 2]),
    "one step": with_field("steps", [["identity", "0 = 0", True, "left - right simplifies to 0"]]),
    "another control": with_field("control", "1 = 2"),
    "not refuted": with_field("refuted", False),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_or_foreign_file_is_not_believed(
    name: str, proofs: list[Theorem], tmp_path: Path
) -> None:
    truth = proof_record("entropies")
    DAMAGE[name](file_of(tmp_path))
    assert as_another_process() == truth
    assert len(proofs) == 2
    if name != "a folder":  # which stays in the way
        assert as_another_process() == truth and len(proofs) == 2


def test_a_refused_proof_cannot_be_damaged_into_a_proof(
    proofs: list[Theorem], proof: Proof, tmp_path: Path
) -> None:
    outcomes = (replace(proof.outcomes[0], accepted=False), *proof.outcomes[1:])
    refused = ProofRecord.of(replace(proof, outcomes=outcomes))
    remember(refused)
    assert as_another_process() == refused and not refused.proved
    assert proofs == []
    edited(lambda text: text.replace("false", "true"))(file_of(tmp_path))
    assert as_another_process().proved  # as it is proved again
    assert len(proofs) == 1


def test_no_change_of_one_byte_gives_another_record(
    proofs: list[Theorem], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = proof_record("entropies")
    path = file_of(tmp_path)
    text = path.read_bytes()
    believed = 0
    for place in range(len(text)):
        path.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
        found = records._recall("entropies")
        assert found in (None, truth)
        believed += found is not None
    assert believed < len(text) / 10  # the spaces between
    # the control: without the comparison of digests, other records pass
    monkeypatch.setattr(records, "_digest", lambda _: truth.digest)
    path.write_bytes(text.replace(b"stationary", b"stationery"))
    assert records._recall("entropies") not in (None, truth)


def test_every_edit_of_the_sources_is_other_code(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {code_key()}
    (sources / "README").write_text("not code", "utf-8")
    assert code_key() in keys
    with (sources / "statements" / "chain" / "entropies.py").open("a") as file:
        file.write("#")
    keys.add(code_key())
    (sources / "statements" / "one_more.py").touch()
    keys.add(code_key())
    (sources / "reduced" / "loss.py").rename(sources / "reduced" / "lost.py")
    keys.add(code_key())
    monkeypatch.setattr(records, "version", lambda name: "0")
    keys.add(code_key())
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    keys.add(code_key())
    assert len(keys) == 6


def test_a_record_of_other_code_is_made_anew(
    proofs: list[Theorem], monkeypatch: pytest.MonkeyPatch, sources: Path
) -> None:
    first = proof_record("entropies")
    (sources / "reduced" / "loss.py").write_text("", "utf-8")
    assert as_another_process() == first  # this process has the old code in memory
    assert len(proofs) == 1
    monkeypatch.setattr(records, "KEY", code_key())
    assert as_another_process().digest != first.digest
    assert len(proofs) == 2


def test_nothing_is_written_once_the_sources_were_edited(
    proofs: list[Theorem], sources: Path, tmp_path: Path
) -> None:
    (sources / "reduced" / "loss.py").write_text("", "utf-8")
    assert proof_record("entropies").proved
    assert not file_of(tmp_path).exists()
    assert len(proofs) == 1


def test_a_folder_that_cannot_be_written_is_done_without(
    proofs: list[Theorem], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file in the way", "utf-8")
    assert as_another_process() == as_another_process()
    assert len(proofs) == 2
    (tmp_path / "cache").unlink()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert as_another_process().proved
    assert [*file_of(tmp_path).parent.iterdir()] == []
    with monkeypatch.context() as patch:  # no home, and no variable that names a folder
        for name in ("MARKOV_LANDSCAPE_CACHE", "XDG_CACHE_HOME"):
            patch.delenv(name, raising=False)
        patch.setattr(Path, "home", raise_no_home)
        assert cache_folder() is None and as_another_process().proved
    as_another_process()
    assert [path.name for path in file_of(tmp_path).parent.iterdir()] == ["entropies.json"]


def raise_no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize(
    ("own", "shared", "folder"),
    [
        ("/own", "/shared", "/own"),
        ("", "/shared", "/shared/markov-landscape"),
        ("", "relative", "/home/a/.cache/markov-landscape"),
        ("", "", "/home/a/.cache/markov-landscape"),
    ],
)
def test_where_the_cache_is(
    own: str, shared: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKOV_LANDSCAPE_CACHE", own)
    monkeypatch.setenv("XDG_CACHE_HOME", shared)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/a"))
    assert cache_folder() == Path(folder)


@pytest.mark.usefixtures("proofs")
@pytest.mark.parametrize("name", ["entropie", "", "../entropies", "a/b", "entropies\n"])
def test_an_unknown_theorem_is_refused_and_leaves_no_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not in the registry"):
        proof_record(name)
    assert not (tmp_path / "cache").exists()


def test_writers_at_the_same_time_leave_a_whole_file(
    proofs: list[Theorem], proof: Proof, tmp_path: Path
) -> None:
    record = ProofRecord.of(proof)
    remember(record)
    seen: list[ProofRecord | None] = []

    def write() -> None:
        for _ in range(20):
            remember(record)

    writers = [Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen.append(records._recall("entropies"))
    assert set(seen) <= {record}
    assert [path.name for path in file_of(tmp_path).parent.iterdir()] == ["entropies.json"]
    assert proofs == []


ACCEPTED = StepRecord("identity", "0 = 0", True, "")
CITED = StepRecord("lemma", "a lemma", True, "")


@pytest.mark.parametrize(
    ("steps", "refuted", "proved"),
    [
        ((ACCEPTED, CITED), True, True),
        ((ACCEPTED, ACCEPTED._replace(accepted=False)), True, False),
        ((ACCEPTED,), False, False),
        ((CITED,), True, False),
        ((), True, False),
    ],
)
def test_what_a_record_calls_proved(
    steps: tuple[StepRecord, ...], refuted: bool, proved: bool
) -> None:
    record = ProofRecord("a", steps, control="", refuted=refuted, refusal="", digest="")
    assert record.proved == proved
