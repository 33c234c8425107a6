"""Numbers as the papers print them: a value and how many decimals stood on the page."""

from typing import Any, TypeGuard

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Printed(float):
    """A printed number. `9.90` keeps its two decimals, which decide whether a measured 9.904 agrees with it.

    >>> Printed("9.90").decimals
    2
    """

    decimals: int

    def __new__(cls, text: str | float) -> "Printed":
        number = super().__new__(cls, text)
        digits, _, exponent = str(text).lower().partition("e")
        number.decimals = max(0, len(digits.partition(".")[2]) - int(exponent or 0))
        return number

    def __str__(self) -> str:
        return f"{float(self):.{self.decimals}f}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_accept)


def _accept(value: Any) -> Printed:
    if isinstance(value, Printed):
        return value
    if isinstance(value, float):
        return Printed(value)
    raise ValueError("not a decimal number")


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a cell holds a number: `true` of a column of failures is none, though Python counts it as 1."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def decimals(number: float) -> int:
    """Decimals that `number` was printed with: what the page shows for a Printed, none for an integer."""
    if isinstance(number, int):
        return 0
    return number.decimals if isinstance(number, Printed) else Printed(number).decimals
