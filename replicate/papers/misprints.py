"""Printed figures that differ from a plain count: errata, which nothing explains, and conventions, which do."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from replicate.papers.facts import Fact, Value, as_tuple
from replicate.papers.printed import Printed

Number = Printed | int

ReadingName = Literal[
    "as built",
    "without normalisation",
    "with shifts but no scales",
    "with running statistics",
    "with shifts and running statistics but no scales",
    "without biases",
    "weights alone",
    "without the classifier",
    "without the classifier's bias",
    "without dense layers",
    "with auxiliary heads",
    "with biases",
    "with additions",
    "with additions and gates",
    "with additions, gates and pooling",
    "multiplications and additions apart",
]
"""The ways of counting that papers use; replicate.overview.count_readings computes them."""


class Counted(Fact):
    """A count on a registered network: the quantity `of` gives exactly `gives`, where `printed` (in `unit`) is printed.

    layer: part of the network alone, by name or pattern. side: the maps of so many pixels alone. unit: of the printed
    number, one that replicate.papers.units knows, or MB or MiB of 32-bit numbers. extra: what the printed graph has
    beyond the registered one, which the entry's note explains.
    """

    model: dict[str, Any]
    input: tuple[int, int, int]
    of: str
    gives: int | float
    printed: Number | None = None
    unit: str | None = None
    layer: str = ""
    side: int | None = None
    extra: int = 0


class Erratum(Fact):
    """A printed figure that cannot be right: where it stands, what is printed, what is right, and the arithmetic."""

    where: str
    printed: Value
    right: str
    why: str
    source: Literal["paper", "source document", "code"]
    count: Annotated[tuple[Counted, ...], BeforeValidator(as_tuple)] = ()


class Convention(Fact):
    """Printed counts that are right as another count than ours: what is counted (`reading`), and how it is rounded.

    note: what `reading` leaves unsaid, for instance that a layer is drawn in another way.
    """

    where: str
    reading: ReadingName
    rounding: Literal["nearest", "truncated"] = "nearest"
    note: str | None = None
    source: Literal["paper", "source document", "code"] = "paper"
    count: Annotated[tuple[Counted, ...], BeforeValidator(as_tuple), Field(min_length=1)]

    @model_validator(mode="after")
    def _numbers(self) -> "Convention":
        if any(counted.printed is None or counted.unit is None for counted in self.count):
            raise ValueError("every count of a convention has the printed number and its unit")
        return self
