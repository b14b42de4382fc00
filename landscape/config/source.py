"""The table `source`: which symbols follow each other, and with which probability."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from landscape.config.section import Real, Section, Whole, not_bool
from landscape.errors import ConfigError, Refusal, Setting, refused

if TYPE_CHECKING:
    from landscape.sources import SampledSource


def _inside(value: Decimal) -> Decimal:
    # Decimal("1e-400") lies inside (0, 1); the float that is computed with does not.
    if not (value.is_finite() and 0 < value < 1 and 0 < float(value) < 1):
        raise ValueError("outside (0, 1)")
    return value


# NaN is let in to be refused by `_inside`: the decimal is compared as it was written.
Probability = Annotated[
    Decimal, Field(allow_inf_nan=True), BeforeValidator(not_bool), AfterValidator(_inside)
]

_PROBABILITY = (
    "a number strictly between 0 and 1, for example 0.01 or 0.99 (in float64 too: log-odds are "
    "infinite at the ends)"
)

DRAWN = ("states", "kernel_seed", "concentration")
READ = {
    "binary": ("p", "q", "start"),
    "switching": ("states", "p", "start"),
    "markov": ("kernel", *DRAWN, "start"),
    "order-k": ("order", "kernel", *DRAWN, "start"),
    "lag": ("order", "p", "q", "kernel", *DRAWN, "start"),
    "in-context": ("states", "order", "concentration", "start"),
}
"""The settings that each kind of source reads."""


class Source(Section):
    """The source of symbols.

    - "binary": the chain `p = P(1 | 0)`, `q = P(0 | 1)`, kept as the decimals that were written;
    - "switching": `states` symbols, leaving each with probability p, for any other one alike;
    - "markov": any irreducible kernel; "order-k": one row for each context of `order` symbols;
    - "lag": the next symbol depends on the one `order - 1` before the last alone, by the chain
      (p, q) or by a kernel;
    - "in-context": a fresh kernel for every sequence, its rows from a Dirichlet prior.

    A `kernel` is a list of rows, the name of a .npy or .csv file with them, or is drawn: `states`
    symbols, rows from a Dirichlet law of this `concentration` (1: uniform), by `kernel_seed`.
    `start` is the law of the first symbols; left out, it is the stationary one (in context the
    uniform one).

    >>> Source(p=Decimal("0.5"), q=Decimal("0.80")).q
    Decimal('0.80')
    >>> Source(kind="switching", states=5, p=Decimal("0.9")).symbols
    5
    """

    title: ClassVar[str] = "source"
    kind: Literal["binary", "switching", "markov", "order-k", "lag", "in-context"] = "binary"
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

    @model_validator(mode="before")
    @classmethod
    def _a_file_is_read(cls, settings: Any) -> Any:
        if isinstance(settings, Mapping) and isinstance(settings.get("kernel"), str):
            from landscape.sources.kernels import kernel_file

            try:
                kernel = kernel_file(Path(settings["kernel"]))
            except ValueError as error:
                raise refused("source.kernel", why=str(error)) from None
            settings = {**settings, "kernel": kernel.tolist()}
        return settings

    @model_validator(mode="after")
    def _settings_are_those_of_the_kind(self) -> "Source":
        read = READ[self.kind]
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is not None and name != "kind" and name not in read:
                raise self.refused(
                    name,
                    why=f"a source of kind {self.kind!r} does not read it",
                    hint=f"leave it out (it reads {', '.join(read)})",
                )
        if self.kind == "lag" and self.kernel is None and self.kernel_seed is None:
            self._need("p", "q", "order")
            self._refuse(DRAWN, "a kernel that is drawn", "p and q")
        elif self.kind in ("markov", "order-k", "lag"):
            self._one_kernel()
            self._refuse(("p", "q"), "the binary chain", "a kernel")
            if self.kind == "lag" or (self.kind == "order-k" and self.kernel is None):
                self._need("order")
        elif self.kind == "switching":
            self._need("states", "p")
        elif self.kind == "binary":
            self._need("p", "q")
        if self.kind != "binary":
            self._exists()
        return self

    def _need(self, *names: str) -> None:
        missing = [name for name in names if getattr(self, name) is None]
        if missing:
            raise ConfigError(*self.missing(*missing))

    def _refuse(self, names: Iterable[str], owner: str, beside: str) -> None:
        given = [name for name in names if getattr(self, name) is not None]
        why, hint = f"it belongs to {owner}", (f"with {beside} leave it out",)
        if given:
            raise ConfigError(
                *(Refusal(f"source.{n}", getattr(self, n), why=why, hint=hint) for n in given)
            )

    def _one_kernel(self) -> None:
        if self.kernel is not None:
            drawn = DRAWN if self.kind != "order-k" else ("order", *DRAWN)
            self._refuse(drawn, "a kernel that is drawn", "the rows of one")
        elif self.kernel_seed is None:
            drawn_by = Setting("source.kernel_seed"), " and ", Setting("source.states")
            (missing,) = self.missing("kernel")
            raise ConfigError(replace(missing, hint=(("or draw one, by ", *drawn_by),)))
        else:
            self._need("states")

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
        from landscape.sources.registry import source_named

        return source_named(**{name: getattr(self, name) for name in type(self).model_fields})

    @property
    def symbols(self) -> int:
        """Number S of symbols."""
        if self.kernel is not None:
            return len(self.kernel[0])
        return self.states or 2

    @property
    def chain(self) -> tuple[Decimal, Decimal]:
        """p and q of the binary chain; ConfigError for a source that has not both."""
        if self.p is None or self.q is None:
            why = f"a source of kind {self.kind!r} has no p and q"
            raise self.refused("kind", why=why, hint="take 'binary'")
        return self.p, self.q

    @property
    def degenerate(self) -> bool:
        """Whether symbols are independent, decided without rounding: nothing to learn but pi."""
        if self.kernel is not None:
            return len(set(self.kernel)) == 1
        if self.kind == "switching" and self.p is not None:
            return Fraction(self.p) == Fraction(self.symbols - 1, self.symbols)
        if self.p is not None and self.q is not None:
            return Fraction(self.p) + Fraction(self.q) == 1  # decimals round at 28 digits
        return False

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
            if value is not None and name not in ("kind", "kernel", "start"):
                parts.append(f"{name.replace('_', ' ')} {value}")
        return ", ".join([self.kind, *parts])
