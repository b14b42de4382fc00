"""The command line: JSON contracts, exit codes, and what bad input gets."""

import dataclasses
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from landscape.comparison import spectra
from landscape.models import SingleLayer
from landscape.models.initial import gaussian
from landscape.models.parameters import as_arrays
from tests.landscape.cli.running import Record, Run
from tests.planted.stored import IDS, stored_before
from theory.certificates.unigram import certify_unigram

CHAIN = "--p .5 --q .8"
SMALL = f"{CHAIN} --width 2 --length 3"
GENERAL = f"spectrum {CHAIN} --width 4 --length 6 --random-weights .5"


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_the_issue_s_unigram_command(record: Record, tying: str) -> None:
    result = record(GENERAL, "--at unigram --tying", tying)
    measured, predicted = np.array(result["eigenvalues"]), np.array(result["predicted"])
    nonzero = np.abs(predicted) > 0
    assert nonzero.sum() == (5 if tying == "tied" else 9)
    assert np.abs(measured - predicted)[nonzero].max() < 1e-12
    assert result["gradient_norm"] < 1e-14
    assert (np.abs(measured) <= result["zero_bound"]).sum() == (~nonzero).sum()
    assert result["inertia"] == result["predicted_inertia"]
    assert result["classification"] == ("local minimum" if tying == "tied" else "saddle")


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_the_issue_s_bigram_command(record: Record, tying: str) -> None:
    result = record(GENERAL, "--at bigram --tying", tying)
    entropy_rate = sum(
        weight * -(s * math.log(s) + (1 - s) * math.log(1 - s))
        for weight, s in ((8 / 13, 0.5), (5 / 13, 0.8))
    )
    assert abs(result["loss"] - entropy_rate) < 1e-14
    assert min(result["eigenvalues"]) >= -result["zero_bound"]
    assert result["inertia"][2] == 6 + 2  # rank N+2
    assert result["classification"] == "global minimum"
    assert result["max_error"] < 1e-12


def test_a_kink_is_not_applicable_and_never_a_minimum(record: Record) -> None:
    result = record(f"spectrum {CHAIN} --at unigram --w -2")
    assert result["classification"] == "not-applicable" and result["verdict"] == "not-applicable"
    assert result["predicted"] is None and result["min_preactivation"] == 0
    (sides,) = result["one_sided"]
    unit = 2 * (0.4 / 1.3**2) * 0.3  # 2 pi0 pi1 (p+q-1)
    assert sides["plus"] == pytest.approx(-15 * unit, abs=1e-8)
    assert sides["minus"] == pytest.approx(unit, abs=1e-8)
    assert min(result["eigenvalues"]) > -1e-12  # what automatic differentiation would have said


def test_a_kink_at_a_trained_point_is_not_applicable_either(record: Record, tmp_path: Path) -> None:
    """The ansatz at e = 0, w = -2 reached through an initialisation and no training step."""
    config = tmp_path / "kink.toml"
    config.write_text(
        "source = { p = 0.5, q = 0.8 }\n[train]\nsteps = 0\nseeds = 1\n[model]\nlength = 3\n"
        f'init = "ansatz"\ne = 0.0\nw = -2.0\nb = {math.log(5 / 8)}\n'
        '[measure]\npoints = ["trained"]\n'
    )
    record("scan", config, "--out", tmp_path / "out", "--no-report")
    (cell,) = tmp_path.glob("out/cells/*.json")
    (run_,) = json.loads(cell.read_text())["scalars"]["points"]["trained"]["runs"]
    assert run_["classification"] == "not-applicable" and run_["inertia"] is None
    assert run_["predicted_unigram_inertia"] is None
    assert min(run_["one_sided"][0]) == pytest.approx(-2.1302, abs=1e-4)


def test_an_untied_kink_shows_the_saddle_it_is(record: Record) -> None:
    """Embedding and readout move together: -1.0651 opens the units, by MATH's (1 + 4w|w|)."""
    result = record(f"spectrum {CHAIN} --at unigram --w -2 --length 3 --tying untied")
    unit = (0.4 / 1.3**2) * 0.3  # pi0 pi1 (p+q-1)
    sides = sorted(value for side in result["one_sided"] for value in side.values())
    assert sides == pytest.approx([-15 * unit, -unit, unit, 15 * unit], abs=1e-7)
    assert result["inertia"] is None


@pytest.mark.parametrize("w", ["-.7072", "-.70711"])
@pytest.mark.parametrize("model", ["single-layer", "reduced"])
def test_the_edge_of_the_bigram_set_is_no_false_alarm(record: Record, w: str, model: str) -> None:
    result = record(f"spectrum {CHAIN} --at bigram --w {w} --model {model} --length 3")
    assert result["verdict"] in ("verified", "inconclusive")


def test_signs_that_float64_cannot_count_are_inconclusive(record: Record) -> None:
    """With weights of deviation 5 the block spans 16 decades: 8.9e-7 beside 3.9e9.

    One eigenvalue is certainly negative all the same, and makes a saddle: so say balls too.
    """
    result = record(f"spectrum {CHAIN} --at unigram --random-weights 5 --length 3")
    assert result["verdict"] == "inconclusive" and result["classification"] == "saddle"
    verdicts = {check["id"]: check["verdict"] for check in result["checks"]}
    assert (verdicts["inertia"], verdicts["classification"]) == ("inconclusive", "verified")
    model = SingleLayer(width=4, length=3, dtype=torch.float64)
    weights = as_arrays(gaussian(model, 5.0, seed=0))
    found = certify_unigram(weights, p=Decimal("0.5"), q=Decimal("0.8"), tying="tied")
    assert found.word == "saddle"


def test_a_layer_norm_of_width_two_explains_its_zero(record: Record) -> None:
    """Equal components of an embedding are unseen: the one zero of the block is explained."""
    result = record("spectrum --p .6 --q .3 --at unigram --model gpt --width 2 --length 4")
    assert result["inertia"] == result["predicted_inertia"] == [1, 90, 1]
    assert (result["verdict"], result["classification"]) == ("verified", "saddle")


Planted = Callable[[Any], Any]
WRONG: dict[str, tuple[str, str, Planted, str]] = {
    "eigenvalues": ("states_spectrum", "unigram",
        lambda true: lambda z, J, *chain, **given: true(z, 2 * J, *chain, **given), ""),
    "word": ("states_spectrum", "unigram", lambda true: lambda *given, **chain:
        dataclasses.replace(true(*given, **chain), classification="saddle"), "classification"),
    "count": ("states_spectrum", "unigram", lambda true: lambda *given, **chain:
        dataclasses.replace(f := true(*given, **chain), inertia=f.inertia[::-1]), "inertia"),
    "entropy rate": ("entropy_rate", "bigram", lambda true: lambda *chain: true(*chain) + 1, ""),
    "entropy": ("unigram_entropy", "unigram", lambda true: lambda *chain: true(*chain) + 1, ""),
    "coordinates": ("ansatz_bigram", "bigram",
        lambda true: lambda *given: (*(f := true(*given))[:2], f[2] + 1), ""),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_theory_is_refuted(run: Run, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    name, at, wrong, check = WRONG[case]
    monkeypatch.setattr(spectra, name, wrong(getattr(spectra, name)))
    spectra.entropies.cache_clear()
    code, out, _ = run(f"spectrum {CHAIN} --at {at} --length 3 --json")
    spectra.entropies.cache_clear()
    assert code == 1 and json.loads(out)["verdict"] == "refuted"
    if check:  # though the eigenvalues agree
        checks = {check["id"]: check["verdict"] for check in json.loads(out)["checks"]}
        assert (checks["spectrum"], checks[check]) == ("verified", "refuted")


def child(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, **more}
    return subprocess.run(words, capture_output=True, text=True, check=False, env=settings)


def test_a_reader_that_leaves_early_is_no_refutation() -> None:
    command = f"{sys.executable} -m landscape spectrum {CHAIN} --at unigram --json"
    found = child("bash", "-c", f"{command} | head -c 1; exit ${{PIPESTATUS[0]}}")
    assert found.returncode in (0, 141) and "Traceback" not in found.stderr


@pytest.mark.usefixtures("undrawn")
def test_status_does_not_count_a_damaged_cell(record: Record, tmp_path: Path) -> None:
    record(SCAN, "--no-report --out", tmp_path / "scan")
    next(tmp_path.glob("scan/cells/*.nc")).write_bytes(b"damaged")
    status = record("status", tmp_path / "scan")
    assert (status["done"], status["pending"]) == (3, 1)


def test_status_names_the_damaged_cells(run: Run, record: Record, tmp_path: Path) -> None:
    folder = stored_before(tmp_path)
    assert "damaged" not in run("status", folder)[1]  # the control
    assert record("status", folder)["damaged"] == []
    (folder / "cells" / f"{IDS['0.3']}.nc").unlink()
    code, out, _ = run("status", folder)
    assert code == 0 and out.startswith("before: 1 of 2 cells done\n")
    where = f"damaged: the cell {IDS['0.3'][:8]} (q=0.3): its file of results is missing\n"
    assert where in out and "1 to do; run the same scan again" in out
    (found,) = record("status", folder)["damaged"]
    missing = {"id": IDS["0.3"], "place": "q=0.3", "reason": "its file of results is missing"}
    assert found == missing


def test_train_follows_its_contract(record: Record) -> None:
    result = record("train --p .2 --q .3 --width 4 --length 3 --steps 400")
    assert result["outcome"] == "bigram" and result["steps"] == 400
    assert result["loss_curve"]["step"] == list(range(401))
    curve = result["loss_curve"]["loss"]
    level = (result["unigram_loss"] + result["bigram_loss"]) / 2
    escape = result["escape_step"]
    assert curve[escape] < level <= curve[escape - 1] and curve[-1] == result["final_loss"]
    assert result["distance"]["bigram"] < 1e-3 < result["distance"]["unigram"]


def test_spectrum_of_a_trained_run_and_of_the_reduced_model(record: Record) -> None:
    small = "--p .2 --q .3 --width 2 --length 3"
    trained = record(f"spectrum {small} --at trained --steps 300 --lr 1e-2 --refine")
    assert trained["gradient_norm"] < 1e-11 and trained["predicted"] is None
    reduced = record(f"spectrum {CHAIN} --at unigram --model reduced")
    c = 0.4 / 1.3**2
    assert reduced["eigenvalues"] == pytest.approx([0, 2 * c * 0.3, c], abs=1e-15)


def test_plots_are_drawn(record: Record, tmp_path: Path) -> None:
    record(f"spectrum {SMALL} --at bigram --plot", tmp_path / "s.png")
    record(f"train {SMALL} --steps 5 --plot", tmp_path / "t.pdf")
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "t.pdf").read_bytes().startswith(b"%PDF")


SCAN = (
    "scan --set model.width=2 --set model.length=3 --set train.steps=5 --set train.seeds=2 "
    "--axis source.p=.2,.5 --axis source.q=.8"
)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans without their pictures, which take two thirds of the time of a small one."""
    monkeypatch.setattr("figures.plots.of_a_scan.save", lambda *_, **__: ([], []))


def test_scan_and_status(run: Run, record: Record, tmp_path: Path) -> None:
    folder = tmp_path / "scan"
    result = record(SCAN, "--no-report --out", folder)
    assert (result["cells"], result["done"]) == (4, 4)
    assert result["failed"] == [] == result["refuted"] == result["inconclusive"]
    for picture in result["pictures"]:
        assert Path(picture).stat().st_size > 0
    assert {Path(picture).suffix for picture in result["pictures"]} == {".png", ".pdf"}
    row = result["table"][0]
    assert row["unigram"]["inertia"] == row["unigram"]["predicted_inertia"]
    status = record("status", folder)
    assert (status["done"], status["pending"], status["quarantined"]) == (4, 0, 0)
    code, out, err = run(SCAN, "--no-report --out", folder)
    assert code == 0 and "4 of 4 cells are there already" in err
    assert str(folder) in out.replace("\n", "") and "saddle" in out


@pytest.fixture
def one_theorem(monkeypatch: pytest.MonkeyPatch) -> str:
    """The registry cut down to one: going through all the proofs is tested elsewhere."""
    from theory.statements import registry

    kept = registry.theorem("entropies")
    monkeypatch.setattr(registry, "theorems", lambda: (kept,))
    return kept.title


@pytest.mark.usefixtures("undrawn")
def test_a_scan_ends_by_its_page(
    run: Run, record: Record, tmp_path: Path, one_theorem: str
) -> None:
    page = tmp_path / "report.html"
    assert record(SCAN, "--out", tmp_path)["report"] == str(page)
    assert one_theorem in page.read_text("utf-8") and "http-equiv" in page.read_text("utf-8")
    page.unlink()
    code, out, _ = run(SCAN, "--out", tmp_path)
    assert code == 0 and f"Report    {page}" in out.splitlines()
    page.unlink()  # it was made again
    assert record(SCAN, "--no-report --out", tmp_path)["report"] is None
    assert not page.exists()


@pytest.mark.usefixtures("undrawn", "one_theorem")
def test_a_page_that_cannot_be_written_exits_with_1_and_loses_nothing(
    run: Run, record: Record, tmp_path: Path
) -> None:
    record(SCAN, "--no-report --out", tmp_path)
    (tmp_path / "report.html").mkdir()  # in the way
    code, out, err = run(SCAN, "--out", tmp_path)
    assert code == 1 and "the report could not be written" in err and "Traceback" not in err
    assert "Results" in out and len(list(tmp_path.glob("cells/*.json"))) == 4


def test_inconclusive_warns_and_is_an_error_only_when_strict(run: Run) -> None:
    near = "spectrum --p .5 --q 0.50000000000000000001 --at unigram"
    code, _, err = run(near)
    assert code == 0 and "Inconclusive" in err
    assert run(near, "--strict")[0] == 1


def test_an_unwritable_folder_is_refused(run: Run, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    code, _, err = run(SCAN, "--no-report --out", blocked / "scan")
    assert code == 2 and "cannot be written" in err and "--out" in err
    assert blocked.read_text() == "in the way"


@pytest.mark.parametrize("chain", ["--p .3 --q .7", "--p 0.1 --q 0.9"])
def test_p_plus_q_1_is_measured_and_called_degenerate(record: Record, chain: str) -> None:
    for at in ("unigram", "bigram"):
        result = record(f"spectrum {chain} --at {at} --length 3")
        assert result["classification"] == "degenerate" and result["verdict"] == "verified"
    trained = record(f"train {chain} --steps 3 --length 3 --width 2")
    assert trained["outcome"] == "degenerate" and trained["escape_step"] is None


def test_a_full_disk_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    """A child process whose files may not grow beyond 4 kB: what a full disk does to a write."""
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "from landscape.cli import main; main(sys.argv[1:])"
    )
    words = [*SCAN.split(), "--no-report", "--out", str(tmp_path / "scan")]
    found = child(sys.executable, "-c", program, *words, PYTHONDONTWRITEBYTECODE="1")
    assert found.returncode == 1 and "Traceback" not in found.stderr
    assert "could not be written" in found.stderr and found.stdout == ""
    assert not list(tmp_path.glob("scan/cells/*.json"))


@pytest.mark.usefixtures("undrawn")
def test_progress_is_plain_lines_when_not_a_terminal(run: Run, tmp_path: Path) -> None:
    code, out, err = run(SCAN, "--no-report --json --out", tmp_path / "scan")
    assert code == 0 and json.loads(out)
    assert "step 5/5, loss 0." in err and "s left" in err and "cell 4/4" in err
    assert "\x1b[" not in err
