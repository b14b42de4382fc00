"""Bad input on the command line: code 2, nothing printed or written, and words that help."""

import io
import sys
from pathlib import Path
from typing import Any

import click
import pytest

import landscape.cli
from landscape.cli.options import as_typed, cell_of
from landscape.errors import ConfigError, refused
from tests.landscape.cli.running import Run

CHAIN, AT = "--p .5 --q .8", "--p .5 --q .8 --at unigram"
SMALL = f"{CHAIN} --width 2 --length 3"
SLICE = f"slice {SMALL} --resolution 5"
TERNARY = "--states 3 --switch .8 --model gpt --width 2 --length 3"
KERNEL = "--set source.kind=markov --set source.kernel"
PROBABILITY = "is refused: it must be a number strictly between 0 and 1, for example 0.01 or 0.99"
SIZE = "--length 17 is refused: the exact loss enumerates 2^17 contexts"
SHORTER = "it must be between 1 and 16; take a shorter length"

BAD: dict[str, str] = {
    # p, q and the source
    "spectrum --p 0 --q .5 --at unigram": f"--p 0 {PROBABILITY}",
    "spectrum --p 1.2 --q .5 --at unigram": f"--p 1.2 {PROBABILITY}",
    "train --p nan --q .5": f"--p nan {PROBABILITY}",
    "train --p half --q .5": f"--p half {PROBABILITY}",
    "train --p= --q .5": f"--p '' {PROBABILITY}",
    "verify --p .5 --q 2": f"--q 2 {PROBABILITY}",
    "flow --p 1.3 --q .8 --e 1 --w 1": f"--p 1.3 {PROBABILITY}",
    "flow --p .2 --q nan --e 1 --w 1": f"--q nan {PROBABILITY}",
    "flow --p .2 --q 0 --e 1 --w 1": f"--q 0 {PROBABILITY}",
    "flow --p .2 --q x --e 1 --w 1": f"--q x {PROBABILITY}",
    "train --states 3 --switch 1.5 --model gpt": f"--switch 1.5 {PROBABILITY}",
    "train --q .8 --set source.p=1.5": f"--set source.p=1.5 {PROBABILITY}",
    "scan --set source.q=1.6": f"--set source.q=1.6 {PROBABILITY}",
    "scan --axis source.p=.5,1.7": f"--axis source.p=1.7 {PROBABILITY}",
    "train": "Missing option '--p' and '--q' (or --states and --switch, or a source by --set source"
    ".kind=...)",
    "train --p .5": "--q is missing: it must be a number strictly between",
    "spectrum --q .5 --at unigram": "Error: --p is missing: it must be a number strictly between 0",
    "train --switch .5 --model gpt": "--states is missing: it must be a number of symbols",
    "train --states 3 --model gpt": "--states goes with --switch, or with --set source.kind=...",
    f"train {SMALL} --states 3": "--states goes with --switch, or with --set source.kind=...",
    "train --p .5 --switch .5 --states 3": "--p and --q are of the binary chain; give them or --sw",
    "train --states 3 --switch .5": "--model single-layer is refused: it is for sources of 2 symbol"
    "s, and this one has 3; take --model gpt, or a source of 2 symbols",
    f"train {KERNEL}=none.npy": "--set source.kernel is refused: kernel file 'none.npy' cannot be ",
    f"train {KERNEL}=[[1,0],[0,1]]": "the source is refused: kernel is reducible: state 1 cannot b",
    f"spectrum {KERNEL}=[[.5,.5],[.2,.8]] --set source.start=[.9,.1] --at unigram --length 3":
    "--set source.start=[0.9, 0.1] is refused: away from stationarity the unigram is no critical "
    "point; leave it out",
    "train --set source.kind=markov": "--set source.kernel is missing: it must be a list of rows of"
    " probabilities, or the name of a file of them; or draw one, by --set source.kernel_seed and",
    # sizes
    f"train {CHAIN} --length 40": "2^40 contexts (their symbols alone take 320 TiB in float64); it "
    "must be between 1 and 16; take a shorter length, or --data sampled (SampledLoss)",
    f"train {TERNARY} --length 11": "--length 11 is refused: the exact loss enumerates 3^11 cont",
    "scan --set model.length=17": "or --set train.data=sampled (SampledLoss) with --set measure.poi"
    "nts=[] to train alone",
    f"train {CHAIN} --width 0": "--width 0 is refused: it must be a whole number of at least 1",
    f"train {CHAIN} --width 100000": "width=100000",
    f"spectrum {AT} --width 200": "too large for a dense Hessian",
    f"train {SMALL} --model gpt --heads 3": "--heads 3 is refused: it must be a divisor of --width",
    f"train {CHAIN} --seed {10**22}": f"--seed {10**22} is refused: it must be the first seed, a wh"
    "ole number from 0 to 2^31 - 1",
    # models
    f"train {CHAIN} --model single-lager": "did you mean single-layer?",
    f"train {CHAIN} --model mine:Model": "--model mine:Model is refused: it runs code of your own; "
    "add --allow-code",
    f"train {CHAIN} --tying ties": "--tying ties is refused: it must be one of 'tied', 'untied'",
    f"train {SMALL} --layers 2": "--layers 2 is refused: a model of kind 'single-layer' does not re"
    "ad it; take --model gpt, or leave it out",
    f"train {CHAIN} --e 1": "--e 1.0 is refused: with --init standard nothing reads it; take --init"
    " ansatz, or leave it out",
    f"train {SMALL} --model gpt --set model.attention=false --set model.positions=relative":
    "--set model.positions=relative is refused: with --set model.attention=false nothing reads it",
    f"train {SMALL} --model gpt --init basin": "--init basin is refused: the rank-one ansatz is for"
    " relu without LayerNorm; take 'standard' or 'low-rank', or --set model.layer_norm=false, --set"
    " model.activation=relu and --set model.feedforward=true",
    f"spectrum {SMALL} --model gpt --at unigram --w -2": "--w -2.0 is refused: it is of the rank-on"
    "e ansatz; leave it out",
    f"spectrum {SMALL} --model gpt --at bigram --w -2": "w=-2.0, sign=1 are coordinates of the rank"
    "-one ansatz, which GPT has no closed form for",
    f"spectrum {CHAIN} --at bigram --w 1": "w < -1/sqrt",
    # training and measuring
    f"train {CHAIN} --lr -1": "--lr -1.0 is refused: it must be a finite number above 0",
    f"train {CHAIN} --steps 0 --device abacus": "--device abacus is refused: torch has no such devi"
    "ce here; give cpu, or cuda if it has one",
    f"train {CHAIN} --device meta": "--device meta is refused",
    f"train {SMALL} --set train.checkpoints=1": "--set train.checkpoints=1 is refused: it must be a"
    " whole number of at least 2, or left out",
    f"spectrum {SMALL} --at trained --set train.data=sampled --steps 1": "--set train.data=sampled "
    "is refused: the point of a sampled run is not measured here; leave it out",
    f"spectrum {CHAIN} --at bigram --refine": "--refine is for --at trained",
    f"spectrum {CHAIN} --at trained --steps 9 --lr 1e99 --length 2": "learning rate",
    f"spectrum {CHAIN} --at trained --random-weights 1": "--at unigram or --at bigram",
    f"train {CHAIN} --plot curve.xyz": "'curve.xyz' names no format; end it in .png, .pdf or .svg",
    f"train {CHAIN} --plot no/such/a.png": "the folder 'no/such' does not exist; make it first",
    # what is no command, setting or folder
    "scam": "Did you mean scan?",
    "scan --set model.widht=3": "--set model.widht is refused: there is no such setting; did you m",
    "scan --axis model.widht=3": "--axis model.widht is refused: there is no such setting; did you",
    f"train {SMALL} --set model.widht=3": "--set model.widht is refused: there is no such setting;",
    f"train {SMALL} --set model.width": "--set model.width is refused: write name=value, for examp",
    f"train {SMALL} --set model=3": "[model] is a table; name a setting in it",
    f"train {SMALL} --set name=mine": "--set name is for a scan; a single measurement has no name",
    "scan /nowhere/a.toml": "/nowhere/a.toml cannot be read: No such file or directory; give the p",
    "status /nowhere": "/nowhere is not the folder of a scan",
    # one setting given twice
    f"train {CHAIN} --steps 5 --set train.steps=9": "--set train.steps=9 is refused: --steps 5 sets"
    " it too; give one of them",
    f"train {CHAIN} --set source.p=.2": "--set source.p=.2 is refused: --p .5 sets it too",
    f"spectrum {AT} --model reduced --set model.kind=gpt": "--set model.kind=gpt is refused: --mode"
    "l reduced sets it too; give one of them",
    f"train {TERNARY} --set source.p=.3": "--set source.p=.3 is refused: --switch .8 sets it too",
    f"train {CHAIN} --set train.steps=9 --set train.steps=8": "--set train.steps=8 is refused: --se"
    "t train.steps=9 is given too; give one of them",
    "scan --set train.steps=9 --set train.steps=8": "--set train.steps=8 is refused: --set train.st"
    "eps=9 is given too; give one of them",
    "scan --axis source.p=.2,.3 --axis source.p=.4": "--axis source.p=.4 is refused: --axis source."
    "p=.2,.3 is given too; give one of them",
    # flow
    "flow --p .2 --q .3 --e 1": "Missing option '--w'",
    "flow --q .3 --e 1 --w 1": "Missing option '--p'",
    "flow --p .2 --q .3 --e nan --w 1": "'--e': nan is refused: give a finite number",
    "flow --p .2 --q .3 --e 1 --w -inf": "'--w': -inf is refused: give a finite number",
    "flow --p .2 --q .3 --e 1 --w 1 --b inf": "'--b': inf is refused: give a finite number",
    "flow --p .2 --q .3 --e 1 --w 1 --time 0": "'--time': 0.0 is refused: give a positive number",
    "flow --p .2 --q .3 --e 1e200 --w 1": "is too far out",
    "flow --p .2 --q .3 --e 1 --w 1 --plot a.jpg": "'a.jpg' names no format; end it in .png",
    # slice
    f"{SLICE} --at unigram --plane eigne": "'eigne' is refused: it is unknown; give eigen, random",
    f"{SLICE} --at unigram --plane no.safetensors": "there is no such file",
    f"{SLICE} --at trained --plane reduced-ew": "not on the ansatz",
    f"{SLICE} --at bigram --plane points": "--plane points starts from the unigram; give --at unig",
    f"{SLICE} --at unigram --plane reduced-ew --random-weights 1": "leads away from the ansatz",
    f"{SLICE} --at unigram --eigenvectors first": "--eigenvectors first is refused: it names no",
    f"{SLICE} --at unigram --eigenvectors 99": "--eigenvectors 99 is refused: it names no eigen",
    f"{SLICE} --at unigram --plane random --eigenvectors 0": "--eigenvectors belongs to --plane ei",
    f"{SLICE} --at unigram --resolution 4": "--resolution 4 is refused: it must be an odd whole",
    f"{SLICE} --at unigram --radius 0": "--radius 0.0 is refused: it must be a positive number",
    f"{SLICE} --at unigram --plane filter": "need nonzero weights",
    f"{SLICE} --at unigram --model gpt --plane reduced-ew": "runs over the rank-one ansatz, which ",
    # theory
    "theory entropis": "entropis' is not in the registry: did you mean 'entropies'? choose on",
    "theory entropis --latex": "did you mean 'entropies'?",
    "theory entropis --json": "did you mean 'entropies'?",
    "theory ../entropies": "'../entropies' is not in the registry",
    "theory entropies --latex --json": "give one of them",
    "theory --latx": "No such option",
}  # fmt: skip


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_explained_with_code_2(
    run: Run, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(words)
    assert (code, out) == (2, ""), err
    told = " ".join(err.split())
    assert BAD[words] in told, told
    assert "Error: " in told and "Traceback" not in told
    assert list(tmp_path.iterdir()) == []  # nothing written
    assert len({message for message in BAD.values() if message in told}) <= 2  # the control


@pytest.mark.parametrize("name", ["train", "verify", "spectrum --at unigram", "slice --at unigram"])
def test_a_command_that_cannot_sample_is_not_told_to(run: Run, name: str) -> None:
    """What the user typed is named, with the value, the range and the remedy, and nothing else."""
    code, _, err = run(f"{name} {CHAIN} --length 17")
    remedy = ", or --data sampled (SampledLoss)" if name == "train" else ""
    assert code == 2 and err.startswith(f"Error: {SIZE}") and err.endswith(f"{SHORTER}{remedy}\n")
    for setting in ("source.", "model.", "train.", "measure."):
        assert setting not in err


def test_outside_a_command_a_refusal_keeps_its_words() -> None:
    names = ("states", "switch", "layers", "heads", "tying", "width", "hidden", "length")
    none: Any = dict.fromkeys(names)
    with pytest.raises(ConfigError, match=r"^source\.p = '2' is refused"):
        cell_of(**none, p="2", q=".5", model="single-layer", seed=0)


@pytest.mark.parametrize(
    "name", ["model.width", "source.kind", "model.widths", "--set model.width", "the source"]
)
def test_only_the_settings_that_an_option_is_of_are_named_by_it(name: str) -> None:
    """The option --at is called `kind` inside."""

    @click.command()
    @click.option("--at", "kind")
    @click.option("--width")
    @as_typed
    def command(**_: Any) -> None:
        raise refused(name, 3, why="no")

    with pytest.raises(ConfigError) as caught:
        command(["--at", "unigram", "--width", "3"], standalone_mode=False)
    written = "--width 3" if name == "model.width" else f"{name} = 3"
    assert str(caught.value) == f"{written} is refused: no"


def test_messages_are_broken_at_words_in_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setenv("COLUMNS", "40")
    for terminal in (True, False):
        monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
        monkeypatch.setattr(stream, "isatty", lambda terminal=terminal: terminal)
        with pytest.raises(SystemExit):
            landscape.cli.main(["scan", "--set", "source.p=2", "--set", "model.width=0"])
        told.append(stream.getvalue())
    broken, whole = told
    assert broken.split() == whole.split() and len(whole.splitlines()) == 2
    assert max(map(len, broken.splitlines())) <= 40 < max(map(len, whole.splitlines()))
