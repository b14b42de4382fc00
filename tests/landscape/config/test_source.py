"""The table `source`: every kind builds its source, or is refused in the right words."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landscape.config.cell import CellConfig
from landscape.config.scan import ConfigError, Measure, Model, ScanConfig, Source, Train
from landscape.sources import (
    BinaryMarkov,
    InContext,
    LagMarkov,
    Markov,
    OrderKMarkov,
    SampledSource,
    SwitchingMarkov,
)

KERNEL = [[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.25, 0.25, 0.5]]
PAIRS = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]]
LAW = [0.5, 0.3, 0.2]


def cell(source: dict[str, Any], **model: Any) -> CellConfig:
    return CellConfig(
        source=Source(**source),
        model=Model(**{"kind": "gpt", "length": 3, **model}),
        train=Train(),
        measure=Measure(points=("trained",)),
    )


def scan(**tables: Any) -> ScanConfig:
    return ScanConfig(**tables)


def refusal(**settings: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        Source(**settings)
    return str(caught.value)


# --- what is built ------------------------------------------------------------------------------

BUILT: dict[str, tuple[dict[str, Any], SampledSource]] = {
    "binary": ({"p": "0.2", "q": "0.30"}, BinaryMarkov("0.2", "0.30")),
    "binary from a law": (
        {"p": "0.2", "q": "0.30", "start": [0.9, 0.1]},
        Markov([[0.8, 0.2], [0.3, 0.7]], start=[0.9, 0.1]),
    ),
    "switching": ({"kind": "switching", "states": 5, "p": "0.9"}, SwitchingMarkov(5, "0.9")),
    "switching from a law": (
        {"kind": "switching", "states": 3, "p": "0.9", "start": LAW},
        SwitchingMarkov(3, "0.9", start=LAW),
    ),
    "kernel": ({"kind": "markov", "kernel": KERNEL}, Markov(KERNEL)),
    "kernel from a law": (
        {"kind": "markov", "kernel": KERNEL, "start": LAW},
        Markov(KERNEL, start=LAW),
    ),
    "drawn": (
        {"kind": "markov", "states": 4, "kernel_seed": 7},
        Markov.dirichlet(4, seed=7),
    ),
    "drawn, concentrated": (
        {"kind": "markov", "states": 4, "kernel_seed": 7, "concentration": 0.3},
        Markov.dirichlet(4, seed=7, concentration=0.3),
    ),
    "order 2": ({"kind": "order-k", "kernel": PAIRS}, OrderKMarkov(PAIRS)),
    "order 2 from a law": (
        {"kind": "order-k", "kernel": PAIRS, "start": [0.9, 0.1]},
        OrderKMarkov(PAIRS, start=[0.9, 0.1]),
    ),
    "order 3, drawn": (
        {"kind": "order-k", "states": 2, "order": 3, "kernel_seed": 1, "concentration": 2.0},
        OrderKMarkov.dirichlet(2, 3, seed=1, concentration=2.0),
    ),
    "lag 2 of (p, q)": (
        {"kind": "lag", "order": 2, "p": "0.2", "q": "0.3"},
        LagMarkov(BinaryMarkov("0.2", "0.3"), 2),
    ),
    "lag 2 of (p, q) from a law": (
        {"kind": "lag", "order": 2, "p": "0.2", "q": "0.3", "start": [0.9, 0.1]},
        LagMarkov(Markov([[0.8, 0.2], [0.3, 0.7]], start=[0.9, 0.1]), 2),
    ),
    "lag 3 of a kernel from a law": (
        {"kind": "lag", "order": 3, "kernel": KERNEL, "start": LAW},
        LagMarkov(Markov(KERNEL, start=LAW), 3),
    ),
    "lag 2 of a drawn kernel": (
        {"kind": "lag", "order": 2, "states": 3, "kernel_seed": 5},
        LagMarkov(Markov.dirichlet(3, seed=5), 2),
    ),
    "in context": ({"kind": "in-context"}, InContext(2)),
    "in context, S=3": (
        {"kind": "in-context", "states": 3, "concentration": 0.5, "start": LAW},
        InContext(3, concentration=0.5, start=LAW),
    ),
}


@pytest.mark.parametrize("name", BUILT)
def test_every_kind_of_source_builds_the_source_it_names(name: str) -> None:
    settings, expected = BUILT[name]
    table = Source(**settings)
    assert table.build() == expected
    assert table.symbols == expected.states
    assert table.degenerate == expected.degenerate is False
    others = [other for key, (_, other) in BUILT.items() if key != name]
    assert table.build() not in others


def test_independent_symbols_are_told_without_rounding_whatever_the_kind() -> None:
    tables: list[dict[str, Any]] = [
        {"p": "0.1", "q": "0.9"},
        {"kind": "switching", "states": 5, "p": "0.8"},
        {"kind": "markov", "kernel": [[0.1, 0.9], [0.1, 0.9]]},
        {"kind": "lag", "order": 2, "p": "0.1", "q": "0.9"},
    ]
    for table in tables:
        assert Source(**table).degenerate and Source(**table).build().degenerate
    near = Source(kind="lag", order=2, p=Decimal("0.1"), q=Decimal("0.89999999999999999999"))
    assert not near.degenerate and not near.build().degenerate
    switching = Source(kind="switching", states=3, p=Decimal("0.6666666666666666"))
    assert not switching.degenerate and not switching.build().degenerate


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["markov", "order-k"])
@pytest.mark.parametrize("ending", ["npy", "csv"])
def test_a_kernel_in_a_file_is_the_kernel_written_out(
    tmp_path: Path, ending: str, kind: str
) -> None:
    rows = KERNEL if kind == "markov" else PAIRS
    path = tmp_path / f"kernel.{ending}"
    if ending == "npy":
        np.save(path, np.array(rows))
    else:
        path.write_text("\n".join(", ".join(map(repr, row)) for row in rows) + "\n")
    written, read = (cell({"kind": kind, "kernel": kernel}) for kernel in (rows, str(path)))
    assert read.source.build() == written.source.build()
    assert read.id == written.id
    moved = np.array(rows)
    moved[0] = moved[0][::-1]
    assert cell({"kind": kind, "kernel": moved.tolist()}).id != read.id


def test_a_cell_does_not_change_when_its_file_does(tmp_path: Path) -> None:
    path = tmp_path / "kernel.npy"
    np.save(path, np.array(KERNEL))
    config = scan(
        source={"kind": "markov", "kernel": str(path)}, model={"kind": "gpt", "length": 3}
    )
    path.unlink()
    again = scan(**config.written)
    assert again.hash == config.hash
    assert again.source.build() == Markov(KERNEL)


def test_a_file_of_a_toml_configuration_is_read_beside_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "own.npy", np.array(KERNEL))
    (tmp_path / "own.toml").write_text(
        '[source]\nkind = "markov"\nkernel = "own.npy"\n[model]\nkind = "gpt"\nlength = 3\n'
    )
    monkeypatch.chdir(tmp_path)
    (only,) = ScanConfig.from_toml("own.toml").cells()
    assert only.source.build() == Markov(KERNEL)


def test_a_file_that_holds_no_kernel_is_refused_by_name(tmp_path: Path) -> None:
    missing, text = tmp_path / "none.npy", tmp_path / "words.csv"
    text.write_text("a,b\nc,d\n")
    assert refusal(kind="markov", kernel=str(missing)) == (
        f"source.kernel is refused: kernel file {str(missing)!r} cannot be read: No such file or "
        "directory"
    )
    assert f"kernel file {str(text)!r} holds no kernel" in refusal(kind="markov", kernel=str(text))
    assert "ends in '.txt'; give .npy or .csv" in refusal(kind="markov", kernel="kernel.txt")
    np.save(tmp_path / "line.npy", np.array([0.5, 0.5]))
    assert "source.kernel" in refusal(kind="markov", kernel=str(tmp_path / "line.npy"))


# --- what is refused ----------------------------------------------------------------------------

READS = "a source of kind 'binary' does not read it; leave it out (it reads p, q, start)"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "p missing": ({"q": 0.5}, "source.p is missing: it must be a number strictly between 0 and 1"),
    "q missing": ({"p": 0.5}, "source.q is missing: it must be a number strictly between 0 and 1"),
    "states of binary": (
        {"p": 0.5, "q": 0.5, "states": 2},
        f"source.states = 2 is refused: {READS}",
    ),
    "order of binary": (
        {"p": 0.5, "q": 0.5, "order": 2},
        f"source.order = 2 is refused: {READS}",
    ),
    "q of switching": (
        {"kind": "switching", "states": 3, "p": 0.5, "q": Decimal("0.1")},
        "source.q = 0.1 is refused: a source of kind 'switching' does not read it; leave it out "
        "(it reads states, p, start)",
    ),
    "switching without anything": (
        {"kind": "switching"},
        "source.states is missing: it must be a number of symbols, a whole number of at least 2\n"
        "source.p is missing",
    ),
    "order of markov": (
        {"kind": "markov", "kernel": KERNEL, "order": 2},
        "source.order = 2 is refused: a source of kind 'markov' does not read it",
    ),
    "no kernel": (
        {"kind": "markov"},
        "source.kernel and source.kernel_seed: neither given, but a source of kind 'markov' needs "
        "one of them: rows of probabilities (or a .npy or .csv file of them), or the seed of a "
        "Dirichlet draw",
    ),
    "both kernels": (
        {"kind": "order-k", "order": 2, "states": 2, "kernel": PAIRS, "kernel_seed": 1},
        "source.kernel and source.kernel_seed: both given, but a source of kind 'order-k' needs",
    ),
    "drawn without states": (
        {"kind": "markov", "kernel_seed": 1},
        "source.states is missing: it must be a number of symbols, a whole number of at least 2",
    ),
    "drawn without order": (
        {"kind": "order-k", "states": 2, "kernel_seed": 1},
        "source.order is missing: it must be a number of symbols back",
    ),
    "concentration of a kernel": (
        {"kind": "markov", "kernel": KERNEL, "concentration": 2.0},
        "source.concentration = 2.0 is refused: it belongs to a kernel that is drawn; with "
        "source.kernel leave it out",
    ),
    "order of a kernel": (
        {"kind": "order-k", "kernel": PAIRS, "order": 2},
        "source.order = 2 is refused: it belongs to a kernel that is drawn",
    ),
    "lag without anything": (
        {"kind": "lag", "order": 2},
        "source.p is missing: it must be a number strictly between 0 and 1",
    ),
    "lag without order": (
        {"kind": "lag", "p": 0.2, "q": 0.3},
        "source.order is missing: it must be a number of symbols back",
    ),
    "p beside a kernel": (
        {"kind": "lag", "order": 2, "kernel": [[0.5, 0.5], [0.2, 0.8]], "p": Decimal("0.2")},
        "source.p = 0.2 is refused: it belongs to the binary chain; with a kernel leave it out",
    ),
    "q beside a drawn kernel": (
        {"kind": "lag", "order": 2, "states": 2, "kernel_seed": 0, "q": Decimal("0.2")},
        "source.q = 0.2 is refused: it belongs to the binary chain; with a kernel leave it out",
    ),
    "states beside p and q": (
        {"kind": "lag", "order": 2, "p": 0.2, "q": 0.3, "states": 3},
        "source.states = 3 is refused: it belongs to a kernel that is drawn; with source.p and "
        "source.q leave it out",
    ),
    "concentration beside p and q": (
        {"kind": "lag", "order": 2, "p": 0.2, "q": 0.3, "concentration": 1.0},
        "source.concentration = 1.0 is refused: it belongs to a kernel that is drawn; with",
    ),
    "kernel of in-context": (
        {"kind": "in-context", "kernel": KERNEL},
        "is refused: a source of kind 'in-context' does not read it; leave it out (it reads "
        "states, order, concentration, start)",
    ),
    "too large": (
        {"kind": "order-k", "states": 2, "order": 30, "kernel_seed": 1},
        "the source is refused: states=2, order=30: a kernel of 2^30 rows of 2 numbers is too "
        "large; give fewer states or a lower order",
    ),
    "too large to draw for each sequence": (
        {"kind": "in-context", "states": 1000},
        "states=1000, order=1: a kernel of 1000^1 rows of 1000 numbers is too large",
    ),
    "kind": (
        {"kind": "switchin", "states": 3, "p": 0.5},
        "source.kind = 'switchin' is refused: it must be one of 'binary', 'switching', 'markov', "
        "'order-k', 'lag', 'in-context'; did you mean switching?",
    ),
    "name": ({"p": 0.5, "q": 0.5, "kernal": 1}, "did you mean source.kernel?"),
    "states 1": (
        {"kind": "switching", "states": 1, "p": 0.5},
        "source.states = 1 is refused: it must be a number of symbols, a whole number of at least",
    ),
    "states true": ({"kind": "in-context", "states": True}, "source.states = true is refused"),
    "concentration 0": (
        {"kind": "in-context", "concentration": 0},
        "source.concentration = 0 is refused: it must be a finite number above 0",
    ),
    "row sum": (
        {"kind": "markov", "kernel": [[0.5, 0.4], [0.2, 0.8]]},
        "the source is refused: row 0 of kernel sums to 0.9, not to 1",
    ),
    "negative": (
        {"kind": "markov", "kernel": [[1.1, -0.1], [0.2, 0.8]]},
        "the source is refused: kernel[0, 0]=1.1 is no probability; give numbers from 0 to 1",
    ),
    "reducible": (
        {"kind": "markov", "kernel": [[1.0, 0.0], [0.5, 0.5]]},
        "the source is refused: kernel is reducible: state 1 cannot be reached from state 0; give "
        "a kernel in which every state leads to every other in some number of steps",
    ),
    "not square": (
        {"kind": "markov", "kernel": [[0.5, 0.5]]},
        "the source is refused: kernel of shape (1, 2) is not square; give S rows of S numbers",
    ),
    "ragged": (
        {"kind": "markov", "kernel": [[0.5, 0.5], [1.0]]},
        "the source is refused: kernel is no array of numbers",
    ),
    "no rows": ({"kind": "markov", "kernel": []}, "the source is refused: kernel of shape (0,)"),
    "no power": (
        {"kind": "order-k", "kernel": [[0.5, 0.5]] * 3},
        "has 3 rows, which is no power of its 2 states",
    ),
    "ambiguous": (
        {"kind": "order-k", "kernel": [[1.0, 0.0], [0.5, 0.5], [0.5, 0.5], [0.0, 1.0]]},
        "the source is refused: kernel has 2 stationary laws",
    ),
    "start sum": (
        {"kind": "markov", "kernel": KERNEL, "start": [0.5, 0.5, 0.5]},
        "the source is refused: start sums to 1.5, not to 1",
    ),
    "start length": (
        {"kind": "in-context", "start": [0.5, 0.25, 0.25]},
        "the source is refused: start has 3 entries; give a law of 2 numbers",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_source_that_cannot_be_is_refused_in_plain_words(name: str) -> None:
    settings, words = REFUSED[name]
    assert words in refusal(**settings)


def test_every_setting_that_a_kind_reads_changes_its_source() -> None:
    # control of the refusals: what is let in is not ignored
    changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"kind": "switching", "states": 3, "p": "0.9"}, {"states": 4, "p": "0.8", "start": LAW}),
        (
            {"kind": "markov", "states": 3, "kernel_seed": 1},
            {"states": 4, "kernel_seed": 2, "concentration": 0.5, "start": LAW},
        ),
        (
            {"kind": "order-k", "states": 2, "order": 2, "kernel_seed": 1},
            {"states": 3, "order": 3, "kernel_seed": 2, "concentration": 0.5, "start": [0.9, 0.1]},
        ),
        (
            {"kind": "lag", "order": 2, "p": "0.2", "q": "0.3"},
            {"order": 3, "p": "0.3", "q": "0.4", "start": [0.9, 0.1]},
        ),
        (
            {"kind": "in-context", "states": 3},
            {"states": 2, "concentration": 0.5, "start": LAW},
        ),
    ]
    for base, changed in changes:
        plain, before = Source(**base).build(), cell(base).id
        for name, value in changed.items():
            assert Source(**{**base, name: value}).build() != plain
            assert cell({**base, name: value}).id != before


# --- ids and cells ------------------------------------------------------------------------------


def test_the_id_of_a_switching_cell_is_written_out_by_hand() -> None:
    text = (
        '{"measure":{"points":["trained"],"random_weights":0.0,"refine":false,"slice":null},'
        '"model":{"activation":"gelu","attention":true,"b":null,"biases":true,"e":null,'
        '"feedforward":true,"heads":1,"hidden":16,"init":"standard","kind":"gpt",'
        '"layer_norm":true,"layers":1,"length":3,"positions":"learned","tying":"tied","w":null,'
        '"width":4},"schema":1,"source":{"kind":"switching","p":"0.9","states":5},'
        '"train":{"batch":null,"data":"exact","dtype":"float64","lr":0.002,"optimizer":"adamw",'
        '"seed":0,"seeds":4,"steps":1000,"weight_decay":0.001}}'
    )
    found = cell({"kind": "switching", "states": 5, "p": "0.90"})
    assert found.id == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(("states", "longest"), [(2, 16), (3, 10), (5, 6), (6, 6), (41, 2)])
def test_the_contexts_of_any_alphabet_are_enumerated_up_to_2_to_the_16(
    states: int, longest: int
) -> None:
    assert states**longest <= 2**16 < states ** (longest + 1)
    source = {"kind": "switching", "states": states, "p": "0.9"}
    assert cell(source, length=longest).model.length == longest
    with pytest.raises(ConfigError) as caught:
        cell(source, length=longest + 1)
    assert (
        f"model.length = {longest + 1} is refused: train.data = 'exact' enumerates "
        f"{states}^{longest + 1} contexts"
    ) in str(caught.value)
    assert (
        f"it must be between 1 and {longest}: take a shorter length, or train.data = 'sampled' "
        "(SampledLoss)"
    ) in str(caught.value)


def test_a_start_away_from_stationarity_has_no_unigram_point() -> None:
    tables: dict[str, Any] = {
        "source": {"kind": "markov", "kernel": KERNEL, "start": LAW},
        "model": {"kind": "gpt", "length": 3},
    }
    with pytest.raises(ConfigError) as caught:
        scan(**tables)
    assert str(caught.value) == (
        "measure.points with 'unigram' is refused where source.start is given: away from "
        "stationarity the unigram is no critical point; leave one of them out"
    )
    assert scan(**tables, measure={"points": ["trained", "bigram"]}).cells()
    del tables["source"]["start"]
    assert scan(**tables).cells()


def test_cells_of_one_kernel_do_not_train_with_those_of_another() -> None:
    config = scan(
        source={"kind": "markov", "states": 3},
        model={"kind": "gpt", "length": 2},
        axes={"source.kernel_seed": [0, 1, 2]},
    )
    cells = config.cells()
    assert [c.source.build() for c in cells] == [Markov.dirichlet(3, seed=k) for k in range(3)]
    assert len({c.batch_key for c in cells}) == 3
    lag = {"kind": "lag", "order": 2, "p": "0.2"}
    together = scan(source=lag, axes={"source.q": ["0.3", "0.4"]}).cells()
    assert len({c.batch_key for c in together}) == 1


def test_files_of_kernels_are_an_axis(tmp_path: Path) -> None:
    files = []
    for seed in range(2):
        files.append(str(tmp_path / f"{seed}.npy"))
        np.save(files[-1], np.array(Markov.dirichlet(3, seed=seed).rows))
    config = scan(
        source={"kind": "markov"},
        model={"kind": "gpt", "length": 2},
        axes={"source.kernel": files},
    )
    found = [c.source.build() for c in config.cells()]
    assert found == [Markov.dirichlet(3, seed=seed) for seed in range(2)]
