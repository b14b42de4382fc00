"""Kernels and sequences in files as people have them: read alike, or refused with file and line."""

import math
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landscape.config.scan import ScanConfig
from landscape.config.source import Source
from landscape.errors import ConfigError
from landscape.sources import Markov, OrderKMarkov
from landscape.sources.estimate import Sequences, estimate, read_sequences
from landscape.sources.kernels import MOST_CONTEXTS, normalised
from landscape.sources.table_file import LARGEST_TABLE, kernel_table


def scan_of(**tables: Any) -> ScanConfig:
    """A configuration, of plain tables."""
    return ScanConfig(**tables)


ROWS = [[0.1, 0.6, 0.3], [0.2, 0.1, 0.7], [0.8, 0.1, 0.1]]

ALIKE: dict[str, tuple[str, str]] = {
    "plain": ("0.1,0.6,0.3\n0.2,0.1,0.7\n0.8,0.1,0.1\n", ""),
    "crlf": ("0.1,0.6,0.3\r\n0.2,0.1,0.7\r\n0.8,0.1,0.1\r\n", ""),
    "header": ("A,B,C\n0.1,0.6,0.3\n0.2,0.1,0.7\n0.8,0.1,0.1\n", "the header A, B, C was skipped"),
    "pandas": (",A,B,C\nA,0.1,0.6,0.3\nB,0.2,0.1,0.7\nC,0.8,0.1,0.1\n", "labels A, B, C was skip"),
    "numbered": (",0,1,2\n0,0.1,0.6,0.3\n1,0.2,0.1,0.7\n2,0.8,0.1,0.1\n", "labels 0, 1, 2 was"),
    "numbers above": ("0,1,2\n0.1,0.6,0.3\n0.2,0.1,0.7\n0.8,0.1,0.1\n", "the header 0, 1, 2"),
    "index alone": ("A,0.1,0.6,0.3\nB,0.2,0.1,0.7\nC,0.8,0.1,0.1\n", "column of labels A, B, C"),
    "R": ('"A" "B" "C"\n"A" 0.1 0.6 0.3\n"B" 0.2 0.1 0.7\n"C" 0.8 0.1 0.1\n', "labels A, B, C"),
    "semicolons": ("0,1;0,6;0,3\n0,2;0,1;0,7\n0,8;0,1;0,1\n", "a comma is the decimal mark"),
    "excel": ("sep=;\n0,1;0,6;0,3\n0,2;0,1;0,7\n0,8;0,1;0,1\n", "separated by semicolons"),
    "tabs and commas": ("0,1\t0,6\t0,3\n0,2\t0,1\t0,7\n0,8\t0,1\t0,1\n", "a comma is the decimal"),
    "blanks and commas": ("0,1 0,6 0,3\n0,2 0,1 0,7\n0,8 0,1 0,1\n", "a comma is the decimal mark"),
    "quoted": ('"0,1","0,6","0,3"\n"0.2","0.1","0.7"\n"0.8","0.1","0.1"\n', "a comma is the"),
    "per cent": ("10%,60%,30%\n20%,10%,70%\n80%,10%,10%\n", "per cent were divided by 100"),
    "fractions": ("1/10 3/5 .3\n1/5 .1 7/10\n4/5 .1 .1\n", ""),
    "blank columns": ("0.1,0.6,0.3,,\n0.2,0.1,0.7,,\n0.8,0.1,0.1,,\n", "blank columns at"),
    "comments": (
        "# mine\n0.1 0.6 0.3\n\n0.2 0.1 0.7 # two\n0.8 0.1 0.1\n",
        "follows # was skipped",
    ),
}


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_the_same_kernel_however_it_is_written(
    name: str, encoding: str, tmp_path: Path
) -> None:
    text, note = ALIKE[name]
    path = tmp_path / "k.csv"
    path.write_bytes(text.encode(encoding))
    table = kernel_table(path)
    assert table.array.tolist() == ROWS
    assert note in "; ".join(table.notes)
    assert Markov.from_file(path) == Markov(ROWS)
    source = Source(kind="markov", kernel=str(path))  # type: ignore[arg-type]  # a file's name
    assert source.read is not None and source.read["notes"] == table.notes
    assert source.build() == Markov(ROWS)


REFUSED: dict[str, tuple[str, str]] = {
    "nan": ("0.1,0.6,0.3\n0.2,0.1,nan\n0.8,0.1,0.1\n", r"line 2: kernel\[1, 2\]='nan' is no prob"),
    "missing": ("0.1,0.6,0.3\n0.2,,0.8\n0.8,0.1,0.1\n", r"line 2: kernel\[1, 1\]='' is no probab"),
    "ragged": ("0.1,0.9\n1\n", "line 2 has 1 columns, and line 1 has 2"),
    "other order": (",A,B\nB,.5,.5\nA,.1,.9\n", "its rows are B, A and its columns A, B"),
    "columns": ("0.1,0.2,0.8\n0.6,0.1,0.1\n0.3,0.7,0.1\n", "column-stochastic.*transpose it"),
    "underscores": ("0_1,1\n1,0\n", r"kernel\[0, 0\]='0_1' is no probability"),
    "counts": ("3,1\n2,2\n", r"source.normalise = true divides rows of counts"),
    "rounded": (".33,.33,.33\n.5,.25,.25\n0,.5,.5\n", "source.normalise = true does it"),
    "absorbing": ("0.5,0.5,0\n0.2,0.3,0.5\n0,0,1\n", "state 0 cannot be reached from state 2"),
    "binary": ("0\0,1", "it is no text: it holds zero bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_kernel_or_two_is_refused_in_words(name: str, tmp_path: Path) -> None:
    text, words = REFUSED[name]
    path = tmp_path / "k.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=words):
        Source(kind="markov", kernel=str(path))  # type: ignore[arg-type]  # a file's name


def test_rows_that_are_laws_are_not_taken_for_columns() -> None:
    twice = [[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.2, 0.5]]  # doubly stochastic
    assert Markov(twice).kernel.tolist() == twice
    with pytest.raises(ValueError, match="column-stochastic"):
        normalised(np.array(ROWS).T)  # divided by its rows it would be another chain


def test_single_precision_is_divided_and_said(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).dirichlet(np.ones(5), 5)
    np.save(tmp_path / "k.npy", rows.astype(np.float32))
    table = kernel_table(tmp_path / "k.npy")
    assert np.abs(Markov(table.array).kernel - rows).max() < 1e-7
    assert table.notes == ["its float32 rows were divided by their sums in float64"]
    np.save(tmp_path / "k.npy", (1.001 * rows).astype(np.float32))  # the control
    with pytest.raises(ValueError, match="not to 1"):
        Markov.from_file(tmp_path / "k.npy")


def test_counts_are_divided_by_their_sums_where_that_is_asked_for() -> None:
    source = Source(kind="markov", kernel=((3, 1), (2, 6)), normalise=True)
    assert source.kernel == ((0.75, 0.25), (0.25, 0.75))
    assert Source(**source.given()) == source  # laws are left as they are
    cells = [
        scan_of(source={"kind": "markov", **given}, model={"kind": "gpt", "length": 2}).cells()[0]
        for given in (
            {"kernel": [[3, 1], [2, 6]], "normalise": True},
            {"kernel": [[0.75, 0.25], [0.25, 0.75]]},
        )
    ]
    assert cells[0].id == cells[1].id
    for rows, words in (([[0, 0], [1, 3]], "row 0 of kernel is all zeros"),
                        ([[-1, 2], [1, 1]], r"kernel\[0, 0\]=-1.0 is no count")):  # fmt: skip
        with pytest.raises(ConfigError, match=words):
            Source(kind="markov", kernel=rows, normalise=True)  # type: ignore[arg-type]


def test_a_kernel_in_a_file_has_the_bounds_of_a_drawn_one(tmp_path: Path) -> None:
    np.save(
        tmp_path / "k.npy", np.lib.stride_tricks.as_strided(np.zeros(1), (LARGEST_TABLE + 1,), (0,))
    )
    with pytest.raises(ValueError, match=f"{LARGEST_TABLE + 1} entries, and at most"):
        Markov.from_file(tmp_path / "k.npy")
    with pytest.raises(ValueError, match="is too large; give fewer states or a lower order"):
        OrderKMarkov(np.full((2 * MOST_CONTEXTS, 2), 0.5))
    with pytest.raises(ValueError, match="is too large; give fewer states or a lower order"):
        OrderKMarkov.dirichlet(2, round(math.log2(MOST_CONTEXTS)) + 1, seed=0)
    (tmp_path / "pipe.csv").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="it is no regular file"):
        Markov.from_file(tmp_path / "pipe.csv")


# --- sequences ----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3])
def test_an_estimate_is_counted_by_hand(order: int, tmp_path: Path) -> None:
    letters = "".join(np.random.default_rng(1).choice(list("ACG"), 400))
    (tmp_path / "x.txt").write_text("\n".join(letters[k : k + 60] for k in range(0, 400, 60)))
    found = estimate(read_sequences(tmp_path / "x.txt"), order=order)
    pairs = Counter(letters[k : k + order + 1] for k in range(len(letters) - order))
    for context in range(3**order):
        name = "".join("ACG"[context // 3 ** (order - 1 - k) % 3] for k in range(order))
        total = sum(pairs[name + t] for t in "ACG")
        for t, symbol in enumerate("ACG"):
            exact = Fraction(pairs[name + symbol], total)
            assert abs(found.kernel[context, t] - exact) < 1e-15
            spread = math.sqrt(exact * (1 - exact) / total)
            assert abs(found.errors[context, t] - spread) < 1e-15
    assert found.names == ("A", "C", "G")


def test_standard_errors_are_those_of_many_samples() -> None:
    """The spread of estimates over fresh sequences of a known chain."""
    chain, generator = Markov(ROWS), np.random.default_rng(0)
    kernels, errors = [], []
    for _ in range(200):
        path = [0]
        for _ in range(600):
            path.append(int(generator.choice(3, p=chain.kernel[path[-1]])))
        found = estimate(Sequences((np.array(path),), ("a", "b", "c")))
        kernels.append(found.kernel)
        errors.append(found.errors)
    spread, told = np.std(kernels, axis=0), np.mean(errors, axis=0)
    assert np.abs(spread / told - 1).max() < 0.25  # 200 samples: 5 standard errors
    assert np.abs(spread / (1.5 * told) - 1).max() > 0.25


READ: dict[str, tuple[str, dict[str, Any], tuple[str, ...], str]] = {
    "letters": ("GATTACA", {}, ("A", "C", "G", "T"), ""),
    "DNA in lines": ("GATTACA\nGATTACC\n", {}, ("A", "C", "G", "T"), "line breaks"),
    "bits": ("01101001", {}, ("0", "1"), ""),
    "separate bits": ("0 1 1 0 1", {}, ("0", "1"), ""),
    "numbers": ("10 2 3 10 2 3", {}, ("2", "3", "10"), "tokens"),
    "one a line": ("sun\nrain\nsun\nsun\nrain\n", {}, ("rain", "sun"), "read as tokens"),
    "words": ("the cat the dog", {"units": "tokens"}, ("cat", "dog", "the"), "tokens"),
    "quoted": ('"sun","rain","sun","rain"', {}, ("rain", "sun"), "tokens"),
}


@pytest.mark.parametrize("name", READ)
def test_symbols_are_read_as_people_have_them(name: str, tmp_path: Path) -> None:
    text, more, names, note = READ[name]
    (tmp_path / "x.txt").write_text(text)
    found = read_sequences(tmp_path / "x.txt", **more)
    assert found.names == names and note in "; ".join(found.notes)


def test_records_of_fasta_are_sequences_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(">a\nAC\ngt\n>b\nTTN\n")
    found = read_sequences(tmp_path / "x.fa")
    assert [part.tolist() for part in found.parts] == [[0, 1, 2, 4], [4, 4, 3]]
    counts = estimate(found, smoothing=1.0).counts
    assert counts.sum() == 5  # none from the T of the first record to that of the second
    assert "N is a symbol as any other" in found.notes


def test_an_array_of_numbers_is_a_sequence_or_one_in_each_row(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[3, 5, 5], [5, 3, 3]]))
    found = read_sequences(tmp_path / "x.npy")
    assert found.names == ("3", "5") and estimate(found).counts.tolist() == [[1, 1], [1, 1]]
    np.save(tmp_path / "x.npy", np.array([0.5, 1.0]))
    with pytest.raises(ValueError, match="give whole numbers or letters"):
        read_sequences(tmp_path / "x.npy")


def test_words_that_may_be_letters_are_asked_about(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("it was the best of times")
    with pytest.raises(ValueError, match=r"19 letters or as 6 tokens .* give source\.units"):
        read_sequences(tmp_path / "x.txt")


def test_a_context_that_nothing_follows_is_named_or_smoothed(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("aabbc")
    sequence = str(tmp_path / "x.txt")
    with pytest.raises(ConfigError, match=r"nothing follows the contexts 'c' of order 1; give a"):
        Source(sequence=sequence)
    source = Source(sequence=sequence, smoothing=1)
    assert source.kind == "markov" and source.read is not None
    assert source.kernel == ((0.4, 0.4, 0.2), (0.2, 0.4, 0.4), (1 / 3, 1 / 3, 1 / 3))
    assert source.read["counts"] == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    told = "; ".join(source.read["notes"])
    assert "smoothing 1 moves a probability by up to 0.2 and makes uniform laws of 1 con" in told


def test_a_scan_of_a_sequence_holds_the_kernel_and_needs_no_file_again(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("abbabaabba")
    given: dict[str, Any] = {"model": {"kind": "gpt", "length": 2}}
    config = scan_of(source={"sequence": str(path), "order": 2}, **given)
    plain = scan_of(source={"kind": "order-k", "kernel": config.source.kernel}, **given)
    assert config.hash == plain.hash
    path.write_text("abbabaabbb")
    assert scan_of(**config.written).hash == config.hash
    assert scan_of(source={"sequence": str(path), "order": 2}, **given).hash != config.hash
    for axis in ("source.order", "source.sequence"):
        with pytest.raises(ConfigError, match="a configuration"):
            scan_of(source={"sequence": str(path)}, axes={axis: [1, 2]}, **given)


def test_a_kernel_beside_its_configuration_is_found_and_two_are_not_confused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "k.csv").write_text("0.5,0.5\n0.25,0.75\n")
    toml = tmp_path / "sub" / "c.toml"
    toml.write_text(
        '[source]\nkind = "markov"\nkernel = "k.csv"\n[model]\nkind = "gpt"\nlength = 2\n'
    )
    monkeypatch.chdir(tmp_path)
    assert ScanConfig.from_toml("sub/c.toml").source.kernel == ((0.5, 0.5), (0.25, 0.75))
    (tmp_path / "k.csv").write_text("0.5,0.5\n0.25,0.75\n")  # the same: no question
    assert ScanConfig.from_toml("sub/c.toml").source.kernel == ((0.5, 0.5), (0.25, 0.75))
    (tmp_path / "k.csv").write_text("0.9,0.1\n0.25,0.75\n")
    with pytest.raises(ConfigError, match="have different files of this name; write"):
        ScanConfig.from_toml("sub/c.toml")
    (tmp_path / "sub" / "k.csv").unlink()
    (tmp_path / "k.csv").unlink()
    with pytest.raises(ConfigError, match=r"no such file in .*, nor in sub beside the config"):
        ScanConfig.from_toml("sub/c.toml")
