"""What a bad setting gets: one exception that says what was wrong as data, and the words for it."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher, get_close_matches
from fractions import Fraction

QUOTED = 80
"""Most characters of a value that a message quotes."""


@dataclass(frozen=True)
class Setting:
    """A setting by its dotted name, with a value where one is meant (`...`: with none)."""

    name: str
    value: object = ...


Text = str | tuple[str | Setting, ...]
"""Words, and among them settings whose spelling is left to whoever prints them."""

Spell = Callable[[Setting], str | None]
"""How a setting is written for a reader; None for one that this reader cannot set."""


@dataclass(frozen=True)
class Refusal(Setting):
    """One setting that cannot be used: which, the value given, why, what may be, what to try.

    `allowed` goes on from "it must be", and `hint` lists alternatives. Without a name `why` speaks
    for itself; what is `missing` was not given at all.
    """

    why: Text = ""
    allowed: Text = ""
    hint: tuple[Text, ...] = ()
    missing: bool = False


def dotted(setting: Setting) -> str:
    """A setting as a configuration writes it.

    >>> dotted(Setting("model.kind", "gpt")), dotted(Setting("source.p"))
    ("model.kind = 'gpt'", 'source.p')
    """
    return clipped(setting.name) + ("" if setting.value is ... else f" = {shown(setting.value)}")


def as_option(written: str, value: object = ...) -> str:
    """A setting as the command line writes it, its option given; a text is not quoted.

    >>> as_option("--p", "half"), as_option("--set source.p", 2), as_option("--plot")
    ('--p half', '--set source.p=2', '--plot')
    """
    if value is ...:
        return written
    bare = clipped(value) if isinstance(value, str) and value else shown(value)
    return f"{written}{'=' if ' ' in written else ' '}{bare}"


class ConfigError(ValueError):
    """Settings, or a folder given for the results, that cannot be used.

    `refusals` holds one record for each problem found; a text is one that is not about a setting.
    The words are made when the error is printed, one line for each problem, with the settings as
    `spell` writes them: the command line puts its options there, prints it and exits with code 2.

    >>> error = ConfigError(Refusal("source.p", 2, allowed="below 1", hint=("take 0.5",)))
    >>> str(error)
    'source.p = 2 is refused: it must be below 1; take 0.5'
    >>> error.spell = lambda setting: f"--p {setting.value}"
    >>> str(error)
    '--p 2 is refused: it must be below 1; take 0.5'
    """

    def __init__(self, *refusals: Refusal | str) -> None:
        super().__init__(*(Refusal("", why=r) if isinstance(r, str) else r for r in refusals))
        self.spell: Spell = dotted

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """The problems, in the order in which they were found."""
        return self.args

    def __str__(self) -> str:
        return "\n".join(words(refusal, self.spell) for refusal in self.refusals)


def refused(
    name: str,
    value: object = ...,
    *,
    why: Text = "",
    allowed: Text = "",
    hint: str | tuple[Text, ...] = (),
) -> ConfigError:
    """The error of one refusal; a hint without alternatives may be a bare text.

    >>> str(refused("model.heads", 3, allowed=("a divisor of ", Setting("model.width", 4))))
    'model.heads = 3 is refused: it must be a divisor of model.width = 4'
    """
    hint = (hint,) if isinstance(hint, str) else hint
    return ConfigError(Refusal(name, value, why=why, allowed=allowed, hint=hint))


def words(refusal: Refusal, spell: Spell = dotted) -> str:
    """A refusal in one line. Alternatives with a setting that the reader cannot set are left out.

    >>> sampled = ("take ", Setting("train.data", "sampled"))
    >>> long = Refusal("model.length", 40, why="too long", hint=("take a shorter one", sampled))
    >>> words(long)
    "model.length = 40 is refused: too long; take a shorter one, or take train.data = 'sampled'"
    >>> words(long, lambda setting: {"model.length": "--length 40"}.get(setting.name))
    '--length 40 is refused: too long; take a shorter one'
    """

    def text(parts: Text) -> str:
        parts = (parts,) if isinstance(parts, str) else parts
        return "".join(p if isinstance(p, str) else spell(p) or dotted(p) for p in parts)

    def possible(parts: Text) -> bool:
        return isinstance(parts, str) or all(isinstance(p, str) or spell(p) for p in parts)

    allowed = f"it must be {text(refusal.allowed)}" if refusal.allowed else ""
    hint = ", or ".join(text(each) for each in refusal.hint if each and possible(each))
    reasons = "; ".join(filter(None, (text(refusal.why), allowed, hint)))
    if not refusal.name:
        return reasons
    subject = spell(refusal) or dotted(refusal)
    return f"{subject} is {'missing' if refusal.missing else 'refused'}: {reasons}"


def nearest(name: str, known: Iterable[str], *, separator: str = ".") -> str:
    """The hint "did you mean X?" for a misspelt name, or "" if nothing known is near it.

    A dotted name is compared by its last part first, so that a setting written in the wrong section
    is found where it lives; `separator` is what stands between the parts.

    >>> nearest("train.stepz", ["train.steps", "train.lr"])
    'did you mean train.steps?'
    >>> nearest("source.width", ["source.p", "model.width"])
    'did you mean model.width?'
    >>> nearest("trainin/loss", ["points/loss", "training/loss"], separator="/")
    'did you mean training/loss?'
    >>> nearest("model.zzz", ["model.w", "train.steps"])
    ''
    """

    def likeness(one: str, other: str) -> float:
        return SequenceMatcher(None, one, other).ratio()

    def end(name: str) -> str:
        return name.rpartition(separator)[2]

    def alike(other: str) -> bool:  # in its last part too, not only in the name of its section
        return likeness(last, end(other)) >= 0.5

    names = sorted(known)
    last = end(name)
    found = [other for other in names if end(other) == last]
    found.sort(key=lambda other: -likeness(name, other))
    found = found or [*filter(alike, get_close_matches(name, names, cutoff=0.7))]
    if not found:  # the section may be what is wrong: compare the last parts alone
        parts = {end(other): other for other in reversed(names)}
        found = [parts[part] for part in get_close_matches(last, parts, n=1, cutoff=0.7)]
    return f"did you mean {found[0]}?" if found else ""


def clipped(text: str, most: int = QUOTED) -> str:
    """A text of at most so many characters, its middle left out if need be.

    >>> clipped("1" * 100, 11)
    '1111...1111'
    """
    if len(text) <= most:
        return text
    kept = most - 3
    return f"{text[: kept // 2]}...{text[len(text) - (kept - kept // 2) :]}"


def elided(message: str) -> str:
    """A message in which no unbroken word is longer than a quoted value, and no path than 255.

    >>> elided("--width " + "9" * 400 + " is refused") == f"--width {clipped('9' * 400)} is refused"
    True
    """
    words = re.split(r"(\s+)", message)
    return "".join(clipped(word, 255 if "/" in word else QUOTED) for word in words)


def shown(value: object) -> str:
    """A value as its user wrote it, for a message; of a long one the ends.

    >>> shown(Decimal("1.2")), shown("gpt"), shown([Decimal("0.1"), True])
    ('1.2', "'gpt'", '[0.1, true]')
    """
    return clipped(_written(value))


def _written(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() > 2**13:  # Python writes no more than 4300 digits
            return f"a whole number of {value.bit_length()} bits"
        case Decimal() | Fraction():
            return str(value)
        case list() | tuple():
            return f"[{', '.join(map(shown, value))}]"
        case Mapping():
            return f"{{{', '.join(f'{key} = {shown(item)}' for key, item in value.items())}}}"
        case _:
            return repr(value)
