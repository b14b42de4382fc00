"""What a process was given and what ends it: streams, signals, folders with modules in them."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from figures.output import write
from landscape.cli import main
from tests.landscape.cli.running import Run

LANDSCAPE = f"{sys.executable} -m landscape"
QUICK = "--set train.steps=1 --set model.length=2 --set model.width=1 --no-report"


def shell(script: str, place: Path, **more: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, **more}
    words = ["bash", "-c", script]
    return subprocess.run(
        words, capture_output=True, text=True, check=False, env=settings, cwd=place
    )


@pytest.mark.parametrize("words", ["--help", "--version", "scan absent.toml 2>&1"])
def test_a_reader_that_has_left_is_141(words: str, tmp_path: Path) -> None:
    found = shell(f"{{ sleep 1; {LANDSCAPE} {words}; }} | true; exit ${{PIPESTATUS[0]}}", tmp_path)
    assert (found.returncode, found.stderr) == (141, "")


@pytest.mark.parametrize(
    ("closed", "code"),
    [("scan absent.toml >&-", 2), ("scan absent.toml 2>&-", 2), ("--help >&-", 0),
     ("scan absent.toml <&- >&- 2>&-", 2)],
)  # fmt: skip
def test_a_closed_stream_is_as_the_null_device(closed: str, code: int, tmp_path: Path) -> None:
    found = shell(f"{LANDSCAPE} {closed}", tmp_path)
    assert found.returncode == code and "Traceback" not in found.stderr
    assert ("Error: " in found.stderr) == (code == 2 and "2>&-" not in closed)


def test_a_full_disk_under_stdout_is_told(tmp_path: Path) -> None:
    found = shell(f"{LANDSCAPE} --help > /dev/full", tmp_path)
    assert (found.returncode, found.stderr) == (1, "Error: No space left on device\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_letters_that_an_encoding_lacks_are_written_as_escapes(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in range(2)]
    for name, stream in zip(("stdout", "stderr"), held, strict=True):
        monkeypatch.setattr(sys, name, stream)
    with pytest.raises(UnicodeEncodeError):  # the control
        held[0].write("\u03c0")
    with pytest.raises(SystemExit) as left:
        main(["train", "--p", "\u03c0\udcff", "--q", ".5"])
    told: Any = held[1].buffer
    assert left.value.code == 2
    if encoding == "ascii":  # click takes it for a misconfigured UTF-8
        assert b"is refused: it must be a number" in told.getvalue()
    else:
        assert b"--p \\u03c0\\udcff is refused" in told.getvalue()


def test_to_be_told_to_end_is_an_interrupt_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    words = "scan --set train.steps=100000 --set train.seeds=1 --no-report --out out"
    running = subprocess.Popen(
        [*LANDSCAPE.split(), *words.split()], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "out" / "scan.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    running.send_signal(signal.SIGTERM)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 143 and "Interrupted. A scan keeps" in told
    assert "Traceback" not in told
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".partial")]


NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, states, width):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(states, states))
    def forward(self, tokens):
        return self.table[tokens]
"""


def test_the_modules_are_the_package_s_own_whatever_the_folder_holds(tmp_path: Path) -> None:
    for name in ("figures", "theory"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the user file was run')")
    (tmp_path / "net.py").write_text(NET)
    toml = (
        "[source]\np = 0.3\nq = 0.4\n[model]\nkind = 'net:Net'\nlength = 2\nwidth = 2\n"
        "[train]\nsteps = 2\nseeds = 1\n[measure]\npoints = ['unigram']\n"
    )
    (tmp_path / "c.toml").write_text(toml)
    found = shell(f"{LANDSCAPE} scan c.toml --allow-code --no-report --out out", tmp_path)
    assert found.returncode == 0 and "survival.png" in found.stdout, found.stderr


@pytest.mark.parametrize("name", ["figures", "theory", "code", "time"])
def test_a_model_in_a_file_of_a_name_that_is_taken_is_refused(
    name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / f"{name}.py").write_text(NET)
    words = f"train --p .3 --q .4 --model {name}:Net --allow-code --length 2 --steps 1"
    code, _, err = run(words)
    assert code == 2 and "that is found first is" in err and "give your file another name" in err
    (tmp_path / f"own_net_{name}.py").write_text(NET)  # the control
    code, _, err = run(words.replace(f"{name}:", f"own_net_{name}:"))
    assert code == 0, err


def test_a_picture_is_there_whole_or_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    write(Figure(figsize=(1, 1)), path)
    before = path.read_bytes()

    def half(_: Figure, place: Path, **__: Any) -> None:
        Path(place).write_bytes(before[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(OSError, match="No space"):
        write(Figure(figsize=(1, 1)), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_fault_of_the_program_is_a_line_with_its_place(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for raised, code, words in (
        (KeyError("x"), 1, "a fault of the program, in test_streams.py, line "),
        (MemoryError(), 2, "this takes more memory than the process has"),
        (RecursionError(), 2, "this takes more depth of calls than the process has"),
        (RuntimeError("can't allocate memory"), 2, "more memory than the machine has"),
    ):

        def broken(*_: object, error: Exception = raised, **__: object) -> None:
            raise error

        monkeypatch.setattr("landscape.cli.options.cell_of", broken)
        found = run("train --p .5 --q .8")
        assert found[0] == code and words in found[2] and "Traceback" not in found[2]
