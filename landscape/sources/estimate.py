"""A chain of order k estimated from a sequence of symbols, with its counts and standard errors."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from landscape.sources.files import decoded, load_array, read_bytes
from landscape.sources.kernels import check_size, whole_number

Units = Literal["letters", "tokens"]

_FASTA = (".fasta", ".fa", ".fna", ".faa", ".ffn")
_NUCLEOTIDES = frozenset("ACGTUNacgtun")
MOST_SYMBOLS = 2**24
"""The longest sequence that is read."""

FEW_TOKENS = 50
"""Most different words that are taken for tokens unasked, each twice or more on average."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences of symbols as numbers, the names of the symbols, and how they were read."""

    parts: tuple[Int[np.ndarray, "..."], ...]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Estimate:
    """A kernel of order k estimated from sequences.

    ``K[c, t] = (n_{c,t} + a)/(n_c + a S)``, with ``n_{c,t}`` how often t has followed the context
    c of k symbols (the oldest slowest), and ``a`` the smoothing. The standard error of an entry is
    ``sqrt(K (1-K)/n_c)``, NaN for a context that was never followed.

    Fields:
        names: of the S symbols, in the order of the columns.
        counts: n_{c,t} as S^k rows of S numbers.
        smoothing: a.
        notes: how the symbols were read, in words.
    """

    names: tuple[str, ...]
    counts: Int[np.ndarray, "C S"]
    smoothing: float = 0.0
    notes: tuple[str, ...] = field(default=())

    @property
    def kernel(self) -> Float[np.ndarray, "C S"]:
        """K[c, t]."""
        padded = self.counts + self.smoothing
        return np.asarray(padded / padded.sum(1, keepdims=True))

    @property
    def errors(self) -> Float[np.ndarray, "C S"]:
        """Standard errors of the entries."""
        followed = self.counts.sum(1, keepdims=True)
        kernel = self.kernel
        spread = np.sqrt(kernel * (1 - kernel) / np.maximum(followed, 1))
        return np.where(followed > 0, spread, np.nan)

    @property
    def moved(self) -> float:
        """The largest change that the smoothing makes to an estimated probability."""
        followed = self.counts.sum(1, keepdims=True)
        plain = self.counts / np.maximum(followed, 1)
        return float(np.where(followed > 0, np.abs(self.kernel - plain), 0).max())

    @property
    def words(self) -> tuple[str, ...]:
        """What was read and estimated, a sentence each."""
        order = round(math.log(len(self.counts), len(self.names)))
        followed = self.counts.sum(1)
        alphabet = ", ".join(self.names)
        seen = int((followed > 0).sum())
        said = [
            f"{len(self.names)} symbols: {alphabet if len(alphabet) <= 80 else alphabet[:77]}"
            + ("" if len(alphabet) <= 80 else "..."),
            f"{int(followed.sum())} transitions of order {order}, {seen} of {len(followed)} "
            f"contexts seen, the rarest {int(followed[followed > 0].min())} times; standard errors "
            f"up to {np.nanmax(self.errors):.2g}",
        ]
        if self.smoothing:
            unseen = len(followed) - seen
            said.append(
                f"smoothing {self.smoothing:g} moves a probability by up to {self.moved:.2g}"
                + (f" and makes uniform laws of {unseen} contexts without counts" if unseen else "")
            )
        return (*self.notes, *said)


def read_sequences(path: str | Path, units: Units | None = None) -> Sequences:
    """The sequences of symbols in a file.

    An array of whole numbers (.npy; two axes are a sequence each row), FASTA (a sequence each
    record; lower case counts as upper), letters (every letter is a symbol, blanks and line breaks
    are not), or tokens between blanks, commas, semicolons or line breaks. A line break ends no
    sequence. Lines that begin with # are skipped.

    Args:
        path: of the file.
        units: "letters" or "tokens", for a text that can be read both ways.

    Raises:
        ValueError: if there is no such file, it holds fewer than two symbols, or words that may
            be letters or tokens and nobody says which; it names the file.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.txt"
    >>> _ = path.write_text("GATTACA")
    >>> read_sequences(path).names, read_sequences(path).parts[0].tolist()
    (('A', 'C', 'G', 'T'), [2, 0, 3, 3, 0, 1, 0])
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            return _numbered(load_array(path, MOST_SYMBOLS))
        text, notes = decoded(read_bytes(path))
        if path.suffix.lower() in _FASTA or text.lstrip().startswith(">"):
            found, more = _fasta(text)
        else:
            found, more = _text(text, units)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise ValueError(f"sequence file {str(path)!r} cannot be read: {reason}") from None
    except (ValueError, EOFError) as problem:
        raise ValueError(f"sequence file {str(path)!r} holds no sequence: {problem}") from None
    if sum(map(len, found)) > MOST_SYMBOLS:
        raise ValueError(f"sequence file {str(path)!r} has more than {MOST_SYMBOLS} symbols")
    names = sorted({symbol for part in found for symbol in part}, key=_rank)
    if len(names) < 2:
        raise ValueError(
            f"sequence file {str(path)!r} holds {len(names)} different symbols; at least 2 are "
            "needed"
        )
    number = {name: k for k, name in enumerate(names)}
    parts = tuple(np.array([number[symbol] for symbol in part], dtype=np.int64) for part in found)
    return Sequences(parts, tuple(names), (*notes, *more))


def _rank(name: str) -> tuple[int, int, str]:
    whole = re.fullmatch(r"[+-]?\d{1,18}", name)
    return (0, int(name), name) if whole else (1, 0, name)


def _numbered(array: np.ndarray) -> Sequences:
    if array.dtype.kind in "SU":
        array = np.array([name.decode("latin-1") if isinstance(name, bytes) else str(name)
                          for name in array.reshape(-1)]).reshape(array.shape)  # fmt: skip
    elif array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.floor(array)).all():
        array = array.astype(np.int64)
    elif array.dtype.kind not in "iub":
        raise ValueError(f"its entries are of type {array.dtype}; give whole numbers or letters")
    if array.ndim not in (1, 2) or array.size < 2:
        raise ValueError(f"it has shape {array.shape}; give one sequence, or one in each row")
    values, codes = np.unique(array, return_inverse=True)
    if len(values) < 2:
        raise ValueError("it holds 1 symbol; at least 2 are needed")
    codes = codes.reshape(array.shape if array.ndim == 2 else (1, -1))
    notes = (f"{len(codes)} sequences, one in each row",) if array.ndim == 2 else ()
    return Sequences(tuple(codes), tuple(map(str, values.tolist())), notes)


Found = tuple[list[Sequence[str]], tuple[str, ...]]


def _fasta(text: str) -> Found:
    records: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith(">"):
            records.append([])
        elif line.strip() and not line.startswith(";"):
            if not records:
                raise ValueError("a FASTA file begins with a line '>name'")
            records[-1].append("".join(line.split()))
    parts = ["".join(record) for record in records]
    notes = [f"{len(parts)} records of FASTA, a sequence each"]
    if any(part != part.upper() for part in parts):
        notes.append("lower case counts as upper")
    if any("N" in part.upper() for part in parts):
        notes.append("N is a symbol as any other")
    return [part.upper() for part in parts], tuple(notes)


def _text(text: str, units: Units | None) -> Found:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    tokens = [token.strip("\"'") for line in lines for token in re.split(r"[\s,;]+", line.strip())]
    tokens = [token for token in tokens if token]
    long = [token for token in tokens if len(token) > 1]
    letters = "".join(tokens)
    blanks = ("blanks, line breaks and separators are no symbols",) if len(tokens) > 1 else ()
    if units is None and long and len(tokens) > 1:
        whole = all(re.fullmatch(r"[+-]?(0|[1-9]\d*)", token) for token in tokens)
        dna = set(letters) <= _NUCLEOTIDES
        # a few words, each come back to: no text, and no letters in lines of one length
        few = len(set(tokens)) <= min(FEW_TOKENS, len(tokens) // 2)
        if not whole and not dna and (not few or all(re.fullmatch(r"\d+", t) for t in tokens)):
            raise ValueError(
                f"it can be read as {len(letters)} letters or as {len(tokens)} tokens such as "
                f"{long[0][:20]!r}; give source.units = 'letters' or 'tokens'"
            )
        units = "letters" if dna and not whole else "tokens"
    if units == "tokens" or (units is None and not long):
        return [tokens], ("read as tokens",) if long else ()
    return [letters], blanks


def estimate(sequences: Sequences, *, order: int = 1, smoothing: float = 0.0) -> Estimate:
    """The chain of order k that sequences speak for: relative frequencies, or smoothed ones.

    Args:
        sequences: what `read_sequences` returns.
        order: k, at least 1.
        smoothing: a, added to every count; 0 leaves relative frequencies.

    Raises:
        ValueError: for an order or a smoothing out of range, S^k contexts beyond what a kernel
            holds, or without smoothing a context that nothing follows; it names such contexts.

    >>> heads = Sequences((np.array([0, 0, 1, 0, 1, 1, 0]),), ("H", "T"))
    >>> estimate(heads).counts.tolist(), estimate(heads, smoothing=1.0).kernel[0].round(3).tolist()
    ([[1, 2], [2, 1]], [0.4, 0.6])
    """
    order, states = whole_number("order", order, 1), len(sequences.names)
    if not (math.isfinite(smoothing) and 0 <= smoothing <= 1e6):
        raise ValueError(f"smoothing={smoothing} is out of range; give a number from 0 to 1000000")
    check_size(states, order)
    counts = np.zeros((states**order, states), dtype=np.int64)
    for part in sequences.parts:
        if len(part) <= order:
            continue
        context = np.zeros(len(part) - order, dtype=np.int64)
        for back in range(order):
            context = context * states + part[back : len(part) - order + back]
        np.add.at(counts, (context, part[order:]), 1)
    if not counts.any():
        longest = max(map(len, sequences.parts))
        raise ValueError(f"no sequence is longer than order={order} (the longest has {longest})")
    silent = np.flatnonzero(counts.sum(1) == 0)
    if len(silent) and not smoothing:
        places = [np.unravel_index(c, (states,) * order) for c in silent[:3]]
        named = [" ".join(sequences.names[int(s)] for s in place) for place in places]
        more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
        raise ValueError(
            f"nothing follows the contexts {', '.join(map(repr, named))}{more} of order {order}; "
            "give a source.smoothing above 0, such as 1, or a lower order"
        )
    return Estimate(sequences.names, counts, float(smoothing), sequences.notes)
