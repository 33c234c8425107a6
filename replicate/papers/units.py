"""Between what we measure (counts, percent) and the units in which a paper prints it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Unit:
    """`size`: how many counts make one; `sign`: how it is written after a number."""

    size: float
    sign: str


MILLION, BILLION = Unit(1e6, "M"), Unit(1e9, "G")
UNITS = {
    "percent": Unit(1, "%"),
    "percentage points": Unit(1, "points"),
    "count": Unit(1, ""),
    "million": MILLION,
    "millions": MILLION,
    "1e6": MILLION,
    "billion": BILLION,
    "billion_multiply_adds": BILLION,
    "1e9": BILLION,
    "1e9 multiply-adds": BILLION,
    "millions of steps": Unit(1e6, "M steps"),
    "fraction": Unit(100, ""),  # of what we measure in percent
    "thousands (1024)": Unit(1024, "K"),  # as Table 1 of GoogLeNet counts parameters
}
COUNTS = frozenset({"parameters", "multiply_adds", "steps_to_reach"})
"""Measured metrics that are counts in every study; study `count` measures nothing else."""


def unit(name: str) -> Unit:
    """The unit that a table calls `name`; one that is not a multiple of a count is written in words."""
    return UNITS.get(name, Unit(1, name.replace("_", " ")))


def converted(
    values: "pd.Series[float]", column: str, metric: str, unit_name: str, counted: bool
) -> "pd.Series[float]":
    """Values of the measured `metric` as the table's `column` gives them: counts in its unit, an error as an accuracy.

    `counted`: every metric of the study is a count.
    """
    if "accuracy" in column and metric.endswith("error"):
        return (100 - values) / unit(unit_name).size
    return values / unit(unit_name).size if counted or metric in COUNTS else values
