"""What every part of a paper's file shares: frozen, and a key that the schema does not know is an error."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from replicate.papers.printed import Printed

Value = Printed | int | bool | str | None
"""A cell of a printed table; None where the paper says "fail" or prints no number."""

Param = Printed | int | bool | str | None | list[Any]
"""What distinguishes a row: depth, cardinality, option, ..."""


class Fact(BaseModel):
    """Base of every model here."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def as_tuple(value: Any) -> Any:
    """A single name or mapping as a tuple of one; anything else as it is."""
    return (value,) if isinstance(value, (str, dict)) else value


Reason = Annotated[str, Field(min_length=10)]
"""Why something is not re-made, in words that a reader can judge."""

Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
"""One name or a list of names in YAML, always a tuple in Python."""


def repeated(names: Iterable[str]) -> set[str]:
    """The names that occur more than once."""
    return {name for name, count in Counter(names).items() if count > 1}
