"""The table `source`: every kind builds its source, from settings or from a file."""

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landscape.config import Measure, Model, Source, Train
from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
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
LAW, PAIR = [0.5, 0.3, 0.2], [0.9, 0.1]


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

CHAIN: dict[str, Any] = {"p": "0.2", "q": "0.30"}
OF_CHAIN = [[0.8, 0.2], [0.3, 0.7]]
FIVE: dict[str, Any] = {"kind": "switching", "states": 5, "p": "0.9"}
DRAWN: dict[str, Any] = {"kind": "markov", "states": 4, "kernel_seed": 7}
LAG: dict[str, Any] = {"kind": "lag", "order": 2}
BUILT: dict[str, tuple[dict[str, Any], SampledSource]] = {
    "binary": (CHAIN, BinaryMarkov("0.2", "0.30")),
    "binary from a law": ({**CHAIN, "start": PAIR}, Markov(OF_CHAIN, start=PAIR)),
    "switching": (FIVE, SwitchingMarkov(5, "0.9")),
    "switching from a law":
        ({**FIVE, "states": 3, "start": LAW}, SwitchingMarkov(3, "0.9", start=LAW)),
    "kernel": ({"kind": "markov", "kernel": KERNEL}, Markov(KERNEL)),
    "kernel from a law":
        ({"kind": "markov", "kernel": KERNEL, "start": LAW}, Markov(KERNEL, start=LAW)),
    "drawn": (DRAWN, Markov.dirichlet(4, seed=7)),
    "drawn, concentrated":
        ({**DRAWN, "concentration": 0.3}, Markov.dirichlet(4, seed=7, concentration=0.3)),
    "order 2": ({"kind": "order-k", "kernel": PAIRS}, OrderKMarkov(PAIRS)),
    "order 2 from a law":
        ({"kind": "order-k", "kernel": PAIRS, "start": PAIR}, OrderKMarkov(PAIRS, start=PAIR)),
    "order 3, drawn":
        ({"kind": "order-k", "states": 2, "order": 3, "kernel_seed": 1, "concentration": 2.0},
         OrderKMarkov.dirichlet(2, 3, seed=1, concentration=2.0)),
    "lag 2 of (p, q)": ({**LAG, **CHAIN}, LagMarkov(BinaryMarkov("0.2", "0.3"), 2)),
    "lag 2 of (p, q) from a law":
        ({**LAG, **CHAIN, "start": PAIR}, LagMarkov(Markov(OF_CHAIN, start=PAIR), 2)),
    "lag 3 of a kernel from a law":
        ({**LAG, "order": 3, "kernel": KERNEL, "start": LAW},
         LagMarkov(Markov(KERNEL, start=LAW), 3)),
    "lag 2 of a drawn kernel":
        ({**LAG, "states": 3, "kernel_seed": 5}, LagMarkov(Markov.dirichlet(3, seed=5), 2)),
    "in context": ({"kind": "in-context"}, InContext(2)),
    "in context, S=3":
        ({"kind": "in-context", "states": 3, "concentration": 0.5, "start": LAW},
         InContext(3, concentration=0.5, start=LAW)),
}  # fmt: skip


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
def test_a_kernel_in_a_file_is_that_written_out(tmp_path: Path, ending: str, kind: str) -> None:
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
    assert "ends in '.xlsx'; give .npy, .csv" in refusal(kind="markov", kernel="kernel.xlsx")
    np.save(tmp_path / "line.npy", np.array([0.5, 0.5]))
    assert "source.kernel" in refusal(kind="markov", kernel=str(tmp_path / "line.npy"))


def test_every_setting_that_a_kind_reads_changes_its_source() -> None:
    # control of the refusals: what is let in is not ignored
    drawn = {"states": 4, "kernel_seed": 2, "concentration": 0.5, "start": LAW}
    changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({**FIVE, "states": 3}, {"states": 4, "p": "0.8", "start": LAW}),
        ({"kind": "markov", "states": 3, "kernel_seed": 1}, drawn),
        ({"kind": "order-k", "states": 2, "order": 2, "kernel_seed": 1},
         {**drawn, "states": 3, "order": 3, "start": PAIR}),
        ({**LAG, **CHAIN}, {"order": 3, "p": "0.3", "q": "0.4", "start": PAIR}),
        ({"kind": "in-context", "states": 3}, {"states": 2, "concentration": 0.5, "start": LAW}),
    ]  # fmt: skip
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


def test_a_start_away_from_stationarity_has_no_unigram_point() -> None:
    tables: dict[str, Any] = {
        "source": {"kind": "markov", "kernel": KERNEL, "start": LAW},
        "model": {"kind": "gpt", "length": 3},
    }
    with pytest.raises(ConfigError, match="away from stationarity the unigram is no critical"):
        scan(**tables)
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
        source={"kind": "markov"}, model={"kind": "gpt", "length": 2}, axes={"source.kernel": files}
    )
    found = [c.source.build() for c in config.cells()]
    assert found == [Markov.dirichlet(3, seed=seed) for seed in range(2)]
