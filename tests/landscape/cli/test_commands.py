"""The command line: JSON contracts, exit codes, and what bad input gets."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.landscape.cli.running import record, run

CHAIN = ["--p", ".5", "--q", ".8"]


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_the_issue_s_unigram_command(capsys: pytest.CaptureFixture[str], tying: str) -> None:
    result = record(
        capsys, "spectrum", *CHAIN, "--at", "unigram", "--width", "4", "--length", "6",
        "--random-weights", ".5", "--tying", tying,
    )  # fmt: skip
    measured, predicted = np.array(result["eigenvalues"]), np.array(result["predicted"])
    nonzero = np.abs(predicted) > 0
    assert nonzero.sum() == (5 if tying == "tied" else 9)
    assert np.abs(measured - predicted)[nonzero].max() < 1e-12
    assert result["gradient_norm"] < 1e-14
    assert (np.abs(measured) <= result["zero_bound"]).sum() == (~nonzero).sum()
    assert result["inertia"] == result["predicted_inertia"]
    assert result["classification"] == ("local minimum" if tying == "tied" else "saddle")


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_the_issue_s_bigram_command(capsys: pytest.CaptureFixture[str], tying: str) -> None:
    result = record(
        capsys, "spectrum", *CHAIN, "--at", "bigram", "--width", "4", "--length", "6",
        "--random-weights", ".5", "--tying", tying,
    )  # fmt: skip
    p, q = 0.5, 0.8
    entropy_rate = sum(
        weight * -(s * math.log(s) + (1 - s) * math.log(1 - s))
        for weight, s in ((q / (p + q), p), (p / (p + q), q))
    )
    assert abs(result["loss"] - entropy_rate) < 1e-14
    assert min(result["eigenvalues"]) >= -result["zero_bound"]
    assert result["inertia"][2] == 6 + 2  # rank N+2
    assert result["classification"] == "global minimum"
    assert result["max_error"] < 1e-12


def test_a_kink_is_not_applicable_and_never_a_minimum(capsys: pytest.CaptureFixture[str]) -> None:
    result = record(capsys, "spectrum", *CHAIN, "--at", "unigram", "--w", "-2")
    assert result["classification"] == "not-applicable" and result["verdict"] == "not-applicable"
    assert result["predicted"] is None and result["min_preactivation"] == 0
    (sides,) = result["one_sided"]
    unit = 2 * (0.4 / 1.3**2) * 0.3  # 2 pi0 pi1 (p+q-1)
    assert sides["plus"] == pytest.approx(-15 * unit, abs=1e-8)
    assert sides["minus"] == pytest.approx(unit, abs=1e-8)
    assert min(result["eigenvalues"]) > -1e-12  # what automatic differentiation would have said


def test_a_kink_at_a_trained_point_is_not_applicable_either(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The ansatz at e = 0, w = -2 reached through an initialisation and no training step."""
    config = tmp_path / "kink.toml"
    config.write_text(
        "source = { p = 0.5, q = 0.8 }\n[train]\nsteps = 0\nseeds = 1\n[model]\nlength = 3\n"
        f'init = "ansatz"\ne = 0.0\nw = -2.0\nb = {math.log(5 / 8)}\n'
        '[measure]\npoints = ["trained"]\n'
    )
    out = tmp_path / "out"
    record(capsys, "scan", str(config), "--out", str(out), "--no-report")
    (cell,) = out.glob("cells/*.json")
    (run_,) = json.loads(cell.read_text())["scalars"]["points"]["trained"]["runs"]
    assert run_["classification"] == "not-applicable" and run_["inertia"] is None
    assert run_["predicted_unigram_inertia"] is None
    assert min(run_["one_sided"][0]) == pytest.approx(-2.1302, abs=1e-4)


def test_an_untied_kink_shows_the_saddle_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Embedding and readout move together: -1.0651 opens the units, by MATH's (1 + 4w|w|)."""
    result = record(
        capsys, "spectrum", *CHAIN, "--at", "unigram", "--w", "-2", "--length", "3",
        "--tying", "untied",
    )  # fmt: skip
    unit = (0.4 / 1.3**2) * 0.3  # pi0 pi1 (p+q-1)
    sides = sorted(value for side in result["one_sided"] for value in side.values())
    assert sides == pytest.approx([-15 * unit, -unit, unit, 15 * unit], abs=1e-7)
    assert result["inertia"] is None


@pytest.mark.parametrize("w", ["-.7072", "-.70711"])
@pytest.mark.parametrize("model", ["single-layer", "reduced"])
def test_the_edge_of_the_bigram_curve_raises_no_false_alarm(
    capsys: pytest.CaptureFixture[str], w: str, model: str
) -> None:
    near = ["--at", "bigram", "--w", w, "--model", model, "--length", "3"]
    assert record(capsys, "spectrum", *CHAIN, *near)["verdict"] in ("verified", "inconclusive")


def test_signs_that_float64_cannot_count_are_inconclusive(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With weights of deviation 5 the block spans 16 decades: 8.9e-7 beside 3.9e9."""
    result = record(
        capsys, "spectrum", *CHAIN, "--at", "unigram", "--random-weights", "5", "--length", "3"
    )
    assert result["verdict"] == "inconclusive" and result["classification"] == "undecided"


@pytest.mark.parametrize("change", ["classification", "inertia"])
def test_a_wrong_word_or_count_is_refuted_though_the_eigenvalues_agree(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    import dataclasses

    from landscape.comparison import spectra
    from theory.spectra.states import states_spectrum as true

    def wrong(*arrays: Any, **chain: Any) -> Any:
        found = true(*arrays, **chain)
        if change == "classification":
            return dataclasses.replace(found, classification="saddle")
        return dataclasses.replace(found, inertia=found.inertia[::-1])

    monkeypatch.setattr(spectra, "states_spectrum", wrong)
    code, out, _ = run(capsys, "spectrum", *CHAIN, "--at", "unigram", "--json")
    checks = {check["id"]: check["verdict"] for check in json.loads(out)["checks"]}
    assert code == 1 and checks["spectrum"] == "verified"
    assert checks[change] == "refuted"


@pytest.mark.parametrize("name", ["entropy_rate", "unigram_entropy", "ansatz_bigram"])
def test_wrong_entropies_and_coordinates_are_refuted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from landscape.comparison import spectra

    true = getattr(spectra, name)

    def wrong(*arguments: Any) -> Any:
        found = true(*arguments)
        return (found[0], found[1], found[2] + 1) if name == "ansatz_bigram" else found + 1

    monkeypatch.setattr(spectra, name, wrong)
    spectra.entropies.cache_clear()
    at = "unigram" if name == "unigram_entropy" else "bigram"
    code, out, _ = run(capsys, "spectrum", *CHAIN, "--at", at, "--length", "3", "--json")
    spectra.entropies.cache_clear()
    assert code == 1 and json.loads(out)["verdict"] == "refuted"


def test_a_reader_that_leaves_early_is_no_refutation() -> None:
    command = f"{sys.executable} -m landscape spectrum --p .5 --q .8 --at unigram --json"
    found = subprocess.run(
        ["bash", "-c", f"{command} | head -c 1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode in (0, 141) and "Traceback" not in found.stderr


@pytest.mark.usefixtures("undrawn")
def test_status_does_not_count_a_damaged_cell(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "scan"
    record(capsys, "scan", *SCAN, "--out", str(folder))
    next(folder.glob("cells/*.nc")).write_bytes(b"damaged")
    status = record(capsys, "status", str(folder))
    assert (status["done"], status["pending"]) == (3, 1)


def test_train_follows_its_contract(capsys: pytest.CaptureFixture[str]) -> None:
    result = record(
        capsys, "train", "--p", ".2", "--q", ".3", "--width", "4", "--length", "3", "--steps", "400"
    )
    assert result["outcome"] == "bigram" and result["steps"] == 400
    assert result["loss_curve"]["step"] == list(range(401))
    curve = result["loss_curve"]["loss"]
    level = (result["unigram_loss"] + result["bigram_loss"]) / 2
    escape = result["escape_step"]
    assert curve[escape] < level <= curve[escape - 1] and curve[-1] == result["final_loss"]
    assert result["distance"]["bigram"] < 1e-3 < result["distance"]["unigram"]


def test_spectrum_of_a_trained_run_and_of_the_reduced_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained = record(
        capsys, "spectrum", "--p", ".2", "--q", ".3", "--at", "trained", "--length", "3",
        "--width", "2", "--steps", "300", "--lr", "1e-2", "--refine",
    )  # fmt: skip
    assert trained["gradient_norm"] < 1e-11 and trained["predicted"] is None
    reduced = record(capsys, "spectrum", *CHAIN, "--at", "unigram", "--model", "reduced")
    c = 0.4 / 1.3**2
    assert reduced["eigenvalues"] == pytest.approx([0, 2 * c * 0.3, c], abs=1e-15)


def test_plots_are_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    small = ["--width", "2", "--length", "3"]
    record(capsys, "spectrum", *CHAIN, *small, "--at", "bigram", "--plot", str(tmp_path / "s.png"))
    record(capsys, "train", *CHAIN, *small, "--steps", "5", "--plot", str(tmp_path / "t.pdf"))
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "t.pdf").read_bytes().startswith(b"%PDF")


SCAN = [
    "--set", "model.width=2", "--set", "model.length=3", "--set", "train.steps=5",
    "--set", "train.seeds=2", "--axis", "source.p=.2,.5", "--axis", "source.q=.8", "--no-report",
]  # fmt: skip


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans without their pictures, which take two thirds of the time of a small one."""
    monkeypatch.setattr("figures.plots.of_a_scan.save", lambda *_, **__: ([], []))


def test_scan_and_status(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = str(tmp_path / "scan")
    result = record(capsys, "scan", *SCAN, "--out", folder)
    assert (result["cells"], result["done"]) == (4, 4)
    assert result["failed"] == [] == result["refuted"] == result["inconclusive"]
    for picture in result["pictures"]:
        assert Path(picture).stat().st_size > 0
    assert {Path(picture).suffix for picture in result["pictures"]} == {".png", ".pdf"}
    row = result["table"][0]
    assert row["unigram"]["inertia"] == row["unigram"]["predicted_inertia"]
    status = record(capsys, "status", folder)
    assert (status["done"], status["pending"], status["quarantined"]) == (4, 0, 0)
    code, out, err = run(capsys, "scan", *SCAN, "--out", folder)
    assert code == 0 and "4 of 4 cells are there already" in err
    assert folder in out.replace("\n", "") and "saddle" in out


@pytest.fixture
def one_theorem(monkeypatch: pytest.MonkeyPatch) -> str:
    """The registry cut down to one: going through all the proofs is tested elsewhere."""
    from theory.statements import registry

    kept = registry.theorem("entropies")
    monkeypatch.setattr(registry, "theorems", lambda: (kept,))
    return kept.title


@pytest.mark.usefixtures("undrawn")
def test_a_scan_ends_by_writing_its_page(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, one_theorem: str
) -> None:
    folder = tmp_path / "scan"
    words = [word for word in SCAN if word != "--no-report"]
    result = record(capsys, "scan", *words, "--out", str(folder))
    assert result["report"] == str(folder / "report.html")
    page = Path(result["report"]).read_text("utf-8")
    assert one_theorem in page and "http-equiv" in page
    Path(result["report"]).unlink()
    code, out, _ = run(capsys, "scan", *words, "--out", str(folder))
    assert code == 0 and f"Report    {folder / 'report.html'}" in out.splitlines()
    assert Path(result["report"]).exists()
    Path(result["report"]).unlink()
    assert record(capsys, "scan", *SCAN, "--out", str(folder))["report"] is None  # asked for none
    assert not Path(result["report"]).exists()


@pytest.mark.usefixtures("undrawn")
def test_a_page_that_cannot_be_written_exits_with_1_and_loses_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, one_theorem: str
) -> None:
    folder = tmp_path / "scan"
    record(capsys, "scan", *SCAN, "--out", str(folder))
    (folder / "report.html").mkdir()  # in the way
    code, out, err = run(
        capsys, "scan", *(word for word in SCAN if word != "--no-report"), "--out", str(folder)
    )
    assert code == 1 and "the report could not be written" in err and "Traceback" not in err
    assert "Results" in out and len(list(folder.glob("cells/*.json"))) == 4


def test_a_refuted_prediction_exits_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from landscape.comparison import spectra
    from theory.spectra.states import states_spectrum as true

    def doubled(z: Any, J: Any, *chain: Any, **given: Any) -> Any:
        return true(z, 2 * J, *chain, **given)

    monkeypatch.setattr(spectra, "states_spectrum", doubled)
    code, out, _ = run(capsys, "spectrum", *CHAIN, "--at", "unigram", "--json")
    assert code == 1 and json.loads(out)["verdict"] == "refuted"


def test_inconclusive_warns_and_is_an_error_only_when_strict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    near = ["--p", ".5", "--q", "0.50000000000000000001", "--at", "unigram"]
    code, _, err = run(capsys, "spectrum", *near)
    assert code == 0 and "Inconclusive" in err
    assert run(capsys, "spectrum", *near, "--strict")[0] == 1


def test_an_unwritable_folder_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    code, _, err = run(capsys, "scan", *SCAN, "--out", str(blocked / "scan"))
    assert code == 2 and "cannot be written" in err and "--out" in err
    assert blocked.read_text() == "in the way"


def test_p_plus_q_1_is_measured_and_called_degenerate(capsys: pytest.CaptureFixture[str]) -> None:
    for p, q in ((".3", ".7"), ("0.1", "0.9")):
        for at in ("unigram", "bigram"):
            result = record(capsys, "spectrum", "--p", p, "--q", q, "--at", at, "--length", "3")
            assert result["classification"] == "degenerate" and result["verdict"] == "verified"
    trained = record(
        capsys, "train", "--p", ".3", "--q", ".7", "--steps", "3", "--length", "3", "--width", "2"
    )
    assert trained["outcome"] == "degenerate" and trained["escape_step"] is None


def test_a_full_disk_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    """A child process whose files may not grow beyond 4 kB: what a full disk does to a write."""
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "from landscape.cli import main; main(sys.argv[1:])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, "scan", *SCAN, "--out", str(tmp_path / "scan")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert found.returncode == 1 and "Traceback" not in found.stderr
    assert "could not be written" in found.stderr and found.stdout == ""
    assert not list(tmp_path.glob("scan/cells/*.json"))


@pytest.mark.usefixtures("undrawn")
def test_progress_is_plain_lines_when_not_a_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = run(capsys, "scan", *SCAN, "--out", str(tmp_path / "scan"), "--json")
    assert code == 0 and json.loads(out)
    assert "step 5/5, loss 0." in err and "s left" in err and "cell 4/4" in err
    assert "\x1b[" not in err
