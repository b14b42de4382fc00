"""Inputs as people and chance make them: settings in and out of range, files with bytes changed.

An input knows whether its author knows it to be wrong; then it may not be accepted.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

DIGITS, HUGE = "9" * 400, "1e999999999"
NUMBERS = ("nan", "inf", "x", "true", "''", "[]", HUGE, "-1")
WHOLE = ("0", "-1", "2.5", "true", "x", "nan", "''", DIGITS, HUGE, "1e-999999999", "10000000000")

RANGES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "source.p": ((".2", "0.7", "1e-3", ".999"), (*NUMBERS, "0", "1", "1e-999999999", "." + DIGITS)),
    "source.q": ((".3", "0.8", ".5"), (*NUMBERS, "0", "1", "1.0000001")),
    "model.width": (("1", "2", "3"), WHOLE),
    "model.hidden": (("1", "3"), WHOLE),
    "model.length": (("1", "2", "3"), (*WHOLE, "17", "1000")),
    "model.tying": (("tied", "untied"), ("Tied", "0", "''", DIGITS)),
    "model.init": (("standard", "low-rank"), ("none", "1", "own", DIGITS)),
    "train.steps": (("0", "1", "3"), ("-1", "2.5", "x", DIGITS, HUGE, "9999999999")),
    "train.lr": (("1e-3", ".1"), ("0", *NUMBERS)),
    "train.optimizer": (("adamw", "sgd"), ("adam", "1", "''")),
    "train.schedule": (("constant", "one-cycle"), ("cosine", "2")),
    "train.weight_decay": (("0", ".1"), NUMBERS),
    "train.dtype": (("float32", "float64"), ("float16", "8")),
    "train.seed": (("0", "7"), ("-1", "2147483648", "1.5", "x", DIGITS)),
    "train.seeds": (("1", "2"), ("0", "-1", "100001", "1.5", "x", DIGITS)),
    "measure.random_weights": (("0", ".3"), NUMBERS),
    "measure.refine": (("true", "false"), ("1", "yes", "2")),
    "measure.slice.resolution": (("3", "5"), ("1", "4", "-3", "x", "99999", DIGITS)),
    "measure.points": (("[]", "['unigram']"), ("['unigrams']", "3", "[3]")),
}
"""By setting: values in its range, and values outside of it."""

CHAIN = {"source.p": ".3", "source.q": ".4"}
SIZES = {"model.width": "2", "model.length": "2"}
QUICK = {"train.steps": "2", "train.seeds": "1"}

KERNELS = (
    "0.5,0.5\n0.25,0.75\n", "0,5;0,5\n0,25;0,75\n", "a b\n.5 .5\n.25 .75\n",
    ",a,b\na,.5,.5\nb,1,0\n",
    "50%\t50%\n25%\t75%\n", "sep=;\n0,5;0,5\n1/4;3/4\n", "[[0.5, 0.5], [0.25, 0.75]]",
    "1 2 3\n4 5 6\n7 8 9\n", "0.1,0.6\n0.9,0.4\n", "nan,1\n1,0\n", "1,0\n0,1\n",
)  # fmt: skip
SEQUENCES = (
    "GATTACAGATTACA\n", "0 1 1 0 1 0 0 1", ">x\nACGTNACGT\n", "rain\nsun\nsun\nrain\nsun\n",
    "the cat sat on a mat", "1,2,1,3,2,1,1,2,3,3", "aaaa", "",
)  # fmt: skip


@dataclass(frozen=True)
class Input:
    """A command line and the files beside it; `wrong` if it must be refused."""

    words: tuple[str, ...]
    files: dict[str, bytes] = field(default_factory=dict)
    wrong: bool = False


def drawn(seed: int) -> Input:
    """The input of a seed."""
    draw = random.Random(seed)
    kind = draw.choices(KINDS, WEIGHTS)[0]
    return kind(draw)


def _settings(draw: random.Random, names: Sequence[str]) -> tuple[dict[str, str], bool]:
    """Values for some settings, and whether one is out of range."""
    chosen, wrong = {}, False
    for name in draw.sample(list(names), draw.randint(1, 3)):
        good, bad = RANGES[name]
        out = draw.random() < 0.4
        chosen[name] = draw.choice(bad if out else good)
        wrong |= out
    return chosen, wrong


OPTIONS = {"source.p": "--p", "source.q": "--q", "model.width": "--width",
           "model.hidden": "--hidden", "model.length": "--length", "model.tying": "--tying",
           "train.seed": "--seed",
           "train.lr": "--lr", "train.steps": "--steps"}  # fmt: skip


def _single(draw: random.Random) -> Input:
    """One measurement, its settings by options or by --set."""
    command = draw.choice((["train"], ["spectrum", "--at", "unigram"], ["slice", "--at", "unigram"],
                           ["spectrum", "--at", "bigram"]))  # fmt: skip
    trains = command[0] == "train"
    names = [name for name in RANGES if name.startswith(("source.", "model."))]
    names += [n for n in RANGES if n.startswith("train.") and n != "train.seeds"] if trains else []
    chosen, wrong = _settings(draw, names)
    given = {**CHAIN, **SIZES, **({"train.steps": "2"} if trains else {}), **chosen}
    words = [*command, *(["--resolution", "3"] if command[0] == "slice" else [])]
    for name, value in given.items():
        if name in OPTIONS and (name in CHAIN or draw.random() < 0.7):
            words.append(f"{OPTIONS[name]}={value}")
        else:
            words += ["--set", f"{name}={value}"]
    return Input((*words, *draw.choice(((), ("--json",)))), wrong=wrong)


def _scan(draw: random.Random) -> Input:
    """A configuration in a file, of settings that were changed by --set and --axis."""
    chosen, wrong = _settings(draw, list(RANGES))
    kept = {**CHAIN, **SIZES, **QUICK, "measure.points": "[]", **chosen}
    text = "".join(f"{name} = {_toml(value)}\n" for name, value in kept.items())
    words = ["scan", "c.toml", "--no-report", "--out", "out"]
    if draw.random() < 0.3:
        words += ["--axis", draw.choice(AXES)]
        wrong = False  # where an axis runs, the value that is written has no meaning
    return Input(tuple(words), {"c.toml": text.encode()}, wrong)


AXES = (
    "source.p=.2,.3", "source.p={from=.1,to=.9,count=2}", "model.tying=tied,untied",
    "source.p={from=.1,to=1e999999999,count=3}", "source.q={from=.1,to=.9,count=99999999999}",
    "source.p=[]", "source.p=,", "model.width={from=1,to=2,count=2}", "zzz=1", "train.seeds=1,2",
    f"source.p={DIGITS}", "source.p=[[[[", "source.p={from=.1}", "=", "source.p",
)  # fmt: skip


def _toml(value: str) -> str:
    """A value as TOML writes it, or as a text where it is none."""
    bare = value in ("true", "false", "nan", "inf") or value[:1] in "[-0123456789'"
    if value.startswith(".") and value[1:].isdigit():
        return f"0{value}"
    return value if bare else f'"{value}"'


def _bytes(draw: random.Random) -> Input:
    """A configuration of which bytes were changed, cut, doubled or put before."""
    text = b"".join(
        f"{name} = {_toml(value)}\n".encode()
        for name, value in {**CHAIN, **SIZES, **QUICK, "measure.points": "[]"}.items()
    )
    name = draw.choice(("c.toml", "-x.toml", "a b.toml", "ä.toml", "new\nline.toml"))
    words = ("scan", "--no-report", "--out", "out", "--", name)
    return Input(words, {name: mutated(draw, text)})


def mutated(draw: random.Random, content: bytes) -> bytes:
    """Some bytes changed."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(changed) + 1)
        match draw.randrange(6):
            case 0 if changed:
                changed[place % len(changed)] ^= 1 << draw.randrange(8)
            case 1:
                del changed[place : place + draw.randint(1, 8)]
            case 2:
                changed[place:place] = changed[place : place + draw.randint(1, 20)]
            case 3:
                changed[place:place] = draw.randbytes(draw.randint(1, 4))
            case 4:
                changed[0:0] = draw.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"[" * 2000))
            case _:
                changed[place:place] = draw.choice((b"9" * 5000, b"1e999999999", b"nan", b"\r\n"))
    return bytes(changed)


def _kernel(draw: random.Random) -> Input:
    """A kernel or a sequence in a file, as it was written or with bytes changed."""
    name, texts = draw.choice((("kernel", KERNELS), ("sequence", SEQUENCES)))
    content = draw.choice(texts).encode()
    if draw.random() < 0.6:
        content = mutated(draw, content)
    ending = draw.choice(("csv", "tsv", "txt", "json", "npy", "fasta", "CSV"))
    words = ["train", "--model", "gpt", "--width", "1", "--length", "2", "--steps", "1"]
    words += ["--set", f"source.{name}=file.{ending}"]
    words += ["--set", "source.kind=markov"] if name == "kernel" else []
    for more in ("normalise=true", "order=2", "smoothing=1", "units=tokens"):
        words += ["--set", f"source.{more}"] if draw.random() < 0.2 else []
    return Input(tuple(words), {f"file.{ending}": content})


def _anything(draw: random.Random) -> Input:
    """Words of the command line in any order, with characters changed."""
    pool = ("scan", "train", "flow", "verify", "spectrum", "theory", "status", "collect", "--p",
            "--q", "--e", "1", "--w", "--set", "model.width=0", "--json", "--out", "/nowhere/x",
            "", ".3", "-1", "\udcff", "é", "a=b", "--at", "unigram", "--plot", "x.png", DIGITS,
            "--", "--model", "a:b", "--preset", "x", "--help", "--version", "--device",
            "no")  # fmt: skip
    words = [draw.choice(pool) for _ in range(draw.randint(1, 7))]
    if words[0] == "scan":  # by itself it is the demonstration, of two minutes
        words[1:1] = ["--set", "model.width=0"]
    return Input(tuple(words))


KINDS: tuple[Callable[[random.Random], Input], ...] = (_single, _scan, _bytes, _kernel, _anything)
WEIGHTS = (8, 3, 3, 5, 4)
