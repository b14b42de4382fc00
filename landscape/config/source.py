"""The table `source`: which symbols follow each other, and with which probability."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from landscape.config.section import LONGEST, Real, Section, Whole, not_bool
from landscape.errors import ConfigError, Refusal, Setting, clipped, nearest, refused

if TYPE_CHECKING:
    from landscape.sources import SampledSource
    from landscape.sources.protocol import Exact


log = logging.getLogger(__name__)


def _inside(given: Any) -> "Exact":
    from landscape.sources.binary import exact_number

    if not isinstance(given, int | float | str | Decimal | Fraction):
        raise ValueError("no number")
    value = exact_number(given)
    if isinstance(value, Fraction):
        if not (0 < value < 1 and 0 < float(value) < 1):
            raise ValueError("outside (0, 1)")
        return value
    # Decimal("1e-400") lies inside (0, 1); the float that is computed with does not.
    if not (value.is_finite() and 0 < value < 1 and 0 < float(value) < 1):
        raise ValueError("outside (0, 1)")
    if len(value.as_tuple().digits) > LONGEST:
        raise ValueError("too many digits")
    return value


# Any to pydantic, which reads no fractions: the number is compared as it was written.
Probability = Annotated[Any, BeforeValidator(not_bool), AfterValidator(_inside)]

_PROBABILITY = (
    "a number strictly between 0 and 1, for example 0.01 or 0.99 (in float64 too: log-odds are "
    "infinite at the ends)"
)

DRAWN = ("states", "kernel_seed", "concentration")


@dataclass(frozen=True)
class SourceKind:
    """A kind of source: what builds it, from which settings.

    `home` is MODULE:ATTRIBUTE of a class or function, loaded when a source is built and called with
    those of the settings that it `reads` and that were given. Those that it `needs` must be.
    """

    home: str
    reads: tuple[str, ...]
    needs: tuple[str, ...] = ()
    rule: Callable[["Source"], None] | None = None
    """Raises ConfigError for settings that do not go together."""
    independent: Callable[["Source"], bool] | None = None
    """Whether symbols are independent at these settings, without rounding; asked if no kernel is
    given. None: never."""
    sure: bool = False
    """Whether its settings alone, each in range, make a source: it need not be built to be seen."""


def _sum_is_one(source: "Source") -> bool:
    if source.p is None or source.q is None:
        return False
    return Fraction(source.p) + Fraction(source.q) == 1  # decimals round at 28 digits


def _leaves_evenly(source: "Source") -> bool:
    leaving = Fraction(source.symbols - 1, source.symbols)
    return source.p is not None and Fraction(source.p) == leaving


def _order_needs_a_kernel(source: "Source") -> None:
    source.one_kernel(("order", *DRAWN))
    if source.kernel is None:
        source.need("order")


def _lag_has_one_chain(source: "Source") -> None:
    if source.kernel is None and source.kernel_seed is None:
        source.need("p", "q", "order")
        source.refuse(DRAWN, "a kernel that is drawn", "p and q")
    else:
        source.one_kernel(DRAWN)
        source.refuse(("p", "q"), "the binary chain", "a kernel")
        source.need("order")


SOURCES: dict[str, SourceKind] = {
    "binary": SourceKind(
        "landscape.sources.markov:binary_chain",
        reads=("p", "q", "start"),
        needs=("p", "q"),
        independent=_sum_is_one,
        sure=True,
    ),
    "switching": SourceKind(
        "landscape.sources.markov:SwitchingMarkov",
        reads=("states", "p", "start"),
        needs=("states", "p"),
        independent=_leaves_evenly,
    ),
    "markov": SourceKind(
        "landscape.sources.markov:Markov.from_settings",
        reads=("kernel", *DRAWN, "start"),
        rule=lambda source: source.one_kernel(DRAWN),
    ),
    "order-k": SourceKind(
        "landscape.sources.order_k:OrderKMarkov.from_settings",
        reads=("order", "kernel", *DRAWN, "start"),
        rule=_order_needs_a_kernel,
    ),
    "lag": SourceKind(
        "landscape.sources.lag:LagMarkov.from_settings",
        reads=("order", "p", "q", "kernel", *DRAWN, "start"),
        rule=_lag_has_one_chain,
        independent=_sum_is_one,
    ),
    "in-context": SourceKind(
        "landscape.sources.in_context:InContext",
        reads=("states", "order", "concentration", "start"),
    ),
}
"""Every kind of source; a new one is added here, by whoever has it."""


ESTIMATED = ("sequence", "smoothing", "units")
"""Settings of an estimate, which are gone once the kernel is there."""


def _kernel_of_a_file(settings: dict[str, Any]) -> dict[str, Any]:
    from landscape.sources.files import digest
    from landscape.sources.table_file import kernel_table

    path = Path(settings["kernel"])
    try:
        table = kernel_table(path)
        record = {"kernel": str(path), "sha256": digest(path), "notes": table.notes}
    except ValueError as error:
        raise refused("source.kernel", why=str(error)) from None
    if table.notes:
        log.warning("%s: %s", clipped(str(path)), "; ".join(table.notes))
    rows = table.array.reshape(-1, table.array.shape[-1]) if table.array.ndim > 2 else table.array
    return {**settings, "kernel": rows.tolist(), "read": record}


def _normalised(settings: dict[str, Any]) -> dict[str, Any]:
    from landscape.sources.kernels import normalised

    try:
        return {**settings, "kernel": normalised(_as_lists(settings["kernel"])).tolist()}
    except ValueError as error:
        raise refused("source.kernel", why=str(error)) from None


def _estimated(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a source whose kernel is estimated from a sequence, with that kernel."""
    from landscape.sources.estimate import estimate, read_sequences
    from landscape.sources.files import digest

    path, given = settings["sequence"], {key for key, x in settings.items() if x is not None}
    order = settings.get("order") or 1
    kind = settings.get("kind", "markov" if order == 1 else "order-k")
    for name in ("p", "q", "states", "kernel", "kernel_seed", "concentration", "normalise"):
        if name in given and not (name == "kernel" and "read" in given):
            why, hint = "the kernel is estimated from source.sequence", "give one of them"
            raise refused(f"source.{name}", settings[name], why=why, hint=hint)
    if not isinstance(path, str):
        raise refused("source.sequence", path, allowed="the name of a file of symbols")
    if kind not in ("markov", "order-k") or (kind == "markov" and order != 1):
        hint = "take 'order-k'" if order != 1 else "take 'markov' or 'order-k', or leave it out"
        why = "a sequence estimates a chain of order k"
        raise refused("source.kind", kind, why=why, hint=hint)
    for name in ("order", "smoothing", "units"):
        Source.in_range(name, settings.get(name))
    try:
        found = estimate(
            read_sequences(path, settings.get("units")),
            order=int(order),
            smoothing=float(settings.get("smoothing") or 0.0),
        )
        record = {
            "sequence": path,
            "sha256": digest(Path(path)),
            "order": int(order),
            "smoothing": found.smoothing,
            "symbols": list(found.names),
            "counts": found.counts.tolist(),
            "standard_errors": found.errors.tolist(),
            "notes": list(found.words),
        }
    except ValueError as error:
        raise refused("source.sequence", why=str(error)) from None
    log.warning("%s: %s", clipped(path), "; ".join(found.words))
    kept = {key: x for key, x in settings.items() if key not in (*ESTIMATED, "order")}
    return {**kept, "kind": kind, "kernel": found.kernel.tolist(), "read": record}


def _as_lists(value: Any) -> Any:
    """Rows and laws as numpy takes them for an array."""
    return [_as_lists(each) for each in value] if isinstance(value, tuple) else value


class Source(Section):
    """The source of symbols.

    - "binary": the chain `p = P(1 | 0)`, `q = P(0 | 1)`, kept as the decimals that were written;
    - "switching": `states` symbols, leaving each with probability p, for any other one alike;
    - "markov": any irreducible kernel; "order-k": one row for each context of `order` symbols;
    - "lag": the next symbol depends on the one `order - 1` before the last alone, by the chain
      (p, q) or by a kernel;
    - "in-context": a fresh kernel for every sequence, its rows from a Dirichlet prior.

    A `kernel` is a list of rows, the name of a file with them, or is drawn: `states` symbols, rows
    from a Dirichlet law of this `concentration` (1: uniform), by `kernel_seed`. `normalise` divides
    rows of counts, or of rounded numbers, by their sums. From a `sequence`, a file of symbols
    (`units`: letters or tokens), it is estimated to this `order`, with `smoothing` added to each
    count; what stays is the kernel. `read` says how a kernel was come by. `start` is the law of the
    first symbols; left out, it is the stationary one (in context the uniform one).

    >>> Source(p=Decimal("0.5"), q=Decimal("0.80")).q
    Decimal('0.80')
    >>> Source(kind="switching", states=5, p=Decimal("0.9")).symbols
    5
    """

    title: ClassVar[str] = "source"
    later: ClassVar[Mapping[str, Any]] = dict.fromkeys(
        ("p", "q", "states", "order", "kernel", "kernel_seed", "concentration", "start", *ESTIMATED)
    )
    apart: ClassVar[tuple[str, ...]] = ("normalise", "read")
    kind: str = Field(default="binary", description="a kind of source")
    p: Probability | None = Field(default=None, description=_PROBABILITY)
    q: Probability | None = Field(default=None, description=_PROBABILITY)
    states: Whole | None = Field(
        default=None, ge=2, description="a number of symbols, a whole number of at least 2"
    )
    order: Whole | None = Field(
        default=None, ge=1, description="a number of symbols back, a whole number of at least 1"
    )
    kernel: tuple[tuple[Real, ...], ...] | None = Field(
        default=None, description="a list of rows of probabilities, or the name of a file of them"
    )
    kernel_seed: Whole | None = Field(
        default=None, ge=0, lt=2**31, description="a whole number from 0 to 2^31 - 1"
    )
    concentration: Real | None = Field(
        default=None, gt=0, description="a finite number above 0 (1 is the uniform law)"
    )
    start: tuple[Real, ...] | None = Field(default=None, description="a list of probabilities")
    normalise: bool | None = Field(default=None, strict=True, description="true or false")
    sequence: str | None = Field(default=None, description="the name of a file of symbols")
    smoothing: Real | None = Field(
        default=None, ge=0, le=10**6, description="a number from 0 to 1000000, added to each count"
    )
    units: Literal["letters", "tokens"] | None = None
    read: dict[str, Any] | None = Field(default=None, description="a table that a scan has written")

    @model_validator(mode="before")
    @classmethod
    def _a_file_is_read(cls, settings: Any) -> Any:
        if not isinstance(settings, Mapping):
            return settings
        if settings.get("sequence") is not None:
            return _estimated(dict(settings))
        for name in ("smoothing", "units"):
            if settings.get(name) is not None:
                why, hint = "it belongs to a sequence", "give source.sequence, or leave it out"
                raise refused(f"source.{name}", settings[name], why=why, hint=hint)
        given, read = settings.get("kernel"), settings.get("read")
        if settings.get("order") is not None and isinstance(read, Mapping) and "sequence" in read:
            why = f"the kernel was estimated to order {read.get('order')}"
            hint = "estimate each order in a configuration of its own"
            raise refused("source.order", settings["order"], why=why, hint=hint)
        if isinstance(given, str):
            settings = _kernel_of_a_file(dict(settings))
        elif given is None and settings.get("normalise") is not None:
            why = "it is of a kernel that is given"
            raise refused("source.normalise", settings["normalise"], why=why, hint="leave it out")
        if settings.get("normalise") is True:
            settings = _normalised(dict(settings))
        return settings

    def __hash__(self) -> int:  # of what makes it the source it is
        names = (name for name in type(self).model_fields if name not in self.apart)
        return hash(tuple(getattr(self, name) for name in names))

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in SOURCES:
            allowed = f"one of {', '.join(map(repr, SOURCES))}"
            raise refused("source.kind", kind, allowed=allowed, hint=nearest(kind, SOURCES))
        return kind

    @model_validator(mode="after")
    def _settings_are_those_of_the_kind(self) -> "Source":
        kind = SOURCES[self.kind]
        for name in type(self).model_fields:
            value = getattr(self, name)
            known = (*kind.reads, *self.apart, "kind")
            if value is not None and name not in known:
                raise self.refused(
                    name,
                    why=f"a source of kind {self.kind!r} does not read it",
                    hint=f"leave it out (it reads {', '.join(kind.reads)})",
                )
        self.need(*kind.needs)
        if kind.rule is not None:
            kind.rule(self)
        if not kind.sure:
            self._exists()
        return self

    def need(self, *names: str) -> None:
        """Refuse the settings if any of these is missing."""
        missing = [name for name in names if getattr(self, name) is None]
        if missing:
            raise ConfigError(*self.missing(*missing))

    def refuse(self, names: Iterable[str], owner: str, beside: str) -> None:
        """Refuse the settings if any of these is given: with `beside`, they belong to `owner`."""
        given = [name for name in names if getattr(self, name) is not None]
        why, hint = f"it belongs to {owner}", (f"with {beside} leave it out",)
        if given:
            raise ConfigError(
                *(Refusal(f"source.{n}", getattr(self, n), why=why, hint=hint) for n in given)
            )

    def one_kernel(self, drawn: Iterable[str]) -> None:
        """Refuse the settings unless they give a kernel, or else the seed of one and its states."""
        if self.kernel is not None:
            self.refuse(drawn, "a kernel that is drawn", "the rows of one")
        elif self.kernel_seed is None:
            drawn_by = Setting("source.kernel_seed"), " and ", Setting("source.states")
            (missing,) = self.missing("kernel")
            raise ConfigError(replace(missing, hint=(("or draw one, by ", *drawn_by),)))
        else:
            self.need("states")

    def _exists(self) -> None:
        try:
            self.build()
        except ValueError as error:
            raise refused("the source", why=str(error)) from None

    def build(self) -> "SampledSource":
        """The source that the settings describe (this loads torch).

        >>> Source(p=Decimal("0.5"), q=Decimal("0.8")).build().entropy_rate.__round__(5)
        0.61901
        """
        kind = SOURCES[self.kind]
        given = {name: getattr(self, name) for name in kind.reads}
        source: SampledSource = resolve_name(kind.home)(
            **{name: _as_lists(value) for name, value in given.items() if value is not None}
        )
        return source

    @property
    def symbols(self) -> int:
        """Number S of symbols."""
        if self.kernel is not None:
            return len(self.kernel[0])
        return self.states or 2

    @property
    def chain(self) -> "tuple[Exact, Exact]":
        """p and q of the binary chain; ConfigError for a source that has not both."""
        if self.p is None or self.q is None:
            why = f"a source of kind {self.kind!r} has no p and q"
            raise self.refused("kind", why=why, hint="take 'binary'")
        from landscape.sources.binary import of_one_kind

        return of_one_kind(self.p, self.q)

    @property
    def degenerate(self) -> bool:
        """Whether symbols are independent, decided without rounding: nothing to learn but pi."""
        if self.kernel is not None:
            return len(set(self.kernel)) == 1
        independent = SOURCES[self.kind].independent
        return independent is not None and independent(self)

    @property
    def words(self) -> str:
        """The source in a few words, for titles and tables.

        >>> Source(p=Decimal("0.5"), q=Decimal("0.80")).words
        '(p, q) = (0.5, 0.80)'
        """
        parts = []
        if self.kind == "binary":
            return f"(p, q) = ({self.p}, {self.q})"
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is not None and name not in ("kind", "kernel", "start", *self.apart):
                parts.append(f"{name.replace('_', ' ')} {value}")
        return ", ".join([self.kind, *parts])
